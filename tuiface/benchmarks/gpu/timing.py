"""How long something takes: by the wall clock with the device at rest at both ends, or between two CUDA events.

What a user waits for is timed by the wall clock: pictures, faces, locks, training, heads. What runs on the device alone
is timed by its own events: copies, products, convolutions, kernels; many of them in a row, since an event has half a
microsecond. On a CPU both are the wall clock.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

_MAX_CALLS = 300
_MIN_CALLS = 3


@dataclass(frozen=True, slots=True)
class Times:
    """Of several calls."""

    ms: float
    """Median."""
    spread_ms: float
    """Difference of the quartiles."""
    p95_ms: float

    @classmethod
    def of(cls, milliseconds: list[float]) -> Times:
        """Of each call."""
        ordered = sorted(milliseconds)
        last = len(ordered) - 1

        def quantile(share: float) -> float:
            return ordered[min(round(share * last), last)]

        return cls(statistics.median(ordered), quantile(0.75) - quantile(0.25), quantile(0.95))

    def figures(self) -> dict[str, float]:
        """As a row's figures."""
        return {"ms": self.ms, "spread_ms": self.spread_ms, "p95_ms": self.p95_ms}


def synchronize(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_calls(work: Callable[[], object], device: torch.device, seconds: float) -> Times:
    """By the wall clock, each call to its end on the device, for about `seconds`; the first call is not counted."""

    def run() -> float:
        begun = time.perf_counter()
        work()
        synchronize(device)
        return (time.perf_counter() - begun) * 1000

    synchronize(device)
    run()
    return _repeat(run, seconds)


def time_on_device(work: Callable[[], object], device: torch.device, seconds: float) -> Times:
    """By the device's clock, for about `seconds`; the first call is not counted."""
    if device.type != "cuda":
        return time_calls(work, device, seconds)

    def run() -> float:
        begun, ended = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        begun.record()
        work()
        ended.record()
        ended.synchronize()
        return float(begun.elapsed_time(ended))

    with torch.cuda.device(device):
        run()
        return _repeat(run, seconds)


def _repeat(run: Callable[[], float], seconds: float) -> Times:
    ends = time.perf_counter() + seconds
    found = [run() for _ in range(_MIN_CALLS)]
    while time.perf_counter() < ends and len(found) < _MAX_CALLS:
        found.append(run())
    return Times.of(found)


def wall_ms(work: Callable[[], object]) -> float:
    """Of one call that waits for its own result."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000
