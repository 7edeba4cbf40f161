"""Rendered heads on disk: immutable shards of 512, of which training reads the heads that it draws.

A shard is a safetensors file, complete or absent, so a folder may grow while it is read, several processes may fill it,
and a killed one leaves nothing to clean up:

    pixels   uint8 [512, R, R, 3]      regions  uint8 [512, R, R]
    values   float32 [512, P]          seeds    int64 [512]           (together: HeadParameters)

Shard i of population s holds heads 512*i .. 512*i + 511 as `sample_parameters(..., seed=s)` draws them, so the same
head has the same place at every resolution.

`HeadWorkers` are processes that render while the trainer trains: `python -m` of this module with FOLDER RESOLUTION
POPULATION SHARDS FIRST STEP PARENT DEVICE renders shards FIRST, FIRST+STEP, ... below SHARDS that are not there yet,
until it is done or the process PARENT, which started it, ends. CPU workers compute on one thread each. On a GPU there
is one worker, which shares the card with the trainer for as long as it takes to render all heads once; the trainer
launches nothing for it. Its heads are those of a CPU within rounding (`tests/heads/test_lists.py` has the bounds), and
training reads them from the same files, so it draws the same ones whoever rendered them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.numpy
import torch

import tuiface.heads
from tuiface.core import processes
from tuiface.core.errors import EngineError, InputFileError, ModelError, TuifaceError, quote
from tuiface.core.files import write_file
from tuiface.core.reading import open_regular
from tuiface.core.safetensors_header import TensorPlace, read_places, refuse_other_format
from tuiface.core.strict_json import parse_strict_json
from tuiface.core.tensor_file import StoredRows, read_header, read_tensor, to_float32
from tuiface.engine.cuda.recording import CudaRecorder
from tuiface.heads import SPECIFICATION, HeadBatch, HeadParameters, HeadRenderer, sample_parameters

FORMAT = "tuiface.head-shard/1"
_KIND = "a shard of heads"
SHARD_HEADS = 512


@dataclass(frozen=True, slots=True)
class ShardKey:
    """Which heads a shard holds; its file name says the same."""

    resolution: int
    """Side of the pictures in pixels."""
    head_seed: int
    """Seed of the population."""
    index: int
    """Number of the shard within the population."""

    @property
    def file_name(self) -> str:
        """Name of the shard's file."""
        return f"heads-{self.resolution}px-seed{self.head_seed}-{self.index:05d}.safetensors"

    @classmethod
    def parse(cls, file_name: str) -> ShardKey | None:
        """The key in a file's name; None for any other file."""
        match = re.fullmatch(r"heads-([0-9]{1,9})px-seed([0-9]{1,20})-([0-9]{5})\.safetensors", file_name)
        return None if match is None else cls(*map(int, match.groups()))


@dataclass(frozen=True, slots=True, eq=False)
class HeadShard:
    """One shard: nothing is read before it is used."""

    pixels: StoredRows
    """uint8 [512, R, R, 3], sRGB."""
    regions: StoredRows
    """uint8 [512, R, R], ids of `tuiface.core.regions.Region`."""
    parameters: HeadParameters
    renderer: str
    """`renderer_digest` of the code that drew it."""
    drawn: str
    """Where and how, as `describe_renderer` says; "" in shards of before this was recorded."""


def render_shard(
    folder: Path,
    key: ShardKey,
    keep_going: Callable[[], bool] = lambda: True,
    renderer: HeadRenderer | None = None,
) -> bool:
    """Render a shard and write it at once, whole; False where `keep_going` stopped it first.

    `renderer`: of the shard's resolution; None for one on the CPU. Raises OutputError where the shard cannot be written
    and EngineError where a GPU has not the memory.
    """
    renderer = renderer or HeadRenderer(key.resolution)
    start = key.index * SHARD_HEADS
    parameters = sample_parameters(SHARD_HEADS, seed=key.head_seed, start=start)
    pixels = torch.empty(SHARD_HEADS, key.resolution, key.resolution, 3, dtype=torch.uint8)
    regions = torch.empty(pixels.shape[:3], dtype=torch.uint8)
    first = 0
    while first < SHARD_HEADS:
        if not keep_going():
            return False
        batch = slice(first, first + renderer.batch_size)
        heads = renderer.render(parameters.select(batch))
        pixels[batch], regions[batch] = heads.pixels, heads.regions
        first = batch.stop
    write_shard(folder / key.file_name, HeadBatch(pixels, regions, parameters), describe_renderer(renderer))
    return True


def describe_renderer(renderer: HeadRenderer) -> str:
    """The device that a renderer computes on, and what else is to be said of it."""
    return "; ".join(filter(None, [renderer.device.type, renderer.notice]))


def write_shard(path: Path, heads: HeadBatch, drawn: str = "cpu") -> None:
    """Write a shard at once, whole; raises OutputError where it cannot be written."""
    tensors = {
        "pixels": heads.pixels.numpy(),
        "regions": heads.regions.numpy(),
        "values": heads.parameters.values.numpy(),
        "seeds": heads.parameters.seeds.numpy(),
    }
    metadata = {"format": FORMAT, "parameters": json.dumps(_parameter_names()), "renderer": renderer_digest()}
    metadata["drawn"] = drawn
    write_file(path, safetensors.numpy.save(tensors, metadata), force=True)


