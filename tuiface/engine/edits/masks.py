"""Which pixels a lock holds: soft masks of named regions, from a segmenter or from the boxes of aligned faces.

Shape legend: N = pictures, K = len(Region), R = side of a picture. Masks are in [0, 1]; 1 is inside.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.errors import UsageError
from tuiface.core.regions import Region
from tuiface.engine.interpolation import resize_bilinear
from tuiface.engine.predictors.segmenter import sum_regions
from tuiface.faces.recipe import LockMask, RegionLock

_FACE = (Region.SKIN, Region.BROWS, Region.EYES, Region.NOSE, Region.MOUTH, Region.GLASSES, Region.BEARD)
_REGIONS_BY_NAME: dict[str, tuple[Region, ...]] = {
    "hair": (Region.HAIR,),
    "face": _FACE,
    "skin": (Region.SKIN, Region.NOSE, Region.BEARD),
    "brows": (Region.BROWS,),
    "eyes": (Region.EYES,),
    "nose": (Region.NOSE,),
    "mouth": (Region.MOUTH,),
    "ears": (Region.EARS,),
    "neck": (Region.NECK,),
    "clothing": (Region.CLOTHING,),
    "background": (Region.BACKGROUND,),
}

#: Share of the picture's side by which the inner face stays away from the contour, and by which features are widened.
MARGIN = 0.02
#: Half the fraction of the side over which a mask goes from 0 to 1.
SOFTNESS = 0.012

#: Boxes of faces aligned as FFHQ's, at 256 px: row and column of the centre, height, width (Zhu et al. 2022, ReSeFa).
#: The brows' and the face's are measured on the same alignment.
_BOXES: dict[Region, tuple[float, float, float, float]] = {
    Region.BROWS: (98, 128, 20, 130),
    Region.EYES: (120, 128, 20, 115),
    Region.NOSE: (142, 131, 40, 46),
    Region.MOUTH: (184, 127, 30, 70),
}
_FACE_ELLIPSE = (146.0, 128.0, 186.0, 136.0)


class RegionPredictor(Protocol):
    """Says what each pixel of a face shows."""

    def probabilities(self, images: Tensor) -> Tensor:
        """float32 [N, 3, R, R] in [-1, 1] -> [N, K, R, R] that sum to 1 over K; differentiable."""
        ...


class BoxRegions:
    """Regions by the boxes of aligned faces, the same for every picture; hair, ears, neck and clothing are unknown."""

    def probabilities(self, images: Tensor) -> Tensor:
        """As `RegionPredictor` says; whatever is not in a box is skin within the face's ellipse, else background."""
        side = images.shape[-1]
        at = (torch.arange(side, device=images.device) + 0.5) * (256 / side)
        row, column = at.view(-1, 1), at.view(1, -1)
        y, x, height, width = _FACE_ELLIPSE
        radius = (((row - y) / (height / 2)) ** 2 + ((column - x) / (width / 2)) ** 2).sqrt()
        face = torch.sigmoid((1 - radius) * 24)
        maps = torch.zeros(len(Region), side, side, device=images.device)
        for region, (y, x, height, width) in _BOXES.items():
            inside = torch.sigmoid((height / 2 - (row - y).abs()) / 2) * torch.sigmoid(
                (width / 2 - (column - x).abs()) / 2
            )
            maps[region] = inside * face * (1 - maps.sum(dim=0)).clamp(0, 1)
        maps[Region.SKIN] = (face - maps.sum(dim=0)).clamp_min(0)
        maps[Region.BACKGROUND] = (1 - maps.sum(dim=0)).clamp_min(0)
        return maps.expand(images.shape[0], -1, -1, -1)


def build_lock_mask(probabilities: Tensor, locks: tuple[RegionLock, ...], side: int) -> Tensor:
    """float32 [N, 1, side, side]: how firmly each pixel is held, the largest strength over all locks.

    probabilities: [N, K, R, R] of the faces whose regions are held.
    """
    held = torch.zeros(probabilities.shape[0], 1, side, side, device=probabilities.device)
    resized = resize_maps(probabilities, side)
    strongest: dict[tuple[str, LockMask | None], RegionLock] = {}
    for lock in sorted(locks, key=lambda lock: lock.strength):
        strongest[lock.region, lock.mask] = lock  # weaker ones on the same pixels hold nothing beyond it
    for lock in strongest.values():
        held = torch.maximum(held, lock.strength * _saturate(_build_region_mask(resized, lock, side)))
    return held


