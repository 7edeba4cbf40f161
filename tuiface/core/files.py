"""Writing files so that nothing is ever half-written, and nothing is overwritten unless told.

A file is written without a name (O_TMPFILE), synced, and only then linked under its name, so that a process killed at
any moment leaves no fragment behind. File systems without that get a hidden temporary file and a rename, and so does a
file that replaces another. Hidden files are locked as long as their writer lives; the next writer sweeps the others.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tuiface.core.errors import OutputError, UsageError, quote
from tuiface.core.visible import to_visible

MAX_NAME_BYTES = 200
"""Of a name that endings and numbers are added to: file systems take 255 bytes in all."""
NEW_FILE_MODE = 0o666
"""Less what the umask takes: where it is 002, a group that shares a library may write its files."""
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.EPERM, errno.EXDEV, errno.EMLINK}
_NO_LOCKS = {errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}
"""What flock says where there are none: of a folder over NFS, EBADF."""
_HIDDEN = re.compile(r"\.(?P<name>.+)\.(?:[0-9a-f]{8}|[0-9a-f]{16})\.(?P<kind>tmp|old)", re.DOTALL)
"""`.NAME.TOKEN.tmp` is to become NAME, `.NAME.TOKEN.old` is what NAME was; longer tokens are of earlier versions."""
LOCK_NAME = ".tuiface.lock"
LOCK_WAIT_S = 60.0
"""A writer holds a folder for milliseconds; one that was stopped must not stop the others for good."""

Data = bytes | bytearray | memoryview
Content = Data | Iterable[Data]


def write_file(path: Path, content: Content, *, force: bool = False) -> None:
    """Write `content`, whole or in parts, to `path` atomically and durably; the folder must exist.

    Raises OutputError in one line, with `path` untouched: it exists and `force` is not set, no space, no permission.
    """
    with _stage(path, content) as staged:
        staged.publish(force=force)
        sync_folder(path.parent)


def write_pair(main: Path, content: Content, beside: Path, record: Content, *, force: bool = False) -> None:
    """Write `main` and, in the same folder, the record `beside` it, so that no kill leaves two that disagree.

    Both lie on the disk, nameless, before the first name changes. From then on there are four states, each on the disk
    before the next: both old; the old `main` alone; the new one alone; both new. A record that is missing says that a
    write was interrupted, as no wrong record could. Raises OutputError; what failed before the second state is undone.
    """
    with _stage(main, content) as first, _stage(beside, record) as second, lock_folder(main.parent):
        is_new = not os.path.lexists(main)
        aside = _move_aside(beside) if force else None
        try:
            first.publish(force=force)
        except BaseException:
            if aside is not None:
                aside.rename(beside)
            raise
        try:
            sync_folder(main.parent)
            second.publish(force=force)
        except BaseException:
            if is_new:
                main.unlink(missing_ok=True)
            if aside is not None:
                aside.rename(beside) if is_new else aside.unlink(missing_ok=True)
            raise
        if force:
            sweep_leftovers(main.parent)  # what was moved aside, here or by one who was killed
        sync_folder(main.parent)


def _move_aside(path: Path) -> Path | None:
    """Take the name from a file that is being replaced, durably; None if there is none. A folder is never replaced."""
    if not os.path.lexists(path):
        return None
    aside = _make_hidden_path(path, "old")
    with translate_os_errors(path):
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.rename(aside)
    sync_folder(path.parent)
    return aside


@contextlib.contextmanager
def lock_folder(folder: Path, *, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold `folder` against other writers of pairs, tags and the trash; the lock ends with its process.

    Raises OutputError where another holds it for longer than `wait_s`.
    """
    with translate_os_errors(folder):
        descriptor = _open_lock(folder)
    try:
        deadline = time.monotonic() + wait_s
        while not try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise OutputError(f"{quote(folder)} is held by another tuiface", "wait for it, or end it; then again")
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _open_lock(folder: Path) -> int:
    """What stands for `folder`: itself, which leaves no trace, or a hidden file where folders cannot be locked."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            with contextlib.suppress(OSError):  # another user's, perhaps: then there is no lock
                instead = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o664)
                os.close(descriptor)
                return instead
    return descriptor


def try_lock(descriptor: int) -> bool:
    """Whether the file is ours alone now; true also where the file system knows no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def sweep_leftovers(folder: Path) -> list[str]:
    """Remove the hidden files and folders that killed writers left in `folder`; returns their names.

    Only those that are named as ours are, and whose writer lives no more: the kernel takes its lock away.
    """
    swept = []
    for found in _list_hidden(folder):
        path = folder / found[0]
        with contextlib.suppress(OSError):
            if found["kind"] == "tmp":
                if not _remove_unlocked(path):
                    continue
            elif not os.path.lexists(folder / found["name"]):
                continue  # the only copy
            else:
                path.unlink()
            swept.append(path.name)
    return swept


def list_old_versions(folder: Path) -> dict[Path, Path]:
    """Files of `folder` whose replacement was interrupted while nothing had their name, and where their old self is."""
    found = {}
    for matched in _list_hidden(folder):
        path = folder / matched["name"]
        if matched["kind"] == "old" and not os.path.lexists(path):
            found[path] = folder / matched[0]
    return found


def _list_hidden(folder: Path) -> list[re.Match[str]]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.startswith("."))
    except OSError:  # what is wrong with the folder is said by who writes there
        return []
    return [found for found in map(_HIDDEN.fullmatch, names) if found is not None]


def _remove_unlocked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISDIR(mode):
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(descriptor)
    return True


