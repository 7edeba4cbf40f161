"""Rendered heads on disk: immutable shards of 512, of which training reads the heads that it draws.

A shard is a safetensors file, complete or absent, so a folder may grow while it is read, several processes may fill it,
and a killed one leaves nothing to clean up:

    pixels   uint8 [512, R, R, 3]      regions  uint8 [512, R, R]
    values   float32 [512, P]          seeds    int64 [512]           (together: HeadParameters)

Shard i of population s holds heads 512*i .. 512*i + 511 as `sample_parameters(..., seed=s)` draws them, so the same
head has the same place at every resolution.

`HeadWorkers` are processes that render while the trainer trains: `python -m` of this module with FOLDER RESOLUTION
POPULATION SHARDS FIRST STEP PARENT renders shards FIRST, FIRST+STEP, ... below SHARDS that are not there yet, on one
thread, until it is done or the process PARENT, which started it, ends.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.numpy
import torch

import tuiface.heads
from tuiface.core import processes
from tuiface.core.errors import EngineError, InputFileError, ModelError, quote
from tuiface.core.files import write_file
from tuiface.core.reading import open_regular
from tuiface.core.safetensors_header import TensorPlace, read_places, refuse_other_format
from tuiface.core.strict_json import parse_strict_json
from tuiface.core.tensor_file import StoredRows, read_header, read_tensor, to_float32
from tuiface.heads import SPECIFICATION, HeadBatch, HeadParameters, render_heads, sample_parameters

FORMAT = "tuiface.head-shard/1"
_KIND = "a shard of heads"
SHARD_HEADS = 512
_RENDER_BATCH = 16


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


def render_shard(folder: Path, key: ShardKey, keep_going: Callable[[], bool] = lambda: True) -> bool:
    """Render a shard and write it at once, whole; False where `keep_going` stopped it first.

    Raises OutputError where it cannot be written.
    """
    start = key.index * SHARD_HEADS
    parameters = sample_parameters(SHARD_HEADS, seed=key.head_seed, start=start)
    pixels = torch.empty(SHARD_HEADS, key.resolution, key.resolution, 3, dtype=torch.uint8)
    regions = torch.empty(pixels.shape[:3], dtype=torch.uint8)
    for first in range(0, SHARD_HEADS, _RENDER_BATCH):
        if not keep_going():
            return False
        batch = slice(first, first + _RENDER_BATCH)
        heads = render_heads(parameters.select(batch), key.resolution)
        pixels[batch], regions[batch] = heads.pixels, heads.regions
    write_shard(folder / key.file_name, HeadBatch(pixels, regions, parameters))
    return True


def write_shard(path: Path, heads: HeadBatch) -> None:
    """Write a shard at once, whole; raises OutputError where it cannot be written."""
    tensors = {
        "pixels": heads.pixels.numpy(),
        "regions": heads.regions.numpy(),
        "values": heads.parameters.values.numpy(),
        "seeds": heads.parameters.seeds.numpy(),
    }
    metadata = {"format": FORMAT, "parameters": json.dumps(_parameter_names()), "renderer": renderer_digest()}
    write_file(path, safetensors.numpy.save(tensors, metadata), force=True)


def open_shard(path: Path) -> HeadShard:
    """Open a shard. Raises InputFileError for a file that is none, or has other parameters than today's renderer."""
    try:
        with open_regular(path) as file:
            header = read_header(file.fileno(), _KIND)
            refuse_other_format(header, FORMAT, _KIND, "")
            names, renderer = parse_strict_json(header.metadata["parameters"]), header.metadata["renderer"]
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
    return HeadShard(pixels, regions, parameters, renderer)


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

    def __init__(self, folder: Path, resolution: int, population: int, num_shards: int, num_workers: int) -> None:
        arguments = [str(folder), str(resolution), str(population), str(num_shards)]
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            for first in range(num_workers):
                command = processes.python_command(__name__, *arguments, str(first), str(num_workers), str(os.getpid()))
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


def _main(folder: Path, resolution: int, population: int, num_shards: int, first: int, step: int, parent: int) -> None:
    from tuiface.engine.device import keep_freed_memory

    keep_freed_memory()
    import torch

    torch.set_num_threads(1)
    os.nice(5)
    for index in range(first, num_shards, step):
        key = ShardKey(resolution, population, index)
        if not (folder / key.file_name).exists():
            render_shard(folder, key, keep_going=lambda: os.getppid() == parent)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *map(int, sys.argv[2:8]))
