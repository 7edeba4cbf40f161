"""What locks, crossing and contour measures see of a picture: coarse colours, and background, face and hair.

Shape legend: N = pictures, R = side of a picture, s = side at which it is observed, P = 6 s^2 numbers observed of it.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.directions.frame_metric import FRAME_SIDE_PX
from tuiface.engine.edits.masks import RegionPredictor, resize_maps
from tuiface.engine.predictors.segmenter import group_probabilities

#: Pictures are observed at this side: coarse enough to be quick, fine enough for a face's outline.
OBSERVED_SIDE = 64
#: Blocks beyond this are not computed for observing: they paint detail.
MAX_SYNTHESIS_SIDE = 256


def synthesis_side(img_resolution: int) -> int:
    """The block to stop at for a picture that is only observed."""
    return min(img_resolution, MAX_SYNTHESIS_SIDE)


def observe(images: Tensor, predictor: RegionPredictor) -> Tensor:
    """Pictures [N, 3, R, R] -> float32 [N, P]: colours, then the contour's classes; differentiable."""
    classes = group_probabilities(predictor.probabilities(images.clamp(-1, 1)))  # [N, 3, R, R]
    return torch.cat([pool(images), pool(classes)], dim=1).flatten(1)  # [N, 6, s, s] -> [N, P]


def pool(maps: Tensor) -> Tensor:
    """[N, C, R, R] -> [N, C, s, s] with s at most `OBSERVED_SIDE`, averaged."""
    return maps if maps.shape[-1] <= OBSERVED_SIDE else F.avg_pool2d(maps, maps.shape[-1] // OBSERVED_SIDE)


def contour_labels(image: Tensor, predictor: RegionPredictor) -> Tensor:
    """Picture [1, 3, R, R] -> uint8 [224, 224] of `frame_metric.BACKGROUND`, `FACE`, `HAIR`."""
    scaled = resize_maps(image.clamp(-1, 1), FRAME_SIDE_PX)
    classes = group_probabilities(predictor.probabilities(scaled))  # [1, 3, 224, 224]
    return classes[0].argmax(dim=0).to(torch.uint8)


def segment_contour(image: Tensor, predictor: RegionPredictor) -> np.ndarray:
    """`contour_labels` on the host."""
    return contour_labels(image, predictor).cpu().numpy()
