"""A step that is done again and again on tensors of its own: on a CUDA device as one graph, elsewhere as it is.

A graph can hold nothing that the host decides, so a step takes its decisions on the device, and says there whether it
was the last. The host asks every `READ_EVERY` steps: often enough that whoever waits for the device has it soon and
that few steps are done for nothing, seldom enough that the device is not kept waiting.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from tuiface.core.visible import to_visible
from tuiface.engine.cuda.recording import CudaRecorder, Recorder
from tuiface.engine.scheduler import Pause

READ_EVERY = 4
MAX_IDLE = 2
"""Loops of one kind that are kept, each with the memory of its pictures."""

_REHEARSALS = 2
"""Before a capture."""


class DeviceLoop:
    """Holds one step, captured where the device can do that."""

    def __init__(self, step: Callable[[], Tensor], device: torch.device) -> None:
        """step: returns bool [] on the device, whether all further ones would do nothing.

        It is called a few times here, so its tensors are to be set afterwards.
        """
        self._step = step
        self.notice: str | None = None
        """What a user must know: why a CUDA device runs the steps operator by operator."""
        recorder = open_recorder(device)
        if recorder is not None:
            self._capture(recorder)

    def _capture(self, recorder: Recorder) -> None:
        try:
            for _ in range(_REHEARSALS):
                recorder.rehearse(self._step)
            replay, is_finished = recorder.capture(self._step)
        except RuntimeError as error:  # also torch.OutOfMemoryError
            reason = "memory is short" if isinstance(error, torch.OutOfMemoryError) else str(error).partition("\n")[0]
        else:
            self._step = lambda: (replay(), is_finished)[1]
            return
        recorder.forget()  # not while the exception is handled: its traceback holds what the attempt had allocated
        self.notice = f"a face is looked for without a CUDA graph, in several times as long: {to_visible(reason)}"

    def run(self, limit: int, pause: Pause) -> None:
        """Up to `limit` steps, `pause` before each."""
        for number in range(1, limit + 1):
            pause()
            is_finished = self._step()
            if number % READ_EVERY == 0 and bool(is_finished):
                return


class HasLoop(Protocol):
    """A search with its loop."""

    loop: DeviceLoop


Search = TypeVar("Search", bound=HasLoop)


class LoopPool(Generic[Search]):
    """Searches that were captured once and do one problem after another, each on tensors of its own."""

    def __init__(self) -> None:
        self._idle: list[Search] = []

    @contextlib.contextmanager
    def borrow(self, fits: Callable[[Search], bool], make: Callable[[], Search]) -> Iterator[Search]:
        """One that `fits`, else a new one; nobody else has it meanwhile, though others may search between its steps."""
        search = next((idle for idle in self._idle if fits(idle)), None)
        if search is None:
            search = make()
        else:
            self._idle.remove(search)
        try:
            yield search
        finally:
            self._idle = [*self._idle, search][-MAX_IDLE:]

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user must know of them."""
        return tuple(dict.fromkeys(search.loop.notice for search in self._idle if search.loop.notice is not None))


def can_capture(device: torch.device) -> bool:
    """Whether a step should be one that a graph can hold."""
    return device.type == "cuda"


def open_recorder(device: torch.device) -> Recorder | None:
    """What captures on a device; None where nothing does."""
    return CudaRecorder(device) if can_capture(device) else None
