"""What two faces exchange: rows, the crossover of the style-mixing literature, both children; or the inner face.

The second is the laboratory's design, contour by inner face, crossed 2 x 2: the same inner face in another contour,
another inner face in the same one.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from tuiface.core.errors import UsageError
from tuiface.core.files import reserve_paths, write_file
from tuiface.engine_api.requests import CrossRequest
from tuiface.faces.provenance import list_saved_files
from tuiface.faces.repair import is_half_saved
from tuiface.faces.studio import Face, complete_faces
from tuiface.stimuli.series import Progress, report_progress, write_tagged

FIRST_ROW = 6
"""The lab's default: rows from here up carry colours and texture, those below the shape of the head."""


def default_rows(num_ws: int) -> tuple[int, int]:
    """Rows 6 and up; the upper half for a network of so few rows that little would be left."""
    return (FIRST_ROW if num_ws > FIRST_ROW + 1 else num_ws // 2, num_ws)


def swap(a: Face, b: Face, rows: tuple[int, int] | None = None) -> tuple[Face, Face]:
    """`a` with rows [start, stop) of `b`, and `b` with those of `a`; each keeps its own truncation.

    Where either has mixes or edits, both are baked into rows of W+ first, which takes an engine seconds where there are
    locks; edits of styles, which have no rows, stay with their face. Raises UsageError for rows that the network lacks.
    """
    num_ws = a.studio.info.num_ws
    start, stop = rows = default_rows(num_ws) if rows is None else rows
    if not 0 <= start < stop <= num_ws:
        raise UsageError(f"rows {start}-{stop}; accepted for this model: A-B with 0 <= A < B <= {num_ws}")
    return exchange_rows(*bake_where_needed(a, b), rows)


def exchange_rows(a: Face, b: Face, rows: tuple[int, int]) -> tuple[Face, Face]:
    """As `swap`, of faces that hold what changes places in their sources; without the engine."""
    return a.mix(b, rows), b.mix(a, rows)


def needs_baking(*faces: Face) -> bool:
    """Whether faces hold what is in no source: mixes or edits."""
    return any(face.recipe.mixes or face.recipe.edits for face in faces)


def bake_where_needed(a: Face, b: Face) -> tuple[Face, Face]:
    """Both as they are, or both as rows of W+: one truncation would be applied to the other's rows."""
    return (a.bake(), b.bake()) if needs_baking(a, b) else (a, b)


COLUMNS = ("file", "contour", "inner", "id", "frame_variation_percent", "inner_difference_percent")


@dataclass(frozen=True, slots=True)
class Cell:
    """One of the four faces."""

    face: Face
    contour: Face
    inner: Face
    frame_variation_percent: float = 0.0
    """Against `contour`."""
    inner_difference_percent: float = 0.0
    """What is left of the difference to the inner face of `inner`."""


Cells = tuple[Cell, Cell, Cell, Cell]


@dataclass(frozen=True, slots=True)
class SavedCross:
    """What lies on the disk."""

    cells: Cells
    pictures: tuple[Path, ...]
    """In the order of the cells, each with its JSON and tags."""
    table: Path
    """CSV, a line a picture: `COLUMNS`."""


def cross(a: Face, b: Face) -> Cells:
    """`a`, a's contour with b's inner face, b's contour with a's, `b`. The engine takes seconds for each child.

    Raises what `check_cross` raises.
    """
    check_cross(a, b)
    return Cell(a, a, a), _make_child(a, b), _make_child(b, a), Cell(b, b, b)


def save_cross(
    a: Face, b: Face, folder: Path, *, force: bool = False, progress: Progress = lambda done, total: True
) -> SavedCross:
    """Cross two faces and write all four cells: `contour-A-inner-B.png` and so on, and `cross-A-B.csv`.

    Every name is checked before anything is computed, and progress is of the four pictures. Raises OutputError,
    Cancelled, and what `check_cross` raises.
    """
    check_cross(a, b)
    series = f"cross-{a.id}-{b.id}"
    table = folder / f"{series}.csv"
    pairs = ((a, a), (a, b), (b, a), (b, b))
    paths = tuple(folder / f"contour-{contour.id}-inner-{inner.id}.png" for contour, inner in pairs)
    whole = [path for path in paths if not is_half_saved(path)]  # whose recipe is known only once it is found
    with reserve_paths(folder, (*list_saved_files(whole), table), force=force):
        report_progress(progress, 0, len(paths))
        cells = cross(a, b)
        for number, (cell, path) in enumerate(zip(cells, paths, strict=True), start=1):
            if force or not complete_faces([cell.face], [path], None):
                tags = (f"contour-{cell.contour.id}", f"inner-{cell.inner.id}")
                write_tagged(cell.face, cell.face.render(), path, tags, series, force=force)
            report_progress(progress, number, len(paths))
        write_file(table, _format_table(cells, paths).encode(), force=force)
    return SavedCross(cells, paths, table)


def check_cross(a: Face, b: Face) -> None:
    """Raise UsageError for a face with itself."""
    if a.recipe.digest == b.recipe.digest:
        raise UsageError(f"face {a.id} crossed with itself is itself", "name two faces")


def _make_child(contour: Face, inner: Face) -> Cell:
    given, other = (one.bake() if one.recipe.locks else one for one in (contour, inner))
    face, measures = given.find(CrossRequest(contour=given.recipe, inner=other.recipe), other)
    return Cell(face, contour, inner, measures["frame_variation_percent"], measures["inner_difference_percent"])


def _format_table(cells: Cells, paths: tuple[Path, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cell, path in zip(cells, paths, strict=True):
        measures = (cell.frame_variation_percent, cell.inner_difference_percent)
        writer.writerow((path.name, cell.contour.id, cell.inner.id, cell.face.id, *measures))
    return text.getvalue()
