"""Processes that render a data set's batches side by side: the operators are many and small, a second thread waits."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

import torch

T = TypeVar("T")
Task = Callable[[int], T]
"""What is done for a batch; picklable, as each process gets a copy."""


class RenderingProcesses(Generic[T]):
    """Apply `task` to every one of `starts` in `count` processes, one thread each; `prepare` runs first in each.

    Both must be importable by name. A process ends with its work, with `close`, or when its parent is gone.
    """

    def __init__(self, task: Task[T], starts: Sequence[int], count: int, prepare: Callable[[], object] | None) -> None:
        context = multiprocessing.get_context("spawn")  # a forked torch may deadlock
        self._connections: list[Connection] = []
        self._processes = []
        for first in range(count):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(there, task, starts[first::count], prepare), daemon=True)
            process.start()
            there.close()
            self._connections.append(here)
            self._processes.append(process)

    def results(self) -> Iterator[tuple[int, T]]:
        """(start, what the task returned) in the order in which they are ready; raises what the task raised."""
        waiting = list(self._connections)
        while waiting:
            for ready in wait(waiting):
                assert isinstance(ready, Connection)
                try:
                    answer = ready.recv()
                except EOFError:
                    raise OSError("a rendering process died, perhaps for want of memory") from None
                if answer is None:
                    waiting.remove(ready)
                elif isinstance(answer, OSError):
                    raise answer
                else:
                    yield answer

    def close(self) -> None:
        """End what still runs."""
        with ExitStack() as stack:
            for process in self._processes:
                stack.callback(process.join)
                process.terminate()
            for connection in self._connections:
                connection.close()


def _work(answers: Connection, task: Task[T], starts: Sequence[int], prepare: Callable[[], object] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process itself
    if prepare is not None:
        prepare()
    torch.set_num_threads(1)
    try:
        for start in starts:
            answers.send((start, task(start)))
        answers.send(None)
    except BrokenPipeError:
        return  # the parent is gone
    except OSError as error:
        answers.send(error)
