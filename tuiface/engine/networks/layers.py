"""The layers that hold the networks' parameters: fully connected, modulated convolution, toRGB.

Parameters carry the names that NVIDIA's checkpoints use, so a state dict needs no translation.

Shape legend: N = batch, I/O = input/output channels, h/r = a layer's input/output resolution.
Sources: Karras et al. 2018 (equalised learning rate), Karras et al. 2020 (arXiv 1912.04958, modulation).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tuiface.engine.cuda import activation
from tuiface.engine.cuda.kernels import Kernels
from tuiface.engine.cuda.loaded import inference_kernels, training_kernels
from tuiface.engine.networks import ops


def draw_normal(*shape: int, std: float = 1.0) -> Tensor:
    """An initial tensor of N(0, std^2); convolution weights are channels-last.

    On the meta device, where a checkpoint is about to bring the values, nothing is computed: there each operation would
    be traced in Python, whose imports alone take a second.
    """
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    values = torch.empty(shape, memory_format=layout)
    return values if values.is_meta else values.normal_(std=std)


def fill_constant(value: float, *shape: int) -> Tensor:
    """An initial tensor of one value; empty on the meta device, as in `draw_normal`."""
    values = torch.empty(shape)
    return values if values.is_meta else values.fill_(value)


class FullyConnectedLayer(nn.Module):
    """Linear layer with a runtime weight scale ("equalised learning rate", Karras et al. 2018)."""

    def __init__(
        self, num_in: int, num_out: int, *, bias_init: float = 0.0, lr_multiplier: float = 1.0, activate: bool = False
    ) -> None:
        super().__init__()
        self.activate = activate
        self.weight = nn.Parameter(draw_normal(num_out, num_in, std=1 / lr_multiplier))
        self.bias = nn.Parameter(fill_constant(bias_init / lr_multiplier, num_out))
        self.weight_gain = lr_multiplier / math.sqrt(num_in)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """[N, num_in] -> [N, num_out]."""
        gain = ops.ACT_GAIN if self.activate else 1.0
        weight, bias = self.weight * (self.weight_gain * gain), self.bias * (self.bias_gain * gain)
        kernels = inference_kernels(x)
        if kernels is not None:
            return kernels.dense(x[:, None], weight, bias, leaky=self.activate)
        x = torch.addmm(bias, x, weight.t())
        return ops.leaky_relu(x) if self.activate else x


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU."""

    def __init__(
        self, num_in: int, num_out: int, w_dim: int, resolution: int, *, up: bool, clamp: float | None
    ) -> None:
        super().__init__()
        self.resolution = resolution
        self.up = up
        self.clamp = clamp
        self.affine = FullyConnectedLayer(w_dim, num_in, bias_init=1.0)
        self.weight = nn.Parameter(draw_normal(num_out, num_in, 3, 3))
        self.bias = nn.Parameter(fill_constant(0.0, num_out))
        self.noise_strength = nn.Parameter(fill_constant(0.0))
        self.register_buffer("noise_const", draw_normal(resolution, resolution))
        self.noise_const: Tensor

    def forward(self, x: Tensor, styles: Tensor, noise: Tensor | None) -> Tensor:
        """x [N, I, h, h], styles [N, I], noise broadcastable to [N, 1, r, r] or None -> [N, O, r, r]."""
        kernels = training_kernels(x, len(self.bias))
        if kernels is not None and (noise is None or not noise.requires_grad):
            return self._fuse(kernels, x, styles, noise)
        x = ops.modulated_conv2d(x, self.weight, styles, up=self.up, gain=ops.ACT_GAIN)
        if noise is not None:
            x = x + (noise * (self.noise_strength * ops.ACT_GAIN)).to(x.dtype)
        x = x + (self.bias * ops.ACT_GAIN).to(x.dtype).view(1, -1, 1, 1)
        return ops.leaky_relu(x, self.clamp)

    def _fuse(self, kernels: Kernels, x: Tensor, styles: Tensor, noise: Tensor | None) -> Tensor:
        """`forward` by the kernels of a GPU: a pass over the features before the convolution, and one after it."""
        x = ops.convolve_modulated(activation.scale(kernels, x, styles), self.weight, up=self.up)
        factors = ops.demodulation(styles, self.weight.square().sum(dim=(2, 3))) * ops.ACT_GAIN
        if noise is not None:
            noise = noise.view(-1, 1, *noise.shape[-2:]).contiguous()
        bias, strength = self.bias * ops.ACT_GAIN, self.noise_strength * ops.ACT_GAIN
        return activation.activate(kernels, x, factors, bias, noise, strength, self.clamp)


class ToRGBLayer(nn.Module):
    """Modulated 1x1 convolution to the picture's channels; styles carry the weight gain, no demodulation."""

    def __init__(self, num_in: int, num_out: int, w_dim: int, *, clamp: float | None) -> None:
        super().__init__()
        self.clamp = clamp
        self.weight_gain = 1 / math.sqrt(num_in)
        self.affine = FullyConnectedLayer(w_dim, num_in, bias_init=1.0)
        self.weight = nn.Parameter(draw_normal(num_out, num_in, 1, 1))
        self.bias = nn.Parameter(fill_constant(0.0, num_out))

    def forward(self, x: Tensor, styles: Tensor) -> Tensor:
        """x [N, I, r, r], styles [N, I] (before the gain) -> float32 [N, 3, r, r]."""
        if training_kernels(x) is None:
            x = ops.modulated_conv2d(x, self.weight, styles, demodulate=False, gain=self.weight_gain)
        else:
            x = ops.colours(x, self.weight[:, :, 0, 0] * self.weight_gain, styles)
        x = x.float() + self.bias.view(1, -1, 1, 1)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)
