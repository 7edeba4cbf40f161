"""Procedural heads as training data: pictures from shards that may still be rendered, and the z behind each head.

`sample_parameters` draws every number from a named uniform stream keyed by the head's seed. Read as normal quantiles,
these streams are a z ~ N(0, I) of which the parameters are a function: exactly the generator's input, with the head as
its known picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.errors import EngineError, UsageError
from tuiface.core.files import make_folder, translate_os_errors
from tuiface.engine.training.data.head_shards import (
    SHARD_HEADS,
    HeadShard,
    HeadWorkers,
    ShardKey,
    open_shard,
    renderer_digest,
)
from tuiface.engine.training.data.pictures import flip_odd
from tuiface.engine.training.gan.settings import RunLimits, TrainingSettings
from tuiface.heads import RESOLUTIONS, HeadParameters, concatenate
from tuiface.heads.sampling.parameters import SIDED_PARAMETERS, mirror_heads
from tuiface.heads.sampling.priors import stream_names
from tuiface.heads.sampling.rng import draw_normals

_NORMAL_LIMIT = 6.0
_MIN_SHARDS = 2


def mirror_latents(z: Tensor) -> Tensor:
    """z [N, z_dim] of the mirror images of the heads of z: sidedness is drawn symmetrically around nothing."""
    streams = stream_names()[: z.shape[1]]
    signs = torch.tensor([-1.0 if name in SIDED_PARAMETERS else 1.0 for name in streams], device=z.device)
    return z * F.pad(signs, (0, z.shape[1] - len(streams)), value=1.0)


def head_latents(parameters: HeadParameters, z_dim: int) -> Tensor:
    """z float32 [N, z_dim] of sampled heads: their draws, then draws of no consequence up to `z_dim`.

    A z_dim below the number of draws leaves out the last ones: their effect is noise to the network.
    """
    seeds = parameters.seeds
    columns = [draw_normals(seeds, stream, 1, _NORMAL_LIMIT) for stream in stream_names()[:z_dim]]
    spare = z_dim - len(columns)
    return torch.cat([*columns, draw_normals(seeds, "spare latent", spare, _NORMAL_LIMIT)] if spare else columns, dim=1)


class HeadData:
    """Procedural heads. Shard 0 of the population is held out; epochs grow as further shards arrive."""

    def __init__(self, folder: Path, settings: TrainingSettings, workers: HeadWorkers | None) -> None:
        self._folder, self._resolution, self._head_seed = folder, settings.resolution, settings.population
        self._num_shards, self._mirror = num_shards(settings), settings.mirror
        self._workers = workers
        self._shards: list[HeadShard] = []
        self.fingerprint = f"heads of {settings.resolution} px, population {settings.population}"

    @classmethod
    def open(
        cls, settings: TrainingSettings, limits: RunLimits, at_least: int, note: Callable[[str], None]
    ) -> HeadData:
        """Start the workers and wait until there are `at_least` training heads, and enough to begin with.

        Raises EngineError where nobody renders them, or rendering fails, UsageError for a side that is never rendered.
        """
        if limits.workers and settings.resolution not in RESOLUTIONS:
            sides = ", ".join(map(str, RESOLUTIONS))
            raise UsageError(f"heads of {settings.resolution} px are not rendered; accepted: {sides}")
        folder = _prepare_cache_folder(limits)
        workers = None
        if limits.workers:
            key = (settings.resolution, settings.population, num_shards(settings))
            workers = HeadWorkers(folder, *key, limits.workers, limits.device)
        data = cls(folder, settings, workers)
        try:
            heads = -(-at_least // SHARD_HEADS >> settings.mirror)
            data._wait_for(max(_MIN_SHARDS, 1 + heads), note)
        except BaseException:
            data.close()
            raise
        return data

    def count_available(self) -> int:
        """Training heads in the shards that are there, without gaps."""
        while len(self._shards) < self._num_shards and self._open_next():
            pass
        return (len(self._shards) - 1) * SHARD_HEADS << self._mirror

    def pixels(self, indices: Tensor) -> Tensor:
        """uint8 [N, R, R, 3]."""
        pixels = torch.from_numpy(np.stack([shard.pixels[place] for shard, place in self._locate_heads(indices)]))
        return flip_odd(pixels, indices) if self._mirror else pixels

    def regions(self, indices: Tensor) -> Tensor:
        """uint8 [N, R, R], ids of `tuiface.core.regions.Region`."""
        regions = torch.from_numpy(np.stack([shard.regions[place] for shard, place in self._locate_heads(indices)]))
        return flip_odd(regions, indices) if self._mirror else regions

    def parameters(self, indices: Tensor) -> HeadParameters:
        """The parameters of the heads `indices`."""
        drawn = concatenate([shard.parameters.select(slice(p, p + 1)) for shard, p in self._locate_heads(indices)])
        if not self._mirror:
            return drawn
        return HeadParameters(torch.where(_is_odd(indices), mirror_heads(drawn).values, drawn.values), drawn.seeds)

    def latents(self, indices: Tensor, z_dim: int) -> Tensor:
        """z float32 [N, z_dim] of the heads `indices` (`head_latents`)."""
        z = head_latents(self.parameters(indices), z_dim)
        return torch.where(_is_odd(indices), mirror_latents(z), z) if self._mirror else z

    def held_out(self) -> Tensor:
        """uint8 [512, R, R, 3]: shard 0."""
        return torch.from_numpy(np.array(self._shards[0].pixels))

    def held_out_regions(self) -> Tensor:
        """uint8 [512, R, R]: the region maps of `held_out`."""
        return torch.from_numpy(np.array(self._shards[0].regions))

    def held_out_parameters(self) -> HeadParameters:
        """The parameters of `held_out`."""
        return self._shards[0].parameters

    def close(self) -> None:
        """End the rendering processes."""
        if self._workers is not None:
            self._workers.close()

    def _locate_heads(self, indices: Tensor) -> list[tuple[HeadShard, int]]:
        """(shard, index within it) of each training head; training begins at shard 1."""
        heads = (indices >> int(self._mirror)).tolist()
        return [(self._shards[1 + i // SHARD_HEADS], i % SHARD_HEADS) for i in heads]

    def _open_next(self) -> bool:
        """Open the next shard if it is complete."""
        if self._workers is not None:
            self._workers.check()
        path = self._folder / ShardKey(self._resolution, self._head_seed, len(self._shards)).file_name
        if not path.exists():
            return False
        self._shards.append(open_shard(path))
        return True

    def _wait_for(self, count: int, note: Callable[[str], None]) -> None:
        """Wait for the first `count` shards; says so, and where some come from another renderer."""
        waiting = False
        while len(self._shards) < count:
            if self._open_next():
                continue
            if self._workers is None:
                raise EngineError(
                    f"only {len(self._shards)} shards of heads of {self._resolution} px in {self._folder}, "
                    f"needed are {count}",
                    "let this run render them: --workers 1",
                )
            if not waiting:
                note(f"rendering heads {len(self._shards) * SHARD_HEADS} to {count * SHARD_HEADS - 1} before training")
                waiting = True
            time.sleep(0.2)
        if any(shard.renderer != renderer_digest() for shard in self._shards):
            note(f"note: heads in {self._folder} come from another version of the renderer; delete them to renew them")
        for notice in sorted({notice for shard in self._shards if (notice := shard.drawn.partition("; ")[2])}):
            note(f"note: {notice}")


def _is_odd(indices: Tensor) -> Tensor:
    """Which of `indices` [N] are mirror images, [N, 1]."""
    return (indices % 2 == 1)[:, None]


def _prepare_cache_folder(limits: RunLimits) -> Path:
    """The folder of shards: RUN/heads, which is a link where the run was begun with a shared cache."""
    own = limits.out / "heads"
    if limits.cache is None:
        make_folder(own)
        return own
    make_folder(limits.cache)
    if not own.exists():
        with translate_os_errors(own):
            own.unlink(missing_ok=True)  # a link whose folder is gone
            own.symlink_to(limits.cache.absolute(), target_is_directory=True)
    return limits.cache


def num_shards(settings: TrainingSettings) -> int:
    """Shards of all heads that a run is to have."""
    return -(-settings.num_heads // SHARD_HEADS)
