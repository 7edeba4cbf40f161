"""The card, and how long its kernels take to build from nothing and to load."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from tuiface.benchmarks.gpu.bench import Bench
from tuiface.benchmarks.gpu.rows import Case, Figures
from tuiface.engine.cuda.build import KernelBuild
from tuiface.engine.device import device_name

NO_CUDA = "only a CUDA device has it"


def cases(bench: Bench) -> Iterator[Case]:
    """What it is and how it does; the kernels."""
    yield Case("card", partial(_describe, bench.device))
    unfit = "" if bench.device.type == "cuda" else NO_CUDA
    yield Case("build from nothing", partial(_time_build, bench), needs_s=10.0, unfit=unfit)
    yield Case("load a build", partial(_time_loading, bench), unfit=unfit)


def _describe(device: torch.device) -> Figures:
    figures: dict[str, float | str] = {"name": device_name(device), "torch": torch.__version__}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        free, total = torch.cuda.mem_get_info(device)
        cudnn: int | None = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        figures |= {
            "capability": f"{properties.major}.{properties.minor}",
            "multiprocessors": properties.multi_processor_count,
            "l2_mb": properties.L2_cache_size / 2**20,
            "memory_gb": total / 1e9,
            "free_gb": free / 1e9,
            "cuda": torch.version.cuda or "",
            "cudnn": str(cudnn),
        }
    return {**figures, **device_state(device)}


def device_state(device: torch.device) -> dict[str, float | str]:
    """Clock, temperature and power now, where NVML's own package is installed."""
    if device.type != "cuda":
        return {}
    found: dict[str, float | str] = {}
    for name, ask, unit in (
        ("sm_mhz", torch.cuda.clock_rate, 1.0),
        ("celsius", torch.cuda.temperature, 1.0),
        ("watts", torch.cuda.power_draw, 1e-3),
    ):
        with contextlib.suppress(Exception):  # no such package, or a driver that does not say
            found[name] = ask(device) * unit
    return found


def _time_build(bench: Bench) -> Figures:
    """Into an empty folder, whatever the cache has."""
    from tuiface.engine.cuda.build import load_or_build

    major, minor = torch.cuda.get_device_capability(bench.device)
    with tempfile.TemporaryDirectory(prefix="tuiface-bench-") as folder:
        seconds, build = _timed(lambda: load_or_build(f"sm_{major}{minor}", Path(folder)))
    return {"s": seconds, "compiler": build.compiler, "architecture": build.architecture}


def _time_loading(bench: Bench) -> Figures:
    """From the cache, where it is once an engine has started."""
    from tuiface.engine.cuda.loaded import load_kernels

    load_kernels(bench.device, bench.settings.cache)
    seconds, _ = _timed(lambda: load_kernels(bench.device, bench.settings.cache))
    return {"s": seconds}


def _timed(work: Callable[[], KernelBuild]) -> tuple[float, KernelBuild]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result
