"""Opening files that users name: regular ones alone, so that nothing waits for a pipe or reads a device without end.

Whatever opens a file for reading goes through `open_regular`, which a test holds. A path that leads to something else
is an OSError like any other that a path can cause, so whoever explains those explains it too.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

from tuiface.core.errors import InputFileError, quote

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class TooLargeError(OSError):
    """A file of more bytes than are accepted where it is read."""


def open_regular(path: Path) -> io.BufferedReader:
    """The file at `path`, to be read in bytes and closed.

    Raises OSError, whose `strerror` says why: also for a folder, a pipe, a socket, a device, and for text that is no
    path at all.
    """
    try:
        file = open(path, "rb", opener=_open_without_waiting)  # noqa: SIM115 - Path.open takes no opener
    except ValueError:  # NUL, or half a character
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from None
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, f"{_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a regular file", str(path))


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a pipe without a writer too, and no terminal as the program's own."""
    try:
        return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "a socket, not a regular file", path) from None
        raise


def explain(error: OSError) -> InputFileError | None:
    """An OSError of a path that nobody foresaw, as one line; None for one that is of no path."""
    if error.filename is None:
        return None
    return InputFileError(f"{quote(error.filename)}: {error.strerror}", "name another file or folder")


def read_regular(path: Path, limit: int) -> bytes:
    """All bytes of the file at `path`; raises OSError as `open_regular` does, TooLargeError for more than `limit`."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size <= limit:
            data = file.read(limit + 1)  # a file of /proc has no size, and others may grow meanwhile
            if len(data) <= limit:
                return data
    raise TooLargeError(errno.EFBIG, f"larger than {limit} bytes, the most that is accepted here", str(path))


# What `Path` has for these raises for a name that is too long or a folder that may not be looked into.


def is_there(path: Path) -> bool:
    """Whether anything is at `path`, as far as can be seen."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Whether a regular file is at `path`, as far as can be seen."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether a folder is at `path`, as far as can be seen."""
    return os.path.isdir(path)  # noqa: PTH112


def expand_user(text: str) -> Path:
    """`text` as a path with ~ in full; with the name of nobody behind it, ~ stays."""
    return Path(os.path.expanduser(text))  # noqa: PTH111
