"""What an edit did to a face, in numbers that go into the frame and its provenance.

Pictures are float32 [1, 3, R, R] in [-1, 1]; changes are in levels of 255.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.directions.frame_metric import FRAME_SIDE_PX, contour_shift_px, frame_variation_percent
from tuiface.engine.edits.masks import RegionPredictor
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.predictors.segmenter import group_probabilities

#: Smallest outside change, in levels, that a ratio divides by: below it lies rounding.
MIN_CHANGE = 0.01


def segment_contour(image: Tensor, reader: RegionPredictor) -> np.ndarray:
    """uint8 [224, 224] of `frame_metric.BACKGROUND`, `FACE`, `HAIR`."""
    scaled = image.clamp(-1, 1)
    if image.shape[-1] != FRAME_SIDE_PX:
        shrinks = image.shape[-1] > FRAME_SIDE_PX
        scaled = F.interpolate(scaled, size=FRAME_SIDE_PX, mode="bilinear", align_corners=False, antialias=shrinks)
    groups = group_probabilities(reader.probabilities(scaled))
    return groups[0].argmax(dim=0).to(torch.uint8).cpu().numpy()


def contour_measures(before: np.ndarray, after: np.ndarray, side: int) -> dict[str, float]:
    """`frame_variation_percent` and `contour_shift_px` from two maps of `segment_contour`."""
    return {
        "frame_variation_percent": round(frame_variation_percent(before, after), 4),
        "contour_shift_px": round(contour_shift_px(before, after, side), 3),
    }


def change_measures(before: np.ndarray, after: np.ndarray, held: np.ndarray) -> dict[str, float]:
    """Mean and largest change outside what may change, and how much of the change lies inside.

    before, after: uint8 [R, R, 3]; held: float [R, R], largest where nothing may change, 0 where everything may.
    """
    change = np.abs(after.astype(np.int16) - before).max(axis=2)
    outside, inside = (held >= held.max()) & (held > 0), held <= 0
    found = {}
    if outside.any():
        found["outside_change_mean"] = round(float(change[outside].mean()), 4)
        found["outside_change_max"] = float(change[outside].max())
    if outside.any() and inside.any():
        ratio = float(change[inside].mean()) / max(float(change[outside].mean()), MIN_CHANGE)
        found["inside_outside_ratio"] = round(ratio, 3)
    return found


def identity_features(discriminator: Discriminator, image: Tensor) -> Tensor:
    """float32 [C]: what the discriminator makes of a picture at 4 px, all channels.

    Features of the checkpoint's own discriminator are a perceptual measure that needs no other network.
    """
    return discriminator.features(image)[-1].float().flatten()


def identity_similarity(before: Tensor, after: Tensor, mean_face: Tensor) -> float:
    """Cosine of two faces' `identity_features` as seen from the mean face's: 1 for the same picture.

    What all faces share would bring any two of them near 1.
    """
    return round(float(F.cosine_similarity(before - mean_face, after - mean_face, dim=0, eps=1e-6)), 4)