def open_shard(path: Path) -> HeadShard:
    """Open a shard. Raises InputFileError for a file that is none, or has other parameters than today's renderer."""
    try:
        with open_regular(path) as file:
            header = read_header(file.fileno(), _KIND)
            refuse_other_format(header, FORMAT, _KIND, "")
            names, renderer = parse_strict_json(header.metadata["parameters"]), header.metadata["renderer"]
            drawn = header.metadata.get("drawn", "")
            places = read_places(header, ("U8", "F32", "I64"))
            _check_places(places, num_parameters=len(names))
            values, seeds = (read_tensor(file.fileno(), header, places[name]) for name in ("values", "seeds"))
            values = to_float32("values", "F32", values)
        pixels, regions = (StoredRows.of(path, header, places[name]) for name in ("pixels", "regions"))
    except (OSError, ValueError, KeyError, TypeError, ModelError) as error:
        raise InputFileError(
            f"{quote(path)} is not a sound shard of heads ({error})", "delete it; it is rendered again"
        ) from None
    if names != _parameter_names():
        raise InputFileError(
            f"{quote(path)} was rendered from {len(names)} parameters, and this version has {len(SPECIFICATION)}",
            "delete the folder, or give another one",
        )
    parameters = HeadParameters(torch.from_numpy(values), torch.from_numpy(seeds))
    return HeadShard(pixels, regions, parameters, renderer, drawn)


def _check_places(places: Mapping[str, TensorPlace], num_parameters: int) -> None:
    """Raise ModelError unless these are the tensors of a shard, whatever its resolution."""
    sides = places["pixels"].shape[1:3]
    expected = {
        "pixels": ("U8", (SHARD_HEADS, *sides, 3)),
        "regions": ("U8", (SHARD_HEADS, *sides)),
        "values": ("F32", (SHARD_HEADS, num_parameters)),
        "seeds": ("I64", (SHARD_HEADS,)),
    }
    if {name: (place.dtype, place.shape) for name, place in places.items()} != expected:
        raise ModelError(f"it does not hold {SHARD_HEADS} heads")


@functools.cache
def renderer_digest() -> str:
    """SHA-256 over the renderer's source files: tells pictures of one version from those of another."""
    digest = hashlib.sha256()
    for package in tuiface.heads.__path__:
        for source in sorted(Path(package).rglob("*.py")):
            digest.update(str(source.relative_to(package)).encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def _parameter_names() -> list[str]:
    return [parameter.name for parameter in SPECIFICATION]


class HeadWorkers:
    """Rendering processes at low priority, ended by `close` or with their parent."""

    def __init__(
        self,
        folder: Path,
        resolution: int,
        population: int,
        num_shards: int,
        num_workers: int,
        device: str = "cpu",
    ) -> None:
        """Raises EngineError where they cannot be started. On a GPU there is one: more would wait for each other."""
        num_workers = num_workers if torch.device(device).type == "cpu" else min(num_workers, 1)
        arguments = [str(folder), str(resolution), str(population), str(num_shards)]
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            for first in range(num_workers):
                order = [*arguments, str(first), str(num_workers), str(os.getpid()), device]
                command = processes.python_command(__name__, *order)
                # Ctrl-C is for the trainer, which ends its workers itself.
                self._processes.append(processes.start(command, stderr=processes.PIPE, new_session=True))
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise EngineError(
                    f"cannot start {num_workers} processes: {error.strerror}", "fewer --workers"
                ) from None
            raise

    def check(self) -> None:
        """Raise EngineError with the last line of a worker that failed."""
        for process in self._processes:
            if process.poll() not in (None, 0):
                assert process.stderr is not None
                lines = process.stderr.read().decode(errors="replace").strip().splitlines()
                raise EngineError(f"rendering heads failed: {lines[-1] if lines else process.returncode}")

    def close(self) -> None:
        """End the workers; a shard that is not complete leaves nothing behind."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()


def prepare_renderer(resolution: int, device: torch.device) -> HeadRenderer:
    """What renders heads quickest on a device; raises UsageError for a resolution that they are not rendered at."""
    return HeadRenderer(resolution, device, CudaRecorder(device) if device.type == "cuda" else None)


def _work(arguments: Sequence[str]) -> None:
    """Do what a worker is told; the head of this module names the arguments."""
    from tuiface.engine.device import keep_freed_memory

    folder, device = Path(arguments[0]), torch.device(arguments[-1])
    resolution, population, num_shards, first, step, parent = map(int, arguments[1:-1])
    keep_freed_memory()
    torch.set_num_threads(1)
    os.nice(5)
    renderer = prepare_renderer(resolution, device)
    for index in range(first, num_shards, step):
        key = ShardKey(resolution, population, index)
        if not (folder / key.file_name).exists():
            render_shard(folder, key, keep_going=lambda: os.getppid() == parent, renderer=renderer)


def _main(arguments: Sequence[str]) -> int | str:
    """The exit status of a worker: 0, or one line of what went wrong."""
    device = arguments[-1]
    try:
        _work(arguments)
    except TuifaceError as error:
        return str(error)
    except RuntimeError as error:
        if device == "cpu":
            raise
        return f"{device}: {str(error).partition(chr(10))[0]}"  # the driver's advice to programmers follows
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
