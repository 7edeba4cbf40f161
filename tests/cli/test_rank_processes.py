"""Processes of one work are watched together: one that fails ends all, with its own words."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import rank_work
from tests.service.processes import eventually, is_gone
from tuiface.commands.rank_processes import run_ranks
from tuiface.core.errors import EXIT_INPUT, EngineError, TuifaceError


def test_rank_0_answers_for_all() -> None:
    assert run_ranks(rank_work.square, 2, 5) == 25


def test_the_cause_is_told_and_not_its_consequence() -> None:
    with pytest.raises(TuifaceError) as caught:
        run_ranks(rank_work.miss_the_other, 2)
    assert str(caught.value) == "the disk is full (make room)"
    assert caught.value.exit_code == EXIT_INPUT


def test_a_killed_process_ends_the_others(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="process 1 of 2 was ended by SIGKILL, and the others with it"):
        run_ranks(rank_work.die, 2, tmp_path)
    if (tmp_path / "0").exists():  # it may not have come so far
        assert is_gone(int((tmp_path / "0").read_text()))


def test_the_ranks_of_a_killed_starter_save_and_end(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from tests.cli.rank_work import stop_slowly; "
        "from tuiface.commands.rank_processes import run_ranks; "
        f"run_ranks(stop_slowly, 2, Path({str(tmp_path)!r}))"
    )
    starter = subprocess.Popen([sys.executable, "-c", code])
    names = [tmp_path / "0", tmp_path / "1"]
    eventually(lambda: all(name.exists() and name.read_text() for name in names))
    starter.kill()
    starter.wait()
    eventually(lambda: all(is_gone(int(name.read_text())) for name in names))
    assert all(name.with_suffix(".saved").exists() for name in names)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_every_rank_once_and_their_answers_are_waited_for(number: int, tmp_path: Path) -> None:
    with signal_when_started(number, tmp_path):
        run_ranks(rank_work.stop_slowly, 2, tmp_path)
    assert all((tmp_path / f"{rank}.saved").exists() for rank in (0, 1))


def test_a_signal_before_the_ranks_note_any_is_an_interruption(tmp_path: Path) -> None:
    with signal_when_started(signal.SIGTERM, tmp_path), pytest.raises(KeyboardInterrupt):
        run_ranks(rank_work.wait_for_nothing, 2, tmp_path)


@contextlib.contextmanager
def signal_when_started(number: int, folder: Path) -> Iterator[None]:
    """Send this process a signal as soon as two ranks have written their numbers into the folder."""
    names = [folder / "0", folder / "1"]

    def send() -> None:
        eventually(lambda: all(name.exists() and name.read_text() for name in names))
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    yield
    sender.join()
