"""What a network draws in single pixels, beside rendered heads: beads along silhouettes, grain in skin, other noise.

Beads are pixels that alternate, light and dark, along an outline. Where they lie, a segmenter says: at the outline of
the body, at that of the hair, and between hair and skin. How much there is of them, the fourth difference of the
picture along the tangent: of five samples x a pixel apart,

    a = (x[-2] - 4 x[-1] + 6 x[0] - 4 x[1] + x[2]) / 16

which gives a full alternation its whole amplitude, a wave of four pixels a quarter, one of eight a fiftieth, and
nothing to ramps and bends up to the third order: a sharp edge that is clean counts as little as a soft one. A picture's
energy is the mean of a^2 over the pixels of a kind, and a set's the geometric mean of its pictures': in the plain mean
a few grey heads, whose curls cross their outline, count more than all others, and beads do not show. Figures are
ratios to rendered heads of the same side, whose single hairs cross outlines too. Grain in skin is the same across rows
and columns, away from all outlines.

Shape legend: N = pictures, R = resolution, S = samples across a tangent (5), K = variants of a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.engine.networks.generator import Generator
from tuiface.engine.networks.layers import SynthesisLayer
from tuiface.engine.pixels import denormalise
from tuiface.engine.predictors import AttributePredictor, Segmenter
from tuiface.engine.predictors.segmenter import sum_regions

WANTED_BEADS = 1.2
"""Largest accepted energy along silhouettes, over that of rendered heads."""
IDENTITY_PERCENTILE = 5.0
"""Variants of one face must be nearer to each other than so many percent of pairs of persons are."""
IDENTITY = (
    "masculinity", "age", "melanin", "haemoglobin", "face_width", "face_length", "jaw_width", "chin_width",
    "cheekbones", "fullness", "neck_width", "nose_length", "nose_width", "nose_tip", "nose_bridge", "mouth_width",
    "lip_fullness", "eye_size", "brow_height", "brow_thickness", "brow_arch", "iris_lightness",
)  # fmt: skip
"""Attributes of persons, rather than of pictures; a reader may know some of them only."""

_TAPS = (1 / 16, -4 / 16, 6 / 16, -4 / 16, 1 / 16)
_BODY = (
    Region.SKIN, Region.BROWS, Region.EYES, Region.NOSE, Region.MOUTH, Region.EARS, Region.NECK, Region.CLOTHING,
)  # fmt: skip
_SKIN = (Region.SKIN, Region.NOSE, Region.EARS, Region.NECK)
_BLUR_PX = 2.0
"""Of the region maps, before their gradient is taken for the direction of an outline: steps of pixels are no turns."""
_REACH_PX = 1.5
"""Pixels as far from an outline count to it."""
_BATCH = 32
_FLOOR = 1e-12
"""Of an energy: flat pictures have none."""


@dataclass(frozen=True, slots=True)
class Beads:
    """Energy of single pixels along silhouettes, over that of rendered heads; 1 is as they are."""

    body: float
    """Where face, ears, neck or clothing end and the background begins: heads have no hairs there."""
    hair: float
    """Where hair ends and the background begins."""
    hairline: float
    """Between hair and skin."""

    @property
    def reach_goal(self) -> bool:
        """Whether none is above `WANTED_BEADS`."""
        return max(self.body, self.hair, self.hairline) <= WANTED_BEADS


@dataclass(frozen=True, slots=True)
class Variants:
    """What other noise makes of the same faces."""

    noise_inputs: int
    """Convolutions whose noise has a strength other than 0."""
    convolutions: int
    """All that could take noise."""
    different: float
    """Share of pairs of variants of one seed that differ by a level of 255 anywhere."""
    difference_levels: float
    """Root mean square of the difference between two variants, levels of 255."""
    same_identity: float
    """Share of pairs whose identity attributes are within the 5th percentile of the distances between persons."""
    grain: float
    """Energy of single pixels in the skin of the variants, over that of rendered heads."""
    grain_without_noise: float
    """The same of the faces drawn without noise."""

    @property
    def reach_goal(self) -> bool:
        """Whether other noise gives another picture of the same person, everywhere."""
        return self.different == 1 and self.same_identity == 1


@dataclass(frozen=True, slots=True)
class TextureEnergy:
    """Geometric means over pictures (see the module), in squares of the picture's range [-1, 1]."""

    body: float
    hair: float
    hairline: float
    skin: float


