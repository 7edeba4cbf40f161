"""A child that dies at its n-th file operation, as a kill or a power cut would end it; and disks that refuse.

The functions of `os` that change the file system are replaced by counting ones. `Path` goes through the same ones.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

OPERATIONS = ("open", "write", "fsync", "link", "rename", "replace", "unlink", "mkdir", "rmdir", "utime")
"""What leaves a trace; opening counts where it may create a file."""
_TAKE_ROOM = ("open", "write", "fsync", "link", "rename", "replace", "mkdir")
_KILLED = 99
MAX_OPERATIONS = 200


class FileOperations:
    """Counts operations, remembers them, and acts just before the n-th one."""

    def __init__(self, act: Callable[[int, str, tuple[Any, ...]], None]) -> None:
        self.done: list[tuple[str, tuple[Any, ...]]] = []
        self._act = act

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if name != "open" or args[1] & (os.O_WRONLY | os.O_RDWR):
                self.done.append((name, args))
                self._act(len(self.done), name, args)
            return real(*args, **kwargs)

        return counted

    @contextlib.contextmanager
    def watched(self) -> Iterator[FileOperations]:
        with contextlib.ExitStack() as stack:
            for name in OPERATIONS:
                stack.enter_context(mock.patch.object(os, name, self._wrap(name, getattr(os, name))))
            yield self


def die_at(number: int, work: Callable[[], object]) -> bool:
    """Run `work` in a child that is gone at its operation `number`; whether it came so far.

    A write that it dies at has written its first half.
    """
    child = os.fork()
    if not child:
        real_write = os.write

        def act(count: int, name: str, args: tuple[Any, ...]) -> None:
            if count == number:
                if name == "write":
                    real_write(args[0], bytes(args[1])[: len(args[1]) // 2])
                os._exit(_KILLED)

        code = 1
        try:
            with FileOperations(act).watched():
                work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, _KILLED), f"the child failed by itself at operation {number}"
    return status == _KILLED


def refuse_at(number: int, code: int, work: Callable[[], object]) -> tuple[bool, Exception | None]:
    """Run `work` here on a disk that refuses its operation `number`; whether it came so far, and what it raised."""

    def act(count: int, name: str, args: tuple[Any, ...]) -> None:
        if count == number and (code != errno.ENOSPC or name in _TAKE_ROOM):
            raise OSError(code, os.strerror(code))

    operations = FileOperations(act)
    try:
        with operations.watched():
            work()
    except Exception as error:  # noqa: BLE001 - the caller looks at what it is
        return True, error
    return len(operations.done) >= number, None
