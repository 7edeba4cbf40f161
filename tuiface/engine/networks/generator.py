"""The StyleGAN2 generator: mapping network, synthesis network with skip connections, any size from 8 to 1024.

Parameters carry the names that NVIDIA's checkpoints use (`synthesis.b64.conv0.weight`), so a state dict needs no
translation and a style channel is addressed by (layer name, index).

Shape legend: N = batch, R = img_resolution, L = num_ws = 2*log2(R) - 2, r = a block's resolution.
Rows of W+: b4.conv1 0, b4.torgb 1; block i (8 px: 1, 16 px: 2, ...): conv0 2i-1, conv1 2i, torgb 2i+1. A toRGB shares
its row with the next block's conv0.
Sources: Karras et al. 2020 (arXiv 1912.04958); labels and clamping: Karras et al. 2020b (2006.06676).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from tuiface.engine.networks import ops
from tuiface.engine.networks.config import GeneratorConfig
from tuiface.engine.networks.inference import SynthesisPlan

NoiseInput = Literal["const", "none"] | Sequence[Tensor]


def draw_normal(*shape: int, std: float = 1.0) -> Tensor:
    """An initial tensor of N(0, std^2); convolution weights are channels-last.

    On the meta device, where a checkpoint is about to bring the values, nothing is computed: there each operation would
    be traced in Python, whose imports alone take a second.
    """
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    values = torch.empty(shape, memory_format=layout)
    return values if values.is_meta else values.normal_(std=std)


def fill_constant(value: float, *shape: int) -> Tensor:
    """An initial tensor of one value; empty on the meta device, as in `drawn`."""
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
        x = torch.addmm(self.bias * (self.bias_gain * gain), x, (self.weight * (self.weight_gain * gain)).t())
        return ops.leaky_relu(x) if self.activate else x


class MappingNetwork(nn.Module):
    """z and an optional one-hot label to w."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.c_dim = config.c_dim
        self.num_layers = len(config.mapping_features)
        lr = config.mapping_lr_multiplier
        if config.c_dim:
            self.embed = FullyConnectedLayer(config.c_dim, config.embed_features)
        widths = [config.z_dim + config.embed_features, *config.mapping_features]
        for i, (num_in, num_out) in enumerate(pairwise(widths)):
            self.add_module(f"fc{i}", FullyConnectedLayer(num_in, num_out, lr_multiplier=lr, activate=True))
        self.register_buffer("w_avg", fill_constant(0.0, config.w_dim))
        self.w_avg: Tensor

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """z [N, z_dim], c [N, c_dim] -> w [N, w_dim]."""
        x = ops.normalize_second_moment(z)
        if self.c_dim:
            assert c is not None
            x = torch.cat([x, ops.normalize_second_moment(self.embed(c))], dim=1)
        for i in range(self.num_layers):
            x = self.get_submodule(f"fc{i}")(x)
        return x


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
        x = ops.modulated_conv2d(x, self.weight, styles, up=self.up, gain=ops.ACT_GAIN)
        if noise is not None:
            x = x + (noise * (self.noise_strength * ops.ACT_GAIN)).to(x.dtype)
        x = x + (self.bias * ops.ACT_GAIN).to(x.dtype).view(1, -1, 1, 1)
        return ops.leaky_relu(x, self.clamp)


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
        x = ops.modulated_conv2d(x, self.weight, styles, demodulate=False, gain=self.weight_gain)
        x = x.float() + self.bias.view(1, -1, 1, 1)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


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


