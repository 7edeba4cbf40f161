"""Transitions, exchanges and neighbours: the ends are the faces themselves, distances are what was asked for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from tests.fake_engine import FakeEngine
from tuiface.core.errors import OutputError, UsageError
from tuiface.core.settings import Settings
from tuiface.faces.library import Library, read_tags
from tuiface.faces.provenance import read_saved_face
from tuiface.faces.recipe import LatentSource
from tuiface.faces.studio import Face, Studio
from tuiface.stimuli.exchange import default_rows, swap
from tuiface.stimuli.morph import SPACES, Morph, Space, series_name
from tuiface.stimuli.neighbours import draw_neighbours, draw_z
from tuiface.stimuli.series import Cancelled, encode_gif, encode_mp4, save_series


@pytest.fixture
def studio(settings: Settings) -> Studio:
    return Studio(FakeEngine(), settings)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("seeds", "num_frames"), [((1, 2), 2), ((1, 2), 7), ((1, 2, 3), 8), ((4, 5, 6, 7), 4)])
def test_both_ends_and_each_face_on_the_way_are_the_faces_themselves(
    studio: Studio, space: Space, seeds: tuple[int, ...], num_frames: int
) -> None:
    faces = tuple(studio.face(seed) for seed in seeds)
    frames = Morph(faces, num_frames, space).frames()
    assert len(frames) == num_frames
    assert (frames[0], frames[-1]) == (faces[0], faces[-1])
    recipes = [frame.recipe for frame in frames]
    assert [recipes.index(face.recipe) for face in faces] == sorted(recipes.index(face.recipe) for face in faces)


@pytest.mark.parametrize("space", ["w", "w+"])
def test_frames_are_evenly_spaced_in_their_space(studio: Studio, space: Space) -> None:
    a, b = studio.face(1, psi=0.5), studio.face(2, psi=1.0)
    rows = np.array([studio.engine.ws(frame.recipe) for frame in Morph((a, b), 6, space).frames()])
    steps = np.diff(rows, axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=1e-6)


def test_z_is_interpolated_before_the_mapping(studio: Studio) -> None:
    a, b = studio.face(1), studio.face(2)
    middle = Morph((a, b), 3, "z").frames()[1].recipe
    assert isinstance(middle.source, LatentSource)
    np.testing.assert_allclose(middle.source.array(), (draw_z(1, 4) + draw_z(2, 4))[0] / 2, rtol=1e-6)
    assert middle.truncation == a.recipe.truncation


def test_frames_name_the_saved_ends_as_parents(studio: Studio, tmp_path: Path) -> None:
    a, b = (studio.open_file(studio.face(seed).save(tmp_path)) for seed in (1, 2))
    frames = Morph((a, b), 3).frames()
    assert frames[1].parents == (a.recipe.digest, b.recipe.digest)


def test_what_cannot_be_interpolated_is_one_line(studio: Studio) -> None:
    a, b = studio.face(1), studio.face(2)
    for wrong, message in [
        (Morph((a,), 5), "a transition of 1 face"),
        (Morph((a, b), 1), "1 frames; accepted: 2"),
        (Morph((a, b.noise("none")), 5, "z"), "no transition in z"),
        (Morph((a, b.truncate(0.7, 3)), 5, "z"), "no transition in z"),
        (Morph((a, a.mix(b, (2, 4))), 5, "z"), "no z"),
        (Morph((a, a.mix(b, (2, 4))), 5, "w"), "not both of one w"),
    ]:
        with pytest.raises(UsageError, match=message):
            wrong.frames()


def test_an_exchange_is_symmetric(studio: Studio) -> None:
    a, b = studio.face(1), studio.face(2)
    first, second = swap(a, b, (3, 8))
    rows = [studio.engine.ws(face.recipe) for face in (a, b, first, second)]
    np.testing.assert_array_equal(rows[2], np.concatenate([rows[0][:3], rows[1][3:]]))
    np.testing.assert_array_equal(rows[3], np.concatenate([rows[1][:3], rows[0][3:]]))
    assert swap(a, b) == swap(a, b, (6, 8))


@pytest.mark.parametrize(("num_ws", "rows"), [(18, (6, 18)), (14, (6, 14)), (8, (6, 8)), (6, (3, 6)), (2, (1, 2))])
def test_rows_are_exchanged_from_the_sixth(num_ws: int, rows: tuple[int, int]) -> None:
    assert default_rows(num_ws) == rows


@pytest.mark.parametrize("rows", [(0, 9), (4, 4), (5, 3)])
def test_rows_that_the_network_lacks_are_refused(studio: Studio, rows: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="accepted for this model"):
        swap(studio.face(1), studio.face(2), rows)


def test_edits_of_style_channels_come_and_go_along_a_transition(studio: Studio) -> None:
    """They are in no row of W+: each face's fade in or out, one that both have moves from one amount to the other."""
    a = studio.face(1).edit("b4.conv1:3", 1.0).edit("b4.conv1:5", 2.0)
    b = studio.face(2).edit("b4.conv1:5", -2.0).edit("b4.conv1:7", 1.0)
    frames = Morph((a, b), 5).frames()
    assert (frames[0], frames[-1]) == (a, b)
    amounts = [{edit.channel[1]: edit.amount for edit in f.recipe.edits} for f in frames]  # type: ignore[union-attr]
    assert amounts[1:4] == [{3: 0.75, 5: 1.0, 7: 0.25}, {3: 0.5, 7: 0.5}, {3: 0.25, 5: -1.0, 7: 0.75}]
    rows = np.array([studio.engine.ws(frame.recipe) for frame in frames])
    np.testing.assert_allclose(np.diff(rows, axis=0)[0], np.diff(rows, axis=0)[-1], atol=1e-6)