@torch.no_grad()
def measure_beads(segmenter: Segmenter, faces: Tensor, heads: Tensor) -> Beads:
    """Of faces [N, 3, R, R] against heads [M, 3, R, R] of the same side, both in [-1, 1]."""
    ours, theirs = measure_energy(segmenter, faces), measure_energy(segmenter, heads)
    return Beads(*(getattr(ours, kind) / max(getattr(theirs, kind), _FLOOR) for kind in ("body", "hair", "hairline")))


@torch.no_grad()
def measure_energy(segmenter: Segmenter, images: Tensor) -> TextureEnergy:
    """Of images [N, 3, R, R] in [-1, 1]; what no picture shows has an energy of 0."""
    energies = torch.cat([_measure_pictures(segmenter, part) for part in torch.split(images, _BATCH)])
    means = []
    for column in energies.unbind(1):
        shown = column[column.isfinite()]
        means.append(float(shown.clamp(min=_FLOOR).log().mean().exp()) if len(shown) else 0.0)
    return TextureEnergy(*means)


def _measure_pictures(segmenter: Segmenter, images: Tensor) -> Tensor:
    """Energies [N, 4] of single pictures, by the fields of `TextureEnergy`; NaN where a picture has too few pixels."""
    probabilities = segmenter.probabilities(images)
    background, hair = probabilities[:, Region.BACKGROUND, None], probabilities[:, Region.HAIR, None]
    body, skin = sum_regions(probabilities, _BODY), sum_regions(probabilities, _SKIN)
    around = _alternation_along(images, 1 - background)
    at_hair, between = _near_border(hair, background), _near_border(hair, skin)
    kinds = (
        (_near_border(body, background) & ~at_hair, around),
        (at_hair, around),
        (between, _alternation_along(images, hair)),
        (skin_interior(skin), _isotropic_alternation(images)),
    )
    columns = []
    for mask, energy in kinds:
        count = mask.flatten(1).sum(1)
        mean = torch.where(mask, energy, 0.0).flatten(1).sum(1) / count
        columns.append(torch.where(count >= images.shape[-1] / 8, mean, torch.nan))
    return torch.stack(columns, dim=1).cpu()


def skin_interior(skin: Tensor) -> Tensor:
    """bool [N, 1, R, R]: where a map of skin [N, 1, R, R] is sure, a fiftieth of the side away from all else."""
    reach = max(round(skin.shape[-1] / 50), 2)
    return -F.max_pool2d(-skin, 2 * reach + 1, 1, reach) > 0.8


def _near_border(first: Tensor, second: Tensor) -> Tensor:
    """bool [N, 1, R, R]: within reach of where one map [N, 1, R, R] gives way to the other, each above a half."""
    side = 2 * round(_REACH_PX + 0.5) - 1
    a, b = (F.max_pool2d((x > 0.5).float(), side, 1, side // 2) > 0 for x in (first, second))
    return a & b


def _alternation_along(images: Tensor, region: Tensor) -> Tensor:
    """a^2, mean of the colours, [N, 1, R, R] along the outline of a map [N, 1, R, R], at every pixel."""
    side = images.shape[-1]
    smooth = _blur(region, _BLUR_PX)
    dx = smooth[..., :, 2:] - smooth[..., :, :-2]
    dy = smooth[..., 2:, :] - smooth[..., :-2, :]
    dx, dy = F.pad(dx, (1, 1, 0, 0)), F.pad(dy, (0, 0, 1, 1))
    length = (dx * dx + dy * dy).sqrt().clamp(min=1e-9)
    tangent = torch.cat([-dy, dx], dim=1) / length  # [N, 2, R, R]: x, y
    places = (torch.arange(side, device=images.device) + 0.5) * 2 / side - 1
    grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=-1)  # [R, R, 2]
    steps = tangent.permute(0, 2, 3, 1) * (2 / side)
    total = torch.zeros_like(images)
    for offset, tap in zip(range(-2, 3), _TAPS, strict=True):
        at = grid + offset * steps
        total += tap * F.grid_sample(images, at, mode="bicubic", padding_mode="border", align_corners=False)
    return total.square().mean(dim=1, keepdim=True)


def _isotropic_alternation(images: Tensor) -> Tensor:
    """a^2, mean of the colours and of rows and columns, [N, 1, R, R]."""
    taps = images.new_tensor(_TAPS)
    flat = F.pad(images, (2, 2, 2, 2), mode="replicate").flatten(0, 1)[:, None]
    rows = F.conv2d(flat[:, :, 2:-2], taps.view(1, 1, 1, -1))
    columns = F.conv2d(flat[:, :, :, 2:-2], taps.view(1, 1, -1, 1))
    energy = (rows.square() + columns.square()) / 2
    return energy.view(images.shape).mean(dim=1, keepdim=True)


def _blur(x: Tensor, sigma: float) -> Tensor:
    """A map [N, 1, R, R] under a Gaussian, its rim repeated."""
    reach = round(3 * sigma)
    taps = torch.exp(-torch.arange(-reach, reach + 1, device=x.device).square() / (2 * sigma**2))
    taps = taps / taps.sum()
    padded = F.pad(x, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))


