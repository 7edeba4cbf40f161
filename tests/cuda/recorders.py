"""Recorders that need no GPU: what they captured is run again in place of a CUDA graph."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from torch import Tensor

from tuiface.engine.cuda.recording import Result


class FakeRecorder:
    """Implements `Recorder`; a recording gives its own memory, as a graph does."""

    def __init__(self) -> None:
        self.rehearsed = 0
        self.recorded = 0
        self.replayed = 0
        self.forgotten = 0

    def rehearse(self, run: Callable[[], Result]) -> Result:
        self.rehearsed += 1
        return run()

    def capture(self, run: Callable[[], Result]) -> tuple[Callable[[], object], Result]:
        assert self.rehearsed > self.recorded, "captured without a rehearsal"
        self.recorded += 1
        drawn = run()
        assert isinstance(drawn, Tensor)
        result = torch.full_like(drawn, float("nan"))

        def replay() -> None:
            self.replayed += 1
            result.copy_(run())  # type: ignore[arg-type]

        return replay, result  # type: ignore[return-value]

    def forget(self) -> None:
        self.forgotten += 1


class FullDevice(FakeRecorder):
    """Runs out of memory while it records, with `held` allocated."""

    held: weakref.ref[Tensor]

    def capture(self, run: Callable[[], Result]) -> tuple[Callable[[], object], Result]:
        features = run()
        assert isinstance(features, Tensor)
        self.held = weakref.ref(features)
        raise torch.OutOfMemoryError

    def forget(self) -> None:
        super().forget()
        assert self.held() is None, "what the attempt allocated is still held"
