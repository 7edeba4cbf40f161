"""How good a network's faces are, against the rendered heads that training holds out: the first shard of head seed 0.

Features are the attribute predictor's (standardised over rendered heads) and those of the network's own discriminator
(the last map before its epilogue, averaged over quarters, standardised over the held-out heads and limited to four
deviations: a few pictures would otherwise decide the kernel's third power). The discriminator was trained to tell these
very faces from heads, so its figures are the strict ones. The same figures of the second shard stand beside them: what
a perfect generator would get.

distances   of two sets of feature vectors: as distributions, and in what they cover
measure     all figures of a network
report      as files: figures as JSON, faces beside heads, and histograms as PNG

Shape legend: N, M = vectors in a set, F = length of a vector.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from tuiface.benchmarks.textures import Beads, Variants, measure_beads, measure_variants
from tuiface.core.files import make_folder, write_file
from tuiface.engine.checkpoint import Checkpoint
from tuiface.engine.latents import z_from_seed
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.pixels import normalise
from tuiface.engine.predictors import AttributePredictor, Segmenter
from tuiface.engine.predictors.networks import resize_images
from tuiface.engine.training.data.head_shards import HeadShard, ShardKey, open_shard, render_shard, renderer_digest
from tuiface.engine.training.report import picture_grid
from tuiface.heads import RESOLUTIONS

NEIGHBOURS = 3
"""k of precision and recall."""


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """KID: the unbiased squared maximum mean discrepancy of x [N, F] and y [M, F] under k(a, b) = (a.b / F + 1)^3.

    0 in the mean for samples of one distribution, so it may be slightly negative. Binkowski et al. 2018 (1801.01401),
    section 4; there with Inception features, so that figures compare only within one kind of features.
    """
    n, m = len(x), len(y)
    assert n > 1
    assert m > 1
    x, y = x.double(), y.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.t() / a.shape[1] + 1) ** 3

    within_x, within_y = kernel(x, x), kernel(y, y)
    first = (within_x.sum() - within_x.diagonal().sum()) / (n * (n - 1))
    second = (within_y.sum() - within_y.diagonal().sum()) / (m * (m - 1))
    return float(first + second - 2 * kernel(x, y).mean())


def precision_and_recall(generated: Tensor, data: Tensor) -> tuple[float, float]:
    """Improved precision and recall of generated [N, F] against data [M, F], k = 3.

    Precision is the share of generated vectors that lie within the third-neighbour distance of some data vector;
    recall the same with the roles exchanged. Kynkaanniemi et al. 2019 (1904.06991), eq. 1 and 2.
    """
    distances = torch.cdist(generated.double(), data.double())
    precision = (distances <= _radii(data)[None, :]).any(dim=1).float().mean()
    recall = (distances <= _radii(generated)[:, None]).any(dim=0).float().mean()
    return float(precision), float(recall)


def mean_distance(x: Tensor) -> float:
    """Mean distance between two of x [N, F]."""
    return float(torch.pdist(x.double()).mean())


def histogram_intersection(x: Tensor, y: Tensor, edges: Tensor) -> float:
    """Overlap of two histograms of numbers x [N] and y [M] over bins with `edges`: 0 apart, 1 alike."""
    return float(torch.minimum(histogram(x, edges), histogram(y, edges)).sum())


def histogram(values: Tensor, edges: Tensor) -> Tensor:
    """Shares of values [N] in the bins between `edges` [B + 1], [B]; what lies beyond counts to the outer bins."""
    places = torch.bucketize(values.contiguous(), edges[1:-1])
    return torch.bincount(places, minlength=len(edges) - 1).float() / len(values)


def _radii(vectors: Tensor) -> Tensor:
    """Distance [N] of each vector to its third-nearest neighbour among the others."""
    distances = torch.cdist(vectors.double(), vectors.double())
    return distances.kthvalue(min(NEIGHBOURS + 1, len(vectors)), dim=1).values


HEAD_SEED = 0
"""Seed of the population of heads; networks and readers are trained on it without its first shard."""
FIRST_SEED = 100_000
"""Of the generated faces: away from those that are looked at during training."""
BINS = 12
WANTED_SPREAD = 0.8
WANTED_RECALL = 0.5
_NUM_VARIED = 64
"""Faces that are drawn under several noises."""
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
    """Of the attributes that the predictor sees well."""
    beads: dict[str, Beads]
    """Single pixels along silhouettes: "generated", and "rendered", the other sample of heads."""
    variants: Variants
    """What other noise makes of the first faces."""
    faces: Tensor
    """Generated, float32 [N, 3, R, R]."""
    heads: Tensor
    """Held out, float32 [N, 3, R, R]."""


@torch.no_grad()
def measure(
    checkpoint: Checkpoint,
    predictor: AttributePredictor,
    segmenter: Segmenter,
    count: int,
    cache: Path,
    note: Callable[[str], None],
) -> Quality:
    """Compare `count` faces at psi 1 with as many held-out heads, which are rendered into `cache` where they are not
    there yet.

    Raises InputFileError for a damaged shard there, and OutputError where one cannot be written.
    """
    faces = generate(checkpoint, count)
    heads, others = (
        normalise(pixels, torch.device("cpu")) for pixels in _render_heads(faces.shape[-1], count, cache, note)
    )
    kinds: dict[str, Callable[[Tensor], Tensor]] = {
        "reader": lambda images: _apply_in_batches(predictor.features, images)
    }
    if checkpoint.discriminator is not None and faces.shape[-1] == heads.shape[-1]:
        kinds["discriminator"] = _build_standardised_features(checkpoint.discriminator, heads)
    generated, rendered = {}, {}
    for kind, features in kinds.items():
        wanted = features(heads)
        generated[kind] = compare(features(faces), wanted)
        rendered[kind] = compare(features(others), wanted)
    fitted = resize_images(heads, faces.shape[-1])
    beads = {
        kind: measure_beads(segmenter, resize_images(images, faces.shape[-1]), fitted)
        for kind, images in (("generated", faces), ("rendered", others))
    }
    ws = map_seeds(checkpoint, min(count, _NUM_VARIED))
    variants = measure_variants(checkpoint.generator, segmenter, predictor, ws, fitted)
    coverage = measure_coverage(predictor, faces, heads)
    return Quality(count, generated, rendered, coverage, beads, variants, faces, heads)


def generate(checkpoint: Checkpoint, count: int) -> Tensor:
    """Faces [count, 3, R, R] of consecutive seeds at psi 1, in [-1, 1]."""
    generator = checkpoint.generator
    parts = torch.split(map_seeds(checkpoint, count), _BATCH)
    return torch.cat([generator.synthesize(part) for part in parts]).clamp(-1, 1)


def map_seeds(checkpoint: Checkpoint, count: int) -> Tensor:
    """ws [count, num_ws, w_dim] of the same seeds."""
    generator = checkpoint.generator
    config = generator.config
    labels = torch.eye(config.c_dim)[torch.arange(count) % config.c_dim] if config.c_dim else None
    z = torch.cat([z_from_seed(FIRST_SEED + index, config.z_dim) for index in range(count)])
    return generator.map(z) if labels is None else generator.map(z, labels)


def compare(features: Tensor, wanted: Tensor) -> Comparison:
    """Features [N, F] of a set against those of the held-out heads [M, F]."""
    precision, recall = precision_and_recall(features, wanted)
    diversity = mean_distance(features) / mean_distance(wanted)
    return Comparison(kernel_distance(features, wanted), precision, recall, diversity)


def measure_coverage(predictor: AttributePredictor, faces: Tensor, heads: Tensor) -> tuple[Coverage, ...]:
    """Each visible attribute's readings over faces [N, 3, R, R] against those over heads [M, 3, R, R]."""
    read, wanted = (_apply_in_batches(predictor.read, images) for images in (faces, heads))
    result = []
    for index, attribute in enumerate(predictor.attributes):
        if not attribute.is_visible:
            continue
        a, b = read[:, index], wanted[:, index]
        low, high = (float(torch.quantile(b, q)) for q in (0.002, 0.998))
        edges = torch.linspace(low, max(high, low + 1e-6), BINS + 1)
        fractions = (tuple(round(s, 4) for s in histogram(x, edges).tolist()) for x in (a, b))
        spread = float(a.std() / b.std().clamp(min=1e-8))
        places = tuple(round(edge, 5) for edge in edges.tolist())
        result.append(Coverage(attribute.name, spread, histogram_intersection(a, b, edges), places, *fractions))
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