@torch.no_grad()
def measure_variants(
    generator: Generator, segmenter: Segmenter, predictor: AttributePredictor, ws: Tensor, heads: Tensor, count: int = 4
) -> Variants:
    """Of the faces ws [N, num_ws, w_dim], at least 8, each under `count` noises; heads [M, 3, R, R] to compare with."""
    layers = [x for _, x, _ in generator.synthesis.style_layers() if isinstance(x, SynthesisLayer)]
    strengths = [float(layer.noise_strength) for layer in layers]
    drawn = [_synthesize(generator, ws, seed) for seed in range(count)]
    levels = [denormalise(images).int() for images in drawn]
    pairs = [(i, j) for i in range(count) for j in range(i)]
    apart = torch.stack([(levels[i] - levels[j]).flatten(1).float() for i, j in pairs])  # [pairs, N, 3 R^2]
    identities = torch.stack([_read_identity(predictor, images) for images in drawn])  # [K, N, A]
    between = torch.pdist(identities[0])
    bound = torch.quantile(between, IDENTITY_PERCENTILE / 100)
    within = torch.stack([(identities[i] - identities[j]).norm(dim=1) for i, j in pairs])
    wanted = measure_energy(segmenter, heads).skin
    still = torch.cat([generator.synthesize(part, "none").clamp(-1, 1) for part in torch.split(ws, _BATCH)])
    grain, plain = (measure_energy(segmenter, images).skin / max(wanted, _FLOOR) for images in (drawn[0], still))
    return Variants(
        noise_inputs=sum(strength != 0 for strength in strengths),
        convolutions=len(strengths),
        different=float((apart.abs().amax(dim=2) >= 1).float().mean()),
        difference_levels=float(apart.square().mean().sqrt()),
        same_identity=float((within <= bound).float().mean()),
        grain=grain,
        grain_without_noise=plain,
    )


def _synthesize(generator: Generator, ws: Tensor, seed: int) -> Tensor:
    """Pictures [N, 3, R, R] in [-1, 1], each of its own noise, of `seed` alone."""
    random = torch.Generator().manual_seed(seed)
    sides = [map_.shape for map_ in generator.noise_maps("const", generator.check_resolution(None)).values()
             if map_ is not None]  # fmt: skip
    parts = []
    for part in torch.split(ws, _BATCH):
        noise: Sequence[Tensor] = [torch.randn(len(part), 1, *side, generator=random).to(ws.device) for side in sides]
        parts.append(generator.synthesize(part, noise).clamp(-1, 1))
    return torch.cat(parts)


def _read_identity(predictor: AttributePredictor, images: Tensor) -> Tensor:
    """Attributes of persons [N, A], in deviations of the reader's population."""
    columns = [i for i, attribute in enumerate(predictor.attributes) if attribute.name in IDENTITY]
    read = torch.cat([predictor.read(part) for part in torch.split(images, _BATCH)])[:, columns]
    spread = read.new_tensor([predictor.attributes[i].spread for i in columns])
    return read / spread
