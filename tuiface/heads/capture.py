"""Many heads of one resolution on one device: on a GPU a batch is one captured graph, replayed.

A batch of heads is thousands of small operators, and to launch each of them takes a program longer than it takes a GPU
to do it. So the batch is captured once, with every shape fixed (`tuiface.heads.lists`), and then only its parameters
are sent, and its pictures fetched. A head is the same whatever batch it is in and whether it was captured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from tuiface.core.errors import EngineError
from tuiface.heads.lists import FixedLists
from tuiface.heads.render import HeadBatch, chart_of, check_resolution, draw_heads, render_heads
from tuiface.heads.sampling.parameters import HeadParameters, concatenate

Result = TypeVar("Result")

_CPU_BATCH = 16
_GPU_BATCH = 64
_GPU_PIXELS = _GPU_BATCH * 128**2
"""Of a batch; 3.3 GB hold what it computes, as counted on a CPU."""


class Recorder(Protocol):
    """What captures work on a GPU; `tuiface.engine.cuda.recording` has it."""

    def rehearse(self, run: Callable[[], Result]) -> Result:
        """`run`'s result, made where it will be captured."""
        ...

    def capture(self, run: Callable[[], Result]) -> tuple[Callable[[], object], Result]:
        """(what does again what `run` does, the result that it overwrites); raises RuntimeError where it cannot."""
        ...

    def forget(self) -> None:
        """All that was captured is gone."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """What draws one batch: parameters in, pictures out, in tensors of its own."""

    parameters: HeadParameters
    draw: Callable[[], object]
    pixels: Tensor
    """uint8 [B, R, R, 3]."""
    regions: Tensor
    """uint8 [B, R, R]."""
    fits: Tensor
    """bool []: whether the fixed lists were long enough."""


class HeadRenderer:
    """Renders heads in batches; the same as `render_heads`, on a GPU faster."""

    def __init__(self, resolution: int, device: torch.device | str = "cpu", recorder: Recorder | None = None) -> None:
        """`recorder` captures on `device`; without one nothing is captured. Raises UsageError for a resolution."""
        check_resolution(resolution)
        self.resolution, self.device = resolution, torch.device(device)
        self.notice = ""
        """Why batches are not captured though they were to be; known after the first."""
        self.rendered_again = 0
        """Batches that had more of something than fixed lists hold; each of them takes several times as long."""
        self._recorder = recorder
        self._batch: _Batch | None = None
        self._size = _CPU_BATCH if recorder is None else max(1, min(_GPU_BATCH, _GPU_PIXELS // resolution**2))
        # What is kept with the chart must stay as long as what was captured.
        self._chart = chart_of(resolution, self.device)

    @property
    def batch_size(self) -> int:
        """How many heads are rendered together: multiples of it are quickest. Sinks where memory is short."""
        return self._size

    def render(self, parameters: HeadParameters) -> HeadBatch:
        """Pictures and parameters on the CPU; raises EngineError where a GPU has not the memory for a single head."""
        parts: list[HeadBatch] = []
        start = 0
        while start < len(parameters) or not parts:
            part = self._render_batch(parameters.select(slice(start, start + self._size)))
            parts.append(part)
            start += len(part.parameters)
        return HeadBatch(
            torch.cat([part.pixels for part in parts]),
            torch.cat([part.regions for part in parts]),
            concatenate([part.parameters for part in parts]),
        )

    def _render_batch(self, parameters: HeadParameters) -> HeadBatch:
        """Render the first of `parameters`, as many as fit."""
        if self._recorder is None or not len(parameters):
            return self._render_short(parameters)
        while self._batch is None:
            self._batch = self._prepare(self._recorder, parameters)
        parameters = parameters.select(slice(0, self._size))
        batch, count = self._batch, len(parameters)
        given = self._fill(parameters)
        batch.parameters.values.copy_(given.values)
        batch.parameters.seeds.copy_(given.seeds)
        batch.draw()
        if not bool(batch.fits):
            self.rendered_again += 1
            return self._render_short(parameters)
        pixels, regions = (drawn[:count].to("cpu", copy=True) for drawn in (batch.pixels, batch.regions))
        return HeadBatch(pixels, regions, parameters.to("cpu"))

    def _render_short(self, parameters: HeadParameters) -> HeadBatch:
        heads = render_heads(parameters.to(self.device), self.resolution)
        return HeadBatch(heads.pixels.cpu(), heads.regions.cpu(), parameters.to("cpu"))

    def _fill(self, parameters: HeadParameters) -> HeadParameters:
        """As many as a batch holds: the same ones again and again where there are fewer."""
        return parameters.select(torch.arange(self._size, device=parameters.device) % len(parameters))

    def _prepare(self, recorder: Recorder, parameters: HeadParameters) -> _Batch | None:
        """Capture a batch; None where memory was short and the next attempt is to be smaller."""
        failure = ""
        try:
            return self._capture(recorder, self._fill(parameters).to(self.device))
        except torch.OutOfMemoryError as error:
            failure = str(error).partition("\n")[0]
        # Not while the exception is handled: its traceback holds what the attempt had allocated.
        recorder.forget()
        if self._size == 1:
            raise EngineError(
                f"a head of {self.resolution} px does not fit into the memory of {self.device}: {failure}",
                "end what else computes there, or render on the CPU: --device cpu",
            )
        self._size //= 2
        return None

    def _capture(self, recorder: Recorder, parameters: HeadParameters) -> _Batch:
        """A batch that draws what is in `parameters`, of which it makes its own."""

        def run() -> tuple[Tensor, Tensor, Tensor]:
            lists = FixedLists()
            with torch.no_grad():
                pixels, regions = draw_heads(parameters, self.resolution, lists)
            return pixels, regions, lists.fits

        result = recorder.rehearse(run)  # makes all that is kept
        try:
            draw, result = recorder.capture(run)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            self.notice = f"heads are drawn operator by operator, as they cannot be captured on {self.device}: {reason}"

            def draw() -> None:
                for kept, drawn in zip(result, run(), strict=True):
                    kept.copy_(drawn)

        return _Batch(parameters, draw, *result)
