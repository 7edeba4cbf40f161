"""How good a network's faces are, against the rendered heads that training holds out: the first shard of population 0.

Features are the attribute reader's (standardised over rendered heads) and those of the network's own discriminator
(the last map before its epilogue, averaged over quarters, standardised over the held-out heads and limited to four
deviations: a few pictures would otherwise decide the kernel's third power). The discriminator was trained to tell these
very faces from heads, so its figures are the strict ones.

The same figures of the second shard stand beside them: what a perfect generator would get.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.benchmarks.distributions import (
    histogram,
    histogram_intersection,
    kernel_distance,
    mean_distance,
    precision_and_recall,
)
from tuiface.core.files import make_folder
from tuiface.engine.checkpoint import Checkpoint
from tuiface.engine.latents import z_from_seed
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.pixels import normalise
from tuiface.engine.predictors import AttributePredictor
from tuiface.engine.training.data.head_shards import HeadShard, ShardKey, open_shard, render_shard, renderer_digest
from tuiface.heads import RESOLUTIONS

HEAD_SEED = 0
"""Seed of the population of heads; networks and readers are trained on it without its first shard."""
FIRST_SEED = 100_000
"""Of the generated faces: away from those that are looked at during training."""
BINS = 12
WANTED_SPREAD = 0.8
WANTED_RECALL = 0.5
_BATCH = 32
_LIMIT = 4.0


@dataclass(frozen=True, slots=True)
class Coverage:
    """One attribute, as read in both sets."""

    name: str
    spread: float
    """Standard deviation over generated faces, over that over held-out heads."""
    overlap: float
    """Shared mass of the two histograms."""
    edges: tuple[float, ...]
    """Of the bins: the data's range."""
    generated: tuple[float, ...]
    """Share of generated faces in each bin."""
    data: tuple[float, ...]
    """Share of held-out heads in each bin."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One set of pictures against the held-out heads, in one kind of features."""

    kid: float
    precision: float
    recall: float
    diversity: float
    """Mean pairwise distance over that of the held-out heads."""


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """What was measured, and the pictures of it."""

    count: int
    """Pictures in each set."""
    generated: dict[str, Comparison]
    """By kind of features: "reader", and "discriminator" where the checkpoint holds one."""
    rendered: dict[str, Comparison]
    """The same of another sample of rendered heads."""
    coverage: tuple[Coverage, ...]
    """Of the attributes that the reader sees well."""
    faces: Tensor
    """Generated, float32 [N, 3, R, R]."""
    heads: Tensor
    """Held out, float32 [N, 3, R, R]."""


@torch.no_grad()
def measure(
    checkpoint: Checkpoint, reader: AttributePredictor, count: int, cache: Path, note: Callable[[str], None]
) -> Quality:
    """Compare `count` faces at psi 1 with as many held-out heads, which are rendered into `cache` where they are not
    there yet.

    Raises InputFileError for a damaged shard there, and OutputError where one cannot be written.
    """
    faces = generate(checkpoint, count)
    heads, others = (
        normalise(pixels, torch.device("cpu")) for pixels in _render_heads(faces.shape[-1], count, cache, note)
    )
    kinds: dict[str, Callable[[Tensor], Tensor]] = {"reader": lambda images: _apply_in_batches(reader.features, images)}
    if checkpoint.discriminator is not None and faces.shape[-1] == heads.shape[-1]:
        kinds["discriminator"] = _build_standardised_features(checkpoint.discriminator, heads)
    generated, rendered = {}, {}
    for kind, features in kinds.items():
        wanted = features(heads)
        generated[kind] = compare(features(faces), wanted)
        rendered[kind] = compare(features(others), wanted)
    return Quality(count, generated, rendered, measure_coverage(reader, faces, heads), faces, heads)


