"""A synthesis plan captured as CUDA graphs: one launch a picture in place of fifty.

A graph belongs to one shape of work: batch, resolution, what each convolution's noise input is, and whether styles or
latents are given. Its inputs are tensors of its own, written before each replay. All graphs of a plan share one pool of
memory, since none runs beside another, so what they hold together is what the largest needs.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from tuiface.engine.cuda.kernels import Kernels
from tuiface.engine.cuda.recording import CudaRecorder, Recorder
from tuiface.engine.cuda.synthesis import CudaSynthesisPlan, NoiseKind
from tuiface.engine.networks.inference import FeatureBlend, Plan
from tuiface.engine.networks.synthesis import SynthesisNetwork
from tuiface.engine.pixels import refuse_not_finite

Part = TypeVar("Part")
Row = TypeVar("Row", Tensor, Tensor | None)

MAX_GRAPHS = 16
"""Of one plan; the one that was used longest ago goes."""
_NUM_REHEARSALS = 2


def prepare_plan(network: SynthesisNetwork, dtype: torch.dtype, kernels: Kernels) -> Plan:
    """The plan of our kernels: captured on a CUDA device, kernel by kernel where they are emulated."""
    device = next(network.parameters()).device
    if device.type == "cuda":
        return GraphedSynthesisPlan(network, dtype, kernels, CudaRecorder(device))
    return CudaSynthesisPlan(network, dtype, kernels)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What one graph is for."""

    batch: int
    until: int
    takes_latents: bool
    """ws and steps of styles, rather than styles."""
    noise: tuple[tuple[str, NoiseKind], ...]


@dataclass(slots=True, eq=False)
class _Captured:
    """A graph with its inputs and outputs, which the next replay overwrites."""

    replay: Callable[[], object]
    inputs: tuple[Tensor, ...]
    noise: dict[str, Tensor]
    """[N, 1, r, r], the inputs of those convolutions whose noise is given."""
    image: Tensor
    """float32 [N, 3, r, r]."""
    levels: Tensor
    """uint8 [N, r, r, 3]."""
    host: Tensor
    """The same in pinned memory."""


class GraphedSynthesisPlan:
    """Implements `Plan`, by one recorder's device; what cannot be captured runs kernel by kernel."""

    def __init__(self, network: SynthesisNetwork, dtype: torch.dtype, kernels: Kernels, recorder: Recorder) -> None:
        self._plan = CudaSynthesisPlan(network, dtype, kernels)
        self._recorder = recorder
        self._device = next(network.parameters()).device
        self._graphs: OrderedDict[_Shape, _Captured] = OrderedDict()

    def is_current(self, network: SynthesisNetwork, dtype: torch.dtype) -> bool:
        """As `Plan`."""
        return self._plan.is_current(network, dtype)

    def synthesize(
        self,
        styles: Mapping[str, Tensor],
        noise: Mapping[str, Tensor | None],
        until: int,
        blend: FeatureBlend | None = None,
    ) -> Tensor:
        """As `Plan`."""
        if blend is not None:
            return self._plan.synthesize(styles, noise, until, blend)
        flat = self._plan.flatten(styles)
        with contextlib.suppress(torch.OutOfMemoryError):
            return self._replay((flat,), noise, until).image.clone()
        # Not while the exception is handled: its traceback holds what the attempt had allocated.
        self.release()
        return torch.cat(
            in_parts(
                lambda rows: self._plan.synthesize_flat(flat[rows], _rows_of(noise, rows, ndim=4), until), len(flat)
            )
        )

    def draw(
        self, ws: Tensor, steps: Mapping[str, Tensor], noise: Mapping[str, Tensor | None], until: int
    ) -> np.ndarray:
        """As `Plan`."""
        with contextlib.suppress(torch.OutOfMemoryError):
            return self._draw(ws, steps, noise, until)
        self.release()
        return np.concatenate(
            in_parts(
                lambda rows: self._plan.draw(
                    ws[rows], _rows_of(steps, rows, ndim=2), _rows_of(noise, rows, ndim=4), until
                ),
                len(ws),
            )
        )

    def release(self) -> None:
        """Give the memory of all graphs back."""
        self._graphs.clear()
        self._recorder.forget()

    def _draw(
        self, ws: Tensor, steps: Mapping[str, Tensor], noise: Mapping[str, Tensor | None], until: int
    ) -> np.ndarray:
        captured = self._replay((ws, self._plan.flat_steps(ws, steps)), noise, until)
        captured.host.copy_(captured.levels, non_blocking=True)
        refuse_not_finite(captured.image)  # reads a sum from the same stream, so that the copy before it has ended
        return captured.host.numpy().copy()

    def _replay(self, inputs: tuple[Tensor, ...], noise: Mapping[str, Tensor | None], until: int) -> _Captured:
        wanted = {name: maps for name, maps in noise.items() if int(name[1:].partition(".")[0]) <= until}
        kinds = self._plan.noise_kinds(wanted)
        shape = _Shape(len(inputs[0]), until, len(inputs) == 2, tuple(kinds.items()))
        captured = self._graphs.get(shape)
        if captured is None:
            captured = self._capture(shape, inputs, wanted)
            self._graphs[shape] = captured
            if len(self._graphs) > MAX_GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(shape)
        for kept, given in zip(captured.inputs, inputs, strict=True):
            kept.copy_(given)
        for name, kept in captured.noise.items():
            given_maps = wanted[name]
            assert given_maps is not None
            kept.copy_(given_maps)
        captured.replay()
        return captured

    def _capture(self, shape: _Shape, inputs: tuple[Tensor, ...], noise: Mapping[str, Tensor | None]) -> _Captured:
        kept = tuple(given.clone() for given in inputs)
        maps = {name: noise[name] for name, _ in shape.noise}
        # One map for all samples and one for each are the same graph.
        given = {
            name: maps[name].expand(shape.batch, 1, -1, -1).clone()  # type: ignore[union-attr]
            for name, kind in shape.noise
            if kind == "given"
        }
        maps |= given
        side = (shape.batch, shape.until, shape.until, 3)
        levels = torch.empty(side, dtype=torch.uint8, device=self._device)

        def run() -> Tensor:
            flat = self._plan.flat_styles(*kept) if shape.takes_latents else kept[0]
            return self._plan.synthesize_flat(flat, maps, shape.until, levels=levels)

        for _ in range(_NUM_REHEARSALS):
            self._recorder.rehearse(run)
        replay, image = self._recorder.capture(run)
        host = torch.empty(side, dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        return _Captured(replay, kept, given, image, levels, host)


def in_parts(work: Callable[[slice], Part], count: int) -> list[Part]:
    """What `work` gives for `count` samples, in halves of the batch as long as memory is short, in order.

    Raises OutOfMemoryError where there is none for one sample.
    """
    return _in_parts(work, slice(0, count))


def _in_parts(work: Callable[[slice], Part], rows: slice) -> list[Part]:
    try:
        return [work(rows)]
    except torch.OutOfMemoryError:
        if rows.stop - rows.start <= 1:
            raise
    middle = (rows.start + rows.stop) // 2  # not while the exception is handled, which holds what was allocated
    return [*_in_parts(work, slice(rows.start, middle)), *_in_parts(work, slice(middle, rows.stop))]


def _rows_of(given: Mapping[str, Row], rows: slice, *, ndim: int) -> dict[str, Row]:
    """Of those tensors that hold one row a sample; what all samples share stays."""
    return {
        name: one[rows] if one is not None and one.dim() == ndim and len(one) > 1 else one
        for name, one in given.items()
    }