def test_what_frames_on_the_way_lack_is_said(studio: Studio) -> None:
    a, b = studio.face(1).noise("none"), studio.face(2).edit("b4.conv1:3", 1.0).lock("frame", guarantee="paste")
    morph = Morph((a, b), 3)
    assert {frame.recipe.noise.mode for frame in morph.frames()[:2]} == {"none"}
    assert morph.frames()[1].recipe.locks == ()
    assert morph.remarks() == [
        f"frames on the way have the noise of {a.id}",
        f"frames on the way lack what {b.id} has by frame:paste",
    ]
    assert Morph((a, a.truncate(0.3)), 3).remarks() == []


def test_an_exchange_takes_faces_with_mixes_and_edits_as_rows(studio: Studio) -> None:
    edited, mixed = studio.face(1).edit("b4.conv1:3", 1.0), studio.face(2).mix(studio.face(3), (0, 2))
    first, second = swap(edited, mixed, (3, 8))
    rows = [studio.engine.ws(face.recipe) for face in (edited, mixed, first, second)]
    np.testing.assert_allclose(rows[2], np.concatenate([rows[0][:3], rows[1][3:]]))
    np.testing.assert_allclose(rows[3], np.concatenate([rows[1][:3], rows[0][3:]]))
    assert (first.recipe.edits, second.recipe.edits) == (edited.recipe.edits, ())


@pytest.mark.parametrize("latent", [False, True])
def test_neighbours_lie_at_their_distance_and_can_be_had_again(studio: Studio, latent: bool) -> None:
    face = studio.face(3)
    if latent:
        face = studio.face_from_latent(np.array([1.0, -1.0, 0.5, 2.0]), psi=0.7)
    near, far = (draw_neighbours(face, 30, distance) for distance in (0.1, 0.6))
    assert [f.recipe for f in near] == [f.recipe for f in draw_neighbours(face, 30, 0.1)]
    assert [f.recipe for f in near] != [f.recipe for f in draw_neighbours(face, 30, 0.1, seed=1)]
    origin = studio.engine.ws(face.recipe)
    means = [np.mean([np.abs(studio.engine.ws(f.recipe) - origin).mean() for f in group]) for group in (near, far)]
    assert 0 < means[0] < means[1] / 3
    assert all(f.recipe.truncation == face.recipe.truncation for f in near)


@pytest.mark.parametrize("distance", [0.0, -1.0, 1.5])
def test_a_distance_without_meaning_is_refused(studio: Studio, distance: float) -> None:
    with pytest.raises(UsageError, match="accepted"):
        draw_neighbours(studio.face(1), 3, distance)


