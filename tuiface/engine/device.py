"""The device that the engine computes on: which it is, what it is called, how it is set up, what it is quick in.

glibc's allocator is told to keep what it has: by default it serves every block above 32 MB at most from mmap and
returns it at once, so each layer of each picture touches fresh zero pages. Measured at 1024 px: over half of the time
of a naive forward pass went into page faults (docs/performance.md).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from tuiface.core.errors import EngineError
from tuiface.core.version import __version__
from tuiface.engine.cuda.loaded import first_line, loaded_kernels
from tuiface.engine_api.protocol import Dtype

_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_MAX = -4
_NEVER_TRIM = 2**31 - 1


def open_device(wanted: str, threads: int | None) -> torch.device:
    """`choose_device`, set up for an engine: freed memory is kept, `threads` CPU threads compute (None: all there are).

    Raises EngineError for a device that is not there or does not answer, or for more threads than the system gives.
    """
    keep_freed_memory()
    device = choose_device(wanted)
    if device.type == "cuda":
        _refuse_silent(device)
    if threads:
        _refuse_unstartable(threads)
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    return device


def choose_device(wanted: str, index: int = 0) -> torch.device:
    """`auto`: the CUDA device `index` if there is any; raises EngineError for `cuda` without one."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        reason = "this PyTorch was built without CUDA" if torch.version.cuda is None else "no CUDA device is visible"
        raise EngineError(f"device 'cuda': {reason}; accepted here: auto, cpu", "tuiface doctor shows more")
    return torch.device("cuda", index) if available and wanted != "cpu" else torch.device("cpu")


def _refuse_silent(device: torch.device) -> None:
    """Raise EngineError unless the GPU computes: one that is listed may be in use alone by another, or have failed."""
    try:
        torch.zeros(1, device=device).item()
    except RuntimeError as error:
        raise EngineError(
            f"device '{device}' does not answer: {first_line(error)}; accepted here: cpu",
            "nvidia-smi shows who uses it",
        ) from None


def describe_memory(device: torch.device) -> str:
    """How much of a GPU's memory is free, in words; empty for a processor, and for a GPU that does not answer."""
    if device.type != "cuda":
        return ""
    try:
        free, total = torch.cuda.mem_get_info(device)
    except RuntimeError:
        return ""
    return f", {free >> 20} of {total >> 20} MB are free, this process holds {torch.cuda.memory_reserved(device) >> 20}"


def device_name(device: torch.device) -> str:
    """The name that the maker gave the processor or GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return " ".join(next(names, platform.machine()).split())


def draft_dtype(device: torch.device) -> Dtype:
    """float16 with our kernels on a GPU; bfloat16 on a processor that convolves clearly faster in it.

    Many processors only emulate it, at half the speed.
    """
    if device.type != "cpu":
        return "float32" if loaded_kernels(device) is None else "float16"
    seconds = {dtype: _time_convolution(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return "bfloat16" if seconds[torch.bfloat16] < 0.7 * seconds[torch.float32] else "float32"


def _time_convolution(dtype: torch.dtype) -> float:
    x = torch.ones(1, 128, 32, 32, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(128, 128, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    best = float("inf")
    with torch.no_grad():
        for _ in range(4):
            start = time.perf_counter()
            F.conv2d(x, weight, padding=1)
            best = min(best, time.perf_counter() - start)
    return best


@contextlib.contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Compute with `count` CPU threads inside the block; raises EngineError where the system does not give so many."""
    before = torch.get_num_threads()
    if count > before:
        _refuse_unstartable(count)
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)


def _refuse_unstartable(count: int) -> None:
    """Raise EngineError unless `count` threads can run here.

    They are started and ended again, in 50 microseconds each: OpenMP ends the whole process where one cannot be
    started, and what the system still gives is the least of several limits (of the user, the container, the machine).
    """
    may_end = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(count - 1):  # this thread is one of them
            thread = threading.Thread(target=may_end.wait, name="probe", daemon=True)
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError):
        raise EngineError(
            f"{count} CPU threads: the system gives this process no more than {len(started) + 1}",
            "a recorded number of threads matters for an exact rebuild alone",
        ) from None
    finally:
        may_end.set()
        for thread in started:
            thread.join()


def software_versions() -> dict[str, str]:
    """Versions of what may change a pixel."""
    return {
        "tuiface": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def keep_freed_memory() -> bool:
    """Serve large blocks from the heap and never trim it; call before the first large allocation.

    Returns whether the C library took the settings (glibc only; elsewhere nothing changes).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL("libc.so.6")
    return bool(libc.mallopt(_M_MMAP_MAX, 0)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, _NEVER_TRIM))
