"""Contour by inner face, 2 x 2: the four cells, their files and their table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.fake_engine import FakeEngine
from tuiface.core.errors import OutputError, UsageError
from tuiface.core.settings import Settings
from tuiface.faces.library import Library, read_tags
from tuiface.faces.provenance import read_saved_face
from tuiface.faces.recipe import LatentSource
from tuiface.faces.studio import Studio
from tuiface.stimuli.exchange import cross, save_cross
from tuiface.stimuli.series import Cancelled


@pytest.fixture
def studio(settings: Settings) -> Studio:
    return Studio(FakeEngine(), settings)


def test_a_cross_has_both_faces_and_both_children(studio: Studio) -> None:
    a, b = studio.face(1, psi=0.5).noise("none"), studio.face(2)
    cells = cross(a, b)
    assert (cells[0].face, cells[3].face) == (a, b)
    assert [(cell.contour, cell.inner) for cell in cells] == [(a, a), (a, b), (b, a), (b, b)]
    child = cells[1].face.recipe
    assert isinstance(child.source, LatentSource)
    assert child.source.origin is not None
    assert child.source.origin.settings == {
        "method": "cross",
        "contour": a.recipe.digest,
        "inner": b.recipe.digest,
        "frame_variation_percent": 0.75,
        "inner_difference_percent": 0.25,
    }
    halfway = (studio.engine.ws(a.recipe) + studio.engine.ws(b.recipe)) / 2
    np.testing.assert_allclose(studio.engine.ws(child), halfway, rtol=1e-6)
    assert child.noise == a.recipe.noise
    assert cells[2].face.recipe.noise == b.recipe.noise


def test_cells_are_saved_with_tags_and_a_table(studio: Studio, tmp_path: Path) -> None:
    a, b = studio.face(1), studio.face(2)
    saved = save_cross(a, b, tmp_path / "set")
    assert [path.name for path in saved.pictures] == [
        f"contour-{c.id}-inner-{i.id}.png" for c, i in ((a, a), (a, b), (b, a), (b, b))
    ]
    assert read_tags(saved.pictures[1]).tags == (f"contour-{a.id}", f"inner-{b.id}")
    assert len(Library(tmp_path / "set", tmp_path / "cache").faces(series=f"cross-{a.id}-{b.id}")) == 4
    with saved.table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, cell, path in zip(rows, saved.cells, saved.pictures, strict=True):
        assert (row["file"], row["contour"], row["inner"]) == (path.name, cell.contour.id, cell.inner.id)
        assert read_saved_face(path).provenance.recipe == cell.face.recipe
    assert [float(row["frame_variation_percent"]) for row in rows] == [0, 0.75, 0.75, 0]


@pytest.mark.parametrize("last", [".png", ".json", ".csv"])
def test_nothing_is_computed_where_a_file_exists(studio: Studio, tmp_path: Path, last: str) -> None:
    a, b = studio.face(1), studio.face(2)
    name = f"cross-{a.id}-{b.id}" if last == ".csv" else f"contour-{b.id}-inner-{b.id}"
    (tmp_path / f"{name}{last}").write_bytes(b"")
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    with pytest.raises(OutputError, match="exists already"):
        save_cross(a, b, tmp_path, progress=progress)
    assert isinstance(studio.engine, FakeEngine)
    assert not studio.engine.jobs
    assert not told
    assert len(save_cross(a, b, tmp_path, force=True, progress=progress).pictures) == 4
    assert told == [(done, 4) for done in range(5)]


def test_a_cross_can_be_called_off(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        save_cross(studio.face(1), studio.face(2), tmp_path / "set", progress=lambda done, total: False)
    assert not (tmp_path / "set").exists()


def test_faces_that_cannot_be_crossed_are_refused(studio: Studio, tmp_path: Path) -> None:
    face = studio.face(1)
    with pytest.raises(UsageError, match="with itself"):
        save_cross(face, studio.face(1), tmp_path / "out")
    assert not (tmp_path / "out").exists()
