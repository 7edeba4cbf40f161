"""Where a user's resident engine is found, and why nobody else can stand in its place.

    FOLDER/engine.lock    locked (flock) by the engine for as long as it lives; the kernel lets go however it ends.
                          0600: whoever may open a file can lock it too, and so keep an engine from starting
    FOLDER                locked as well, since systemd's cleaning of /tmp leaves such a folder alone
    FOLDER/engine.sock    the socket

The folder does not lie in XDG_RUNTIME_DIR, which is removed when its user's last login ends.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from tuiface.core.errors import EngineError, OutputError, UsageError, quote
from tuiface.core.files import translate_os_errors, try_lock
from tuiface.core.own_files import open_own_file
from tuiface.core.settings import Settings, runtime_folder

SOCKET_NAME = "engine.sock"
LOCK_NAME = "engine.lock"


class EngineTakenError(EngineError):
    """A resident engine of this user runs already, or is just starting."""


def user_name(uid: int) -> str:
    """The Unix user's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_id(name: str) -> int:
    """The number of a Unix group; raises UsageError where there is none of that name."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(f"group {quote(name)}: no such Unix group here", "`id` lists yours") from None


def locate_engine(settings: Settings) -> tuple[Path, int]:
    """The folder and the user of the engine that `settings.engine` speaks of; raises UsageError for an unknown user."""
    if settings.engine in ("auto", "private", "resident"):
        return settings.runtime, os.getuid()
    try:
        uid = pwd.getpwnam(settings.engine).pw_uid
    except KeyError:
        raise UsageError(
            f"engine {quote(settings.engine)}: no such user here; accepted: auto, private, resident, or a user's name"
        ) from None
    return settings.runtime if uid == os.getuid() else runtime_folder(uid), uid


def find_socket(folder: Path, uid: int) -> Path | None:
    """The socket in `folder`, or None where there is none.

    Raises EngineError for a folder in which somebody else than `uid` could have put it.
    """
    try:
        status = folder.lstat()
    except OSError:
        return None
    _refuse_untrusted(folder, status, uid)
    socket = folder / SOCKET_NAME
    try:
        return socket if stat.S_ISSOCK(socket.lstat().st_mode) else None
    except OSError:
        return None


@contextlib.contextmanager
def claim_folder(folder: Path, gid: int | None) -> Iterator[tuple[int, int]]:
    """Make `folder` (0700, or 0750 for the group `gid`) and lock it; yields the descriptors that hold the locks.

    A socket that an engine left behind when it was killed is removed. The locks last until every copy of the
    descriptors is closed. Raises EngineTakenError where another process holds it, OutputError or EngineError for a
    folder that cannot be used.
    """
    with translate_os_errors(folder), contextlib.suppress(FileExistsError):  # then it is told below what is there
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise OutputError(f"cannot use {quote(folder, 120)}: {error.strerror}", "set `runtime` to another") from None
    try:
        _refuse_untrusted(folder, os.fstat(descriptor), os.getuid())
        lock = open_own_file(folder / LOCK_NAME, os.O_RDWR)
    except BaseException:
        os.close(descriptor)
        raise
    try:
        if not try_lock(lock):
            raise EngineTakenError("an engine of yours is starting, or runs already")
        try_lock(descriptor)  # a member of the group may hold it, which keeps the folder from being cleaned as well
        with translate_os_errors(folder):
            if gid is not None:
                os.fchown(descriptor, -1, gid)
            os.fchmod(descriptor, 0o700 if gid is None else 0o750)
            (folder / SOCKET_NAME).unlink(missing_ok=True)
        yield descriptor, lock
    finally:
        os.close(descriptor)
        os.close(lock)


def is_claimed(folder: Path) -> bool:
    """Whether an engine of this user holds the lock of `folder`."""
    try:
        lock = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return not try_lock(lock)
    finally:
        os.close(lock)


def _refuse_untrusted(folder: Path, status: os.stat_result, uid: int) -> None:
    if not stat.S_ISDIR(status.st_mode):
        what = "is no folder"
    elif status.st_uid != uid:
        what = f"belongs to {user_name(status.st_uid)}, not to {user_name(uid)}"
    elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        what = "can be written by others"
    else:
        return
    raise EngineError(f"{quote(folder, 120)} {what}: no engine is trusted there", "set `runtime` to a folder of yours")