def make_folder(path: Path) -> None:
    """Create `path` and its parents, durably; raises OutputError in one line."""
    with translate_os_errors(path):
        try:
            if path.is_dir():
                return
            missing = [folder for folder in (path, *path.parents) if not folder.exists()]
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise OutputError(f"{quote(path)} cannot be a folder: a file is in the way", "name another one") from None
        except RecursionError:
            raise OutputError(f"{quote(path)} lies within too many folders", "name another one") from None
    for folder in missing:
        sync_folder(folder.parent)


def is_writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, which is made where it is not there."""
    try:
        make_folder(folder)
    except OutputError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


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


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A hidden folder to fill, which takes the name `path` at once and durably when the block is through.

    It goes where the block fails, and, if the process is killed, with the next writer. Raises OutputError, for an
    OSError of the block too.
    """
    make_folder(path.parent)
    sweep_leftovers(path.parent)
    with translate_os_errors(path):
        hidden, lock = _make_hidden_folder(path)
    try:
        with translate_os_errors(path):
            yield hidden
            os.sync()  # thousands of files: one by one they take minutes
            hidden.rename(path)
            sync_folder(path.parent)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        os.close(lock)


def _make_hidden_folder(path: Path) -> tuple[Path, int]:
    """A new folder and what holds it."""
    while True:
        hidden = _make_hidden_path(path, "tmp")
        hidden.mkdir()
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(hidden, os.O_RDONLY | os.O_DIRECTORY)
            if try_lock(lock) and os.path.lexists(hidden):  # else a sweeper came between
                return hidden, lock
            os.close(lock)


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
        sweep_leftovers(folder)
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
            f"cannot write {quote(path)}: {error.strerror or error}",
            hints.get(error.errno or 0, "choose another folder"),
        ) from None


class _StagedFile:
    """A file that is whole and on the disk, and has not got its name yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hidden: Path | None = None
        """Its name until then; None while it has none."""
        unnamed = _open_unnamed(path.parent)
        self._descriptor = self._open_hidden() if unnamed is None else unnamed
        try_lock(self._descriptor)

    def write(self, content: Content) -> None:
        """All of it, down to the disk."""
        for part in (content,) if isinstance(content, Data) else content:
            _write_all(self._descriptor, part)
        os.fsync(self._descriptor)

    def publish(self, *, force: bool) -> None:
        """Give it its name. Raises OutputError, if the name is taken too, unless `force` is set."""
        with translate_os_errors(self._path):
            if self._hidden is None and not self._link(self._path, replaces=force):
                self._copy_to_hidden()
            if self._hidden is None:
                return
            if force:
                self._hidden.replace(self._path)
            else:
                _rename_to_free_name(self._hidden, self._path)
            self._hidden = None

    def close(self) -> None:
        """What has no name by now never was."""
        if self._hidden is not None:
            with contextlib.suppress(OSError):
                self._hidden.unlink()
        os.close(self._descriptor)

    def _link(self, path: Path, *, replaces: bool) -> bool:
        """Name the file without a name, hidden at first if it `replaces` one; False where that cannot be done."""
        hidden = None
        if replaces and os.path.lexists(path):  # link cannot replace
            sweep_leftovers(path.parent)
            hidden = _make_hidden_path(path, "tmp")
        try:
            # Only linkat follows the link in /proc to the file, and Python calls it only if a folder's descriptor is
            # given; for an absolute path that descriptor means nothing.
            source = f"/proc/self/fd/{self._descriptor}"
            os.link(source, hidden or path, src_dir_fd=self._descriptor, follow_symlinks=True)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return False
            raise
        self._hidden = hidden
        return True

    def _open_hidden(self) -> int:
        sweep_leftovers(self._path.parent)
        while True:
            self._hidden = _make_hidden_path(self._path, "tmp")
            descriptor = os.open(self._hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, NEW_FILE_MODE)
            # A sweeper may have come between the two.
            if try_lock(descriptor) and os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)

    def _copy_to_hidden(self) -> None:
        """Where a file without a name can be written, but not named."""
        unnamed, self._descriptor = self._descriptor, self._open_hidden()
        try:
            os.lseek(unnamed, 0, os.SEEK_SET)
            self.write(iter(lambda: os.read(unnamed, 1 << 20), b""))
        finally:
            os.close(unnamed)


@contextlib.contextmanager
def _stage(path: Path, content: Content) -> Iterator[_StagedFile]:
    with translate_os_errors(path):
        staged = _StagedFile(path)
    try:
        with translate_os_errors(path):
            staged.write(content)
        yield staged
    finally:
        staged.close()


def _open_unnamed(folder: Path) -> int | None:
    """A file without a name; None where the file system has none."""
    if not hasattr(os, "O_TMPFILE"):
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, NEW_FILE_MODE)
    except OSError as error:
        if error.errno in _UNSUPPORTED and folder.is_dir():
            return None
        raise


def _rename_to_free_name(hidden: Path, path: Path) -> None:
    """Raises FileExistsError where `path` exists; file systems without hard links are asked a moment before."""
    try:
        os.link(hidden, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        hidden.replace(path)
    else:
        hidden.unlink()


def _make_hidden_path(path: Path, kind: str) -> Path:
    return path.parent / f".{path.name}.{os.urandom(4).hex()}.{kind}"


def _write_all(descriptor: int, data: Data) -> None:
    view = memoryview(data)
    view = view.cast("B") if view.nbytes else view  # a view of nothing cannot be cast
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Make a new name survive a power cut; file systems that cannot sync a folder are left alone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
