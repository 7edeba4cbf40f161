"""A synthesis plan captured as CUDA graphs: one launch a picture in place of fifty.

A graph belongs to one shape of work: batch, resolution, what each convolution's noise input is, and whether styles or
latents are given. Its inputs are tensors of its own, written before each replay. All graphs of a plan share one pool of
memory, since none runs beside another, so what they hold together is what the largest needs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuiface.engine.cuda.kernels import Kernels
from tuiface.engine.cuda.synthesis import CudaSynthesisPlan, NoiseKind
from tuiface.engine.networks.inference import FeatureBlend, Plan
from tuiface.engine.networks.synthesis import SynthesisNetwork
from tuiface.engine.pixels import refuse_not_finite

MAX_GRAPHS = 16
"""Of one plan; the one that was used longest ago goes."""


def prepare_plan(network: SynthesisNetwork, dtype: torch.dtype, kernels: Kernels) -> Plan:
    """The plan of our kernels: captured on a CUDA device, kernel by kernel where they are emulated."""
    if next(network.parameters()).is_cuda:
        return GraphedSynthesisPlan(network, dtype, kernels)
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

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    noise: dict[str, Tensor]
    """The inputs of those convolutions whose noise is given."""
    image: Tensor
    """float32 [N, 3, r, r]."""
    levels: Tensor
    """uint8 [N, r, r, 3]."""
    host: Tensor
    """The same in pinned memory."""


class GraphedSynthesisPlan:
    """Implements `Plan`, on one CUDA device; what cannot be captured runs kernel by kernel."""

    def __init__(self, network: SynthesisNetwork, dtype: torch.dtype, kernels: Kernels) -> None:
        self._plan = CudaSynthesisPlan(network, dtype, kernels)
        self._latents = (network.config.num_ws, network.config.w_dim)
        self._device = next(network.parameters()).device
        self._graphs: OrderedDict[_Shape, _Captured] = OrderedDict()
        self._pool = torch.cuda.graph_pool_handle()

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
        try:
            return self._replay((flat,), noise, until).image.clone()
        except torch.OutOfMemoryError:
            self.release()
            return self._synthesize_in_parts(flat, noise, until)

    def draw(
        self, ws: Tensor, steps: Mapping[str, Tensor], noise: Mapping[str, Tensor | None], until: int
    ) -> np.ndarray:
        """As `Plan`."""
        try:
            captured = self._replay((ws, self._plan.flat_steps(ws, steps)), noise, until)
            captured.host.copy_(captured.levels, non_blocking=True)
            refuse_not_finite(captured.image)
            torch.cuda.current_stream(self._device).synchronize()
            return captured.host.numpy().copy()
        except torch.OutOfMemoryError:
            self.release()
            return self._plan.draw(ws, steps, noise, until)

    def release(self) -> None:
        """Give the memory of all graphs back."""
        self._graphs.clear()
        torch.cuda.empty_cache()

    def _synthesize_in_parts(self, flat: Tensor, noise: Mapping[str, Tensor | None], until: int) -> Tensor:
        """Without a graph, and in halves of the batch as long as memory is short; raises OutOfMemoryError for one."""
        try:
            return self._plan.synthesize_flat(flat, noise, until)
        except torch.OutOfMemoryError:
            if len(flat) == 1:
                raise
        half = len(flat) // 2
        parts = []
        for rows in (slice(None, half), slice(half, None)):
            mine = {
                name: maps[rows] if maps is not None and maps.dim() == 4 and len(maps) > 1 else maps
                for name, maps in noise.items()
            }
            parts.append(self._synthesize_in_parts(flat[rows], mine, until))
        return torch.cat(parts)

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
        captured.graph.replay()
        return captured

    def _capture(self, shape: _Shape, inputs: tuple[Tensor, ...], noise: Mapping[str, Tensor | None]) -> _Captured:
        kept = tuple(given.clone() for given in inputs)
        maps = {name: noise[name] for name, _ in shape.noise}
        given = {name: maps[name].clone() for name, kind in shape.noise if kind == "given"}  # type: ignore[union-attr]
        maps |= given
        side = (shape.batch, shape.until, shape.until, 3)
        levels = torch.empty(side, dtype=torch.uint8, device=self._device)

        def run() -> Tensor:
            flat = self._plan.flat_styles(*kept) if shape.takes_latents else kept[0]
            return self._plan.synthesize_flat(flat, maps, shape.until, levels=levels)

        current = torch.cuda.current_stream(self._device)
        warm_up = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        warm_up.wait_stream(current)
        with torch.cuda.stream(warm_up):
            for _ in range(2):  # libraries choose their algorithms here: they may not while a graph is captured
                run()
        current.wait_stream(warm_up)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            image = run()
        host = torch.empty(side, dtype=torch.uint8, pin_memory=True)
        return _Captured(graph, kept, given, image, levels, host)
