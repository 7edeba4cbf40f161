"""Adaptive discriminator augmentation: our own differentiable pipeline, and the controller of its strength.

Each transformation happens to each picture independently with probability p, so at p = 0 the pipeline is the identity.
Gradients reach the generator through it once; R1 is taken behind it (`losses`), so it needs no second derivative.

From Karras et al. 2020b (2006.06676), section 2.2 and appendix B: pixel blitting, geometry and colour with the paper's
distributions. Instead of the paper's wavelet filters, geometry resamples bilinearly from a twice enlarged picture and
averages back, with reflection beyond the border.

Shape legend: N = batch, R = resolution.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from tuiface.engine.interpolation import resize_bilinear
from tuiface.engine.training.gan.settings import AugmentSettings
from tuiface.engine.training.rng import RandomGenerator

_LUMA = 1 / math.sqrt(3)


class AdaptiveAugmentation:
    """The strength p of a run's augmentation, and its controller, which waits for no device."""

    def __init__(self, settings: AugmentSettings, device: torch.device) -> None:
        self._target, self._ramp_images = settings.target, settings.ramp_kimg * 1000
        self.p = torch.zeros([], dtype=torch.float64, device=device)
        """Probability of each transformation, float64 []."""
        self.sign_sum = torch.zeros([], dtype=torch.float64, device=device)
        """Sum of sign D(x) over real pictures since p was last adjusted, float64 []."""

    @property
    def may_act(self) -> bool:
        """Whether pictures must be augmented. p is looked at where that costs nothing; a GPU would be waited for, so
        there they are whenever p may rise: at p = 0 none changes."""
        return self._target > 0 and (self.p.is_cuda or float(self.p) > 0)

    def adjust(self, num_images: int) -> None:
        """Move p towards its target by the signs of `num_images`, which begin anew."""
        mean = self.sign_sum / num_images
        self.p.copy_(adjust_probability(self.p, mean, self._target, num_images, self._ramp_images))
        self.sign_sum.zero_()

    def restore(self, p: float, sign_sum: float) -> None:
        """Go on from these."""
        self.p.fill_(p)
        self.sign_sum.fill_(sign_sum)


def augment(images: Tensor, p: Tensor, rng: RandomGenerator) -> Tensor:
    """Images [N, 3, R, R] in [-1, 1] -> as many, each transformation applied with probability `p`, a float64 []."""
    images = blit(images, p, rng)
    images = warp(images, geometry_matrices(images.shape[0], p, rng))
    return recolour(images, colour_matrices(images.shape[0], p, rng))


def blit(images: Tensor, p: Tensor, rng: RandomGenerator) -> Tensor:
    """Mirror, quarter turns and whole-pixel shifts of up to 1/8 of the side: nothing is resampled."""
    n, _, side, _ = images.shape
    mirrored = rng.bernoulli(n, p) & (rng.uniform(n) < 0.5)
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    turns = torch.where(rng.bernoulli(n, p), rng.integers(0, 4, n), 0)
    for quarter in (1, 2, 3):
        chosen = (turns == quarter)[:, None, None, None]
        images = torch.where(chosen, images.rot90(quarter, (2, 3)), images)
    reach = side / 8
    shifts = ((rng.uniform(n, 2) * 2 - 1) * reach).round().long()
    shifts = torch.where(rng.bernoulli(n, p)[:, None], shifts, 0)
    return _shift(images, shifts)


def _shift(images: Tensor, shifts: Tensor) -> Tensor:
    """Images [N, 3, R, R] moved by `shifts` int64 [N, 2] (rows, columns), mirrored at the border."""
    side = images.shape[2]
    places = torch.arange(side, device=images.device)[None] - shifts.t()[:, :, None]  # [2, N, R]
    period = 2 * (side - 1)
    places = places % period
    rows, columns = torch.where(places < side, places, period - places)
    samples = torch.arange(len(images), device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def geometry_matrices(count: int, p: Tensor, rng: RandomGenerator) -> Tensor:
    """Random similarity and affine maps [N, 3, 3] of coordinates in [-1, 1]^2.

    In order: scale 2^N(0, 0.2), rotation, stretch 2^N(0, 0.2), rotation, translation N(0, 1/8). The two rotations are
    drawn so that together they happen with probability p.
    """
    eye = torch.eye(3, device=rng.device).repeat(count, 1, 1)
    p_rotation = 1 - (1 - p).sqrt()

    def happens(probability: Tensor, matrices: Tensor) -> Tensor:
        return torch.where(rng.bernoulli(count, probability)[:, None, None], matrices, eye)

    def scale(x: Tensor, y: Tensor) -> Tensor:
        return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=1))

    def rotation() -> Tensor:
        angle = (rng.uniform(count) * 2 - 1) * math.pi
        cos, sin, matrices = angle.cos(), angle.sin(), eye.clone()
        matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 0], matrices[:, 1, 1] = cos, -sin, sin, cos
        return matrices

    zoom, stretch = (2 ** (0.2 * rng.normal(count)) for _ in range(2))
    shift = eye.clone()
    shift[:, :2, 2] = rng.normal(count, 2) * 0.25  # 1/8 of the side, which is 2 long
    matrices = happens(p, scale(zoom, zoom)) @ happens(p_rotation, rotation())
    matrices = matrices @ happens(p, scale(stretch, 1 / stretch)) @ happens(p_rotation, rotation())
    return matrices @ happens(p, shift)


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Resample images [N, 3, R, R] at `matrices` [N, 3, 3] times the output's coordinates; identities stay exact."""
    moved = (matrices != torch.eye(3, device=matrices.device)).flatten(1).any(dim=1)
    if images.is_cuda:  # how many move is not known there without waiting
        return torch.where(moved[:, None, None, None], _resample(images, matrices), images)
    places = moved.nonzero()[:, 0]
    if not len(places):
        return images
    return images.index_put((places,), _resample(images[places], matrices[places]))


