"""What is wanted, of an H100: one bound a figure of a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tuiface.benchmarks.gpu.rows import Row
from tuiface.benchmarks.gpu.workload import MODES


@dataclass(frozen=True, slots=True)
class Target:
    """A bound."""

    section: str
    row: str
    figure: str
    at: Literal["most", "least"]
    value: float

    @property
    def text(self) -> str:
        """`ms at most 1.1`."""
        return f"{self.figure} at {self.at} {self.value:g}"

    def is_met(self, measured: float) -> bool:
        """Whether a figure is within it; NaN is not."""
        return measured <= self.value if self.at == "most" else measured >= self.value


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target and what was measured."""

    target: Target
    measured: float
    met: bool


def _all() -> Iterator[Target]:
    pictures = {("float16", 1024, 1): 1.1, ("float32", 1024, 1): 5.5, ("float16", 1024, 8): 6.0}
    pictures |= {("float32", 1024, 8): 40.0, ("float16", 128, 1): 0.36, ("float32", 128, 1): 1.5}
    for (mode, until, batch), ms in pictures.items():
        yield Target("synthesis", f"{mode} {until} px x {batch}", "ms", "most", ms)
    yield Target("synthesis", "float16 embedded network", "ms", "most", 0.13)
    for network in ("embedded network", "config F"):
        yield Target("faces", f"{network}, Face.render", "over_the_picture_ms", "most", 2.0)
    yield Target("faces", "frame lock", "first_ms", "most", 400.0)
    yield Target("faces", "frame lock", "next_ms", "most", 200.0)
    yield Target("digests", "float32, five processes", "different", "most", 1.0)
    yield Target("digests", "faces and locked faces, five processes", "different", "most", 1.0)
    yield Target("digests", "other requests between", "requests", "least", 1000.0)
    yield Target("memory", "float32 1024 px", "mb", "most", 600.0)
    yield Target("parity", "exact, float16, 1024 px", "relative_error", "most", 2e-3)
    channels = {256: 128, 512: 64, 1024: 32}
    for mode in MODES:
        for kernel in ("upsample", "finish"):
            for r, num in channels.items():
                yield Target(
                    "kernels", f"{kernel} {mode} {r} px, {num} channels", "share_of_copy_percent", "least", 70.0
                )
    for mode in ("bfloat16", "float32"):
        yield Target("kernels", f"filter {mode} 256 px, 32 channels x 64", "share_of_copy_percent", "least", 70.0)
    yield Target("training", "128 px, base 4096, 192 channels, batch 32", "images_per_s", "least", 1400.0)
    yield Target("training", "256 px, base 8192, 192 channels, batch 64", "images_per_s", "least", 1200.0)
    yield Target("training", "FFHQ config F, 256 px, batch 32", "s_per_kimg", "most", 6.0)
    yield Target("training", "FFHQ config F, 1024 px, batch 8", "s_per_kimg", "most", 45.0)
    yield Target("heads", "heads 128 px", "heads_per_s", "least", 1000.0)
    yield Target("heads", "heads 256 px", "heads_per_s", "least", 300.0)
    yield Target("learning", "phases, embedded network", "estimated_minutes", "most", 3.0)
    yield Target("learning", "phases, config F, 1024 px", "estimated_minutes", "most", 15.0)
    yield Target("card", "build from nothing", "s", "most", 20.0)
    yield Target("card", "load a build", "s", "most", 0.2)


TARGETS = tuple(_all())


def judge(row: Row) -> list[Verdict]:
    """What is wanted of a row, and whether it was reached; nothing where it was not measured."""
    wanted = [one for one in TARGETS if (one.section, one.row) == (row.section, row.name)]
    found = [(one, float(row.figures[one.figure])) for one in wanted if one.figure in row.figures]
    return [Verdict(one, value, one.is_met(value)) for one, value in found]
