"""A recorder for the CPU: what it captures is called again, and gives its own memory, as a graph does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tuiface.engine.cuda.recording import Result


class FakeGraphs:
    """Implements `Recorder`; `calls` lists (what was done, name of the pass)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self._results: dict[Any, Any] = {}

    def rehearse(self, run: Callable[[], Result]) -> Result:
        assert isinstance(run, partial)
        self.calls.append(("rehearse", run.func.__name__))
        self._results[run.func] = run()
        return self._results[run.func]  # type: ignore[no-any-return]

    def capture(self, run: Callable[[], Result]) -> tuple[Callable[[], object], Result]:
        """Computes nothing: the result has the shape of the rehearsal's."""
        assert isinstance(run, partial)
        name = run.func.__name__
        self.calls.append(("capture", name))
        rehearsed = self._results[run.func]
        result = torch.full_like(rehearsed, float("nan")) if isinstance(rehearsed, Tensor) else None

        def replay() -> None:
            self.calls.append(("replay", name))
            computed = run()
            if result is not None:
                result.copy_(computed)

        return replay, result  # type: ignore[return-value]

    def forget(self) -> None:
        self.calls.append(("forget", ""))


class RefusingGraphs(FakeGraphs):
    """Cannot capture the pass `refused`, for `error`, and disturbs the generator over it, as CUDA does."""

    def __init__(self, refused: str, error: RuntimeError, generator: torch.Generator) -> None:
        super().__init__()
        self._refused, self._error, self._generator = refused, error, generator

    def capture(self, run: Callable[[], Result]) -> tuple[Callable[[], object], Result]:
        assert isinstance(run, partial)
        if run.func.__name__ == self._refused:
            self._generator.manual_seed(1)
            raise self._error
        return super().capture(run)
