"""The library's index: whatever lies in its place, the list is that of the folder."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.operations import at_hour
from tests.fake_engine import FakeEngine
from tuiface.core.errors import OutputError
from tuiface.core.settings import Settings
from tuiface.faces import library as library_module
from tuiface.faces.library import Library, LibraryFace, read_tags
from tuiface.faces.provenance import read_png_text, read_saved_face
from tuiface.faces.repair import complete_face, repair_folder
from tuiface.faces.studio import Studio

NUM_FACES = 60
"""More than a page of the database holds."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    studio = Studio(FakeEngine(resolution=8), Settings(library=folder))
    for seed in range(NUM_FACES):
        studio.face(seed).save(folder)
    return folder


@pytest.fixture(autouse=True)
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of this very moment are taken up into the index too."""
    monkeypatch.setattr(library_module, "_SETTLED_S", -1.0)


@pytest.fixture
def truth(folder: Path) -> list[LibraryFace]:
    return Library(folder, Path("/dev/null/none")).faces()


def index_path(cache: Path) -> Path:
    (path,) = (cache / "library").glob("*.sqlite")
    return path


def execute(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def spoil_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 64] = os.urandom(64)
    path.write_bytes(data)


def replace_by(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


ENTRY = '{"face": {"id": 5}, "problems": []}'
SPOILED: dict[str, Callable[[Path], object]] = {
    "damaged pages": spoil_pages,
    "cut off": lambda path: os.truncate(path, 5000),
    "empty": lambda path: os.truncate(path, 0),
    "no database": lambda path: path.write_bytes(b"not a database" * 1000),
    "other tables": replace_by(lambda path: execute(path, "CREATE TABLE x (a)")),
    "of an earlier version": replace_by(lambda path: execute(path, "CREATE TABLE face (a); PRAGMA user_version = 1")),
    "one more table": lambda path: execute(path, "CREATE TABLE face2 (a)"),
    "a view that never ends": replace_by(
        lambda path: execute(
            path,
            "CREATE VIEW face AS WITH RECURSIVE n(file, stamp, entry) AS"
            " (SELECT 'a', 'b', 'c' UNION ALL SELECT file, stamp, entry FROM n) SELECT * FROM n",
        )
    ),
    "wrong types": lambda path: execute(path, "UPDATE face SET stamp = x'00', entry = 5"),
    "other JSON": lambda path: execute(path, f"UPDATE face SET entry = '{ENTRY}'"),
    "no JSON": lambda path: execute(path, "UPDATE face SET entry = '{'"),
    "deep JSON": lambda path: execute(path, f"UPDATE face SET entry = '{'[' * 10_000}'"),
    "no UTF-8": lambda path: execute(path, "UPDATE face SET entry = CAST(x'ff' AS TEXT)"),
    "a folder": replace_by(Path.mkdir),
    "a pipe": replace_by(os.mkfifo),
    "a link to nothing": replace_by(lambda path: path.symlink_to("/nowhere")),
    "a journal of something else": lambda path: path.with_name(f"{path.name}-journal").write_bytes(b"\xd9\xd5" * 5000),
    "rows of faces that are gone": lambda path: execute(
        path, "INSERT INTO face VALUES (CAST('../../x.png' AS BLOB), '', '{}')"
    ),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_spoiled_index_changes_nothing(
    folder: Path, truth: list[LibraryFace], tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    assert Library(folder, tmp_path).faces() == truth
    spoil(index_path(tmp_path))
    assert Library(folder, tmp_path).faces() == truth
    assert Library(folder, tmp_path).faces() == truth
    assert Library(folder, tmp_path).reindex() == []


def test_the_index_saves_reading_and_is_made_anew_where_it_was_spoiled(
    folder: Path, truth: list[LibraryFace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def count(png: Path) -> str | None:
        read.append(png)
        return read_png_text(png)

    Library(folder, tmp_path).faces()
    index_path(tmp_path).write_bytes(b"nonsense")
    Library(folder, tmp_path).faces()  # throws it away
    Library(folder, tmp_path).faces()  # makes it
    monkeypatch.setattr(library_module, "read_png_text", count)
    assert Library(folder, tmp_path).faces() == truth
    assert not read


def test_an_index_that_another_holds_is_not_thrown_away(
    folder: Path, truth: list[LibraryFace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuiface.faces.index._BUSY_S", 0.01)
    Library(folder, tmp_path).faces()
    holder = sqlite3.connect(index_path(tmp_path), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    before = index_path(tmp_path).stat().st_ino
    assert Library(folder, tmp_path).faces() == truth
    holder.close()
    assert index_path(tmp_path).stat().st_ino == before


def run_in_children(number: int, work: Callable[[int], object]) -> list[int]:
    """Exit codes of children that begin at once."""
    start = time.monotonic() + 0.1
    children = []
    for index in range(number):
        child = os.fork()
        if not child:
            code = 1
            try:
                time.sleep(max(0, start - time.monotonic()))
                work(index)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def test_four_readers_of_a_new_folder_all_succeed(folder: Path, truth: list[LibraryFace], tmp_path: Path) -> None:
    def read(index: int) -> None:
        assert Library(folder, tmp_path).faces() == truth

    assert run_in_children(4, read) == [0] * 4


def test_two_writers_of_tags_keep_both(tmp_path: Path) -> None:
    face = Studio(FakeEngine(resolution=8), Settings(library=tmp_path)).face(1)
    png = face.save(tmp_path)
    (listed,) = Library(tmp_path, Path("/dev/null/none")).faces()

    def tag(index: int) -> None:
        for number in range(12):
            Library(tmp_path, Path("/dev/null/none")).set_tags(listed, add=(f"{index}-{number}",))

    assert run_in_children(2, tag) == [0, 0]
    assert len(read_tags(png).tags) == 24


def test_two_writers_leave_one_of_them_whole_and_nobody_who_looks_on_is_misled(tmp_path: Path) -> None:
    """One child completes what seems half-written, one repairs, one reads; a living writer is none that was killed."""
    face = Studio(FakeEngine(resolution=8), Settings(library=tmp_path)).face(1)
    png = face.save(tmp_path)

    def work(index: int) -> None:
        result = face.render()
        for number in range(12):
            if index < 2:
                with at_hour(12 * index + number):
                    face.write(result, png, force=True)
            elif index == 2:
                complete_face(png, face.recipe, None)
            elif index == 3:
                assert {repair.outcome for repair in repair_folder(tmp_path)} <= {"rebuilt", "swept"}
            else:
                assert read_saved_face(png).sidecar == "agrees"
                assert Library(tmp_path, Path("/dev/null/none")).look().problems == ()

    assert run_in_children(5, work) == [0] * 5
    assert png.with_suffix(".json").read_text() == read_png_text(png)
    assert len(list(tmp_path.iterdir())) == 2


def test_three_who_save_the_same_new_faces_leave_each_whole(tmp_path: Path) -> None:
    studio = Studio(FakeEngine(resolution=8), Settings(library=tmp_path))

    def save(index: int) -> None:
        for seed in range(8):
            with contextlib.suppress(OutputError):  # it exists already
                studio.face(seed).save(tmp_path)

    assert run_in_children(3, save) == [0] * 3
    for png in tmp_path.glob("*.png"):
        assert png.with_suffix(".json").read_text() == read_png_text(png)
    assert len(list(tmp_path.iterdir())) == 2 * 8


@pytest.mark.parametrize("change", ["older mtime", "same mtime, same size", "other inode"])
def test_every_change_is_seen_whatever_the_clocks_say(tmp_path: Path, change: str) -> None:
    face = Studio(FakeEngine(resolution=8), Settings(library=tmp_path)).face(1)
    tags = face.save(tmp_path).with_suffix(".tags.json")
    library = Library(tmp_path, tmp_path / "cache")
    tags.write_text('{"tags": ["a"]}')
    assert library.faces()[0].tags == ("a",)
    was = tags.stat()
    changed = tags.with_name("other")
    if change != "other inode":
        time.sleep(0.02)  # a tick of the kernel's clock, by which `_SETTLED_S` is exceeded in earnest
        changed = tags
    changed.write_text('{"tags": ["b"]}')
    os.utime(changed, ns=(was.st_atime_ns, was.st_mtime_ns - (10**9 if change == "older mtime" else 0)))
    changed.replace(tags)
    assert library.faces()[0].tags == ("b",)


def test_files_of_this_moment_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next change may come within the same tick, with the same size."""
    monkeypatch.setattr(library_module, "_SETTLED_S", 2.0)
    Studio(FakeEngine(resolution=8), Settings(library=tmp_path)).face(1).save(tmp_path)
    Library(tmp_path, tmp_path / "cache").faces()
    assert not sqlite3.connect(index_path(tmp_path / "cache")).execute("SELECT * FROM face").fetchall()


@pytest.mark.parametrize(
    ("end", "content"),
    [(".json", b""), (".json", b"[]"), (".tags.json", b""), (".tags.json", b'{"tags": 3}'), (".tags.json", None)],
)
def test_a_bad_file_beside_a_face_is_named_and_the_face_stays(tmp_path: Path, end: str, content: bytes | None) -> None:
    bad = Studio(FakeEngine(resolution=8), Settings(library=tmp_path)).face(1).save(tmp_path).with_suffix(end)
    if content is None:
        os.mkfifo(bad)
    else:
        bad.write_bytes(content)
    listing = Library(tmp_path, tmp_path / "cache").look()
    assert [face.seed for face in listing.faces] == [1]
    (problem,) = listing.problems
    assert bad.name in str(problem) or content is None


def test_a_broken_picture_is_listed_from_its_json(tmp_path: Path) -> None:
    png = Studio(FakeEngine(resolution=8), Settings(library=tmp_path)).face(1).save(tmp_path)
    png.write_bytes(b"nonsense")
    listing = Library(tmp_path, tmp_path / "cache").look()
    assert [face.seed for face in listing.faces] == [1]
    assert png.name in str(listing.problems[0])
