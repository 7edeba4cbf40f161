"""Convolution whose gradients, of any order, are convolutions of the same kind.

With C a convolution, its two gradients are bilinear as well, and the three are closed under differentiation:

    y  = C(x, w) + b       dx = I(dy, w)        dw = W(dy, x), db = sum dy
    dx = I(dy, w)          d(dy) = C(ddx, w)    d(w) = W(dy, ddx)
    dw = W(dy, x)          d(dy) = C(x, ddw)    d(x) = I(dy, ddw)

So each call is one that libraries are fast in: forward, by data, by weights. PyTorch's own second derivative makes the
gradient of weights a dilated convolution with the batch for channels and a picture for kernel, in a layout of its own,
also where nobody asked for it, and one for each channel of a depthwise filter: of R1's time on a CPU, and of that of a
GPU, most (docs/performance.md). First derivatives have the bits of PyTorch's.

Shape legend: N = batch, I/O = input/output channels, K = kernel side. All maps are channels-last in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.engine.cuda import frozen
from tuiface.engine.cuda.kernels import Kernels
from tuiface.engine.cuda.loaded import loaded_kernels

_ALIGNED_CHANNELS = 8


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a convolution moves over its input."""

    stride: int = 1
    padding: int = 0
    transposed: bool = False
    """Of the gradient's kind: weights are [I, O, K, K]."""
    groups: int = 1

    def arguments(self) -> tuple[list[int], list[int], list[int], bool, list[int], int]:
        """As aten's operators take them: stride, padding, dilation, transposed, output padding, groups."""
        return [self.stride] * 2, [self.padding] * 2, [1, 1], self.transposed, [0, 0], self.groups


_PLAIN = Geometry(padding=1)
_UP = Geometry(stride=2, transposed=True)


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """x [N, I, H, W] by weight [O, I / groups, K, K], plus bias [O]; differentiable any number of times."""
    if x.is_cuda and geometry == Geometry(padding=geometry.padding):
        x, weight = pad_inputs(x, weight)
    kernels = _exact_kernels(x, weight, geometry)
    if kernels is not None:
        up = geometry == _UP
        y = frozen.convolve(kernels, x, weight.transpose(0, 1) if up else weight, up=up)
        return y if bias is None else y + bias.view(1, -1, 1, 1)
    if not torch.is_grad_enabled():
        return torch.convolution(x, weight, bias, *geometry.arguments())
    y = _ByWeight.apply(weight, bias, (x,), geometry)  # type: ignore[no-untyped-call]
    return _ByInput.apply(x, y, (weight,), geometry)  # type: ignore[no-untyped-call,no-any-return]


def _exact_kernels(x: Tensor, weight: Tensor, geometry: Geometry) -> Kernels | None:
    """Our own kernels where exact convolutions are asked for, by weights that stay; cuDNN's may have other bits."""
    kernels, cudnn = loaded_kernels(x.device), torch.backends.cudnn
    if kernels is None or not cudnn.deterministic or cudnn.allow_tf32 or geometry not in (_PLAIN, _UP):
        return None
    return kernels if frozen.takes(x, weight) else None


# One node of the graph for each gradient, so that autograd leaves out what nobody asked for: R1 and path length first
# want that of the input alone. What a node needs besides comes in a tuple: it makes no edge of the graph.


class _ByWeight(torch.autograd.Function):
    """C, as a function of weight and bias."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, given: tuple[Tensor], geometry: Geometry) -> Tensor:
        (x,) = given
        ctx.save_for_backward(weight, x)
        ctx.geometry = geometry
        return torch.convolution(x, weight, bias, *geometry.arguments())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        weight, x = ctx.saved_tensors
        needs_weight, needs_bias, _, _ = ctx.needs_input_grad
        if not needs_weight:
            return None, grads[0].sum(dim=(0, 2, 3)), None, None
        grad = to_channels_last(grads[0])
        return *_by_weight(grad, x, weight, ctx.geometry, has_bias=needs_bias), None, None


class _ByInput(torch.autograd.Function):
    """What `_ByWeight` gave, as a function of the input too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, given: tuple[Tensor], geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, *given)
        ctx.geometry = geometry
        return y.data  # the same memory, and no view: the layer that follows may overwrite it

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        x, weight = ctx.saved_tensors
        grad = to_channels_last(grads[0])
        dx = _by_input(grad, weight, x, ctx.geometry) if ctx.needs_input_grad[0] else None
        return dx, grad, None, None


