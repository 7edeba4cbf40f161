"""The fast twin of the synthesis network: no gradients, everything that does not depend on w prepared once.

What makes it fast on a CPU (docs/performance.md): channels-last memory throughout; demodulation from sums of squared
weights computed once; styles folded into the weights where those are the smaller operand, else into the activations;
demodulation, the gain sqrt 2 and the bias folded into whatever linear step comes last; noise, leaky ReLU and clamp in
place. A leaky ReLU is positively homogeneous, so its gain may move in front of it.

Shape legend: N = batch, I/O = input/output channels, h/r = a layer's input/output resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.engine.networks import ops
from tuiface.engine.networks.layers import SynthesisLayer, ToRGBLayer
from tuiface.engine.networks.synthesis import SynthesisNetwork
from tuiface.engine.pixels import refuse_not_finite, to_levels

FeatureBlend = Callable[[Tensor, int], Tensor]
"""Features or RGB sum [N, C, r, r] and r -> the same shape."""


class Plan(Protocol):
    """A synthesis network prepared for repeated inference in one dtype."""

    def is_current(self, network: SynthesisNetwork, dtype: torch.dtype) -> bool:
        """Whether the plan still stands for `network` in `dtype`: training changes parameters in place."""
        ...

    def synthesize(
        self,
        styles: Mapping[str, Tensor],
        noise: Mapping[str, Tensor | None],
        until: int,
        blend: FeatureBlend | None = None,
    ) -> Tensor:
        """Styles ([N, I] float32, before toRGB's gain) and noise by layer name -> float32 [N, 3, until, until].

        `blend` changes each block's features, and the RGB sum after it.
        """
        ...

    def draw(
        self, ws: Tensor, steps: Mapping[str, Tensor], noise: Mapping[str, Tensor | None], until: int
    ) -> np.ndarray:
        """Latents [N, num_ws, w_dim], with steps of styles ([N, I] by layer name) -> uint8 [N, until, until, 3]."""
        ...


@dataclass(frozen=True, slots=True)
class ConvPlan:
    """A SynthesisLayer, prepared."""

    weight: Tensor
    """[O, I, 3, 3], or [I, O, 3, 3] for an up-sampling layer; channels-last."""
    square_sums: Tensor
    """float32 [O, I]: squared weights summed over the kernel."""
    bias: Tensor
    """[O], times sqrt 2."""
    noise_gain: float
    """noise_strength times sqrt 2."""
    low_pass: Tensor | None
    """[4, 4] times 4, for an up-sampling layer."""
    clamp: float | None

    @classmethod
    def prepare(cls, layer: SynthesisLayer, dtype: torch.dtype) -> ConvPlan:
        """From the layer's parameters as they are now."""
        weight = layer.weight.detach()
        stored = weight.transpose(0, 1) if layer.up else weight
        return cls(
            weight=stored.to(dtype).contiguous(memory_format=torch.channels_last),
            square_sums=weight.square().sum(dim=(2, 3)),
            bias=(layer.bias.detach() * ops.ACT_GAIN).to(dtype),
            noise_gain=float(layer.noise_strength) * ops.ACT_GAIN,
            low_pass=(ops.resample_filter(weight.device) * 4).to(dtype) if layer.up else None,
            clamp=layer.clamp,
        )

    def run(self, x: Tensor, styles: Tensor, noise: Tensor | None) -> Tensor:
        """x [N, I, h, h], styles float32 [N, I] -> [N, O, r, r]; x is not kept intact."""
        factors = ops.demodulation(styles, self.square_sums) * ops.ACT_GAIN  # [N, O]
        # With one sample the styles may scale either operand: take the smaller one.
        fold = x.shape[0] == 1 and x.shape[2] * x.shape[3] > self.weight[0, 0].numel() * factors.shape[1]
        if self.low_pass is None:
            x = self._convolve(x, styles, factors, fold=fold)
        else:
            x = self._convolve_transposed(x, styles, factors, self.low_pass, fold=fold)
        if noise is not None and self.noise_gain:
            x.add_((noise * self.noise_gain).to(x.dtype))
        F.leaky_relu_(x, ops.LEAKY_SLOPE)
        return x if self.clamp is None else x.clamp_(-self.clamp, self.clamp)

    def _convolve(self, x: Tensor, styles: Tensor, factors: Tensor, *, fold: bool) -> Tensor:
        dtype = x.dtype
        if fold:
            scale = factors.view(-1, 1, 1, 1) * styles.view(1, -1, 1, 1)  # [O, I, 1, 1]
            return F.conv2d(x, self.weight * scale.to(dtype), self.bias, padding=1)
        x = F.conv2d(x * styles.to(dtype)[:, :, None, None], self.weight, padding=1)
        return x.mul_(factors.to(dtype)[:, :, None, None]).add_(self.bias.view(1, -1, 1, 1))

    def _convolve_transposed(
        self, x: Tensor, styles: Tensor, factors: Tensor, low_pass: Tensor, *, fold: bool
    ) -> Tensor:
        dtype = x.dtype
        if fold:
            x = F.conv_transpose2d(x, self.weight * styles.to(dtype).view(-1, 1, 1, 1), stride=2)
        else:
            x = F.conv_transpose2d(x * styles.to(dtype)[:, :, None, None], self.weight, stride=2)
        channels = x.shape[1]
        if x.shape[0] == 1:  # demodulation and bias ride on the low-pass filter
            kernel = low_pass * factors.to(dtype).view(-1, 1, 1, 1)  # [O, 1, 4, 4]
            return F.conv2d(x, kernel, self.bias, padding=1, groups=channels)
        x = F.conv2d(x, low_pass.expand(channels, 1, 4, 4), padding=1, groups=channels)
        return x.mul_(factors.to(dtype)[:, :, None, None]).add_(self.bias.view(1, -1, 1, 1))


@dataclass(frozen=True, slots=True)
class ToRGBPlan:
    """A ToRGBLayer, prepared."""

    weight: Tensor
    """[3, I], times the weight gain."""
    bias: Tensor
    """float32 [3]."""
    clamp: float | None

    @classmethod
    def prepare(cls, layer: ToRGBLayer, dtype: torch.dtype) -> ToRGBPlan:
        """From the layer's parameters as they are now."""
        weight = layer.weight.detach()[:, :, 0, 0] * layer.weight_gain
        return cls(weight.to(dtype), layer.bias.detach(), layer.clamp)

    def run(self, x: Tensor, styles: Tensor) -> Tensor:
        """x [N, I, r, r], styles [N, I] -> float32 [N, 3, r, r], channels first in memory.

        Planes of one colour each are interpolated three times as fast as channels-last, with the same bits.
        """
        kernels = self.weight * styles.to(x.dtype)[:, None, :]  # [N, 3, I]
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)  # [N, r*r, I], a view of channels-last memory
        colours = torch.bmm(pixels, kernels.transpose(1, 2)).float()  # [N, r*r, 3]
        planes = colours.new_empty(x.shape[0], self.weight.shape[0], x.shape[2], x.shape[3])
        rgb = torch.add(colours.transpose(1, 2).view_as(planes), self.bias[:, None, None], out=planes)
        return rgb if self.clamp is None else rgb.clamp_(-self.clamp, self.clamp)


