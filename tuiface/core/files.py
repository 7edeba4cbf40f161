"""Writing files so that nothing is ever half-written, and nothing is overwritten unless told.

A file is written without a name (O_TMPFILE), synced, and only then linked under its name, so that a process killed at
any moment leaves no fragment behind. File systems without that get a hidden temporary file and a rename.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from tuiface.core.errors import OutputError, UsageError, quote
from tuiface.core.visible import to_visible

MAX_NAME_BYTES = 200
"""Of a name that endings and numbers are added to: file systems take 255 bytes in all."""
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.EPERM, errno.EXDEV, errno.EMLINK}


def write_file(path: Path, data: bytes, *, force: bool = False) -> None:
    """Write `data` to `path` atomically and durably; the folder must exist.

    Raises OutputError in one line, with `path` untouched: it exists and `force` is not set, no space, no permission.
    """
    with translate_os_errors(path):
        if not _write_unnamed(path, data, force=force):
            _write_hidden(path, data, force=force)
        sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Create `path` and its parents; raises OutputError in one line."""
    with translate_os_errors(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise OutputError(f"{quote(path)} cannot be a folder: a file is in the way", "name another one") from None


def refuse_unfit_name(name: str, what: str) -> None:
    """Raise UsageError for a `name` that would leave its folder, or that a shell or a terminal would not take as one.

    `what` begins the message.
    """
    is_plain = to_visible(name, None) == name and "/" not in name and not name.startswith((".", "-"))
    if not name.strip() or not is_plain or len(os.fsencode(name)) > MAX_NAME_BYTES:
        raise UsageError(
            f"{what} {quote(name)}; accepted: up to {MAX_NAME_BYTES} bytes of letters, digits and signs that can be "
            "seen, without / and not beginning with - or ."
        )


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[None]:
    """`make_folder`, and take the folder away again where the block fails before anything of its own is in it."""
    was_there = path.exists()
    make_folder(path)
    try:
        yield
    except BaseException:
        if not was_there:
            with contextlib.suppress(OSError):  # it holds something
                path.rmdir()
        raise


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise OutputError if `path` exists and `force` is not set: asked before work begins, so that none is lost."""
    if not force and os.path.lexists(path):
        raise OutputError(f"{quote(path)} exists already and is not overwritten", "use --force, or another folder")


@contextlib.contextmanager
def reserve_paths(folder: Path, paths: Iterable[Path], *, force: bool) -> Iterator[None]:
    """`new_folder`, once it is sure that none of `paths` is in it, or `force` is set: nothing is computed for nothing.

    Raises OutputError.
    """
    with new_folder(folder):
        for path in paths:
            refuse_existing(path, force=force)
        yield


@contextlib.contextmanager
def translate_os_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into an OutputError that names the path and the next step."""
    try:
        yield
    except FileExistsError:
        raise OutputError(
            f"{quote(path)} exists already and is not overwritten", "use --force, or another folder"
        ) from None
    except OSError as error:
        hints = {
            errno.ENOSPC: "free some space, or choose another folder",
            errno.EDQUOT: "your disk quota is used up; free some space, or choose another folder",
            errno.EACCES: "choose a folder that you may write to",
            errno.EPERM: "choose a folder that you may write to",
            errno.EROFS: "choose a folder on a writable file system",
        }
        raise OutputError(
            f"cannot write {quote(path)}: {error.strerror}", hints.get(error.errno or 0, "choose another folder")
        ) from None


def _write_unnamed(path: Path, data: bytes, *, force: bool) -> bool:
    """Through a file without a name; False where the file system has none."""
    if not hasattr(os, "O_TMPFILE"):
        return False
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o644)
    except OSError as error:
        if error.errno in _UNSUPPORTED and path.parent.is_dir():
            return False
        raise
    try:
        _write_all(descriptor, data)
        try:
            _link_descriptor(descriptor, path, force=force)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return False
            raise
    finally:
        os.close(descriptor)
    return True


def _link_descriptor(descriptor: int, path: Path, *, force: bool) -> None:
    if not force or not os.path.lexists(path):
        _link(descriptor, path)
        return
    # link cannot replace: give the finished file a hidden name, then rename it over the old one.
    hidden = _make_hidden_path(path)
    _link(descriptor, hidden)
    try:
        hidden.replace(path)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise


def _link(descriptor: int, path: Path) -> None:
    """Name an open file without a name. Raises FileExistsError where `path` exists."""
    # Only linkat follows the link in /proc to the file, and Python calls it only if a folder's descriptor is given;
    # for an absolute path that descriptor means nothing.
    os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)


def _write_hidden(path: Path, data: bytes, *, force: bool) -> None:
    """Through a hidden file beside `path`."""
    hidden = _make_hidden_path(path)
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)
        if not force and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "File exists")
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)


def _make_hidden_path(path: Path) -> Path:
    return path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make a new name survive a power cut; file systems that cannot sync a folder are left alone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
