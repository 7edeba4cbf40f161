"""Tiny data and tiny networks: everything that trains here takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tuiface.core.regions import Region
from tuiface.engine.training import RunLimits, TrainingSettings
from tuiface.engine.training.data.head_shards import SHARD_HEADS, ShardKey, write_shard
from tuiface.engine.training.gan import evaluation
from tuiface.engine.training.gan.settings import AdversarialSettings, AugmentSettings, NetworkSettings
from tuiface.heads import HeadBatch, sample_parameters

RESOLUTION = 8


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Bit-equal runs need one number of threads; tiny tensors are fastest on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def few_projections() -> Iterator[None]:
    """An eighth of what the texture figure takes: it costs more than these runs (test_metrics.py checks it)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "_PROJECTIONS", 16)
        yield


def write_pictures(folder: Path, count: int = 24, side: int = RESOLUTION) -> Path:
    """`count` PNGs: a bright disc at a random place on a dark ground."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    ys, xs = np.mgrid[:side, :side]
    for i in range(count):
        y, x = random.uniform(side * 0.3, side * 0.7, 2)
        disc = np.hypot(ys - y, xs - x) < side * 0.3
        pixels = np.where(disc[..., None], [220, 180, 150], [30, 40, 60]).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:03}.png")
    return folder


def write_heads(folder: Path, num_shards: int) -> Path:
    """Shards of stand-ins for heads: flat pictures, as dark as their skin."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(num_shards):
        parameters = sample_parameters(SHARD_HEADS, seed=0, start=index * SHARD_HEADS)
        shade = ((1 - parameters["melanin"]) * 200).to(torch.uint8)
        pixels = shade[:, None, None, None].expand(-1, RESOLUTION, RESOLUTION, 3).contiguous()
        regions = torch.full(pixels.shape[:3], int(Region.SKIN), dtype=torch.uint8)
        write_shard(folder / ShardKey(RESOLUTION, 0, index).file_name, HeadBatch(pixels, regions, parameters))
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures")


def tiny_settings(data: Path, **changes: object) -> TrainingSettings:
    """A network of a few thousand parameters at 8 px, every regulariser on."""
    values: dict[str, object] = {
        "data": str(data),
        "resolution": RESOLUTION,
        "batch": 8,
        "network": NetworkSettings(channel_base=64, channel_max=8, z_dim=8, w_dim=8, mapping_layers=2, mapping_width=8),
        "adversarial": AdversarialSettings(r1_interval=3, path_length_interval=2, gamma=0.1, ema_kimg=0.1),
        "augment": AugmentSettings(ramp_kimg=0.5, interval=2),
    }
    return TrainingSettings.model_validate({**values, **changes})


def tiny_limits(out: Path, **changes: object) -> RunLimits:
    values: dict[str, object] = {"out": out, "kimg": 0.2, "tick_kimg": 0.008, "sample_kimg": 0.1, "threads": 1}
    return RunLimits.model_validate({**values, **changes})
