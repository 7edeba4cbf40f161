"""How much of everything `tuiface bench gpu` measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tuiface.benchmarks.networks import CONFIG_F, NetworkShape

Mode = Literal["float32", "float16", "bfloat16"]
MODES: tuple[Mode, ...] = ("float32", "float16", "bfloat16")
"""float32 is the exact one."""


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A row of training."""

    name: str
    resolution: int
    shape: NetworkShape
    batch: int
    needs_s: float


def _lab_shape(channel_base: int) -> NetworkShape:
    """As of the embedded network's training."""
    return NetworkShape(channel_base, channel_max=192, width=128, mapping_layers=4)


@dataclass(frozen=True, slots=True)
class Workload:
    """Sizes, and times."""

    resolution: int = 1024
    """Of the network whose pictures are timed."""
    shape: NetworkShape = CONFIG_F
    checked_resolution: int = 256
    """Of the network that is compared with the papers' formulas by PyTorch's operators."""
    sizes: tuple[tuple[int, int], ...] = ((1024, 1), (1024, 8), (512, 1), (256, 1), (128, 1), (128, 8), (64, 1))
    """(resolution that a picture stops at, batch)."""
    preview: int = 128
    figure_s: float = 0.5
    """About how long one figure is measured."""
    num_faces: int = 30
    """Pictures through the product of which a figure is the median."""
    num_locks: int = 6
    num_requests: int = 1000
    """Other requests between two digests of one process."""
    copied_bytes: int = 2**29
    product_side: int = 8192
    convolutions: tuple[tuple[int, int, int], ...] = ((512, 64, 8), (256, 128, 4), (64, 512, 1))
    """(channels, side, batch): the best of them is the ceiling."""
    launches: int = 32
    """Of one kernel in one captured graph."""
    training: tuple[TrainedNetwork, ...] = (
        TrainedNetwork("128 px, base 4096, 192 channels, batch 32", 128, _lab_shape(4096), 32, 8.0),
        TrainedNetwork("256 px, base 8192, 192 channels, batch 64", 256, _lab_shape(8192), 64, 10.0),
        TrainedNetwork("FFHQ config F, 256 px, batch 32", 256, CONFIG_F, 32, 12.0),
        TrainedNetwork("FFHQ config F, 1024 px, batch 8", 1024, CONFIG_F, 8, 15.0),
    )
    heads: tuple[tuple[int, int], ...] = ((128, 1024), (256, 256))
    """(resolution, heads at once)."""
    draws: int = 4000
    """Faces that a direction is learned from."""
    faces: int = 40
    """Faces whose gradients are taken for it."""
    seeds: int = 200
    """Faces that it is verified on."""
    digest_s: float = 145.0
    """All processes that draw digests end before."""


FULL = Workload()
"""On a card: five minutes."""

SMALL = Workload(
    resolution=16,
    shape=NetworkShape(128, 32, 16, 2),
    checked_resolution=8,
    sizes=((16, 1), (8, 2)),
    preview=8,
    figure_s=0.0,
    num_faces=2,
    num_locks=2,
    num_requests=5,
    copied_bytes=2**16,
    product_side=32,
    convolutions=((8, 8, 1),),
    launches=1,
    training=(TrainedNetwork("16 px", 16, NetworkShape(128, 16, 16, 2), 4, 0.0),),
    heads=((32, 2),),
    draws=256,
    faces=2,
    seeds=4,
)
"""Anywhere: whether the sections work."""

WORKLOADS = {"full": FULL, "small": SMALL}
