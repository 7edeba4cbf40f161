"""A StyleGAN2 forward pass as the papers' formulas read, without any of our shortcuts: the baseline to measure against.

Weights are modulated and demodulated per sample and run as one grouped convolution; up-sampling inserts zeros; memory
is laid out channels-first; noise, bias, activation and gain are separate passes. Tests bind it to the engine's result.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.engine.networks import ops
from tuiface.engine.networks.generator import Generator
from tuiface.engine.networks.layers import SynthesisLayer, ToRGBLayer


def textbook_synthesis(
    generator: Generator, styles: Mapping[str, Tensor], noise: Mapping[str, Tensor | None]
) -> Tensor:
    """Styles ([N, I]) and noise by layer name -> float32 [N, 3, R, R]."""
    x: Tensor | None = None
    img: Tensor | None = None
    for block in generator.synthesis.blocks():
        for name, layer, _ in block.layers():
            key = f"b{block.resolution}.{name}"
            if x is None:
                x = block.const.expand(styles[key].shape[0], -1, -1, -1).contiguous()
            if isinstance(layer, SynthesisLayer):
                x = _convolution(x, layer, styles[key], noise[key])
            else:
                img = _to_rgb(x, img, layer, styles[key])
    assert img is not None
    return img


def _convolution(x: Tensor, layer: SynthesisLayer, styles: Tensor, noise: Tensor | None) -> Tensor:
    n = x.shape[0]
    weight = layer.weight.contiguous()[None] * styles[:, None, :, None, None]  # [N, O, I, 3, 3]
    weight = weight * torch.rsqrt(weight.square().sum(dim=(2, 3, 4), keepdim=True) + ops.DEMOD_EPS)
    out, h = weight.shape[1], x.shape[2]
    grouped = x.reshape(1, -1, h, h)
    if layer.up:
        kernel = weight.transpose(1, 2).reshape(-1, out, 3, 3)
        x = F.conv_transpose2d(grouped, kernel, stride=2, groups=n).reshape(n, out, 2 * h + 1, 2 * h + 1)
        fir = (ops.resample_filter(x.device) * 4).expand(out, 1, 4, 4)
        x = F.conv2d(x, fir, padding=1, groups=out)
    else:
        x = F.conv2d(grouped, weight.reshape(-1, weight.shape[2], 3, 3), padding=1, groups=n).reshape(n, out, h, h)
    if noise is not None:
        x = x + noise * layer.noise_strength
    return _bias_act(x, layer.bias, layer.clamp, activate=True)


def _to_rgb(x: Tensor, img: Tensor | None, layer: ToRGBLayer, styles: Tensor) -> Tensor:
    n, _, h, w = x.shape
    weight = layer.weight[None] * (styles * layer.weight_gain)[:, None, :, None, None]
    rgb = F.conv2d(x.reshape(1, -1, h, w), weight.reshape(-1, weight.shape[2], 1, 1), groups=n).reshape(n, -1, h, w)
    rgb = _bias_act(rgb, layer.bias, layer.clamp, activate=False)
    if img is None:
        return rgb
    zeros = img.new_zeros(n, img.shape[1], h // 2, 2, w // 2, 2)
    zeros[:, :, :, 0, :, 0] = img
    fir = (ops.resample_filter(img.device) * 4).expand(img.shape[1], 1, 4, 4)
    up = F.conv2d(F.pad(zeros.reshape(n, -1, h, w), (2, 1, 2, 1)), fir, groups=img.shape[1])
    return up + rgb


def _bias_act(x: Tensor, bias: Tensor, clamp: float | None, *, activate: bool) -> Tensor:
    """Bias, leaky ReLU times sqrt 2, clamp; in this order."""
    x = x + bias.view(1, -1, 1, 1)
    if activate:
        x = F.leaky_relu(x, ops.LEAKY_SLOPE) * ops.ACT_GAIN
    return x if clamp is None else x.clamp(-clamp, clamp)