def generate(checkpoint: Checkpoint, count: int) -> Tensor:
    """Faces [count, 3, R, R] of consecutive seeds at psi 1, in [-1, 1]."""
    generator = checkpoint.generator
    config = generator.config
    labels = torch.eye(config.c_dim)[torch.arange(count) % config.c_dim] if config.c_dim else None
    z = torch.cat([z_from_seed(FIRST_SEED + index, config.z_dim) for index in range(count)])
    ws = generator.map(z) if labels is None else generator.map(z, labels)
    return torch.cat([generator.synthesize(part) for part in torch.split(ws, _BATCH)]).clamp(-1, 1)


def compare(features: Tensor, wanted: Tensor) -> Comparison:
    """Features [N, F] of a set against those of the held-out heads [M, F]."""
    precision, recall = precision_and_recall(features, wanted)
    diversity = mean_distance(features) / mean_distance(wanted)
    return Comparison(kernel_distance(features, wanted), precision, recall, diversity)


def measure_coverage(reader: AttributePredictor, faces: Tensor, heads: Tensor) -> tuple[Coverage, ...]:
    """Each visible attribute's readings over faces [N, 3, R, R] against those over heads [M, 3, R, R]."""
    read, wanted = (_apply_in_batches(reader.read, images) for images in (faces, heads))
    result = []
    for index, attribute in enumerate(reader.attributes):
        if not attribute.is_visible:
            continue
        a, b = read[:, index], wanted[:, index]
        low, high = (float(torch.quantile(b, q)) for q in (0.002, 0.998))
        edges = torch.linspace(low, max(high, low + 1e-6), BINS + 1)
        shares = (tuple(round(s, 4) for s in histogram(x, edges).tolist()) for x in (a, b))
        spread = float(a.std() / b.std().clamp(min=1e-8))
        places = tuple(round(edge, 5) for edge in edges.tolist())
        result.append(Coverage(attribute.name, spread, histogram_intersection(a, b, edges), places, *shares))
    return tuple(result)


def discriminator_features(discriminator: Discriminator, images: Tensor) -> Tensor:
    """Images [N, 3, R, R] -> the discriminator's map before its epilogue, averaged over quarters, [N, 4 * C(4)]."""
    x = discriminator.features(images)[-1]
    return F.avg_pool2d(x, x.shape[-1] // 2).flatten(1)


def _build_standardised_features(discriminator: Discriminator, heads: Tensor) -> Callable[[Tensor], Tensor]:
    """The discriminator's features with mean 0 and deviation 1 over `heads`, limited."""

    def plain(images: Tensor) -> Tensor:
        return _apply_in_batches(lambda part: discriminator_features(discriminator, part), images)

    features = plain(heads)
    centre, spread = features.mean(dim=0), features.std(dim=0).clamp(min=1e-6)
    return lambda images: ((plain(images) - centre) / spread).clamp(-_LIMIT, _LIMIT)


def _render_heads(side: int, count: int, cache: Path, note: Callable[[str], None]) -> Iterator[Tensor]:
    """The first `count` held-out heads and as many others, uint8 [count, R, R, 3], R as near to `side` as heads are
    rendered."""
    resolution = min(RESOLUTIONS, key=lambda r: abs(r - side))
    for index in range(2):
        shard = _open_or_render_shard(cache, ShardKey(resolution, HEAD_SEED, index), note)
        yield torch.from_numpy(np.array(shard.pixels[:count]))


def _open_or_render_shard(cache: Path, key: ShardKey, note: Callable[[str], None]) -> HeadShard:
    """A shard from `cache`, rendered where it is absent; one of another renderer is taken as it is, and said."""
    path = cache / key.file_name
    if not path.exists():
        make_folder(cache)
        note(f"rendering heads into {path}")
        render_shard(cache, key)
    shard = open_shard(path)
    if shard.renderer != renderer_digest():
        note(f"note: {path} comes from another version of the renderer; delete it to renew it")
    return shard


def _apply_in_batches(read: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return torch.cat([read(part) for part in torch.split(images, _BATCH)])