FORMAT = "tuiface.quality/1"
_COLUMNS, _ROWS, _SIDE, _GAP = 6, 6, 128, 16
_PANEL, _PANEL_COLUMNS, _MARGIN, _BAR_TOP = (168, 96), 6, 8, 20
_GROUND, _INK, _DATA, _GENERATED = (24, 24, 28), (220, 220, 220), (110, 110, 120), (240, 150, 60)


def write_report(out: Path, quality: Quality, model: Mapping[str, str]) -> dict[str, object]:
    """Write quality.json, quality-sheet.png and quality-histograms.png into `out`; returns what the JSON holds.

    Raises OutputError where they cannot be written; earlier reports are replaced.
    """
    make_folder(out)
    report = summarise(quality, model)
    write_file(out / "quality.json", (json.dumps(report, indent=1) + "\n").encode(), force=True)
    _write_png(out / "quality-sheet.png", draw_side_by_side(quality.heads, quality.faces))
    _write_png(out / "quality-histograms.png", draw_histograms(quality.coverage))
    return report


def summarise(quality: Quality, model: Mapping[str, str]) -> dict[str, object]:
    """All figures, and whether the goals are reached."""
    narrow = [c.name for c in quality.coverage if c.spread < WANTED_SPREAD]
    return {
        "format": FORMAT,
        "model": dict(model),
        "count": quality.count,
        "psi": 1.0,
        "first_seed": FIRST_SEED,
        "held_out_population": HEAD_SEED,
        "generated": {kind: _round_values(asdict(c)) for kind, c in quality.generated.items()},
        "rendered": {kind: _round_values(asdict(c)) for kind, c in quality.rendered.items()},
        "coverage": [
            {**asdict(c), "spread": round(c.spread, 4), "overlap": round(c.overlap, 4)} for c in quality.coverage
        ],
        "beads": {kind: _round_values(asdict(beads)) for kind, beads in quality.beads.items()},
        "noise_variants": _round_values(asdict(quality.variants)),
        "goals": {
            "beads": quality.beads["generated"].reach_goal,
            "noise": quality.variants.reach_goal,
            "recall": quality.generated["reader"].recall >= WANTED_RECALL,
            "spread": not narrow,
            "narrow": narrow,
        },
    }