def refuse_unknown_regions(locks: tuple[RegionLock, ...], predictor: RegionPredictor) -> None:
    """Raise UsageError for a lock on a region that the predictor cannot tell."""
    unknown = {"hair", "hairline", "ears", "neck", "clothing"} if isinstance(predictor, BoxRegions) else set()
    for i, lock in enumerate(locks):
        if lock.region in unknown:
            raise UsageError(
                f"locks[{i}].region: '{lock.region}' is not known for this model's faces",
                "accepted: frame, face, skin, brows, eyes, nose, mouth, background, or a mask PNG",
            )


def refuse_immovable(held: Tensor) -> None:
    """Raise UsageError where `held` [N, 1, side, side] leaves nothing that may change."""
    if float((1 - held).mean()) < 0.002:
        raise UsageError("the locks leave nothing that may change", "lock fewer regions, or lower their strength")


def _build_region_mask(probabilities: Tensor, lock: RegionLock, side: int) -> Tensor:
    """[N, 1, side, side] for one lock at strength 1."""
    if lock.mask is not None:
        mask = torch.from_numpy(lock.mask.array()).float().to(probabilities.device)
        return resize_maps(mask[None, None], side).expand(probabilities.shape[0], -1, -1, -1)
    if lock.region == "frame":
        return 1 - _build_inner_face_mask(probabilities, side)
    if lock.region == "hairline":
        hair = probabilities[:, Region.HAIR, None]
        face = sum_regions(probabilities, _FACE)
        return _soften(_dilate(hair, side, 2 * MARGIN) * _dilate(face, side, 2 * MARGIN), side)
    inside = sum_regions(probabilities, _REGIONS_BY_NAME[lock.region])
    return _soften(_dilate(inside, side, MARGIN), side)


def _build_inner_face_mask(probabilities: Tensor, side: int) -> Tensor:
    """The face without its border: what may change while the contour stays."""
    face = sum_regions(probabilities, _FACE)
    return _soften(1 - _dilate(1 - face, side, MARGIN), side)


def _dilate(mask: Tensor, side: int, fraction: float) -> Tensor:
    """Widen a mask by `fraction` of the side, and by what `_soften` then takes from its border."""
    radius = max(1, round(fraction * side)) + 2 * _soft_radius(side)
    return _max_along(_max_along(mask, radius, -1), radius, -2)


def _max_along(mask: Tensor, radius: int, dim: int) -> Tensor:
    """The largest value within `radius` of each along one dimension.

    By windows of twice the width each time, which are the largest of two: a dozen comparisons a pixel, where max_pool2d
    takes those of the whole square, eight thousand at 1024 px.
    """
    kernel, width = 2 * radius + 1, 1
    found = F.pad(mask, (radius, radius) if dim == -1 else (0, 0, radius, radius), value=-torch.inf)
    while width < kernel:
        shift = min(width, kernel - width)
        length = found.shape[dim] - shift
        found = torch.maximum(found.narrow(dim, 0, length), found.narrow(dim, shift, length))
        width += shift
    return found


def _soften(mask: Tensor, side: int) -> Tensor:
    """Blur a mask's border by two box filters, which together weigh as a triangle."""
    radius = _soft_radius(side)
    kernel = 2 * radius + 1
    for _ in range(2):
        mask = F.avg_pool2d(F.pad(mask, (radius,) * 4, mode="replicate"), kernel, stride=1)
    return mask


def _soft_radius(side: int) -> int:
    return max(1, round(SOFTNESS * side))


def _saturate(mask: Tensor) -> Tensor:
    """Stretch a soft mask so that its ends are reached: exactly 0 and 1 away from the border."""
    return ((mask - 0.1) / 0.8).clamp(0, 1)


def resize_maps(maps: Tensor, side: int) -> Tensor:
    """[N, C, R, R] -> [N, C, side, side], interpolated; averaged where they are larger."""
    return maps if maps.shape[-1] == side else resize_bilinear(maps, side)