class Generator(nn.Module):
    """The whole generator, with the facade that everything else uses: `map`, `truncate`, `synthesize`."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(config)
        self.synthesis = SynthesisNetwork(config)
        self._plan: SynthesisPlan | None = None

    @property
    def num_ws(self) -> int:
        """Rows of W+."""
        return self.config.num_ws

    def map(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """z [N, z_dim] (and labels c [N, c_dim]) -> ws float32 [N, num_ws, w_dim], psi 1.

        Raises ValueError for a wrong shape, or labels missing or given to a network without them.
        """
        config = self.config
        _expect_shape("z", z, (z.shape[0], config.z_dim))
        if (c is not None) != bool(config.c_dim):
            raise ValueError(f"this network takes {config.c_dim} classes; c is {'missing' if c is None else 'given'}")
        if c is not None:
            _expect_shape("c", c, (z.shape[0], config.c_dim))
        w: Tensor = self.mapping(z.float(), None if c is None else c.float())
        return w.unsqueeze(1).repeat(1, self.num_ws, 1)

    def truncate(self, ws: Tensor, psi: float, cutoff: int | None = None, center: Tensor | None = None) -> Tensor:
        """center + psi * (ws - center) on rows [0, cutoff), the other rows unchanged; center defaults to w_avg.

        ws [N, num_ws, w_dim] -> the same shape.
        """
        center = self.mapping.w_avg if center is None else center
        rows = self.num_ws if cutoff is None else min(cutoff, self.num_ws)
        if psi == 1 or rows == 0:
            return ws
        return torch.cat([torch.lerp(center.expand_as(ws[:, :rows]), ws[:, :rows], psi), ws[:, rows:]], dim=1)

    def synthesize(self, ws: Tensor, noise: NoiseInput = "const", resolution: int | None = None) -> Tensor:
        """ws [N, num_ws, w_dim] -> float32 NCHW, the RGB sum at `resolution` (default: full), not clamped.

        noise: "const" (stored maps), "none", or one [N or 1, 1, r, r] tensor a convolution, in order of execution.
        Raises ValueError for a wrong shape or a resolution that has no block.
        """
        _expect_shape("ws", ws, (ws.shape[0], self.num_ws, self.config.w_dim))
        until = self.check_resolution(resolution)
        return self.synthesize_styles(self.synthesis.styles(ws.float(), until), noise, until)

    def synthesize_styles(
        self, styles: Mapping[str, Tensor], noise: NoiseInput = "const", resolution: int | None = None
    ) -> Tensor:
        """As `synthesize`, from styles by layer name ([N, I] each), so that single channels can be edited."""
        until = self.check_resolution(resolution)
        maps = self.noise_maps(noise, until)
        if torch.is_grad_enabled() and (
            self._has_trainable_parameters() or any(s.requires_grad for s in styles.values())
        ):
            return self.synthesis(styles, maps, until)  # type: ignore[no-any-return]
        with torch.no_grad():
            return self.plan(torch.float32).synthesize(styles, maps, until)

    def plan(self, dtype: torch.dtype) -> SynthesisPlan:
        """The fast twin of the synthesis network in `dtype`; prepared again when a parameter changed."""
        if self._plan is None or not self._plan.is_current(self.synthesis, dtype):
            self._plan = SynthesisPlan(self.synthesis, dtype)
        return self._plan

    def check_resolution(self, resolution: int | None) -> int:
        """`resolution`, or the network's own for None; raises ValueError when no block has it."""
        accepted = self.config.block_resolutions
        if resolution is None:
            return accepted[-1]
        if resolution not in accepted:
            raise ValueError(f"no block has {resolution} px; accepted: {', '.join(map(str, accepted))}")
        return resolution

    def noise_maps(self, noise: NoiseInput, until: int) -> dict[str, Tensor | None]:
        """The noise input of each convolution up to resolution `until`, by layer name; None for no noise."""
        layers = [(name, x) for name, x, _ in self.synthesis.style_layers(until) if isinstance(x, SynthesisLayer)]
        if noise == "none":
            return {name: None for name, _ in layers}
        if noise == "const":
            return {name: layer.noise_const for name, layer in layers}
        if isinstance(noise, str):
            raise ValueError(f"noise {noise!r}; accepted: 'const', 'none', or a list of tensors")
        if len(noise) < len(layers):
            raise ValueError(f"{len(noise)} noise maps for {len(layers)} convolutions")
        return {name: given for (name, _), given in zip(layers, noise, strict=False)}

    def _has_trainable_parameters(self) -> bool:
        return any(p.requires_grad for p in self.parameters())


def _expect_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name} has shape {list(tensor.shape)}; this network takes {list(shape)}")
