"""Shards of heads: complete or absent, the same heads at every resolution, and workers that end with their trainer."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tuiface.core.errors import EngineError
from tuiface.engine.training.data import head_shards
from tuiface.engine.training.data.head_shards import HeadShard, HeadWorkers, ShardKey, open_shard, render_shard
from tuiface.heads import render_heads, sample_parameters


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_shards, "SHARD_HEADS", 2)


def rendered(folder: Path, key: ShardKey) -> HeadShard:
    assert render_shard(folder, key)
    return open_shard(folder / key.file_name)


def test_a_shard_holds_the_heads_of_its_place_in_the_population(tmp_path: Path) -> None:
    shard = rendered(tmp_path, ShardKey(resolution=32, head_seed=7, index=3))
    parameters = sample_parameters(2, seed=7, start=6)
    expected = render_heads(parameters, 32)
    assert torch.equal(torch.from_numpy(np.array(shard.pixels)), expected.pixels)
    assert torch.equal(torch.from_numpy(np.array(shard.regions)), expected.regions)
    assert torch.equal(shard.parameters.values, parameters.values)
    assert torch.equal(shard.parameters.seeds, parameters.seeds)


def test_a_stopped_shard_leaves_nothing(tmp_path: Path) -> None:
    assert not render_shard(tmp_path, ShardKey(32, 0, 0), keep_going=lambda: False)
    assert list(tmp_path.iterdir()) == []


def test_file_names_say_what_is_inside() -> None:
    key = ShardKey(64, 1, 12)
    assert ShardKey.parse(key.file_name) == key
    assert ShardKey.parse("heads-64px-seed1-12.png") is None


def test_a_worker_that_fails_says_why(tmp_path: Path) -> None:
    workers = HeadWorkers(tmp_path, resolution=33, population=0, num_shards=1, num_workers=1)
    try:
        with pytest.raises(EngineError, match="resolution 33"):
            check_for(workers, seconds=30)
    finally:
        workers.close()


def check_for(workers: HeadWorkers, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        workers.check()
        time.sleep(0.05)


def test_closed_workers_leave_neither_processes_nor_fragments(tmp_path: Path) -> None:
    workers = HeadWorkers(tmp_path, resolution=32, population=0, num_shards=9, num_workers=2)
    workers.close()
    assert list(tmp_path.iterdir()) == []
