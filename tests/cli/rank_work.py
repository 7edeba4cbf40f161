"""What the processes of `test_rank_processes` do; it imports little, as each of them loads it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tuiface.core.errors import InputFileError, LostProcessError


def square(rank: int, number: int) -> int:
    return number**2 + rank


def miss_the_other(rank: int) -> None:
    """Rank 0 notices at once that rank 1 is gone, which says later why."""
    if rank == 0:
        raise LostProcessError("another process ended")
    time.sleep(0.3)
    raise InputFileError("the disk is full", "make room")


def die(rank: int, started: Path) -> None:
    """Rank 1 is killed; rank 0 would go on for a minute."""
    (started / f"{rank}").write_text(str(os.getpid()))
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def stop_slowly(rank: int, folder: Path) -> None:
    """End a moment after a SIGTERM, with a last word."""
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    (folder / f"{rank}").write_text(str(os.getpid()))
    while not stopped:
        time.sleep(0.01)
    (folder / f"{rank}.saved").touch()


def wait_for_nothing(rank: int, folder: Path) -> None:
    (folder / f"{rank}").write_text(str(os.getpid()))
    time.sleep(60)
