"""The processes of one training on several GPUs (`tuiface train --gpus N`): begun, watched and ended together.

Each is a rank (`engine/training/ranks.py`) in a session of its own, so that a terminal's Ctrl-C reaches this process
alone, which asks every rank once to stop. A rank that fails, or ends without an answer, ends the others; the error is
its own, not theirs, who only miss it. A rank whose starter is gone takes that for the wish to stop.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any, TypeVar

from tuiface.core.errors import EngineError, LostProcessError, TuifaceError
from tuiface.core.processes import connect_worker

T = TypeVar("T")

_CAUSE_S = 10.0
"""How long the reason is waited for why a rank missed another."""
_END_S = 60.0
"""How long a rank may take to end after its answer."""


@dataclass(frozen=True, slots=True)
class RankFailure:
    """A user's error in a rank, as it crosses to the process that started it."""

    message: str
    hint: str
    exit_code: int
    is_consequence: bool
    """Whether another rank's end is the cause."""

    def to_error(self) -> TuifaceError:
        """The same error, here."""
        error = TuifaceError(self.message, self.hint)
        error.exit_code = self.exit_code
        return error


def run_ranks(work: Callable[..., T], count: int, *arguments: object) -> T:
    """Call `work(rank, *arguments)` in `count` processes; returns what that of rank 0 returns.

    `work` is importable by name; arguments and results are picklable. Raises what the first rank raised that failed by
    itself, or EngineError for one that died; no rank is left running then.
    """
    ranks: list[subprocess.Popen[bytes]] = []
    answers: dict[Connection, int] = {}
    try:
        with _forwarded_signals(ranks) as forwarded:
            for rank in range(count):
                process, connection = connect_worker(_work, work, rank, arguments, new_session=True)
                ranks.append(process)
                answers[connection] = rank
            result: T = _collect(answers, ranks, forwarded)
            for process in ranks:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_END_S)
            return result
    except OSError as error:
        raise EngineError(f"cannot start {count} processes: {error.strerror}", "fewer --gpus") from None
    finally:
        for process in ranks:
            process.kill()
        for process in ranks:
            process.wait()
        for connection in answers:
            connection.close()


def _collect(answers: dict[Connection, int], ranks: list[subprocess.Popen[bytes]], forwarded: list[int]) -> Any:
    """Rank 0's answer, when all have answered."""
    waiting, results = dict(answers), {}
    missed: RankFailure | None = None
    while waiting:
        ready = wait(list(waiting), None if missed is None else _CAUSE_S)
        for connection in ready:
            assert isinstance(connection, Connection)
            rank = waiting.pop(connection)
            try:
                answer = connection.recv()
            except EOFError:
                if forwarded:  # it had not begun to note signals
                    raise KeyboardInterrupt from None
                raise _describe_death(rank, ranks) from None
            if not isinstance(answer, RankFailure):
                results[rank] = answer
            elif not answer.is_consequence:
                raise answer.to_error()
            else:
                missed = answer
        if not ready:
            break
    if missed is not None:
        raise missed.to_error()
    return results[0]


def _describe_death(rank: int, ranks: list[subprocess.Popen[bytes]]) -> EngineError:
    code = ranks[rank].wait()
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return EngineError(
        f"process {rank} of {len(ranks)} {how}, and the others with it",
        "go on from the last snapshot: tuiface train --resume RUN",
    )


@contextlib.contextmanager
def _forwarded_signals(ranks: list[subprocess.Popen[bytes]]) -> Iterator[list[int]]:
    """A first Ctrl-C or SIGTERM asks the ranks to stop, and their answers are waited for; a second one ends this.

    Gives the signals that came.
    """
    forwarded: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        forwarded.append(number)
        signal.signal(number, signal.default_int_handler)
        for process in ranks:
            process.terminate()

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield forwarded
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _work(answers: Connection, work: Callable[..., object], rank: int, arguments: tuple[object, ...]) -> None:
    """Run in each process: do the work, send its result or the error."""
    _stop_with_starter(answers)
    try:
        answer = work(rank, *arguments)
    except TuifaceError as error:
        answer = RankFailure(error.message, error.hint, error.exit_code, isinstance(error, LostProcessError))
    with contextlib.suppress(BrokenPipeError):  # nobody is left to hear it
        answers.send(answer)


def _stop_with_starter(answers: Connection) -> None:
    """Take the end of the process that listens to `answers` for a SIGTERM, whatever ended it."""

    def watch() -> None:
        poll = select.poll()
        poll.register(answers.fileno(), 0)  # nothing to read or write: the other side's end alone is reported
        poll.poll()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="starter", daemon=True).start()
