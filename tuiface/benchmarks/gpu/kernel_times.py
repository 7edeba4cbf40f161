"""Each kernel alone, at the sizes of a picture or of training: how fast it moves bytes and multiplies.

Many launches are captured in one graph, so that what is timed is the device and not Python; they take turns on several
inputs, more than the level-2 cache holds, since copying a large block is what they are compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.benchmarks.gpu.bench import Bench
from tuiface.benchmarks.gpu.costs import ELEMENT_BYTES, Work, filter_work, picture_work, style_layers
from tuiface.benchmarks.gpu.rows import Case, Figures
from tuiface.benchmarks.gpu.timing import time_on_device
from tuiface.benchmarks.gpu.workload import MODES
from tuiface.engine.cuda.kernels import Activation, Kernels, RGBSum
from tuiface.engine.cuda.loaded import loaded_kernels
from tuiface.engine.cuda.recording import CudaRecorder
from tuiface.engine.renderer import exact_convolutions

_MAX_INPUTS = 16
_NO_KERNELS = "no kernels of ours run on this device"

Launch = Callable[[int], Tensor]
"""One launch, on the input of that number."""


def cases(bench: Bench) -> Iterator[Case]:
    """Every kernel of a picture, mode by mode, the largest first; the filter of training."""
    if loaded_kernels(bench.device) is None:
        yield Case("all", dict, unfit=_NO_KERNELS)
        return
    config = bench.workload.shape.config(bench.workload.resolution)
    for mode in MODES:
        for work in reversed(picture_work(config, config.img_resolution, 1, mode)):
            yield Case(kernel_name(work), partial(_time_kernel, bench, work), 0.5)
    trained = max(bench.workload.training, key=lambda network: network.batch)
    for mode in ("bfloat16", "float32"):
        for work in reversed(filter_work(trained.shape.config(trained.resolution), trained.batch, mode)):
            yield Case(kernel_name(work), partial(_time_kernel, bench, work), 0.5)


def kernel_name(work: Work) -> str:
    """As a row is called."""
    where = f" {work.resolution} px, {work.num_out} channels" if work.resolution else ""
    where += f" x {work.batch}" if work.batch > 1 else ""
    return f"{work.kernel} {work.mode}{where}"


def _time_kernel(bench: Bench, work: Work) -> Figures:
    kernels = loaded_kernels(bench.device)
    assert kernels is not None
    num_inputs = _count_inputs(bench.device, work)
    with torch.no_grad(), exact_convolutions():
        launch = _prepare(kernels, work, num_inputs, bench)
        ms = _time_launches(bench, launch, num_inputs) / bench.workload.launches
    figures: dict[str, float | str] = {
        "kernel": work.kernel,
        "mode": work.mode,
        "resolution_px": float(work.resolution),
        "us": ms * 1000,
        "gb_per_s": work.bytes / ms / 1e6,
        "tflops": work.flops / ms / 1e9,
        "flop_per_byte": work.flops / work.bytes,
    }
    if bench.ceilings.copy_gb_per_s:
        figures["share_of_copy_percent"] = 100 * work.bytes / ms / 1e6 / bench.ceilings.copy_gb_per_s
    peak = bench.ceilings.tflops.get(work.mode, 0.0)
    if peak and work.is_product:
        figures["share_of_product_percent"] = 100 * work.flops / ms / 1e9 / peak
    return figures


def _count_inputs(device: torch.device, work: Work) -> int:
    """So many that they do not fit the cache together."""
    if device.type != "cuda":
        return 1
    cache = torch.cuda.get_device_properties(device).L2_cache_size
    return max(1, min(_MAX_INPUTS, math.ceil(3 * cache / work.bytes)))


def _time_launches(bench: Bench, launch: Launch, num_inputs: int) -> float:
    """Milliseconds of as many launches as the workload says."""

    def launch_all() -> Tensor:
        for number in range(bench.workload.launches):
            result = launch(number % num_inputs)
        return result

    if bench.device.type != "cuda":
        return time_on_device(launch_all, bench.device, bench.figure_s / 5).ms
    recorder = CudaRecorder(bench.device)
    recorder.rehearse(launch_all)
    replay, result = recorder.capture(launch_all)
    times = time_on_device(replay, bench.device, bench.figure_s / 5)
    del replay, result
    recorder.forget()
    return times.ms


def _prepare(kernels: Kernels, work: Work, num_inputs: int, bench: Bench) -> Launch:
    if work.kernel == "styles":
        return _prepare_styles(kernels, work, bench)
    dtype = getattr(torch, work.mode)

    def features(channels: int, side: int) -> list[Tensor]:
        shape = (work.batch, channels, side, side)
        return [
            torch.randn(shape, device=bench.device).to(dtype).contiguous(memory_format=torch.channels_last)
            for _ in range(num_inputs)
        ]

    if work.kernel == "finish":
        return _prepare_finish(kernels, work, features(work.num_in, work.resolution), bench)
    if work.kernel == "filter":
        given = features(work.num_in, work.resolution)
        return lambda number: kernels.filter(given[number], 2, 1.0)
    if work.kernel == "upsample":
        phases, after = features(4 * work.num_in, work.resolution // 2 + 1), _activation(work, bench.device)
        return lambda number: kernels.upsample(phases[number], after)
    return _prepare_convolution(kernels, work, features(work.num_in, _source_side(work)), bench.device)


def _source_side(work: Work) -> int:
    return work.resolution // 2 if work.kernel == "up-convolution" else work.resolution


def _prepare_convolution(kernels: Kernels, work: Work, x: list[Tensor], device: torch.device) -> Launch:
    """float32 by our own kernel, the others by cuDNN's, as `tuiface.engine.cuda.synthesis` has them."""
    up = work.kernel == "up-convolution"
    if work.mode == "float32":
        weight = torch.randn(9, work.num_in, work.num_out, device=device)
        return lambda number: kernels.convolve(x[number], weight, up=up)
    shape = (4 * work.num_out, work.num_in, 2, 2) if up else (work.num_out, work.num_in, 3, 3)
    weight = torch.randn(shape, device=device).to(x[0].dtype).contiguous(memory_format=torch.channels_last)
    return lambda number: F.conv2d(x[number], weight, padding=1)


