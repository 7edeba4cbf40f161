"""How long it takes to open a full-size network: its pickle, parsed safely, and its conversion, read.

What is timed in a process of its own runs this module: `python -m tuiface.benchmarks.opening steps|first PATH CACHE`.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from tuiface.benchmarks.networks import CONFIG_F
from tuiface.core.console import print_json
from tuiface.core.processes import PYTHON, output_of, python_command
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


def measure_first(resolution: int = 1024, rounds: int = 3) -> dict[str, float]:
    """Seconds of the first opening of a pickle with G, D and G_ema of config F, and of its steps one after another.

    `first_open_s` is what a user waits for once torch is loaded, the best of `rounds`: read, digest, parse, check,
    begin to write the conversion, build. `peak_mb` is what memory grew to meanwhile, that of torch included.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.pkl"
        output_of(python_command("tuiface.benchmarks.nvidia_pickle", str(path), str(resolution)))
        result = {"pickle_megabytes": path.stat().st_size / 1e6}
        result |= _run_child("steps", path, Path(folder))
        first = [_run_child("first", path, Path(folder) / f"cache{i}") for i in range(rounds)]
        return result | min(first, key=lambda figures: figures["first_open_s"])


def _run_child(task: str, path: Path, cache: Path) -> dict[str, float]:
    figures = parse_strict_json(output_of(python_command(__name__, task, str(path), str(cache))))
    assert isinstance(figures, dict)
    return figures


Made = TypeVar("Made")


def _time_steps(path: Path) -> dict[str, float]:
    """The steps of the safe reader, which overlap where they run together."""
    from tuiface.engine.checkpoints import reader
    from tuiface.engine.checkpoints.accounting import Inventory, Meter
    from tuiface.engine.checkpoints.recognition import describe_checkpoint
    from tuiface.engine.checkpoints.source_file import read_source

    figures = {}

    def timed(step: str, work: Callable[[], Made]) -> Made:
        start = time.perf_counter()
        made = work()
        figures[step] = time.perf_counter() - start
        return made

    source = timed("read_and_hash_s", lambda: read_source(path))
    meter, inventory = Meter(file_bytes=len(source.data)), Inventory()
    value = timed("unpickle_s", lambda: reader.read_value(source, meter, inventory))
    described = timed("recognise_s", lambda: describe_checkpoint(value, meter, inventory))
    generator = timed("generator_s", lambda: reader.read_generator(described.generator, meter))
    timed("discriminator_s", lambda: reader.read_discriminator(described, meter))
    timed("digest_s", lambda: generator.sha256)
    return figures


def _time_first_opening(path: Path, cache: Path) -> dict[str, float]:
    """`load_checkpoint` without a conversion in `cache`, where torch is loaded."""
    import tuiface.engine.networks.build  # noqa: F401 - and torch with it
    from tuiface.engine.loading import load_checkpoint

    start, cpu = time.perf_counter(), time.process_time()
    load_checkpoint(path, cache=cache)
    return {
        "first_open_s": time.perf_counter() - start,
        "first_open_cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


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


def _main(task: str, path: str, cache: str) -> None:
    print_json(_time_steps(Path(path)) if task == "steps" else _time_first_opening(Path(path), Path(cache)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
