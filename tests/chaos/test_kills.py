"""Killed at any file operation, or refused by a disk at any: what was there is there, or what was to come, whole."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.chaos.kills import MAX_OPERATIONS, FileOperations, die_at, refuse_at
from tests.chaos.operations import OPERATIONS, Scene, Step, repair
from tests.fake_engine import FakeEngine
from tuiface.core import files
from tuiface.core.errors import OutputError, TuifaceError
from tuiface.core.files import whole_folder, write_file
from tuiface.faces.provenance import read_saved_face
from tuiface.faces.verification import verify

Contents = dict[str, bytes]


@pytest.fixture(autouse=True)
def no_syncing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process takes nothing with it that the kernel has; `test_order` looks at what a power cut takes."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def on_operations(names: Iterable[str]) -> pytest.MarkDecorator:
    pairs = [pytest.param(OPERATIONS[name], id=name.replace(" ", "-")) for name in names]
    return pytest.mark.parametrize("operation", pairs)


def run_whole(root: Path, prepare: Step, act: Step) -> tuple[Contents, Contents]:
    """What is there before and after when nothing goes wrong."""
    scene = Scene(root)
    root.mkdir()
    prepare(scene)
    before = scene.contents()
    act(scene)
    return before, scene.contents()


def stage(root: Path, prepare: Step) -> Scene:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    scene = Scene(root)
    prepare(scene)
    return scene


def killed_scenes(root: Path, prepare: Step, act: Step) -> Iterator[Scene]:
    """One for each operation; but a kill behind a sync leaves what one before it leaves."""
    operations, scene = FileOperations(lambda *operation: None), stage(root, prepare)
    with operations.watched():
        act(scene)
    names = [name for name, _ in operations.done]
    assert len(names) > 3, "nothing was counted"
    for number, name_before in enumerate(["", *names[:-1]], start=1):
        if name_before != "fsync":
            scene = stage(root, prepare)
            assert die_at(number, lambda scene=scene: act(scene))  # type: ignore[misc]
            yield scene


def assert_old_or_new(scene: Scene, before: Contents, after: Contents) -> None:
    """Of the files under their names, once somebody has looked; and no face reads as tampered with."""
    listing = scene.library.look()
    for name, data in scene.contents().items():
        if not any(part.startswith(".") and part != ".trash" for part in Path(name).parts):
            assert data in (before.get(name), after.get(name)), name
    pictures = sorted(scene.library.folder.glob("*.png"))
    assert sorted(face.path for face in listing.faces) == pictures
    for png in pictures:
        saved = read_saved_face(png)
        assert saved.sidecar in ("agrees", "damaged" if was_damaged(before) else "agrees")
        assert verify(dataclasses.replace(saved, sidecar="agrees"), FakeEngine(resolution=8)).status == "exact"


def was_damaged(before: Contents) -> bool:
    return any(name.endswith(".json") and not data.endswith(b"}\n") for name, data in before.items())


@on_operations(["save", "save a file of the same name again", "tag again", "remove", "convert again"])
def test_a_kill_leaves_no_more_where_every_file_has_a_name(
    operation: tuple[Step, Step], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As over NFS: no files without a name."""
    monkeypatch.setattr(files, "_open_unnamed", lambda folder: None)
    test_a_kill_leaves_the_old_or_the_new_and_the_next_try_succeeds(operation, tmp_path)


@on_operations(OPERATIONS)
def test_a_kill_leaves_the_old_or_the_new_and_the_next_try_succeeds(
    operation: tuple[Step, Step], tmp_path: Path
) -> None:
    """Also after a second kill, of the next try; and repair makes each face whole."""
    prepare, act = operation
    before, after = run_whole(tmp_path / "whole", prepare, act)
    assert before != after
    _, repaired = run_whole(tmp_path / "repaired", prepare, repair)
    for number, scene in enumerate(killed_scenes(tmp_path / "killed", prepare, act)):
        assert_old_or_new(scene, before, after)
        if scene.library.folder.exists():
            copy = Scene(shutil.copytree(scene.root, tmp_path / "copy", dirs_exist_ok=True))
            assert_repair_makes_whole(copy, before, after, repaired)
            shutil.rmtree(copy.root)
        if number % 2:
            die_at(1 + number * 5 % 13, lambda scene=scene: try_to(act, scene))  # type: ignore[misc]
            assert_old_or_new(scene, before, after)
        was_through = after.items() <= scene.contents().items()
        try:
            act(scene)
        except OutputError:
            assert was_through  # it exists already
        assert scene.contents() == after  # nothing hidden is left either


def try_to(act: Step, scene: Scene) -> None:
    with contextlib.suppress(OutputError):
        act(scene)


def assert_repair_makes_whole(scene: Scene, before: Contents, after: Contents, repaired: Contents) -> None:
    found = scene.library.repair()
    assert not {"tampered", "unreadable"} & {one.outcome for one in found}
    contents = scene.contents()
    for name, data in contents.items():
        if name.startswith("library"):
            assert data in (before.get(name), after.get(name), repaired.get(name)), name
            assert not name.endswith(".png") or name.replace(".png", ".json") in contents
    assert scene.library.look().problems == ()


def test_a_hidden_file_of_a_living_writer_is_not_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that is not named as ours; a folder neither."""
    monkeypatch.setattr(files, "_open_unnamed", lambda folder: None)
    others = [".a.12345678", ".a.1234567g.tmp", "a.12345678.tmp", ".12345678.tmp", ".only.12345678.old"]
    for name in others:
        (tmp_path / name).write_text("")
    for name in (".a.12345678.tmp", ".a.0123456789abcdef.tmp", ".kept.12345678.old", "kept"):
        (tmp_path / name).write_text("")
    (tmp_path / ".b.12345678.tmp").mkdir()

    def parts() -> Iterator[bytes]:
        yield b"first"
        hidden = [name for name in os.listdir(tmp_path) if name.startswith(".mine.")]
        write_file(tmp_path / "other", b"x", force=True)
        assert [name for name in os.listdir(tmp_path) if name.startswith(".mine.")] == hidden
        yield b"second"

    with whole_folder(tmp_path / "folder"):
        write_file(tmp_path / "mine", parts())
    assert (tmp_path / "mine").read_bytes() == b"firstsecond"
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "kept", "mine", "other", "folder"])


@on_operations(OPERATIONS)
def test_a_disk_that_refuses_leaves_the_old_or_the_new(operation: tuple[Step, Step], tmp_path: Path) -> None:
    """No space, and an input/output error, in turns."""
    prepare, act = operation
    before, after = run_whole(tmp_path / "whole", prepare, act)
    for number in range(1, MAX_OPERATIONS):
        scene = stage(tmp_path / "refused", prepare)
        code = (errno.ENOSPC, errno.EIO)[number % 2]
        came_so_far, error = refuse_at(number, code, lambda scene=scene: act(scene))  # type: ignore[misc]
        if not came_so_far:
            return
        assert error is None or isinstance(error, TuifaceError), error
        assert_old_or_new(scene, before, after)
        was_through = after.items() <= scene.contents().items()
        try:
            act(scene)
        except OutputError:
            assert was_through
        assert scene.contents() == after
    pytest.fail(f"not through after {MAX_OPERATIONS} operations")