def _activation(work: Work, device: torch.device) -> Activation:
    ones = torch.ones(work.batch, work.num_out, device=device)
    noise = torch.randn(1, work.resolution, work.resolution, device=device)
    return Activation(ones, torch.zeros(work.num_out, device=device), noise, ones, None)


def _prepare_finish(kernels: Kernels, work: Work, x: list[Tensor], bench: Bench) -> Launch:
    """With toRGB and the RGB sum; the last block's writes bytes and keeps no features."""
    r, device = work.resolution, bench.device
    after, ones = _activation(work, device), torch.ones(work.batch, work.num_out, device=device)
    before = None if r == 4 else torch.randn(work.batch, r // 2, r // 2, 3, device=device)
    is_last = r == bench.workload.resolution
    levels = torch.empty(work.batch, r, r, 3, dtype=torch.uint8, device=device) if is_last else None
    weight, bias = torch.randn(3, work.num_out, device=device), torch.zeros(3, device=device)
    rgb = RGBSum(weight, ones, bias, None, before, levels)

    def launch(number: int) -> Tensor:
        _, total = kernels.finish(x[number], after, rgb, keep=not is_last)
        assert total is not None
        return total

    return launch


def _prepare_styles(kernels: Kernels, work: Work, bench: Bench) -> Launch:
    """All affines and demodulations of a picture: two or three launches."""
    config, device = bench.workload.shape.config(bench.workload.resolution), bench.device
    channels = dict(zip(config.block_resolutions, config.channels, strict=True))
    channels = {r: c + -c % 32 for r, c in channels.items()}
    layers = list(style_layers(channels, config.block_resolutions))
    starts = [0, *accumulate(num_in for num_in, _ in layers)]
    demodulated = [(start, *layer) for start, layer in zip(starts, layers, strict=False) if layer[1]]
    rows: list[tuple[int, int, int, int]] = []
    num_sums = 0
    for index, (start, num_in, num_out) in enumerate(demodulated):
        rows += [(num_sums + num_in * o, start, num_in, index) for o in range(num_out)]
        num_sums += num_in * num_out
    integers = partial(torch.tensor, dtype=torch.int32, device=device)
    affine, bias = torch.randn(starts[-1], config.w_dim, device=device), torch.zeros(starts[-1], device=device)
    ws = torch.randn(work.batch, config.num_ws, config.w_dim, device=device)
    square_sums, epsilon = torch.rand(num_sums, device=device), torch.ones(len(rows), device=device)
    row_of, table, found = (
        torch.zeros_like(bias, dtype=torch.int32),
        integers(rows),
        integers([d[:2] for d in demodulated]),
    )

    def launch(_: int) -> Tensor:
        scales, peaks = kernels.dense(ws, affine, bias, row_of=row_of), None
        if ELEMENT_BYTES[work.mode] == 2:
            scales, peaks = kernels.normalize_styles(scales, found)
        return kernels.demodulation(scales, square_sums, table, epsilon, peaks)

    return launch
