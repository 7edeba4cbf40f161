"""Our float32 convolution with a gradient of its input: for searches through a network whose weights stay.

Both are sums in an order that shapes fix, like the pictures that are saved: a lock is the same step in every process.
Weights have no gradient here, and gradients none of their own.

Shape legend: N = batch, I/O = input/output channels, h = side of the input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tuiface.engine.cuda.kernels import CHANNEL_MULTIPLE, Kernels


def takes(x: Tensor, weight: Tensor) -> bool:
    """Whether `convolve` is for this convolution of x [N, I, h, h] by weight [O, I, K, K]."""
    num_out, num_in, side, _ = weight.shape
    is_frozen = x.dtype == torch.float32 and not weight.requires_grad
    return is_frozen and side == 3 and num_in % CHANNEL_MULTIPLE == num_out % CHANNEL_MULTIPLE == 0


def convolve(kernels: Kernels, x: Tensor, weight: Tensor, *, up: bool) -> Tensor:
    """x [N, I, h, h] by weight [O, I, 3, 3], zeros around -> [N, O, h, h].

    up: the transposed convolution of stride 2 -> [N, O, 2h + 1, 2h + 1].
    """
    function = _Upsampling if up else _Convolution
    y: Tensor = function.apply(x, kernels, weight)  # type: ignore[no-untyped-call]
    return y


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Kernels, weight: Tensor) -> Tensor:
        ctx.kernels, ctx.weight = kernels, weight
        return kernels.convolve(x, _store(weight), up=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """By the mirrored weights."""
        transposed = ctx.weight.transpose(0, 1).flip(2, 3)
        return ctx.kernels.convolve(grad, _store(transposed), up=False), None, None


class _Upsampling(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Kernels, weight: Tensor) -> Tensor:
        ctx.kernels, ctx.weight = kernels, weight
        return _interleave(kernels.convolve(x, _store(weight), up=True))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """A convolution of stride 2, taken at every place: as much work as the layer after it, by the same kernel."""
        everywhere = ctx.kernels.convolve(grad, _store(ctx.weight.transpose(0, 1)), up=False)
        return everywhere[:, :, 1::2, 1::2], None, None


def _store(weight: Tensor) -> Tensor:
    """[O, I, 3, 3] -> [9, I, O], as the kernel takes it."""
    return weight.permute(2, 3, 1, 0).flatten(0, 1).contiguous()


def _interleave(phases: Tensor) -> Tensor:
    """Phases [N, 4O, h + 1, h + 1] of `Kernels.convolve` -> the whole of them [N, O, 2h + 1, 2h + 1], channels-last."""
    n, four, side, _ = phases.shape
    parts = phases.permute(0, 2, 3, 1).reshape(n, side, side, 2, 2, four // 4)
    whole = parts.permute(0, 1, 3, 2, 4, 5).reshape(n, 2 * side, 2 * side, four // 4)
    return whole[:, :-1, :-1].permute(0, 3, 1, 2)
