"""The passes of a training step, each replayed as one CUDA graph where there is a GPU, else called as it is.

A step of the adversarial stage at 128 px launches thousands of kernels, of which a GPU is done before the next is
launched. A pass can be a graph because it is a function of tensors alone, asks nothing of the host, and leaves what it
changes (weights, moments, averages, statistics) in tensors that stay where they are.

The first call of a pass is its rehearsal, a step that counts; the second captures it, and computes nothing; from then
on, and for the second call itself, the graph is replayed. So a graph draws the random numbers, and takes the steps,
that the same calls would without one, and a run that is resumed rehearses again without a difference.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from tuiface.engine.cuda.recording import CudaRecorder, Recorder
from tuiface.engine.training.rng import RandomGenerator

Result = TypeVar("Result")
Pass = Callable[..., Result]


@dataclass(slots=True, eq=False)
class _Captured:
    """A graph with its inputs, and its result, which each replay overwrites."""

    inputs: tuple[Tensor, ...]
    replay: Callable[[], object]
    result: Any


@dataclass(slots=True, eq=False)
class _Known:
    """A pass that was rehearsed."""

    shape: Hashable
    captured: _Captured | None = None


class Passes:
    """Runs the passes of one stage."""

    def __init__(self, rng: RandomGenerator, note: Callable[[str], None], recorder: Recorder | None) -> None:
        """`recorder` captures what draws from `rng`; None calls every pass as it is. `note` tells what failed."""
        self._rng, self._note, self._recorder = rng, note, recorder
        self._known: dict[Pass[Any], _Known] = {}

    @classmethod
    def on(cls, rng: RandomGenerator, note: Callable[[str], None]) -> Passes:
        """For the device of `rng`."""
        recorder = CudaRecorder(rng.device, (rng.generator,)) if rng.device.type == "cuda" else None
        return cls(rng, note, recorder)

    def run(self, function: Pass[Result], *inputs: Tensor, kind: Hashable = None) -> Result:
        """`function(*inputs)`; a tensor in its result may be overwritten by the next run of the same function.

        `kind` says what else the function depends on, besides the shapes and types of its inputs: a change of either
        makes another graph.
        """
        if self._recorder is None:
            return function(*inputs)
        shape = (kind, tuple((given.shape, given.dtype, given.stride()) for given in inputs))
        known = self._known.get(function)
        if known is None or known.shape != shape:
            return self._rehearse(self._recorder, function, inputs, shape)
        if known.captured is None:
            known.captured = self._capture(self._recorder, function, inputs)
        if known.captured is None:
            self.close()
            return function(*inputs)
        for kept, given in zip(known.captured.inputs, inputs, strict=True):
            kept.copy_(given)
        known.captured.replay()
        result: Result = known.captured.result
        return result

    def close(self) -> None:
        """Give the memory of all graphs back; from now on every pass is called as it is."""
        self._known.clear()
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.forget()

    def _rehearse(
        self, recorder: Recorder, function: Pass[Result], inputs: tuple[Tensor, ...], shape: Hashable
    ) -> Result:
        self._forget(recorder, function)
        # Other ranks would wait for the sums of one that begins again.
        with contextlib.suppress(torch.OutOfMemoryError) if self._rng.ranks.count == 1 else contextlib.nullcontext():
            result = recorder.rehearse(partial(function, *inputs))
            self._known[function] = _Known(shape)
            return result
        # Not while the exception is handled: its traceback holds what the attempt had allocated.
        self._note(_EAGER.format("out of memory"))
        self.close()
        return function(*inputs)

    def _capture(self, recorder: Recorder, function: Pass[Any], inputs: tuple[Tensor, ...]) -> _Captured | None:
        """None, with a note, where the pass cannot be captured."""
        kept = tuple(torch.empty_like(given).copy_(given) for given in inputs)
        drawn = self._rng.generator.get_state()
        try:
            replay, result = recorder.capture(partial(function, *kept))
        except RuntimeError as error:  # whatever CUDA refuses while it captures; no memory is one as well
            reason = "out of memory" if isinstance(error, torch.OutOfMemoryError) else str(error).partition("\n")[0]
        else:
            return _Captured(kept, replay, result)
        self._rng.replace(drawn)
        self._note(_EAGER.format(reason))
        return None

    def _forget(self, recorder: Recorder, function: Pass[Any]) -> None:
        """Let a graph go that is for other inputs."""
        known = self._known.pop(function, None)
        if known is not None and known.captured is not None and not any(x.captured for x in self._known.values()):
            del known
            recorder.forget()


_EAGER = "note: training goes on without CUDA graphs, which is slower: {}"
