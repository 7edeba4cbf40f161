"""Files of one's own that are written for weeks, such as logs: nobody else can put something in their place."""

from __future__ import annotations

import errno
import os
import stat

from tuiface.core.errors import OutputError, quote

OWNER_ALONE = 0o600
OWNER_AND_READING_GROUP = 0o640
_HINT = "move it elsewhere, or set `state` to another folder"


def open_own_file(path: str | os.PathLike[str], flags: int, mode: int = OWNER_ALONE) -> int:
    """A descriptor of the file at `path`, made where there is none, with `mode` whatever the umask.

    It may be an opener of `open`. Raises OutputError in one line for a link, for what is no regular file or has a
    second name, and for what others own or may write; nothing is emptied before that is known.
    """
    try:
        descriptor = os.open(
            path, (flags & ~os.O_TRUNC) | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, mode
        )
    except OSError as error:
        reasons = {errno.ELOOP: "is a link", errno.ENXIO: "is no file of its own"}  # a pipe that nobody reads
        reason = reasons.get(error.errno or 0, f"cannot be opened: {error.strerror}")
        raise OutputError(f"{quote(path, 120)} {reason}", _HINT) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise OutputError(f"{quote(path, 120)} is no file of its own", _HINT)
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise OutputError(f"{quote(path, 120)} can be written by others", _HINT)
        os.fchmod(descriptor, mode)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
