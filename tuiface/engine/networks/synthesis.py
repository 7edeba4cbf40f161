"""The synthesis network of the generator, with skip connections: styles and noise to pixels, differentiable.

A style channel is addressed by (layer name, index). `inference` is its fast twin without gradients.

Shape legend: N = batch, R = img_resolution, L = num_ws = 2*log2(R) - 2, r = a block's resolution.
Rows of W+: b4.conv1 0, b4.torgb 1; block i (8 px: 1, 16 px: 2, ...): conv0 2i-1, conv1 2i, torgb 2i+1. A toRGB shares
its row with the next block's conv0.
Source: Karras et al. 2020 (arXiv 1912.04958).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from tuiface.engine.networks import ops
from tuiface.engine.networks.config import GeneratorConfig
from tuiface.engine.networks.layers import SynthesisLayer, ToRGBLayer, draw_normal


class SynthesisBlock(nn.Module):
    """One resolution: up-sampling conv0 (a learned constant at 4 px), conv1, toRGB."""

    def __init__(self, config: GeneratorConfig, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        num_out, clamp = config.channels_at(resolution), config.conv_clamp
        if resolution == 4:
            self.const = nn.Parameter(draw_normal(num_out, 4, 4))
        else:
            num_in = config.channels_at(resolution // 2)
            self.conv0 = SynthesisLayer(num_in, num_out, config.w_dim, resolution, up=True, clamp=clamp)
        self.conv1 = SynthesisLayer(num_out, num_out, config.w_dim, resolution, up=False, clamp=clamp)
        self.torgb = ToRGBLayer(num_out, config.img_channels, config.w_dim, clamp=clamp)

    def layers(self) -> Iterator[tuple[str, SynthesisLayer | ToRGBLayer, int]]:
        """(name, layer, row of W+) in order of execution."""
        first_row = max(0, 2 * int(math.log2(self.resolution)) - 5)
        names = ("conv1", "torgb") if self.resolution == 4 else ("conv0", "conv1", "torgb")
        for row, name in enumerate(names, start=first_row):
            layer = self.get_submodule(name)
            assert isinstance(layer, SynthesisLayer | ToRGBLayer)
            yield name, layer, row


class SynthesisNetwork(nn.Module):
    """ws to pixels: blocks from 4 px up, whose RGB outputs are summed with up-sampling between."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        for resolution in config.block_resolutions:
            self.add_module(f"b{resolution}", SynthesisBlock(config, resolution))

    def blocks(self, until: int | None = None) -> Iterator[SynthesisBlock]:
        """Blocks in order, up to resolution `until`."""
        for resolution in self.config.block_resolutions:
            if until is None or resolution <= until:
                block = self.get_submodule(f"b{resolution}")
                assert isinstance(block, SynthesisBlock)
                yield block

    def style_layers(self, until: int | None = None) -> Iterator[tuple[str, SynthesisLayer | ToRGBLayer, int]]:
        """(`b16.conv1`, layer, row of W+) for every modulated layer in order."""
        for block in self.blocks(until):
            for name, layer, row in block.layers():
                yield f"b{block.resolution}.{name}", layer, row

    def styles(self, ws: Tensor, until: int | None = None) -> dict[str, Tensor]:
        """ws [N, L, w_dim] -> the style of each layer, [N, I], before toRGB's gain."""
        return {name: layer.affine(ws[:, row]) for name, layer, row in self.style_layers(until)}

    def forward(
        self,
        styles: Mapping[str, Tensor],
        noise: Mapping[str, Tensor | None],
        until: int,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Differentiable synthesis: styles and noise by layer name -> float32 RGB sum [N, 3, until, until].

        `dtype` is that of the activations; parameters, styles, demodulation and the RGB sum stay float32.
        """
        x: Tensor | None = None
        img: Tensor | None = None
        for block in self.blocks(until):
            prefix = f"b{block.resolution}"
            if x is None:
                num = styles[f"{prefix}.conv1"].shape[0]
                x = block.const.to(dtype).expand(num, -1, -1, -1).contiguous(memory_format=torch.channels_last)
            else:
                x = block.conv0(x, styles[f"{prefix}.conv0"], noise[f"{prefix}.conv0"])
            x = block.conv1(x, styles[f"{prefix}.conv1"], noise[f"{prefix}.conv1"])
            rgb = block.torgb(x, styles[f"{prefix}.torgb"])
            img = rgb if img is None else ops.upsample_rgb(img) + rgb
        assert img is not None
        return img
