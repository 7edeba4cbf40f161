"""The headless studio: history, lineage, saving, and opening what was saved."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.fake_engine import FakeEngine
from tuiface.core.errors import InputFileError, ModelError, OutputError, TuifaceError, UsageError
from tuiface.core.settings import Settings
from tuiface.core.values import parse_json
from tuiface.faces.provenance import DIGITAL_SOURCE_TYPE, Provenance, read_png, read_saved_face
from tuiface.faces.studio import Face, Studio


@pytest.fixture
def studio(settings: Settings) -> Studio:
    return Studio(FakeEngine(), settings)


def test_undo_inverts_and_redo_restores(studio: Studio) -> None:
    first = studio.current
    second = studio.show(studio.face(seed=5))
    third = studio.show(second.truncate(0.3))
    assert [studio.undo(), studio.undo(), studio.undo()] == [second, first, first]
    assert not studio.can_undo
    assert [studio.redo(), studio.redo(), studio.redo()] == [second, third, third]
    assert not studio.can_redo


def test_a_new_face_after_undo_forgets_what_was_undone(studio: Studio) -> None:
    studio.show(studio.face(seed=1))
    studio.undo()
    studio.show(studio.face(seed=2))
    assert not studio.can_redo


def test_showing_the_same_recipe_adds_no_step(studio: Studio) -> None:
    studio.show(studio.face(seed=1))
    studio.show(studio.face(seed=1))
    studio.undo()
    assert not studio.can_undo


@given(steps=st.lists(st.integers(0, 5), max_size=20))
def test_history_is_a_list_of_faces(steps: list[int]) -> None:
    studio = Studio(FakeEngine(), Settings())
    shown = [studio.current.recipe]
    for seed in steps:
        face = studio.face(seed=seed)
        if face.recipe != shown[-1]:
            shown.append(face.recipe)
        studio.show(face)
    back = [studio.current.recipe]
    while studio.can_undo:
        back.append(studio.undo().recipe)
    assert back[::-1] == shown


def test_face_is_a_value(studio: Studio) -> None:
    face = studio.face(seed=42, psi=0.7)
    edited = face.edit("b4.conv1:3", 1.5).lock("frame").mix(studio.face(seed=2), (2, 4)).noise("random", 9)
    assert face.recipe == studio.face(seed=42, psi=0.7).recipe
    recipe = edited.recipe
    assert recipe.mixes[0].rows == (2, 4)
    assert recipe.locks[0].region == "frame"
    assert (recipe.noise.mode, recipe.noise.seed) == ("random", 9)


def test_save_writes_a_picture_and_its_provenance(studio: Studio, tmp_path: Path) -> None:
    face = studio.face(seed=42)
    png = face.save(tmp_path / "new" / "folder")
    assert png.name == f"seed42-{face.id}.png"
    pixels, text = read_png(png)
    assert np.array_equal(pixels, face.render().pixels)
    assert text == png.with_suffix(".json").read_text()
    provenance = parse_json(Provenance, text or "", "text")
    assert provenance.recipe == face.recipe
    assert provenance.synthetic
    assert provenance.model.licence == "CC0-1.0"
    assert json.loads(text or "")["digital_source_type"] == DIGITAL_SOURCE_TYPE
    assert sorted(os.listdir(png.parent)) == [png.with_suffix(".json").name, png.name]


def test_picture_tools_see_that_it_is_synthetic(studio: Studio, tmp_path: Path) -> None:
    with Image.open(studio.face(seed=1).save(tmp_path)) as image:
        image.load()
        assert DIGITAL_SOURCE_TYPE in image.info["XML:com.adobe.xmp"]


def test_saving_again_refuses_before_rendering(studio: Studio, tmp_path: Path) -> None:
    face = studio.face(seed=1)
    png = face.save(tmp_path)
    before = png.read_bytes(), png.with_suffix(".json").read_bytes()
    engine = studio.engine
    assert isinstance(engine, FakeEngine)
    rendered = len(engine.jobs)
    with pytest.raises(OutputError, match="exists already"):
        face.save(tmp_path)
    assert len(engine.jobs) == rendered
    assert (png.read_bytes(), png.with_suffix(".json").read_bytes()) == before
    face.save(tmp_path, force=True)


def test_failing_sidecar_takes_the_picture_back(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def fail_for_json(source: str, target: Path, **kwargs: Any) -> None:
        if target.suffix == ".json":
            raise OSError(errno.ENOSPC, "disk full")
        real(source, target, **kwargs)

    monkeypatch.setattr(os, "link", fail_for_json)
    with pytest.raises(OutputError, match="disk full"):
        studio.face(seed=1).save(tmp_path)
    assert os.listdir(tmp_path) == []


def test_sizes_of_one_face_lie_beside_each_other(studio: Studio, tmp_path: Path) -> None:
    face = studio.face(seed=1)
    names = {face.save(tmp_path).name, face.save(tmp_path, resolution=16).name, face.save(tmp_path, resolution=8).name}
    assert names == {f"seed1-{face.id}.png", f"seed1-{face.id}-16px.png", f"seed1-{face.id}-8px.png"}


@pytest.mark.parametrize(("size", "side"), [(None, 32), (4, 4), (9, 8), (31, 16), (32, 32), (256, 32)])
def test_render_takes_the_largest_block_within_the_size(studio: Studio, size: int | None, side: int) -> None:
    assert studio.face(seed=1).render(size).pixels.shape == (side, side, 3)


@pytest.mark.parametrize("size", [3, 0, -5])
def test_size_below_the_smallest_block(studio: Studio, size: int) -> None:
    with pytest.raises(UsageError, match=f"size {size}; accepted: 4 px and more"):
        studio.face(seed=1).render(size)


def test_lineage_names_saved_ancestors(studio: Studio, tmp_path: Path) -> None:
    first = studio.open_file(studio.face(seed=1).save(tmp_path))
    other = studio.open_file(studio.face(seed=2).save(tmp_path))
    child = first.truncate(0.2).edit("b4.conv1:1", 1.0).mix(other, (0, 2))
    assert child.parents == (first.recipe.digest, other.recipe.digest)
    saved = read_saved_face(child.save(tmp_path)).provenance
    assert saved.parents == child.parents
    assert studio.face(seed=3).truncate(0.1).parents == ()


def test_open_what_was_saved(studio: Studio, tmp_path: Path) -> None:
    face = studio.face(seed=6, psi=0.4)
    png = face.save(tmp_path)
    recipe = tmp_path / "recipe.json"
    recipe.write_bytes(face.recipe.canonical_json())
    for path in (png, png.with_suffix(".json"), recipe):
        assert studio.open_file(path).recipe == face.recipe


def test_face_of_another_network_needs_to_be_asked_for(studio: Studio, settings: Settings, tmp_path: Path) -> None:
    png = studio.face(seed=6).save(tmp_path)
    other = Studio(FakeEngine(sha256="d" * 64), settings)
    with pytest.raises(ModelError, match=r"'fake'.*--foreign"):
        other.open_file(png)
    face = other.open_file(png, foreign=True)
    assert face.recipe.model.sha256 == "d" * 64
    assert face.parents == (studio.face(seed=6).recipe.digest,)


@pytest.mark.parametrize("name", ["a.json", "a.png"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\x89PNG\r\n\x1a\nbroken", b'{"format": "tuiface.provenance/1"}'])
def test_files_that_are_no_face_are_one_line(studio: Studio, tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputFileError) as caught:
        studio.open_file(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_picture_without_provenance_is_said(studio: Studio, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(InputFileError, match=r"a\.png: no provenance inside and no a\.json beside it"):
        studio.open_file(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["../other.png", "/dev/zero", r"a\u0000b.png"])
def test_sidecar_cannot_point_elsewhere(studio: Studio, tmp_path: Path, name: str) -> None:
    png = studio.face(seed=1).save(tmp_path)
    sidecar = png.with_suffix(".json")
    sidecar.write_text(sidecar.read_text().replace(png.name, name))
    with pytest.raises(InputFileError, match="is not a file name"):
        read_saved_face(sidecar)


def test_seed_outside_the_range(studio: Studio) -> None:
    with pytest.raises(UsageError, match="seed 4294967296; accepted: 0 to 4294967295"):
        studio.face(seed=2**32)


def test_unknown_edit_is_a_model_error(studio: Studio) -> None:
    with pytest.raises(ModelError, match="no direction 'smirk'"):
        studio.face(seed=1).edit("smirk", 1.0)


def test_closing_closes_the_engine(settings: Settings) -> None:
    engine = FakeEngine()
    with Studio(engine, settings) as studio:
        assert isinstance(studio.current, Face)
    assert engine.closed


def test_network_with_labels_starts_with_the_first_class(settings: Settings) -> None:
    studio = Studio(FakeEngine(c_dim=3), settings)
    assert studio.current.recipe.source.label == 0  # type: ignore[union-attr]
    assert studio.face(seed=1, label=2).recipe.source.label == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["b4.conv1:70000", "b4.conv１:3", "foo:3", "b4.conv1:１", "b4.conv1:" + "9" * 5000])
def test_a_channel_that_no_network_has_is_refused_in_one_line(settings: Settings, name: str) -> None:
    with pytest.raises(TuifaceError) as refused:
        Studio(FakeEngine(), settings).face(seed=1).edit(name, 1.0)
    assert len(str(refused.value)) < 300