def test_a_series_is_saved_with_tags_and_found_by_its_name(studio: Studio, tmp_path: Path) -> None:
    faces = (studio.face(1), studio.face(2))
    name = series_name(faces, "w+", 4)
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "out"
    saved = save_series(
        Morph(faces, 4).frames(),
        folder,
        name,
        films=["gif"],
        tags=("morph",),
        progress=lambda done, total: seen.append((done, total)) or True,  # type: ignore[func-returns-value]
    )
    assert [path.name for path in saved.pictures] == [f"{name}-00{i}.png" for i in range(4)]
    assert seen == [(i, 5) for i in range(6)]
    assert read_tags(saved.pictures[2]).series == name
    assert read_saved_face(saved.pictures[0]).provenance.recipe == faces[0].recipe
    assert len(Library(folder, tmp_path / "cache").faces(series=name, tag="morph")) == 4
    with Image.open(saved.films[0]) as film:
        assert film.n_frames == 4


def test_nothing_is_overwritten_and_nothing_computed_before_that_is_known(studio: Studio, tmp_path: Path) -> None:
    frames = Morph((studio.face(1), studio.face(2)), 3).frames()
    (tmp_path / "x-002.png").write_bytes(b"")
    with pytest.raises(OutputError, match="exists already"):
        save_series(frames, tmp_path, "x")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["x-002.png"]


def test_a_cancelled_series_leaves_whole_files(studio: Studio, tmp_path: Path) -> None:
    frames = Morph((studio.face(1), studio.face(2)), 5).frames()
    with pytest.raises(Cancelled):
        save_series(frames, tmp_path / "out", "x", progress=lambda done, total: done < 2)
    assert len(list((tmp_path / "out").glob("*.png"))) == len(list((tmp_path / "out").glob("*.tags.json"))) == 2


@pytest.mark.parametrize("is_new", [True, False])
def test_tags_stay_with_a_picture_alone(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_new: bool
) -> None:
    if not is_new:
        save_series([studio.face(1)], tmp_path, "walk")
    monkeypatch.setattr(Face, "write", Mock(side_effect=OutputError("the disk is full")))
    with pytest.raises(OutputError, match="is full"):
        save_series([studio.face(1)], tmp_path, "walk", force=True)
    assert {path.name for path in tmp_path.iterdir()} == (
        set() if is_new else {"walk-000.png", "walk-000.json", "walk-000.tags.json"}
    )


def test_a_film_without_ffmpeg_is_refused_before_the_work(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs ffmpeg"):
        save_series([studio.face(1)], tmp_path / "out", "x", films=["mp4"])
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="an MP4 needs ffmpeg")
def test_an_mp4_holds_every_picture_in_its_colours(tmp_path: Path) -> None:
    pictures = [np.full((32, 32, 3), colour, np.uint8) for colour in ((200, 60, 30), (30, 160, 60), (40, 60, 200))]
    film, frames = tmp_path / "film.mp4", tmp_path / "frame-%d.png"
    film.write_bytes(encode_mp4(pictures, 25))
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(film), str(frames)], check=True)
    read = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(tmp_path.glob("frame-*.png"))]
    assert len(read) == 3
    for wanted, got in zip(pictures, read, strict=True):
        assert np.abs(wanted.astype(int) - got).max() < 20


def test_a_gif_keeps_the_pictures_apart() -> None:
    pictures = [np.full((8, 8, 3), shade, np.uint8) for shade in (0, 128, 255)]
    import io

    with Image.open(io.BytesIO(encode_gif(pictures, 10))) as film:
        assert film.n_frames == 3
        shades = []
        for index in range(3):
            film.seek(index)
            shades.append(np.asarray(film.convert("L")).mean())
    assert shades == sorted(shades)
    assert shades[2] - shades[0] > 200


def test_removing_is_undone(studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    studio.face(1).save(folder)
    library = Library(folder, tmp_path / "cache")
    [face] = library.faces()
    trashed = library.remove(face)
    assert library.faces() == []
    assert library.restore(trashed) == face.path
    assert [f.path for f in library.faces()] == [face.path]
