"""Sets: collected, ordered, marked, frozen; what is frozen stays, and whatever was touched is named."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_engine import FakeEngine
from tuiface.core.errors import InputFileError, OutputError, TuifaceError, UsageError
from tuiface.core.settings import Settings
from tuiface.faces.library import Library
from tuiface.faces.studio import Studio
from tuiface.stimuli.sets import FaceSet, FaceSets, find_member


@pytest.fixture
def sets(settings: Settings) -> FaceSets:
    return FaceSets(Library(settings.library, settings.cache))


@pytest.fixture
def pictures(settings: Settings) -> list[Path]:
    studio = Studio(FakeEngine(), settings)
    return [studio.face(seed).save(settings.library) for seed in (3, 4, 5)]


@pytest.fixture
def held(sets: FaceSets, pictures: list[Path]) -> FaceSet:
    sets.create("rueda 1", "con el sospechoso")
    return sets.add("rueda 1", pictures, role="filler")


def files(held: FaceSet) -> list[str]:
    return [member.file for member in held.members]


def test_members_stand_in_the_order_in_which_they_came_each_once(
    sets: FaceSets, held: FaceSet, pictures: list[Path]
) -> None:
    assert files(held) == [path.name for path in pictures]
    assert sets.add("rueda 1", pictures[::-1]) == held == sets.read("rueda 1")
    assert sets.pictures(held) == pictures
    assert sets.names() == ["rueda 1"]


def test_order_marks_and_removal(sets: FaceSets, held: FaceSet, pictures: list[Path]) -> None:
    names = [path.name for path in pictures]
    assert files(sets.order("rueda 1", ["#3", held.members[0].id])) == [names[2], names[0], names[1]]
    marked = sets.mark("rueda 1", [names[1]], role="suspect", rating=4, note="el de la foto")
    assert (marked.members[2].role, marked.members[2].rating, marked.members[0].role) == ("suspect", 4, "filler")
    assert [member.rating for member in sets.mark("rueda 1", [], rating=None).members] == [None] * 3
    assert files(sets.remove("rueda 1", [names[0], names[2]])) == [names[1]]
    assert sets.remove("rueda 1", ["#1"]).model is None
    assert all(path.exists() for path in pictures), "the library keeps them"


@pytest.mark.parametrize("name", ["#0", "#4", "#x", "abc", "zzzz", "seed3"])
def test_faces_that_a_set_has_not_are_refused(held: FaceSet, name: str) -> None:
    with pytest.raises(UsageError, match="is no face of set 'rueda 1'"):
        find_member(held, name)


def test_faces_of_two_networks_are_refused(sets: FaceSets, held: FaceSet, settings: Settings) -> None:
    other = Studio(FakeEngine(sha256="d" * 64), settings).face(9).save(settings.library)
    with pytest.raises(UsageError, match=r"was made with 'fake' \(dddddddddd\), the faces of set 'rueda 1' with"):
        sets.add("rueda 1", [other])
    assert sets.read("rueda 1") == held


def test_faces_from_elsewhere_are_refused(sets: FaceSets, held: FaceSet, pictures: list[Path], tmp_path: Path) -> None:
    for path in (pictures[0], pictures[0].with_suffix(".json")):
        shutil.copy(path, tmp_path)
    with pytest.raises(UsageError, match="is not in the library"):
        sets.add("rueda 1", [tmp_path / pictures[0].name])


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "a\n", "x" * 300])
def test_names_that_are_no_folder_are_refused(sets: FaceSets, name: str) -> None:
    with pytest.raises(UsageError, match="name of a set"):
        sets.create(name)


def test_a_set_is_not_made_twice_and_one_that_is_missing_is_said(sets: FaceSets, held: FaceSet) -> None:
    with pytest.raises(OutputError, match="is there already"):
        sets.create("rueda 1")
    with pytest.raises(UsageError, match=r"no set 'rueda 2'.*did you mean 'rueda 1'"):
        sets.read("rueda 2")


def test_a_frozen_set_needs_no_library_and_never_changes(
    sets: FaceSets, held: FaceSet, pictures: list[Path], settings: Settings
) -> None:
    frozen = sets.freeze("rueda 1")
    assert files(frozen) == [f"{number}-{path.name}" for number, path in enumerate(pictures, start=1)]
    folder = sets.folder_of("rueda 1")
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)
    for path in settings.library.glob("seed*"):
        path.unlink()
    assert sets.check_frozen(frozen) == []
    assert all(path.exists() for path in sets.pictures(frozen))
    before = (folder / "set.json").read_bytes()
    changes: tuple[Callable[[], object], ...] = (
        lambda: sets.remove("rueda 1", ["#1"]),
        lambda: sets.order("rueda 1", ["#2"]),
        lambda: sets.mark("rueda 1", ["#2"], role="x"),
        lambda: sets.freeze("rueda 1"),
    )
    for change in changes:
        with pytest.raises(UsageError, match=r"is frozen since .* and cannot change"):
            change()
    assert (folder / "set.json").read_bytes() == before


def touch_picture(folder: Path) -> None:
    path = next((folder / "faces").glob("1-*.png"))
    path.write_bytes(path.read_bytes() + b"x")


def exchange_pictures(folder: Path) -> None:
    first, second = (next((folder / "faces").glob(f"{n}-*.png")) for n in (1, 2))
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def rewrite_manifest(folder: Path) -> None:
    value = json.loads((folder / "set.json").read_text())
    value["members"][0]["role"] = "suspect"
    (folder / "set.json").write_text(json.dumps(value))


TOUCHED: dict[str, tuple[Callable[[Path], object], str]] = {
    "picture": (touch_picture, "changed after freezing"),
    "exchanged": (exchange_pictures, "changed after freezing"),
    "removed": (lambda folder: next((folder / "faces").glob("2-*.json")).unlink(), "is not there"),
    "added": (lambda folder: (folder / "faces" / "4-x.png").write_bytes(b""), "4-x.png: came after freezing"),
    "manifest": (rewrite_manifest, "set.json and SHA256SUMS do not agree"),
    "sums": (lambda folder: (folder / "SHA256SUMS").write_text(""), "set.json and SHA256SUMS do not agree"),
    "no sums": (lambda folder: (folder / "SHA256SUMS").unlink(), "SHA256SUMS: cannot be read"),
    "renamed": (lambda folder: folder.rename(folder.with_name("other")), ""),
}


@pytest.mark.parametrize("touch", TOUCHED)
def test_whatever_was_touched_is_named(sets: FaceSets, held: FaceSet, touch: str) -> None:
    sets.freeze("rueda 1")
    change, message = TOUCHED[touch]
    change(sets.folder_of("rueda 1"))
    if touch == "renamed":
        with pytest.raises(UsageError, match="no set"):
            sets.read("rueda 1")
        return
    found = sets.check_frozen(sets.read("rueda 1"))
    assert any(message in text for text in found), found


def test_an_open_or_an_empty_set_has_nothing_to_hold(sets: FaceSets, held: FaceSet) -> None:
    with pytest.raises(UsageError, match="is not frozen"):
        sets.check_frozen(held)
    sets.create("empty")
    with pytest.raises(UsageError, match="is empty"):
        sets.freeze("empty")


def test_a_face_that_the_library_lost_or_exchanged_stops_the_freezing(
    sets: FaceSets, held: FaceSet, pictures: list[Path]
) -> None:
    for path in (pictures[1], pictures[1].with_suffix(".json")):
        path.rename(path.with_name("away" + path.suffix))
    with pytest.raises(InputFileError, match="is not there"):
        sets.freeze("rueda 1")
    for ending in (".png", ".json"):
        shutil.copy(pictures[0].with_suffix(ending), pictures[1].with_suffix(ending))
    with pytest.raises(TuifaceError, match=r"is not the face|damaged|not "):
        sets.freeze("rueda 1")
    assert sets.read("rueda 1") == held
    assert not (sets.folder_of("rueda 1") / "faces").exists()
