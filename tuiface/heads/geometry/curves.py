"""The smooth one-dimensional shapes from which heads are built: steps, bells, blends."""

from __future__ import annotations

import torch
from torch import Tensor

from tuiface.heads.constants import constant


def smoothstep(start: float, stop: float, x: Tensor) -> Tensor:
    """Cubic ramp from 0 at `start` to 1 at `stop`; falls instead when `start > stop`."""
    t = ((x - start) / (stop - start)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def bell(x: Tensor) -> Tensor:
    """Gaussian bump exp(-x^2): 1 at 0, 1/e at 1."""
    return torch.exp(-x * x)


def plateau(x: Tensor) -> Tensor:
    """Flat-topped bump exp(-x^4), for features that end rather than fade."""
    square = x * x
    return torch.exp(-square * square)


def soft_step(x: Tensor, width: float) -> Tensor:
    """Logistic step over about +-2 `width`: an antialiased inside/outside mask."""
    return torch.sigmoid(x / width)


def smooth_max(a: Tensor, b: Tensor, radius: float) -> Tensor:
    """Maximum with its corner rounded over `radius`: two surfaces that meet in a crease."""
    return 0.5 * (a + b + torch.sqrt((a - b) ** 2 + radius * radius))


def mix(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """`a` where `weight` is 0, `b` where it is 1."""
    return a + (b - a) * weight


def over(base: Tensor, paint: Tensor, coverage: Tensor) -> Tensor:
    """Paint colour [N, 3, ...] over `base` [N, 3, ...] with coverage [N, ...] in 0..1."""
    return base + (paint - base) * coverage[:, None]


def normalise(vectors: Tensor) -> Tensor:
    """Unit vectors along axis 1 of [N, 3, ...]; a zero vector stays near zero."""
    return vectors / (dot(vectors, vectors).sqrt() + 1e-8)[:, None]


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product over axis 1 of [N, 3, ...], spelled out: a matmul's rounding may depend on the batch."""
    x, y, z = (a * b).unbind(1)
    return x + y + z


def cross(a: Tensor, b: Tensor) -> Tensor:
    """Cross product over axis 1 of [N, 3, ...]."""
    return torch.stack(
        [
            a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
            a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
            a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
        ],
        dim=1,
    )


def colour(*rgb: float, device: torch.device) -> Tensor:
    """A constant linear RGB colour as [1, 3, 1, 1]."""
    return constant(rgb, device).view(1, 3, 1, 1)


def interpolate_table(xs: Tensor, ys: Tensor, x: Tensor) -> Tensor:
    """Piecewise-linear `ys(x)` over ascending knots `xs` [K]; clamps outside them."""
    right = torch.searchsorted(xs, x.contiguous()).clamp(1, len(xs) - 1)
    left = right - 1
    t = ((x - xs[left]) / (xs[right] - xs[left])).clamp(0, 1)
    return ys[left] * (1 - t) + ys[right] * t
