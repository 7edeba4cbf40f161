"""The library: the folder is the truth, the index can always be made again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_engine import FakeEngine
from tuiface.commands.faces import resolve_face
from tuiface.core.argument_types import parse_face
from tuiface.core.errors import OutputError, UsageError
from tuiface.core.limits import MAX_SEED
from tuiface.core.settings import Settings
from tuiface.faces.library import Library, read_tags, write_tags
from tuiface.faces.recipe import RegionLock, SeedSource, StyleMix
from tuiface.faces.studio import Face, Studio
from tuiface.screens.face.words import default_title, face_title


@pytest.fixture
def studio(settings: Settings) -> Studio:
    return Studio(FakeEngine(), settings)


@pytest.fixture
def library(studio: Studio, settings: Settings) -> Library:
    for seed in range(3):
        studio.face(seed=seed).save(settings.library)
    return Library(settings.library, settings.cache)


def seeds(library: Library, text: str = "", **filters: str) -> list[int | None]:
    return [face.seed for face in library.faces(text, **filters)]


def test_lists_what_lies_in_the_folder(library: Library, studio: Studio) -> None:
    assert seeds(library) == [0, 1, 2]
    studio.face(seed=7).save(library.folder)
    assert seeds(library) == [0, 1, 2, 7]
    next(library.folder.glob("seed1-*.png")).unlink()
    assert seeds(library) == [0, 2, 7]


def test_folder_that_is_missing_is_empty(settings: Settings) -> None:
    assert Library(settings.library / "none", settings.cache).faces() == []


def test_reindex_gives_the_same_list(library: Library, settings: Settings) -> None:
    library.set_tags(library.faces()[0], add=("suspect",))
    before = library.faces()
    assert library.reindex() == []
    assert library.faces() == before
    for file in (settings.cache / "library").iterdir():
        file.write_bytes(b"not a database" * 100)
    assert library.faces() == before


def test_index_that_cannot_be_written_lives_in_memory(library: Library, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Library(library.folder, tmp_path / "file").faces() == library.faces()


def test_broken_file_is_named_and_the_others_stay(library: Library) -> None:
    (library.folder / "broken.png").write_bytes(b"nonsense")
    next(library.folder.glob("seed2-*.json")).write_text("{}")
    problems = library.reindex()
    assert len(problems) == 2
    assert "broken.png" in str(problems[0])
    assert seeds(library) == [0, 1, 2]  # its picture says what it is


def test_picture_without_sidecar_is_read_from_inside(library: Library) -> None:
    next(library.folder.glob("seed1-*.json")).unlink()
    assert seeds(library) == [0, 1, 2]


def test_tags_are_kept_beside_the_picture(library: Library) -> None:
    face = library.faces()[1]
    provenance = face.path.with_suffix(".json").read_bytes()
    assert library.set_tags(face, add=("suspect", "b")) == ("b", "suspect")
    assert seeds(library, tag="suspect") == [1]
    assert seeds(library, "susp") == [1]
    assert library.set_tags(face, remove=("b",)) == ("suspect",)
    assert face.path.with_suffix(".json").read_bytes() == provenance
    assert read_tags(face.path).tags == ("suspect",)


def test_a_name_and_a_rating_are_kept_beside_the_picture(library: Library) -> None:
    face = library.faces()[1]
    provenance = face.path.with_suffix(".json").read_bytes()
    library.set_tags(face, add=("suspect",))
    library.rename(face, " Juan, older ")
    library.rate([face], 4)
    assert seeds(library, "JUAN") == [1]
    kept = library.find(face.id)
    assert (kept.title, kept.rating, kept.tags) == ("Juan, older", 4, ("suspect",))
    assert library.set_tags(face, add=("b",)) == ("b", "suspect")
    library.rename(face, "")
    library.rate([face], 0)
    kept = library.find(face.id)
    assert (kept.title, kept.rating) == (None, None)
    assert set(json.loads(face.path.with_suffix(".tags.json").read_text())) == {"format", "tags", "series"}
    assert face.path.with_suffix(".json").read_bytes() == provenance


@pytest.mark.parametrize("title", ["x" * 81, "line\nbreak", "\x1b[2J", "\u202eback"])
def test_a_name_that_a_terminal_would_obey_is_refused(library: Library, title: str) -> None:
    with pytest.raises(UsageError, match="1 to 80 visible characters"):
        library.rename(library.faces()[0], title)


@pytest.mark.parametrize("rating", [-1, 6, 10**30])
def test_a_rating_is_one_to_five(library: Library, rating: int) -> None:
    with pytest.raises(UsageError, match="accepted: 1 to 5, or 0"):
        library.rate(library.faces(), rating)


def test_a_listed_face_says_what_was_done_to_it(studio: Studio, settings: Settings) -> None:
    face = studio.face(seed=3)
    recipe = face.recipe.derive(
        edits=({"channel": ("b16.conv1", 2), "amount": -1.25},),
        locks=(RegionLock(region="hair", strength=0.5, guarantee="blend"), RegionLock(region="frame")),
        mixes=(StyleMix(source=SeedSource(seed=9), rows=(0, 2)),),
    )
    Face(studio, recipe).save(settings.library)
    (listed,) = Library(settings.library, settings.cache).faces()
    assert listed.edits == ("b16.conv1:2=-1.25",)
    assert listed.locks == ("hair=0.5:blend", "frame")
    assert listed.mixes == ("9",)
    assert default_title(listed) == face_title(recipe) == "3 · × 9 · b16.conv1:2 -1.25 · hair 0.50 blend, frame locked"


def test_series_can_be_asked_for(library: Library) -> None:
    face = library.faces()[2]
    write_tags(face.path, (), "morph-1")
    assert seeds(library, series="morph-1") == [2]


@pytest.mark.parametrize("tag", ["", "two words", "a,b", "x" * 65, "line\nbreak"])
def test_bad_tag_is_refused(library: Library, tag: str) -> None:
    with pytest.raises(UsageError, match="without spaces or commas"):
        library.set_tags(library.faces()[0], add=(tag,))


def test_find_by_id_by_its_beginning_and_by_name(library: Library) -> None:
    face = library.faces()[1]
    for name in (face.id, face.id[:5], face.path.name, face.path.stem):
        assert library.find(name) == face
    with pytest.raises(UsageError, match=r"no face 'seed1-xx'.*did you mean"):
        library.find("seed1-xx")


IDS_OF_DIGITS: dict[str, Callable[[str], bool]] = {
    "a leading zero": lambda number: number.startswith("0"),
    "beyond numpy's seeds": lambda number: int(number) > MAX_SEED,
    "a seed as well": lambda number: not number.startswith("0") and int(number) <= MAX_SEED,
}


@pytest.mark.parametrize("kind", IDS_OF_DIGITS)
def test_an_id_is_never_a_seed_number(kind: str, studio: Studio, settings: Settings) -> None:
    """One face in a hundred has a digest that begins with ten digits: as an id they named another person."""
    faces = (studio.face(seed=seed) for seed in range(20_000))
    face = next(f for f in faces if f.recipe.digest[:10].isdecimal() and IDS_OF_DIGITS[kind](f.recipe.digest[:10]))
    assert face.recipe.digest.startswith(face.id)
    assert not face.id.isdecimal()
    face.save(settings.library)
    assert resolve_face(studio, face.id).recipe == face.recipe
    old = face.recipe.digest[:10]
    if kind == "a seed as well":
        with pytest.raises(UsageError, match=f"{old} is a seed number, and the id of "):
            resolve_face(studio, old)
    else:
        assert resolve_face(studio, old).recipe == face.recipe


def test_ten_digits_that_name_no_face_are_a_seed(studio: Studio) -> None:
    assert resolve_face(studio, "1234567890") == studio.face(seed=1234567890)
    assert resolve_face(studio, "0000000012") == studio.face(seed=12)
    with pytest.raises(UsageError, match=r"seed 6948170385; accepted: 0 to 4294967295.*give its PNG"):
        parse_face("6948170385")


def test_a_picture_in_capitals_is_listed_and_what_a_mac_leaves_is_not(library: Library) -> None:
    """Report: OpenNeuro issue 2520."""
    first, second, _ = library.faces()
    capitals = first.path.with_suffix(".PNG")
    first.path.rename(capitals)
    for suffix in (".png", ".json", ".tags.json"):
        second.path.with_name(f"._{second.path.stem}{suffix}").write_bytes(b"\0\5\x16\7")
    assert library.reindex() == []
    assert [face.path.name for face in library.faces()] == [capitals.name, *(f.path.name for f in library.faces()[1:])]
    assert seeds(library) == [0, 1, 2]
    assert library.repair() == []
    trashed = library.remove(library.faces()[0])
    assert seeds(library) == [1, 2]
    library.restore(trashed)
    assert seeds(library) == [0, 1, 2]


def test_remove_moves_to_the_trash(library: Library) -> None:
    face = library.faces()[1]
    library.set_tags(face, add=("t",))
    moved = library.remove(face)
    assert seeds(library) == [0, 2]
    assert moved.parent.parent == library.folder / ".trash"
    assert {p.name for p in moved.parent.iterdir()} == {
        face.path.name,
        f"{face.path.stem}.json",
        f"{face.path.stem}.tags.json",
    }


def test_the_same_face_is_removed_again_and_again(library: Library, studio: Studio) -> None:
    removed = []
    for _ in range(3):
        face = next(f for f in library.faces() if f.seed == 1)
        removed.append((library.remove(face), face.path))
        studio.face(seed=1).save(library.folder)
    assert len({moved for moved, _ in removed}) == 3
    assert all(moved.exists() and moved.with_suffix(".json").exists() for moved, _ in removed)
    with pytest.raises(OutputError, match="exists already"):
        library.restore(removed[0][0])
    library.remove(next(f for f in library.faces() if f.seed == 1))
    assert library.restore(removed[0][0]) == removed[0][1]
    assert seeds(library) == [0, 1, 2]
    assert not removed[0][0].parent.exists()


@pytest.mark.parametrize("kind", ["link", "dangling link", "file"])
def test_trash_that_is_no_folder_is_refused(library: Library, tmp_path: Path, kind: str) -> None:
    trash, elsewhere = library.folder / ".trash", tmp_path / "elsewhere"
    if kind == "link":
        elsewhere.mkdir()
    if kind == "file":
        trash.write_text("")
    else:
        trash.symlink_to(elsewhere)
    before = sorted(library.folder.iterdir())
    with pytest.raises(OutputError, match=r"\.trash in .* is not a folder"):
        library.remove(library.faces()[0])
    assert sorted(library.folder.iterdir()) == before
    assert kind != "link" or not list(elsewhere.iterdir())


def test_files_that_an_earlier_version_removed_come_back(library: Library) -> None:
    face, trash = library.faces()[1], library.folder / ".trash"
    trash.mkdir()
    for path in (face.path, face.path.with_suffix(".json")):
        path.rename(trash / path.name)
    assert seeds(library) == [0, 2]
    assert library.restore(trash / face.path.name) == face.path
    assert seeds(library) == [0, 1, 2]


def test_parents_are_in_the_index(library: Library, studio: Studio) -> None:
    parent = studio.open_file(library.faces()[0].path)
    parent.truncate(0.1).save(library.folder)
    assert [f.parents for f in library.faces() if f.psi == 0.1] == [(parent.recipe.digest,)]
