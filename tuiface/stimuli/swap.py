"""Exchange of rows between two faces: the crossover of the style-mixing literature, both children."""

from __future__ import annotations

from tuiface.core.errors import UsageError
from tuiface.faces.studio import Face

FIRST_ROW = 6
"""The lab's default: rows from here up carry colours and texture, those below the shape of the head."""


def default_rows(num_ws: int) -> tuple[int, int]:
    """Rows 6 and up; the upper half for a network of so few rows that little would be left."""
    return (FIRST_ROW if num_ws > FIRST_ROW + 1 else num_ws // 2, num_ws)


def swap(a: Face, b: Face, rows: tuple[int, int] | None = None) -> tuple[Face, Face]:
    """`a` with rows [start, stop) of `b`, and `b` with those of `a`; each keeps its own truncation.

    Raises UsageError for rows that the network lacks, and for a parent with mixes or edits: the other child would lose
    them, since rows come from a source.
    """
    num_ws = a.studio.info.num_ws
    start, stop = rows = default_rows(num_ws) if rows is None else rows
    if not 0 <= start < stop <= num_ws:
        raise UsageError(f"rows {start}-{stop}; accepted for this model: A-B with 0 <= A < B <= {num_ws}")
    for face in (a, b):
        if face.recipe.mixes or face.recipe.edits:
            raise UsageError(f"face {face.id} has mixes or edits, which an exchange would lose", "use plain faces")
    return a.mix(b, rows), b.mix(a, rows)