def draw_side_by_side(heads: Tensor, faces: Tensor) -> Image.Image:
    """Held-out heads on the left, generated faces on the right; [N, 3, R, R] in [-1, 1] each."""
    count = _COLUMNS * _ROWS
    left, right = (
        Image.fromarray(picture_grid(resize_images(x[:count], _SIDE), _COLUMNS).numpy()) for x in (heads, faces)
    )
    sheet = Image.new("RGB", (left.width + _GAP + right.width, left.height), _GROUND)
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + _GAP, 0))
    return sheet


def draw_histograms(coverage: tuple[Coverage, ...]) -> Image.Image:
    """A panel an attribute: the data's fractions as a ground, the generated faces' as bars in front."""
    width, height = _PANEL
    rows = max(-(-len(coverage) // _PANEL_COLUMNS), 1)
    picture = Image.new("RGB", (_PANEL_COLUMNS * width, rows * height), _GROUND)
    draw = ImageDraw.Draw(picture)
    for index, attribute in enumerate(coverage):
        left, top = (index % _PANEL_COLUMNS) * width + _MARGIN, (index // _PANEL_COLUMNS) * height + _MARGIN
        draw.text((left, top), f"{attribute.name}  {attribute.spread:.2f}", fill=_INK)
        tallest = max(*attribute.data, *attribute.generated)
        step = (width - 2 * _MARGIN) / len(attribute.data)
        floor, room = top + height - 2 * _MARGIN, height - 2 * _MARGIN - _BAR_TOP
        for place, (wanted, got) in enumerate(zip(attribute.data, attribute.generated, strict=True)):
            x = left + place * step
            draw.rectangle((x, floor - room * wanted / tallest, x + step - 1, floor), fill=_DATA)
            draw.rectangle((x + step / 4, floor - room * got / tallest, x + 3 * step / 4 - 1, floor), fill=_GENERATED)
    return picture


def _round_values(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}


def _write_png(path: Path, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    write_file(path, buffer.getvalue(), force=True)
