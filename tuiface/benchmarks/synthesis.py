"""How long one picture takes: the engine's fast path beside its differentiable twin and a textbook forward pass.

Each variant runs in processes of its own, taken in turn, since an allocator setting cannot be undone. Run as a module
it is such a process: `python -m tuiface.benchmarks.synthesis VARIANT RESOLUTION THREADS PICTURES`.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from tuiface.benchmarks.networks import CONFIG_F
from tuiface.core.console import print_json
from tuiface.core.processes import output_of, python_command
from tuiface.core.strict_json import parse_strict_json

VARIANTS = ("engine", "engine-bfloat16", "differentiable", "textbook", "textbook-default-allocator")


def measure(resolution: int, threads: int, *, rounds: int = 3, pictures: int = 4) -> dict[str, dict[str, float]]:
    """For each variant: median milliseconds a picture, peak resident MB; and `peak`: GFLOP/s of bare convolutions."""
    times: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    memory: dict[str, float] = dict.fromkeys(VARIANTS, 0.0)
    peaks = []
    for _ in range(rounds):
        for variant in VARIANTS:
            report = _run_child(variant, resolution, threads, pictures)
            times[variant] += report.milliseconds
            memory[variant] = max(memory[variant], report.resident_mb)
            if variant == "engine":
                peaks.append(report.peak_gflops)
    result = {v: {"median_ms": statistics.median(times[v]), "resident_mb": memory[v]} for v in VARIANTS}
    result["peak"] = {"gflops": max(peaks), "floor_ms": gflop_per_picture(resolution) / max(peaks) * 1000}
    return result


def gflop_per_picture(resolution: int) -> float:
    """Arithmetic of one config-F picture in GFLOP: 3x3 convolutions, stride-2 ones counted at their input size."""
    total = 0.0
    config = CONFIG_F.config(resolution)
    for r, c in zip(config.block_resolutions, config.channels, strict=True):
        total += 2 * 9 * c * c * r * r
        if r > 4:
            total += 2 * 9 * c * config.channels_at(r // 2) * (r // 2) ** 2
    return total / 1e9


@dataclass(frozen=True, slots=True)
class _Report:
    """What one process measured."""

    milliseconds: list[float]
    resident_mb: float
    peak_gflops: float


def _run_child(variant: str, resolution: int, threads: int, pictures: int) -> _Report:
    command = python_command(__name__, variant, str(resolution), str(threads), str(pictures))
    return _Report(**parse_strict_json(output_of(command)))


def _main(variant: str, resolution: int, threads: int, pictures: int) -> None:
    from tuiface.engine.device import keep_freed_memory

    if variant != "textbook-default-allocator":
        keep_freed_memory()
    import torch

    torch.set_num_threads(threads)
    draw = _prepare(variant, resolution)
    with torch.no_grad():
        draw()
        milliseconds = []
        for _ in range(pictures):
            start = time.perf_counter()
            draw()
            milliseconds.append((time.perf_counter() - start) * 1000)
    resident_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peak = _measure_peak_gflops() if variant == "engine" else 0.0
    print_json({"milliseconds": milliseconds, "resident_mb": resident_mb, "peak_gflops": peak})


def _prepare(variant: str, resolution: int) -> Callable[[], object]:
    """A function that draws one picture of a config-F network with random weights."""
    import torch

    from tuiface.benchmarks.textbook import textbook_synthesis
    from tuiface.engine.networks.generator import Generator

    torch.manual_seed(0)
    generator = Generator(CONFIG_F.config(resolution)).eval().requires_grad_(requires_grad=False)
    with torch.no_grad():
        styles = generator.synthesis.styles(generator.map(torch.randn(1, 512)))
    noise = generator.noise_maps("const", resolution)
    if variant.startswith("textbook"):
        return lambda: textbook_synthesis(generator, styles, noise)
    if variant == "differentiable":
        return lambda: generator.synthesis(styles, noise, resolution)
    dtype = torch.bfloat16 if variant == "engine-bfloat16" else torch.float32
    return lambda: generator.plan(dtype).synthesize(styles, noise, resolution)


def _measure_peak_gflops() -> float:
    """Best speed of a bare 3x3 convolution of the network's sizes: the floor that no layer can undercut."""
    import torch
    import torch.nn.functional as F

    best = 0.0
    with torch.no_grad():
        for channels, side in ((128, 256), (64, 512)):
            x = torch.randn(1, channels, side, side).contiguous(memory_format=torch.channels_last)
            weight = torch.randn(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
            for _ in range(6):
                start = time.perf_counter()
                F.conv2d(x, weight, padding=1)
                seconds = time.perf_counter() - start
                best = max(best, 2 * 9 * channels**2 * side**2 / seconds / 1e9)
    return best


if __name__ == "__main__":
    _main(sys.argv[1], *map(int, sys.argv[2:5]))
