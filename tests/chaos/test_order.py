"""What a power cut takes: a name must not reach the disk before what it names, nor a step before the one it relies on.

A file's content is safe once it is synced, a name once its folder is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.kills import FileOperations
from tests.chaos.operations import Scene, add_direction, convert, remove, save, save_over, save_tagged, set_tags
from tuiface.core import files
from tuiface.core.files import make_folder


def record(work: Callable[[], object]) -> list[str]:
    """What happened, in order: to a file without its name, to a folder by name, and to a name by its ending."""
    told: list[str] = []

    def act(_: int, name: str, args: tuple[Any, ...]) -> None:
        if name in ("write", "fsync"):
            target = Path(f"/proc/self/fd/{args[0]}").readlink()
            kind = "folder" if target.is_dir() else "file"
            told.append(f"{name} {target.name if kind == 'folder' else kind}")
        elif name in ("link", "rename", "replace"):
            told.append(f"{name} {Path(args[1]).suffix}")

    operations = FileOperations(act)
    with operations.watched():
        work()
    return told


def test_a_new_face_is_synced_before_it_is_named_and_the_picture_before_the_json(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    make_folder(scene.library.folder)
    assert record(lambda: save(scene)) == [
        *("write file", "fsync file", "write file", "fsync file"),
        *("link .png", "fsync library", "link .json", "fsync library"),
    ]


def test_a_replaced_face_is_four_steps_with_a_sync_after_each(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    save(scene)
    assert record(lambda: save_over(scene)) == [
        *("write file", "fsync file", "write file", "fsync file"),
        *("rename .old", "fsync library"),
        *("link .tmp", "replace .png", "fsync library"),
        *("link .json", "fsync library"),
    ]


@pytest.mark.parametrize("way", ["unnamed", "hidden"])
def test_every_writer_syncs_content_then_names_it_then_syncs_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "hidden":
        monkeypatch.setattr(files, "_open_unnamed", lambda folder: None)
    scene = Scene(tmp_path)
    save(scene)
    for work, folder in ((set_tags, "library"), (add_direction, "eeeeeeeeee"), (convert, tmp_path.name)):
        told = record(partial(work, scene))
        told = told[told.index("write file") :]  # behind the syncs of new folders
        written = told.index("fsync file")
        assert set(told[:written]) == {"write file"}
        assert all(step.split()[0] in ("link", "rename", "replace") for step in told[written + 1 : -1])
        assert told[-1] == f"fsync {folder}"


def test_a_removed_face_is_on_the_disk_in_its_new_place(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    save_tagged(scene)
    told = record(lambda: remove(scene))
    renamed = [step for step in told if step.startswith("rename .")]
    assert renamed == ["rename .png", "rename .json", "rename .json"]
    after = told[told.index("rename .png") + 3 :]
    assert {"fsync library", "fsync .trash"} <= set(after)


def test_a_new_folder_survives_with_its_parents(tmp_path: Path) -> None:
    told = record(lambda: make_folder(tmp_path / "a" / "b"))
    assert [step for step in told if step.startswith("fsync")] == ["fsync a", f"fsync {tmp_path.name}"]
