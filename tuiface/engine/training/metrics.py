"""Figures on generated pictures that need no other network.

Patch-SWD, the sliced Wasserstein distance between 7x7 patches of Laplacian pyramids (Karras et al. 2018, arXiv
1710.10196, section 5), says how close textures are at each scale, and keeps the best network of a run. The distances of
discriminator features would not do for that: the discriminator changes from one snapshot to the next.

Shape legend: N = batch, R = resolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_PATCH = 7
_PATCHES_PER_IMAGE = 64
_PROJECTIONS = 128
_COARSEST = 16


def patch_swd(images: Tensor, reference: Tensor, seed: int = 0) -> dict[int, float]:
    """Distance by resolution (R, R/2, ..., 16) between two sets of as many pictures [N, 3, R, R] in [-1, 1].

    Patches are compared as they are, so that colour counts; times 1000.
    """
    generator = torch.Generator().manual_seed(seed)
    distances = {}
    for a, b in zip(_pyramid(images), _pyramid(reference), strict=True):
        size = _PATCH if a.shape[2] >= _PATCH else a.shape[2]
        places = torch.randint(0, (a.shape[2] - size + 1) ** 2, (len(a), _PATCHES_PER_IMAGE), generator=generator)
        directions = torch.randn(3 * size**2, _PROJECTIONS, generator=generator)
        directions = (directions / directions.norm(dim=0)).to(a.device)
        first, second = (torch.sort(_patches(x, places.to(x.device), size) @ directions, dim=0).values for x in (a, b))
        distances[a.shape[2]] = float((first - second).abs().mean()) * 1000
    return distances


def diversity(images: Tensor, reference: Tensor) -> float:
    """Mean distance between pictures [N, 3, R, R] at 16 px, over that of the reference: below 1, modes collapse."""
    shrink = max(images.shape[2] // _COARSEST, 1)
    spread, wanted = (float(torch.pdist(F.avg_pool2d(x, shrink).flatten(1)).mean()) for x in (images, reference))
    return spread / max(wanted, 1e-8)


def overfitting(training_logits: Tensor, held_out_logits: Tensor, fake_logits: Tensor) -> float:
    """r_v of Karras et al. 2020b, eq. 1: 0 while D treats held-out pictures as it does those it learns from, 1 when it
    takes them for generated ones."""
    train, held_out, fake = (float(logits.mean()) for logits in (training_logits, held_out_logits, fake_logits))
    return (train - held_out) / max(train - fake, 1e-8)


def _pyramid(images: Tensor) -> list[Tensor]:
    """Laplacian pyramid from R down; its last level is the 16 px picture itself."""
    levels = []
    while images.shape[2] > _COARSEST:
        coarse = F.avg_pool2d(images, 2)
        levels.append(images - F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False))
        images = coarse
    return [*levels, images]


def _patches(images: Tensor, places: Tensor, size: int) -> Tensor:
    """Patches [N * P, 3 * size^2] at `places` int64 [N, P] of images [N, 3, r, r]."""
    unfolded = F.unfold(images, size)  # [N, 3 * size^2, places]
    index = places[:, None].expand(-1, unfolded.shape[1], -1)
    return unfolded.gather(2, index).transpose(1, 2).flatten(0, 1)
