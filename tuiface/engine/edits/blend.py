"""Keeping a region's features, and its pixels: what holds where turning the edit away is not enough.

Features and RGB sums of the edited face are replaced by those of the unedited one wherever the mask holds, at 16 to
64 px (after Collins et al. 2020, arXiv 2004.14367); then its pixels, which are exact outside the mask's soft border.

Shape legend: R = side of a picture; held is [1, 1, R, R], 1 where the face must stay.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tuiface.engine.edits.masks import resize_maps
from tuiface.engine.networks.inference import FeatureBlend

BLEND_RESOLUTIONS = (16, 32, 64)


def build_feature_blend(held: Tensor) -> FeatureBlend:
    """For batches of two, the unedited face and the edited one: hold the second to the first."""
    masks: dict[int, Tensor] = {}

    def blend(features: Tensor, resolution: int) -> Tensor:
        if resolution not in BLEND_RESOLUTIONS:
            return features
        if resolution not in masks:
            masks[resolution] = resize_maps(held, resolution)
        unedited, edited = features.chunk(2)
        mixed = torch.lerp(edited, unedited, masks[resolution].to(features.dtype))
        return torch.cat([unedited, mixed]).contiguous(memory_format=torch.channels_last)

    return blend


def paste(unedited: np.ndarray, edited: np.ndarray, held: np.ndarray) -> np.ndarray:
    """uint8 [R, R, 3]: the edited picture where held [R, R] is 0, the unedited one's very bytes where it is 1."""
    weight = held.astype(np.float64)[..., None]
    mixed = np.rint(edited * (1 - weight) + unedited * weight)
    return mixed.clip(0, 255).astype(np.uint8)


def border_jump_ratio(unedited: np.ndarray, edited: np.ndarray, held: np.ndarray) -> float:
    """Mean colour step between neighbouring pixels along the mask's border, edited over unedited.

    1 where the border shows no more than it did; uint8 [R, R, 3] twice, held [R, R].
    """
    ratio = []
    for picture in (edited, unedited):
        steps = []
        for axis in (0, 1):
            near = (np.minimum(*_pair(held, axis)) < 1) & (np.maximum(*_pair(held, axis)) > 0)
            steps.append(np.abs(np.diff(picture.astype(np.int16), axis=axis)).mean(axis=2)[near])
        ratio.append(float(np.concatenate(steps).mean()) if any(s.size for s in steps) else 0.0)
    return ratio[0] / ratio[1] if ratio[1] else 1.0


def _pair(held: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    return (held[:-1], held[1:]) if axis == 0 else (held[:, :-1], held[:, 1:])
