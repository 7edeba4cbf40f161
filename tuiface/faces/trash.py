"""The trash of a folder of faces: `.trash/STAMP/`, a folder for each face that was removed, with all its files.

A face goes and comes back by the rename of its picture; JSON and tags follow. A folder whose name says that this was
not finished (`.STAMP.removing`, `.STAMP.restoring`) is finished, in the direction that it says, by whoever works with
the folder next. Earlier versions laid files right into `.trash`; they are left there.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
import stat
from pathlib import Path

from tuiface.core.errors import OutputError, quote
from tuiface.core.files import lock_folder, make_folder, refuse_existing, sync_folder, translate_os_errors, write_file
from tuiface.core.pictures import MAX_PICTURE_BYTES
from tuiface.core.reading import read_regular

TRASH = ".trash"
_REMOVING, _RESTORING = ".removing", ".restoring"


def is_picture(name: str) -> bool:
    """Whether a file of the library is one of its pictures: Windows writes .PNG, and a Mac leaves ._NAME.png beside."""
    return name.lower().endswith(".png") and not name.startswith(".")


def name_files(png: Path) -> tuple[Path, Path, Path]:
    """A face's picture, JSON and tags, whether they are there or not."""
    return png, png.with_suffix(".json"), png.with_suffix(".tags.json")


def list_files(png: Path) -> list[Path]:
    """Those of a face that are there: picture, JSON, tags."""
    return [path for path in name_files(png) if os.path.lexists(path)]


class Trash:
    """What was removed from `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._trash = folder / TRASH

    def remove(self, png: Path) -> Path:
        """Move a face's files here, all or none; returns the new path of the picture. Raises OutputError."""
        with lock_folder(self._folder):
            self._finish_all()
            entry = self._make_entry(_REMOVING)
            self._move(list_files(png), entry, undo=entry)
            return self._close(entry) / png.name

    def restore(self, trashed: Path) -> Path:
        """Move a face's files back; `trashed` is what `remove` returned. Returns the picture's path.

        Raises OutputError if a file of that name lies in the folder again.
        """
        with lock_folder(self._folder):
            self._finish_all()
            files = list_files(trashed)
            for path in files:
                refuse_existing(self._folder / path.name, force=False)
            with translate_os_errors(trashed):
                if trashed.parent == self._trash:  # of an earlier version
                    self._move(files, self._folder)
                    return self._folder / trashed.name
                entry = trashed.parent.rename(self._hidden(trashed.parent.name, _RESTORING))
            self._move([entry / path.name for path in files], self._folder)
            self._close(entry)
            return self._folder / trashed.name

    def keep(self, path: Path) -> Path:
        """Lay a copy of a file that is about to be replaced here; the folder is held by the caller."""
        entry = self._make_entry("")
        with translate_os_errors(path):
            content = read_regular(path, MAX_PICTURE_BYTES)
        write_file(entry / path.name, content)
        return entry / path.name

    def finish(self) -> list[str]:
        """Finish what a kill interrupted, if nobody is at it; returns the names of the pictures."""
        if not self._list_unfinished():
            return []
        with contextlib.suppress(OutputError), lock_folder(self._folder, wait_s=0):
            return self._finish_all()
        return []

    def _list_unfinished(self) -> list[Path]:
        try:
            with os.scandir(self._trash) as entries:
                names = sorted(e.name for e in entries if e.name.endswith((_REMOVING, _RESTORING)))
        except OSError:  # no trash; or one that whoever removes a face will be told about
            return []
        return [] if self._trash.is_symlink() else [self._trash / name for name in names]

    def _finish_all(self) -> list[str]:
        finished = []
        for entry in self._list_unfinished():
            with translate_os_errors(entry):
                finished += self._finish(entry)
        return finished

    def _finish(self, entry: Path) -> list[str]:
        pictures = [path for path in entry.iterdir() if is_picture(path.name)]
        if entry.name.endswith(_RESTORING):
            if not pictures:  # it is back in the folder
                self._move([p for p in entry.iterdir() if not os.path.lexists(self._folder / p.name)], self._folder)
        elif pictures and not os.path.lexists(self._folder / pictures[0].name):
            self._move(list_files(self._folder / pictures[0].name), entry)
        self._close(entry)
        return [path.name for path in pictures]

    def _move(self, files: list[Path], target: Path, *, undo: Path | None = None) -> None:
        """Move files, the picture first; if that fails, the folder `undo` goes, and so does what was moved."""
        moved: list[tuple[Path, Path]] = []
        try:
            for path in files:
                with translate_os_errors(path):
                    path.rename(target / path.name)
                moved.append((path, target / path.name))
        except OutputError:
            with contextlib.suppress(OSError):
                for path, now in reversed(moved):
                    now.rename(path)
                if undo is not None:
                    undo.rmdir()
            raise
        for folder in {target, *(path.parent for path in files)}:
            sync_folder(folder)

    def _make_entry(self, state: str) -> Path:
        """A new folder. Raises OutputError where the trash is a link or a file: files would go who knows where."""
        if os.path.lexists(self._trash) and not stat.S_ISDIR(self._trash.lstat().st_mode):
            raise OutputError(f"{TRASH} in {quote(self._folder)} is not a folder", "move it away; it is made again")
        make_folder(self._trash)
        stamp = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        entry = self._hidden(stamp, state) if state else self._trash / stamp
        with translate_os_errors(entry):
            entry.mkdir()
        return entry

    def _hidden(self, stamp: str, state: str) -> Path:
        return self._trash / f".{stamp}{state}"

    def _close(self, entry: Path) -> Path:
        """Say of a folder that it is finished, by its name, which is returned; an empty one goes."""
        finished = self._trash / entry.name.removeprefix(".").removesuffix(_REMOVING).removesuffix(_RESTORING)
        with translate_os_errors(entry):
            if any(entry.iterdir()):
                entry.rename(finished)
            else:
                entry.rmdir()
            sync_folder(self._trash)
        return finished
