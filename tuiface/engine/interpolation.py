"""Bilinear interpolation whose gradient is a sum in a fixed order, also on CUDA.

There PyTorch's gradient adds by atomics, in whatever order the threads come: a face that is searched for down dozens of
such gradients would be another one each time. On a processor PyTorch's has one order, and is used.

Shape legend: N = batch, C = channels, H/W = height/width, R = side before.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_bilinear(maps: Tensor, side: int) -> Tensor:
    """[N, C, R, R] -> [N, C, side, side]; averaged where they are larger."""
    if maps.is_cuda:
        return resize_by_matrix(maps, side)
    return F.interpolate(maps, size=side, mode="bilinear", align_corners=False, antialias=side < maps.shape[-1])


def resize_by_matrix(maps: Tensor, side: int) -> Tensor:
    """The same as two products of matrices."""
    weights = _weights(maps.shape[-1], side, maps.device)
    return weights.t() @ maps @ weights


@cache
def _weights(before: int, side: int, device: torch.device) -> Tensor:
    """float32 [before, side]: what each place before weighs in each one after."""
    rows = torch.eye(before)[None, None]
    shrinks = side < before
    spread = F.interpolate(rows, size=(before, side), mode="bilinear", align_corners=False, antialias=shrinks)
    return spread[0, 0].to(device)


def double(img: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, 2H, 2W] at half-pixel centres, with zeros beyond the border.

    It can be differentiated any number of times.
    """
    return double_by_halving(img) if img.is_cuda else _double(img)


def double_by_halving(img: Tensor) -> Tensor:
    """The same, whose gradient halves."""
    doubled: Tensor = _Double.apply(img)  # type: ignore[no-untyped-call]
    return doubled


def _double(img: Tensor) -> Tensor:
    padded = F.pad(img, (1, 1, 1, 1))
    doubled = F.interpolate(padded, scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[:, :, 2:-2, 2:-2]


def _halve(x: Tensor) -> Tensor:
    """The transpose of `_double`: each place is what it gave to the four around it in each direction."""
    x = F.pad(x, (1, 1, 1, 1))
    x = 0.75 * (x[:, :, 1:-2:2] + x[:, :, 2:-1:2]) + 0.25 * (x[:, :, :-3:2] + x[:, :, 3::2])
    return 0.75 * (x[..., 1:-2:2] + x[..., 2:-1:2]) + 0.25 * (x[..., :-3:2] + x[..., 3::2])


class _Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, img: Tensor) -> Tensor:
        return _double(img)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        halved: Tensor = _Halve.apply(grads[0])  # type: ignore[no-untyped-call]
        return halved


class _Halve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _halve(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return double_by_halving(grads[0])
