"""Shards of heads: complete or absent, the same heads at every resolution, and workers that end with their trainer."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tuiface.core import processes
from tuiface.core.errors import EngineError
from tuiface.engine.training.data import head_data, head_shards
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.data.head_shards import HeadShard, HeadWorkers, ShardKey, open_shard, render_shard
from tuiface.engine.training.gan.settings import RunLimits, TrainingSettings
from tuiface.heads import HeadBatch, HeadParameters, HeadRenderer, render_heads, sample_parameters


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


class Renderer(HeadRenderer):
    """One that could not capture."""

    def render(self, parameters: HeadParameters) -> HeadBatch:
        heads = super().render(parameters)
        self.notice = "heads are drawn operator by operator"
        return heads


def test_a_shard_says_where_and_how_it_was_drawn(tmp_path: Path) -> None:
    key = ShardKey(32, 0, 1)
    assert rendered(tmp_path, ShardKey(32, 0, 0)).drawn == "cpu"
    assert render_shard(tmp_path, key, renderer=Renderer(32))
    assert open_shard(tmp_path / key.file_name).drawn == "cpu; heads are drawn operator by operator"


def test_who_trains_on_heads_that_were_not_captured_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_data, "SHARD_HEADS", 2)
    for index in (0, 1):
        render_shard(tmp_path, ShardKey(32, 0, index), renderer=Renderer(32))
    settings = TrainingSettings(data="heads", resolution=32, num_heads=1024)
    (tmp_path / "run").mkdir()
    notes: list[str] = []
    HeadData.open(settings, RunLimits(out=tmp_path / "run", cache=tmp_path, workers=0), 1, notes.append)
    assert notes == ["note: heads are drawn operator by operator"]


@pytest.mark.parametrize(("device", "number"), [("cpu", 3), ("cuda:1", 1)])
def test_a_gpu_has_one_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, number: int) -> None:
    commands: list[Sequence[str]] = []

    def start(command: Sequence[str], **options: object) -> Ended:
        commands.append(command)
        return Ended()

    monkeypatch.setattr(processes, "start", start)
    HeadWorkers(tmp_path, 32, 0, 9, num_workers=3, device=device).close()
    assert [(command[-4], command[-3], command[-1]) for command in commands] == [
        (str(first), str(number), device) for first in range(number)
    ]


class Ended:
    """A process that has ended."""

    def terminate(self) -> None:
        """Nothing is left to end."""

    def wait(self) -> int:
        return 0


def test_what_the_driver_says_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(resolution: int, device: torch.device) -> HeadRenderer:
        raise RuntimeError("CUDA error: the device is lost\nCompile with TORCH_USE_CUDA_DSA")

    monkeypatch.setattr(head_shards, "prepare_renderer", fail)
    monkeypatch.setattr(os, "nice", lambda increment: 0)
    arguments = [str(tmp_path), "32", "0", "1", "0", "1", "1"]
    assert head_shards._main([*arguments, "cuda:0"]) == "cuda:0: CUDA error: the device is lost"
    with pytest.raises(RuntimeError):
        head_shards._main([*arguments, "cpu"])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_worker_on_a_gpu_renders_the_shards_of_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    key = ShardKey(64, 3, 0)
    workers = HeadWorkers(tmp_path, 64, population=3, num_shards=1, num_workers=2, device="cuda:0")
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / key.file_name).exists() and time.monotonic() < deadline:
            workers.check()
            time.sleep(0.1)
    finally:
        workers.close()
    shard = open_shard(tmp_path / key.file_name)
    expected = render_heads(sample_parameters(16, seed=3), 64)
    difference = (torch.from_numpy(np.array(shard.pixels[:16])).int() - expected.pixels.int()).abs()
    assert shard.drawn == "cuda"
    assert difference.float().mean() < 0.1
    assert (difference > 1).float().mean() < 0.005


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
