"""What training does between convolutions, as one function that can be differentiated twice, which R1 and path length
need.

    y = clamp(leaky_relu(f x + b + s noise))            f [N, C], b [C], s a number; the gain sqrt 2 rides on all three

With m the slope of clamp after leaky ReLU, which is constant almost everywhere and can be read off y, and g = m dy:

    dx = f g        df = sum g x        db = sum g        ds = sum g noise
    d(dy) = m (f ddx + x ddf + ddb + dds noise)        d(x) = ddf g        d(f) = sum g ddx

which is two kernels: `combine`, for y and d(dy), and `gradients` for the rest. PyTorch's operators make seven passes of
the first line. Without an activation (m = 1) the same is a product with styles.

Where y is the clamp's limit, the slope is 0. Nothing here waits for the device, and all memory is of PyTorch's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tuiface.engine.cuda.kernels import Gradients, Kernels, Terms


def scale(kernels: Kernels, x: Tensor, factor: Tensor) -> Tensor:
    """x [N, C, H, W] times factor float32 [N, C]."""
    return _Activation.apply(x, factor, None, None, None, kernels, None)  # type: ignore[no-untyped-call,no-any-return]


def activate(
    kernels: Kernels,
    x: Tensor,
    factor: Tensor | None,
    bias: Tensor,
    noise: Tensor | None,
    strength: Tensor | None,
    clamp: float | None,
) -> Tensor:
    """x [N, C, H, W] * factor [N, C] + bias [C] + noise [1 or N, 1, H, W] * strength [], leaky ReLU, clamp.

    All but x are float32; no gradient reaches the noise.
    """
    return _Activation.apply(x, factor, bias, strength, noise, kernels, clamp)  # type: ignore[no-untyped-call,no-any-return]


class _Activation(torch.autograd.Function):
    """With a bias; a product alone without."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        factor: Tensor | None,
        bias: Tensor | None,
        strength: Tensor | None,
        noise: Tensor | None,
        kernels: Kernels,
        clamp: float | None,
    ) -> Tensor:
        activates = bias is not None
        factor = None if factor is None else factor.contiguous()
        terms = Terms(factor, None, bias, noise, strength, clamp)
        y = kernels.combine(x, terms, activates=activates)
        ctx.kernels, ctx.clamp = kernels, clamp
        ctx.save_for_backward(None if factor is None else x, factor, noise, y if activates else None)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, factor, noise, kept = ctx.saved_tensors
        dx, df, db, ds = _Backward.apply(grads[0], x, factor, noise, kept, ctx.kernels, ctx.clamp)  # type: ignore[no-untyped-call]
        _, _, has_bias, has_strength, *_ = ctx.needs_input_grad
        return dx, df, db if has_bias else None, ds if has_strength else None, None, None, None


class _Backward(torch.autograd.Function):
    """Its gradient, as a function of what comes in, of x and of the factor."""

    @staticmethod
    def forward(
        ctx: Any,
        grad: Tensor,
        x: Tensor | None,
        factor: Tensor | None,
        noise: Tensor | None,
        kept: Tensor | None,
        kernels: Kernels,
        clamp: float | None,
    ) -> tuple[Tensor | None, ...]:
        ctx.set_materialize_grads(False)
        ctx.kernels, ctx.clamp = kernels, clamp
        ctx.save_for_backward(grad, x, factor, noise, kept)
        made = kernels.gradients(grad, Terms(factor, noise=noise, clamp=clamp), kept=kept, x=x)
        assert made.bias is not None
        return made.x, made.factor, made.bias.sum(dim=0), None if made.strength is None else made.strength.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        ddx, ddf, ddb, dds = grads
        grad, x, factor, noise, kept = ctx.saved_tensors
        ddf, ddb = (None if one is None else one.contiguous() for one in (ddf, ddb))
        terms = Terms(factor, ddf, ddb, None if dds is None else noise, dds, ctx.clamp)
        d_grad = ctx.kernels.combine(ddx, terms, v=None if ddf is None else x, kept=kept)
        by = Gradients(None, None, None, None)
        if factor is not None and (ddx is not None or ddf is not None):
            by = ctx.kernels.gradients(grad, Terms(ddf, clamp=ctx.clamp), kept=kept, x=ddx, wants_x=ddf is not None)
        return d_grad, by.x, by.factor, None, None, None, None
