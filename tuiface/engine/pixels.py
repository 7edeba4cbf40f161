"""Pictures as numbers in [-1, 1] and as levels 0 to 255: the two conventions, each with its inverse.

Networks' pictures: level k stands for [k, k + 1) of x * 127.5 + 128, as the field's generators write them. Its inverse
takes the middle of that range. Training pictures: level k is k / 127.5 - 1, so that 0 and 255 are the very ends.

Shape legend: N = pictures, R = their side.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from tuiface.core.errors import ModelError

#: Levels of 255 in one unit of a picture in [-1, 1].
LEVELS_PER_UNIT = 127.5


def to_levels(images: Tensor) -> Tensor:
    """Networks' pictures of any shape -> uint8 of that shape: x * 127.5 + 128, clipped to 0..255, truncated."""
    return (images * LEVELS_PER_UNIT).add_(128).clamp_(0, 255).to(torch.uint8)


def refuse_not_finite(images: Tensor) -> Tensor:
    """The same pictures. Raises ModelError for infinity or NaN, of which every measure and file would speak nonsense.

    Weights may be finite and still so large that they overflow. A sum finds it in one pass over the picture.
    """
    if not math.isfinite(float(images.sum(dtype=torch.float32))):
        raise ModelError("this network draws values that are not finite", "its weights, or the latents, are too large")
    return images


def to_pixels(image: Tensor) -> np.ndarray:
    """One network's picture, float32 [1, 3, R, R] -> uint8 [R, R, 3]. Raises ModelError where it is not finite."""
    return to_levels(refuse_not_finite(image)[0]).permute(1, 2, 0).contiguous().cpu().numpy()  # [3, R, R] -> [R, R, 3]


def image_of_pixels(pixels: np.ndarray, device: torch.device) -> Tensor:
    """uint8 [R, R, 3] -> the middle of what `to_pixels` makes them of, float32 [1, 3, R, R]."""
    levels = torch.from_numpy(pixels.copy()).to(device).permute(2, 0, 1)[None].float()
    return (levels + 0.5 - 128) / LEVELS_PER_UNIT


def normalise(pixels: Tensor, device: torch.device) -> Tensor:
    """Training pictures, uint8 [N, R, R, 3] -> float32 [N, 3, R, R] in [-1, 1], channels-last in memory."""
    return pixels.to(device).permute(0, 3, 1, 2).float() / LEVELS_PER_UNIT - 1


def denormalise(images: Tensor) -> Tensor:
    """Float pictures [N, 3, R, R] in [-1, 1] -> the nearest training pictures, uint8 [N, R, R, 3]."""
    return ((images.permute(0, 2, 3, 1) + 1) * LEVELS_PER_UNIT).round().to(torch.uint8)
