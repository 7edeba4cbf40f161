"""What the device can do at best: copying, products of matrices, convolutions of the network's; by its own clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import torch
import torch.nn.functional as F

from tuiface.benchmarks.gpu.bench import Bench, Ceilings
from tuiface.benchmarks.gpu.card import device_state
from tuiface.benchmarks.gpu.rows import Case, Figures, Row
from tuiface.benchmarks.gpu.timing import time_on_device
from tuiface.benchmarks.gpu.workload import MODES, Mode
from tuiface.engine.renderer import exact_convolutions

SECTION = "ceilings"
_COPY, _PRODUCT = "copy", "product of matrices"


def cases(bench: Bench) -> Iterator[Case]:
    """Bytes, then products in each mode; convolutions as cuDNN does them, as exactly as the product asks it to."""
    yield Case(_COPY, partial(_time_copy, bench))
    for mode in MODES:
        yield Case(f"{_PRODUCT}, {mode}", partial(_time_product, bench, mode))
    yield Case("card after the products", partial(device_state, bench.device))
    for mode in MODES:
        yield Case(f"cuDNN's convolution, {mode}", partial(_time_convolutions, bench, mode))


def ceilings_of(rows: Iterable[Row]) -> Ceilings:
    """Those that this section's rows tell."""
    found = {row.name: row.figures for row in rows if row.section == SECTION and not row.error}
    tflops = {
        mode: float(found[name]["tflops"]) for mode in MODES if (name := f"{_PRODUCT}, {mode}") in found and found[name]
    }
    return Ceilings(float(found.get(_COPY, {}).get("gb_per_s", 0.0)), tflops)


def _time_copy(bench: Bench) -> Figures:
    source = torch.randint(0, 256, (bench.workload.copied_bytes,), dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    times = time_on_device(lambda: target.copy_(source), bench.device, bench.figure_s)
    return {"gb_per_s": 2 * source.numel() / times.ms / 1e6, **times.figures()}


def _time_product(bench: Bench, mode: Mode) -> Figures:
    side = bench.workload.product_side
    a = torch.randn(side, side, device=bench.device).to(getattr(torch, mode))  # zeros would take less power
    times = time_on_device(lambda: a @ a, bench.device, bench.figure_s)
    return {"tflops": 2 * side**3 / times.ms / 1e9, **times.figures()}


def _time_convolutions(bench: Bench, mode: Mode) -> Figures:
    best = max((_time_convolution(bench, mode, *size) for size in bench.workload.convolutions), key=lambda one: one[0])
    return {"tflops": best[0], "channels": best[1], "side_px": best[2]}


def _time_convolution(bench: Bench, mode: Mode, channels: int, side: int, batch: int) -> tuple[float, int, int]:
    dtype = getattr(torch, mode)
    x, weight = (
        torch.randn(shape, device=bench.device).to(dtype).contiguous(memory_format=torch.channels_last)
        for shape in ((batch, channels, side, side), (channels, channels, 3, 3))
    )
    with torch.no_grad(), exact_convolutions():
        times = time_on_device(lambda: F.conv2d(x, weight, padding=1), bench.device, bench.figure_s / 3)
    return 2 * 9 * channels**2 * side**2 * batch / times.ms / 1e9, channels, side