class SynthesisPlan:
    """A synthesis network prepared for torch's operators. Implements `Plan`."""

    def __init__(self, network: SynthesisNetwork, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._network = network
        self._versions = parameter_versions(network)
        self._layers: dict[str, ConvPlan | ToRGBPlan] = {}
        with torch.no_grad():
            self._const = next(network.blocks()).const.detach().to(dtype)
            for name, layer, _ in network.style_layers():
                prepared = ToRGBPlan if name.endswith("torgb") else ConvPlan
                self._layers[name] = prepared.prepare(layer, dtype)  # type: ignore[arg-type]
        self._resolutions = network.config.block_resolutions

    def is_current(self, network: SynthesisNetwork, dtype: torch.dtype) -> bool:
        """As `Plan`."""
        return dtype == self._dtype and parameter_versions(network) == self._versions

    def synthesize(
        self,
        styles: Mapping[str, Tensor],
        noise: Mapping[str, Tensor | None],
        until: int,
        blend: FeatureBlend | None = None,
    ) -> Tensor:
        """As `Plan`."""
        num = styles["b4.conv1"].shape[0]
        x = self._const.expand(num, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        img: Tensor | None = None
        for resolution in self._resolutions:
            if resolution > until:
                break
            for name in (f"b{resolution}.conv0", f"b{resolution}.conv1"):
                if name in styles:
                    layer = self._layers[name]
                    assert isinstance(layer, ConvPlan)
                    x = layer.run(x, styles[name], noise[name])
            if blend is not None:
                x = blend(x, resolution)
            torgb = self._layers[f"b{resolution}.torgb"]
            assert isinstance(torgb, ToRGBPlan)
            rgb = torgb.run(x, styles[f"b{resolution}.torgb"])
            img = rgb if img is None else rgb.add_(ops.upsample_rgb(img))
            if blend is not None:
                img = blend(img, resolution)
        assert img is not None
        return img.contiguous()

    def draw(
        self, ws: Tensor, steps: Mapping[str, Tensor], noise: Mapping[str, Tensor | None], until: int
    ) -> np.ndarray:
        """As `Plan`."""
        styles = step_styles(self._network.styles(ws, until), steps)
        images = refuse_not_finite(self.synthesize(styles, noise, until))
        return to_levels(images).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def step_styles(styles: Mapping[str, Tensor], steps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Styles [N, I] by layer with the steps added; a layer beyond the block that a preview stops at has no say."""
    return {name: style + steps[name] if name in steps else style for name, style in styles.items()}


def parameter_versions(network: SynthesisNetwork) -> tuple[tuple[int, int], ...]:
    """Identity and in-place version of every parameter: changes whenever one does."""
    return tuple((p.data_ptr(), p._version) for p in network.parameters())