def _resample(images: Tensor, matrices: Tensor) -> Tensor:
    n, channels, side, _ = images.shape
    fine = resize_bilinear(images, 2 * side)
    grid = F.affine_grid(matrices[:, :2], [n, channels, 2 * side, 2 * side], align_corners=False)
    sampled = sample_in_any_order(fine, grid) if images.is_cuda else _sample(fine, grid)
    return F.avg_pool2d(sampled, 2)


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


_PLACE_BITS = 12
_GRADIENT_BITS = 22
_BILINEAR, _REFLECTION = 0, 2
"""As torch numbers its modes."""


def sample_in_any_order(images: Tensor, grid: Tensor) -> Tensor:
    """Images [N, C, R, R], R a power of two, at `grid` [N, R, R, 2] -> [N, C, R, R], reflected at the border.

    On CUDA the gradient adds what places give to their pixels by atomics, in whatever order the threads come. Here all
    orders have one sum, for each is exact: places are rounded to 2^-12 of a pixel, gradients to 2^-22 of the largest,
    so that a product of two weights and a gradient has 46 bits, and 128 of them fit the 53 of a float64.
    """
    steps = images.shape[-1] << (_PLACE_BITS - 1)  # of a coordinate, whose unit is half a side
    sampled: Tensor = _SampleInAnyOrder.apply(images, (grid * steps).round() / steps)  # type: ignore[no-untyped-call]
    return sampled


class _SampleInAnyOrder(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        return _sample(images, grid)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        unit = grad.abs().amax().clamp(min=torch.finfo(grad.dtype).tiny).double() / 2**_GRADIENT_BITS
        whole = (grad.double() / unit).round()
        unused = whole.new_zeros([]).expand(whole.shape)  # pictures matter to the gradient of the grid alone
        sums, _ = torch.ops.aten.grid_sampler_2d_backward(
            whole, unused, grid.double(), _BILINEAR, _REFLECTION, align_corners=False, output_mask=[True, False]
        )
        return (sums * unit).to(grad.dtype), None


def colour_matrices(count: int, p: Tensor, rng: RandomGenerator) -> Tensor:
    """Random affine maps of colour [N, 4, 4], on (r, g, b, 1).

    In order: brightness N(0, 0.2), contrast 2^N(0, 0.5), luma flip, hue rotation, saturation 2^N(0, 1).
    """
    eye = torch.eye(4, device=rng.device).repeat(count, 1, 1)
    axis = torch.full((4,), _LUMA, device=rng.device)
    axis[3] = 0
    luma = torch.outer(axis, axis)  # projection on grey

    def happens(matrices: Tensor) -> Tensor:
        return torch.where(rng.bernoulli(count, p)[:, None, None], matrices, eye)

    brightness = eye.clone()
    brightness[:, :3, 3] = rng.normal(count, 1) * 0.2
    contrast = eye * (2 ** (0.5 * rng.normal(count)))[:, None, None]
    contrast[:, 3, 3] = 1
    flip = eye - 2 * luma * rng.integers(0, 2, count)[:, None, None]
    hue = _rotation_about(axis[:3], (rng.uniform(count) * 2 - 1) * math.pi)
    rgb = torch.eye(4, device=rng.device)
    rgb[3, 3] = 0
    saturation = (2 ** rng.normal(count))[:, None, None]
    saturated = luma + (rgb - luma) * saturation + (eye - rgb)
    matrices = happens(contrast) @ happens(brightness)
    return happens(saturated) @ happens(hue) @ happens(flip) @ matrices


def _rotation_about(axis: Tensor, angle: Tensor) -> Tensor:
    """Rotations [N, 4, 4] of colour by `angle` [N] about the unit vector `axis` [3] (Rodrigues' formula)."""
    eye = torch.eye(3, device=angle.device)
    cross = torch.linalg.cross(axis[:, None].expand(3, 3), eye, dim=0)  # column j: axis x e_j
    sin, cos = angle.sin()[:, None, None], angle.cos()[:, None, None]
    turned = eye + sin * cross + (1 - cos) * (cross @ cross)
    matrices = torch.eye(4, device=angle.device).repeat(len(angle), 1, 1)
    matrices[:, :3, :3] = turned
    return matrices


def recolour(images: Tensor, matrices: Tensor) -> Tensor:
    """Apply `matrices` [N, 4, 4] to the colours of images [N, 3, R, R]."""
    shifted = torch.einsum("nij,njhw->nihw", matrices[:, :3, :3], images)
    return shifted + matrices[:, :3, 3, None, None]


def adjust_probability(p: Tensor, sign_mean: Tensor, target: float, num_images: int, ramp_images: float) -> Tensor:
    """p, float64 [], moved towards the target: up while D is too sure of real pictures, else down.

    sign_mean is r_t = E[sign D(x)] since the last adjustment, `num_images` of the pictures seen since then.
    """
    step = torch.full_like(p, num_images / ramp_images)
    return (p + torch.copysign(step, sign_mean - target)).clamp(0, 1)
