"""Mirrored heads in training: pictures, regions, parameters and latents all turn together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.conftest import tiny_limits
from tuiface.engine.training.data import head_data, head_shards
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.data.head_shards import ShardKey, render_shard
from tuiface.engine.training.gan.settings import TrainingSettings
from tuiface.heads.sampling.parameters import SIDED_PARAMETERS, mirror_heads
from tuiface.heads.sampling.priors import stream_names

Z_DIM = 160


@pytest.fixture
def heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeadData:
    """Two training heads, each with its mirror image: indices 0 to 3."""
    for module in (head_shards, head_data):
        monkeypatch.setattr(module, "SHARD_HEADS", 2)
    for folder in ("cache", "run"):
        (tmp_path / folder).mkdir()
    for index in (0, 1):
        render_shard(tmp_path / "cache", ShardKey(32, 0, index))
    settings = TrainingSettings(data="heads", resolution=32, num_heads=1024, mirror=True)
    limits = tiny_limits(tmp_path / "run", cache=tmp_path / "cache", workers=0)
    return HeadData.open(settings, limits, at_least=4, note=lambda line: None)


def test_odd_indices_are_mirror_images(heads: HeadData) -> None:
    assert heads.count_available() == 4
    indices = torch.arange(4)
    for maps in (heads.pixels(indices), heads.regions(indices)):
        assert torch.equal(maps[1::2], maps[::2].flip(2))
    parameters = heads.parameters(indices)
    assert torch.equal(parameters.values[1::2], mirror_heads(parameters).values[::2])


def test_latents_turn_exactly_their_sided_draws(heads: HeadData) -> None:
    z = heads.latents(torch.arange(4), Z_DIM)
    for column, name in enumerate(stream_names()):
        sign = -1 if name in SIDED_PARAMETERS else 1
        assert torch.equal(z[1::2, column], sign * z[::2, column]), name
    assert torch.equal(z[1::2, len(stream_names()) :], z[::2, len(stream_names()) :])
