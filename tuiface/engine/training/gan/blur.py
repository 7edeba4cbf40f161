"""Gaussian blur of all that the discriminator sees, which fades: single pixels weigh nothing at first.

A generator that comes taught from elsewhere deceives a discriminator most cheaply by its finest scale: grain, and
alternating pixels along outlines, which stay for good once D has learned to ask for them. Blurred alike, real and drawn
pictures differ first in what matters at arm's length (Karras et al. 2021, arXiv 2106.12423, appendix F.1).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_REACH = 3.0
"""Of the kernel, in standard deviations of the widest one."""
_LEAST_PX = 0.15
"""A narrower Gaussian leaves a pixel's neighbours less than a ten-thousandth."""


class FadingBlur:
    """A separable Gaussian of standard deviation `start_px`, falling linearly to none."""

    def __init__(self, start_px: float, kimg: float, device: torch.device) -> None:
        self._start_px, self._images = start_px, kimg * 1000
        self._reach = math.ceil(_REACH * start_px)
        self.kernel = torch.zeros(2 * self._reach + 1, device=device)
        """Kept in one tensor: a captured step reads what it holds at the time."""
        self.is_active = False

    def set_progress(self, images: int) -> None:
        """As wide as it is after so many pictures."""
        left = max(1 - images / self._images, 0.0) if self._images else 0.0
        sigma = self._start_px * left
        self.is_active = sigma > _LEAST_PX
        if self.is_active:
            at = torch.arange(-self._reach, self._reach + 1, device=self.kernel.device) / sigma
            self.kernel.copy_(torch.exp(-0.5 * at**2))

    def apply(self, images: Tensor) -> Tensor:
        """Pictures [N, C, R, R], differentiable; borders are mirrored."""
        if not self.is_active:
            return images
        n, c, height, width = images.shape
        reach = min(self._reach, height - 1, width - 1)
        kernel = self.kernel[self._reach - reach : self._reach + reach + 1]
        kernel = kernel / kernel.sum()  # less than 1 where a small picture holds a part of it
        x = F.pad(images, (reach, reach, reach, reach), mode="reflect").reshape(n * c, 1, height + 2 * reach, -1)
        x = F.conv2d(F.conv2d(x, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
        return x.reshape(n, c, height, width)
