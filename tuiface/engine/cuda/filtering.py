"""The low-pass filter as a function that can be differentiated any number of times, which R1 and path length need.

The filter is symmetric: its gradient is itself with the other number of zeros around, and so are that one's gradients.
cuDNN's depthwise convolution takes thirty times as long (docs/performance.md).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tuiface.engine.cuda.kernels import Kernels


def filter_low_pass(kernels: Kernels, x: Tensor, pad: int, gain: float) -> Tensor:
    """[N, C, H, W] by outer([1, 3, 3, 1]) / 64 * gain, `pad` (1 or 2) zeros around it -> [N, C, H + 2 pad - 3, ...]."""
    filtered: Tensor = _LowPass.apply(x, kernels, pad, gain)  # type: ignore[no-untyped-call]
    return filtered


class _LowPass(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Kernels, pad: int, gain: float) -> Tensor:
        ctx.kernels, ctx.pad, ctx.gain = kernels, pad, gain
        return kernels.filter(x, pad, gain)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        return filter_low_pass(ctx.kernels, grads[0], 3 - ctx.pad, ctx.gain), None, None, None
