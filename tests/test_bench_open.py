"""The checkpoint that the first opening is measured on is one of NVIDIA's layout, as the safe reader sees it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tests.checkpoints.writers import generator_config
from tuiface.benchmarks.nvidia_pickle import write_checkpoint
from tuiface.engine.checkpoints import inspect_checkpoint, read_checkpoint


def test_pickle_of_the_benchmark_is_an_nvidia_checkpoint_with_all_three_networks(tmp_path: Path) -> None:
    path, config = tmp_path / "network.pkl", generator_config(32)
    write_checkpoint(path, config)
    assert inspect_checkpoint(path).networks == ("G", "D", "G_ema")
    contents = read_checkpoint(path)
    assert contents.format == "stylegan2-ada-pytorch pickle"
    assert contents.generator.config == config
    assert contents.discriminator is not None
    assert all(np.isfinite(tensor).all() for tensor in contents.discriminator.tensors.values())
    assert "torch_utils" not in sys.modules
