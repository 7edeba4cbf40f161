"""Rendered heads made to look less like renderings: what the readers are trained on, so that they read other pictures.

Generated faces are softer, grainier and otherwise lit than the heads; photos are compressed and not quite aligned. Each
picture gets a random share of each of these faults. Positions move with the region map; what the labels are about
(identity, tone, light) moves as little as `strength` says.

Shape legend: N = batch, R = resolution.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.engine.training.gan.augment import recolour
from tuiface.engine.training.rng import RandomGenerator

_BLOCK = 8
_MIN_SIDE_FRACTION, _MAX_SIDE_FRACTION = 0.35, 0.9


def misalign(images: Tensor, regions: Tensor, strength: float, rng: RandomGenerator) -> tuple[Tensor, Tensor]:
    """Images [N, 3, R, R] and their regions uint8 [N, R, R], moved together.

    At strength 1: rotation of 6 degrees, scale of 8 %, shift of 4 % of the side (standard deviations).
    """
    count = len(images)
    angle = strength * math.radians(6) * rng.normal(count)
    scale = 2 ** (strength * 0.115 * rng.normal(count))
    matrices = torch.zeros(count, 2, 3, device=images.device)
    matrices[:, 0, 0] = matrices[:, 1, 1] = angle.cos() * scale
    matrices[:, 0, 1], matrices[:, 1, 0] = -angle.sin() * scale, angle.sin() * scale
    matrices[:, :, 2] = strength * 0.08 * rng.normal(count, 2)  # of a side that is 2 long
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    ids = regions[:, None].float()
    ids = F.grid_sample(ids, grid, mode="nearest", padding_mode="border", align_corners=False)
    return moved, ids[:, 0].round().to(torch.uint8)


def recast(images: Tensor, strength: float, rng: RandomGenerator) -> Tensor:
    """Other colours: at strength 1 gain 2^N(0, 0.25), offset N(0, 0.1), tint N(0, 0.06), saturation 2^N(0, 0.4)."""
    count = len(images)
    matrices = torch.zeros(count, 4, 4, device=images.device)
    grey = torch.full((3, 3), 1 / 3, device=images.device)
    saturation = (2 ** (0.4 * strength * rng.normal(count)))[:, None, None]
    gain = (2 ** (0.25 * strength * rng.normal(count)))[:, None, None]
    eye = torch.eye(3, device=images.device)
    matrices[:, :3, :3] = gain * (grey + (eye - grey) * saturation)
    offset = strength * (0.1 * rng.normal(count, 1) + 0.06 * rng.normal(count, 3))
    matrices[:, :3, 3] = offset
    matrices[:, 3, 3] = 1
    return recolour(images, matrices)


def degrade(images: Tensor, rng: RandomGenerator) -> Tensor:
    """Images [N, 3, R, R]: softened, grained and compressed, each a part of the time; the result is in [-1, 1]."""
    images = soften(images, rng)
    images = add_grain(images, rng)
    return compress(images, rng).clamp(-1, 1)


def soften(images: Tensor, rng: RandomGenerator) -> Tensor:
    """As if they came from fewer pixels: up to wholly replaced by their reduction, two times in three."""
    count, _, side, _ = images.shape
    fraction = _MIN_SIDE_FRACTION + (_MAX_SIDE_FRACTION - _MIN_SIDE_FRACTION) * float(rng.uniform(1))
    small = F.interpolate(
        images, size=max(round(side * fraction), 8), mode="bilinear", align_corners=False, antialias=True
    )
    soft = F.interpolate(small, size=side, mode="bilinear", align_corners=False)
    amount = (1.5 * rng.uniform(count)).clamp(max=1) * rng.bernoulli(count, 0.67)
    return torch.lerp(images, soft, amount[:, None, None, None])


def add_grain(images: Tensor, rng: RandomGenerator) -> Tensor:
    """Gaussian noise, fine and of two pixels' size, up to 0.08 each, half of the time."""
    count, _, side, _ = images.shape
    fine = rng.normal(count, 1, side, side)
    coarse = F.interpolate(rng.normal(count, 1, side // 2, side // 2), scale_factor=2.0, mode="bilinear")
    amounts = 0.08 * rng.uniform(2, count) ** 2 * rng.bernoulli(count, 0.5)
    return images + amounts[0, :, None, None, None] * fine + amounts[1, :, None, None, None] * coarse


def compress(images: Tensor, rng: RandomGenerator) -> Tensor:
    """Cosine coefficients of 8x8 blocks rounded, the finer the coarser, as JPEG does; a quarter of the time."""
    count, channels, side, _ = images.shape
    if side % _BLOCK:
        return images
    basis = _dct_basis(images.device)
    blocks = images.reshape(count, channels, side // _BLOCK, _BLOCK, side // _BLOCK, _BLOCK)
    coefficients = torch.einsum("ui,nchiwj,vj->nchuwv", basis, blocks, basis)
    fineness = torch.arange(_BLOCK, device=images.device)
    ramp = 1 + 0.5 * (fineness[:, None, None] + fineness)  # [8, 1, 8]
    step = (0.02 + 0.15 * rng.uniform(count))[:, None, None, None, None, None] * ramp
    rounded = (coefficients / step).round() * step
    lossy = torch.einsum("ui,nchuwv,vj->nchiwj", basis, rounded, basis).reshape(images.shape)
    return torch.where(rng.bernoulli(count, 0.25)[:, None, None, None], lossy, images)


def _dct_basis(device: torch.device) -> Tensor:
    """The orthonormal cosine transform of 8 samples, [8, 8]."""
    frequency = torch.arange(_BLOCK, device=device)[:, None]
    place = torch.arange(_BLOCK, device=device) + 0.5
    basis = torch.cos(math.pi * frequency * place / _BLOCK) * math.sqrt(2 / _BLOCK)
    basis[0] /= math.sqrt(2)
    return basis
