"""How long it takes to open a full-size network: its pickle, parsed safely, and its conversion, read."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from tuiface.benchmarks.networks import CONFIG_F
from tuiface.core.processes import PYTHON, output_of
from tuiface.core.strict_json import parse_strict_json
from tuiface.engine.checkpoints import (
    CheckpointContents,
    GeneratorTensors,
    network_digest,
    read_checkpoint,
    write_native,
)
from tuiface.engine.networks.config import GeneratorConfig


def measure(resolution: int = 1024) -> dict[str, float]:
    """Seconds and megabytes of writing, reading and opening a config-F generator with random weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        contents = random_contents(CONFIG_F.config(resolution))
        result = {"write_s": _seconds(lambda: write_native(contents, path)), "megabytes": path.stat().st_size / 1e6}
        result["parse_s"] = _seconds(lambda: read_checkpoint(path))
        result["open_s"] = min(_time_opening(path, Path(folder)) for _ in range(3))
    return result


def random_contents(config: GeneratorConfig) -> CheckpointContents:
    """A generator with random weights."""
    from tuiface.engine.checkpoints.architecture import generator_shapes

    random = np.random.default_rng(0)
    shapes = {**generator_shapes(config), "mapping.w_avg": (config.w_dim,)}
    tensors = {name: random.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}
    return CheckpointContents(
        format="stylegan2-ada-pytorch pickle",
        generator=GeneratorTensors(config, tensors),
        discriminator=None,
        generator_source="G_ema",
        has_w_avg=True,
        notices=(),
        licence=None,
        origin_sha256="0" * 64,
        network_sha256=network_digest(config, tensors),
        origin_format="stylegan2-ada-pytorch pickle",
    )


def _time_opening(path: Path, cache: Path) -> float:
    """Seconds in `load_checkpoint` alone, in a process that has imported torch already."""
    code = (
        "import json, sys, time, pathlib; from tuiface.engine.loading import load_checkpoint\n"
        "t = time.perf_counter(); load_checkpoint(sys.argv[1], cache=pathlib.Path(sys.argv[2]))\n"
        "print(json.dumps(time.perf_counter() - t))"
    )
    return float(parse_strict_json(output_of([*PYTHON, "-c", code, str(path), str(cache)])))


def _seconds(work: object) -> float:
    assert callable(work)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