class _InputGradient(torch.autograd.Function):
    """I; `x` stands for its shape."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, weight: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(grad, weight)
        ctx.geometry = geometry
        return _input_gradient(grad, weight, x, geometry)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        grad, weight = ctx.saved_tensors
        needs_grad, needs_weight, _, _ = ctx.needs_input_grad
        ddx = to_channels_last(grads[0])
        d_grad = convolve(ddx, weight, None, ctx.geometry) if needs_grad else None
        dw = None
        if needs_weight:
            dw, _ = _by_weight(grad, ddx, weight, ctx.geometry, has_bias=False)
        return d_grad, dw, None, None


class _WeightGradient(torch.autograd.Function):
    """W, and the bias' gradient where there is one; `weight` stands for its shape."""

    @staticmethod
    def forward(
        ctx: Any, grad: Tensor, x: Tensor, weight: Tensor, bias_sizes: list[int] | None, geometry: Geometry
    ) -> tuple[Tensor, Tensor | None]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(grad, x)
        ctx.geometry = geometry
        return _weight_gradient(grad, x, weight, bias_sizes, geometry)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        ddw, ddb = grads
        grad, x = ctx.saved_tensors
        needs_grad, needs_x, *_ = ctx.needs_input_grad
        d_grad = dx = None
        if ddw is not None:
            ddw = to_channels_last(ddw)
            if needs_grad:
                d_grad = convolve(x, ddw, ddb, ctx.geometry)
            if needs_x:
                dx = _by_input(grad, ddw, x, ctx.geometry)
        elif ddb is not None and needs_grad:
            d_grad = ddb.view(1, -1, 1, 1).expand_as(grad)
        return d_grad, dx, None, None, None


def _by_input(grad: Tensor, weight: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
    if not torch.is_grad_enabled():  # nothing will differentiate this, and a node costs time
        return _input_gradient(grad, weight, x, geometry)
    return _InputGradient.apply(grad, weight, x, geometry)  # type: ignore[no-untyped-call,no-any-return]


def _by_weight(
    grad: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, *, has_bias: bool
) -> tuple[Tensor, Tensor | None]:
    bias_sizes = [grad.shape[1]] if has_bias else None
    if not torch.is_grad_enabled():
        return _weight_gradient(grad, x, weight, bias_sizes, geometry)
    return _WeightGradient.apply(grad, x, weight, bias_sizes, geometry)  # type: ignore[no-untyped-call,no-any-return]


def _input_gradient(grad: Tensor, weight: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
    wanted = [True, False, False]
    dx: Tensor
    dx, _, _ = torch.ops.aten.convolution_backward(grad, x, weight, None, *geometry.arguments(), wanted)
    return dx


def _weight_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, bias_sizes: list[int] | None, geometry: Geometry
) -> tuple[Tensor, Tensor | None]:
    has_bias = bias_sizes is not None
    wanted = [False, True, has_bias]
    _, dw, db = torch.ops.aten.convolution_backward(grad, x, weight, bias_sizes, *geometry.arguments(), wanted)
    return dw, db if has_bias else None


def every_second(x: Tensor) -> Tensor:
    """Every second row and column of x [N, C, H, W], from the first; channels-last, and so are its gradients."""
    return _EverySecond.apply(x)  # type: ignore[no-untyped-call,no-any-return]


class _EverySecond(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.shape = x.shape
        return to_channels_last(x[:, :, ::2, ::2])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _Spread.apply(grads[0], ctx.shape)  # type: ignore[no-untyped-call,no-any-return]


class _Spread(torch.autograd.Function):
    """Its transpose: zeros between."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, shape: torch.Size) -> Tensor:
        spread = torch.empty(shape, dtype=grad.dtype, device=grad.device, memory_format=torch.channels_last).zero_()
        spread[:, :, ::2, ::2] = grad
        return spread

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return every_second(grads[0]), None


def pad_inputs(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """x [N, I, H, W] and weight [O, I, K, K] with zeros up to a multiple of 8 channels.

    cuDNN's tensor cores take no other number: three colours and the map of the minibatch's deviation would fall to
    kernels that are many times slower.
    """
    missing = -x.shape[1] % _ALIGNED_CHANNELS
    if not missing:
        return x, weight
    zeros = (0, 0, 0, 0, 0, missing)
    return to_channels_last(F.pad(x, zeros)), to_channels_last(F.pad(weight, zeros))


def to_channels_last(x: Tensor) -> Tensor:
    """x [N, C, H, W], with its channels together in memory."""
    return x.contiguous(memory_format=torch.channels_last)
