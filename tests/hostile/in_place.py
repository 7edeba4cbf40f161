"""What may stand in place of a file of one's own (tuiface/core/own_files.py), and why it is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

Put = Callable[[Path], None]


def put_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def _put_link(path: Path) -> None:
    (path.parent / "elsewhere").touch()
    path.symlink_to("elsewhere")


def _put_hard_link(path: Path) -> None:
    (path.parent / "elsewhere").touch()
    path.hardlink_to(path.parent / "elsewhere")


def _put_writable_by_all(path: Path) -> None:
    path.touch()
    path.chmod(0o666)


NO_OWN_FILES: Final[dict[str, tuple[Put, str]]] = {
    "link to nothing": (put_dangling_link, "is a link"),
    "link": (_put_link, "is a link"),
    "hard link": (_put_hard_link, "is no file of its own"),
    "pipe": (os.mkfifo, "is no file of its own"),
    "folder": (Path.mkdir, "Is a directory"),
    "writable": (_put_writable_by_all, "can be written by others"),
}
"""By name: how to put it there, and what its refusal says."""
