"""The fast twin of the synthesis network on a GPU: convolutions, and one kernel between each two of them.

The styles scale activations, in the kernel that writes them, and never weights: weights are constants, whatever the
batch. float32 is exact: its convolutions are ours, and every sum's order is fixed by the shapes of one sample. Half
types use cuDNN's convolutions; in float16, styles are divided by their largest and weights by a power of two, which
demodulation undoes, so that no activation leaves the range.

Channels are padded to a multiple of 32 with zeros, which weigh nothing in whatever reads them.

Shape legend: N = batch, I/O = input/output channels, padded, r = a block's resolution, L = rows of W+, S = styles of
all layers, D = demodulated channels of all layers. Source: Karras et al. 2020 (arXiv 1912.04958).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.engine.cuda.kernels import CHANNEL_MULTIPLE, Activation, Kernels, RGBSum
from tuiface.engine.networks import ops
from tuiface.engine.networks.inference import FeatureBlend, parameter_versions
from tuiface.engine.networks.layers import SynthesisLayer, ToRGBLayer
from tuiface.engine.networks.synthesis import SynthesisNetwork
from tuiface.engine.pixels import refuse_not_finite

NoiseKind = Literal["none", "own", "given"]

_HALF_LIMIT = 6e4
"""Where float16 activations are clamped that the network does not clamp itself."""


@dataclass(frozen=True, slots=True, eq=False)
class _Conv:
    """A SynthesisLayer, prepared."""

    styles: slice
    """Its columns of S."""
    factors: slice
    """Its columns of D."""
    weight: Tensor
    """As its convolution takes it: [9, I, O] for ours; for cuDNN's [O, I, 3, 3], or [4O, I, 2, 2] for four phases."""
    bias: Tensor
    """float32 [O], times sqrt 2."""
    noise_gain: float
    """Its strength times sqrt 2."""
    own_noise: Tensor
    """float32 [1, r, r]: the network's own map times that."""
    noise_const: Tensor
    """[r, r]: that map as the layer holds it."""
    noise_version: int
    """Of that map, which may be changed in place."""
    up: bool
    clamp: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _ToRGB:
    """A ToRGBLayer, prepared."""

    styles: slice
    weight: Tensor
    """float32 [3, I], times the layer's gain."""
    bias: Tensor
    """float32 [3]."""
    clamp: float | None


class CudaSynthesisPlan:
    """A synthesis network prepared for repeated inference in one dtype, over our kernels. Implements `Plan`."""

    def __init__(self, network: SynthesisNetwork, dtype: torch.dtype, kernels: Kernels) -> None:
        self._kernels = kernels
        self._dtype = dtype
        self._versions = parameter_versions(network)
        self._resolutions = network.config.block_resolutions
        with torch.no_grad():
            self._prepare(network)

    def _prepare(self, network: SynthesisNetwork) -> None:
        const = next(network.blocks()).const.detach()
        self._const = _pad(const, 0)[None]
        self._columns: dict[str, tuple[slice, int]] = {}
        self._layers: dict[str, _Conv | _ToRGB] = {}
        table = _Table()
        for name, layer, row in network.style_layers():
            num_in = layer.affine.weight.shape[0]
            styles = table.add_styles(layer, row)
            self._columns[name] = (styles, num_in)
            if isinstance(layer, ToRGBLayer):
                weight = _pad(layer.weight.detach()[:, :, 0, 0] * layer.weight_gain, 1)
                self._layers[name] = _ToRGB(styles, weight.contiguous(), layer.bias.detach(), layer.clamp)
            else:
                self._layers[name] = self._prepare_conv(layer, styles, table)
        self._styles_table = table.on(const.device)

    def _prepare_conv(self, layer: SynthesisLayer, styles: slice, table: _Table) -> _Conv:
        is_half = self._dtype != torch.float32
        # Divided by about its size, a power of two: exact, and demodulation takes it out again.
        shrink = 2.0 ** -round(math.log2(3 * math.sqrt(layer.weight.shape[1]))) if is_half else 1.0
        weight = _pad(_pad(layer.weight.detach() * shrink, 0), 1)  # [O, I, 3, 3]
        factors = table.add_factors(weight, styles, shrink, num_real=layer.weight.shape[0])
        clamp = layer.clamp
        if self._dtype == torch.float16:
            clamp = _HALF_LIMIT if clamp is None else min(clamp, _HALF_LIMIT)
        gain = float(layer.noise_strength) * ops.ACT_GAIN
        return _Conv(
            styles=styles,
            factors=factors,
            weight=self._store(weight, up=layer.up),
            bias=_pad(layer.bias.detach() * ops.ACT_GAIN, 0),
            noise_gain=gain,
            own_noise=(layer.noise_const * gain)[None].contiguous(),
            noise_const=layer.noise_const,
            noise_version=layer.noise_const._version,
            up=layer.up,
            clamp=clamp,
        )

    def _store(self, weight: Tensor, *, up: bool) -> Tensor:
        """[O, I, 3, 3] as its convolution takes it."""
        if self._dtype == torch.float32:
            return weight.permute(2, 3, 1, 0).flatten(0, 1).contiguous()
        stored = phase_weights(weight) if up else weight
        return stored.to(self._dtype).contiguous(memory_format=torch.channels_last)

    def is_current(self, network: SynthesisNetwork, dtype: torch.dtype) -> bool:
        """Whether the plan still stands for `network` in `dtype`: training changes parameters in place."""
        convs = [layer for layer in self._layers.values() if isinstance(layer, _Conv)]
        return (
            dtype == self._dtype
            and all(conv.noise_const._version == conv.noise_version for conv in convs)
            and parameter_versions(network) == self._versions
        )

    def flat_styles(self, ws: Tensor, steps: Tensor | None) -> Tensor:
        """ws float32 [N, L, w_dim] -> [N, S], plus `steps` [N, S]: the bits that the network's own affines give."""
        table = self._styles_table
        return self._kernels.dense(ws, table.affine, table.bias, row_of=table.row_of, step=steps)

    @property
    def num_styles(self) -> int:
        """S."""
        return len(self._styles_table.row_of)

    def flatten(self, styles: Mapping[str, Tensor]) -> Tensor:
        """Styles [N or 1, I] by layer name, perhaps of some layers alone -> float32 [N, S], zeros elsewhere."""
        first = next(iter(styles.values()))
        num_samples = max(len(style) for style in styles.values())
        parts = []
        for name, (where, num) in self._columns.items():
            given = styles.get(name)
            width = where.stop - where.start
            if given is None:
                parts.append(first.new_zeros(num_samples, width))
            else:
                padded = given if num == width else F.pad(given, (0, width - num))
                parts.append(padded.expand(num_samples, width))
        return torch.cat(parts, dim=1)

    def synthesize(
        self,
        styles: Mapping[str, Tensor],
        noise: Mapping[str, Tensor | None],
        until: int,
        blend: FeatureBlend | None = None,
    ) -> Tensor:
        """As `Plan`."""
        return self.synthesize_flat(self.flatten(styles), noise, until, blend=blend)

    def draw(
        self, ws: Tensor, steps: Mapping[str, Tensor], noise: Mapping[str, Tensor | None], until: int
    ) -> np.ndarray:
        """As `Plan`."""
        levels = torch.empty(ws.shape[0], until, until, 3, dtype=torch.uint8, device=ws.device)
        flat = self.flat_styles(ws, self.flat_steps(ws, steps))
        refuse_not_finite(self.synthesize_flat(flat, noise, until, levels=levels))
        return levels.cpu().numpy()

    def flat_steps(self, ws: Tensor, steps: Mapping[str, Tensor]) -> Tensor:
        """Steps of styles ([1 or N, I] by layer name) for latents [N, L, w_dim] -> float32 [N, S]."""
        if not steps:
            return ws.new_zeros(ws.shape[0], self.num_styles)
        return self.flatten(steps).expand(ws.shape[0], -1).contiguous()

    def synthesize_flat(
        self,
        styles: Tensor,
        noise: Mapping[str, Tensor | None],
        until: int,
        *,
        blend: FeatureBlend | None = None,
        levels: Tensor | None = None,
    ) -> Tensor:
        """Styles [N, S] of `flatten` -> float32 [N, 3, until, until], in channels-last memory.

        levels: uint8 [N, until, until, 3], takes the picture's bytes; not with `blend`.
        """
        scales, factors = self._demodulate(styles)
        first = self._conv("b4.conv1")
        x = (self._const * scales[:, first.styles, None, None]).to(self._dtype)
        rgb: Tensor | None = None
        blocks = [resolution for resolution in self._resolutions if resolution <= until]
        for resolution, following in zip(blocks, [*blocks[1:], None], strict=True):
            conv1 = self._conv(f"b{resolution}.conv1")
            if resolution > blocks[0]:
                conv0 = self._conv(f"b{resolution}.conv0")
                after = self._activation(conv0, factors, noise[f"b{resolution}.conv0"], scales[:, conv1.styles])
                x = self._kernels.upsample(self._convolve(x, conv0), after)
            scale = None if following is None else scales[:, self._conv(f"b{following}.conv0").styles]
            after = self._activation(conv1, factors, noise[f"b{resolution}.conv1"], scale)
            torgb = self._layers[f"b{resolution}.torgb"]
            assert isinstance(torgb, _ToRGB)
            written = levels if following is None else None
            into = RGBSum(torgb.weight, styles[:, torgb.styles], torgb.bias, torgb.clamp, rgb, written)
            x = self._convolve(x, conv1)
            if blend is None:
                kept, rgb = self._kernels.finish(x, after, into, keep=following is not None)
            else:
                kept, rgb = self._finish_blended(x, after, into, blend, resolution)
            assert rgb is not None
            x = x if kept is None else kept
        assert rgb is not None
        return rgb.permute(0, 3, 1, 2)

    def _finish_blended(
        self, x: Tensor, after: Activation, into: RGBSum, blend: FeatureBlend, resolution: int
    ) -> tuple[Tensor | None, Tensor | None]:
        """As the kernel `finish`, with `blend` between the activation and what reads it, and after the RGB sum."""
        unscaled = Activation(after.factor, after.bias, after.noise, None, after.clamp)
        features, _ = self._kernels.finish(x, unscaled, None)
        assert features is not None
        _, num = self._columns[f"b{resolution}.torgb"]
        blended = blend(features[:, :num], resolution)
        features = blended if num == features.shape[1] else F.pad(blended, (0, 0, 0, 0, 0, features.shape[1] - num))
        kept, rgb = self._kernels.finish(features, Activation(None, None, None, after.scale, None), into)
        assert rgb is not None
        return kept, blend(rgb.permute(0, 3, 1, 2), resolution).permute(0, 2, 3, 1).contiguous()

    def _demodulate(self, styles: Tensor) -> tuple[Tensor, Tensor]:
        """What scales activations [N, S], and the factors after convolutions [N, D]."""
        table, peaks, scales = self._styles_table, None, styles
        if self._dtype == torch.float16:
            scales, peaks = self._kernels.normalize_styles(styles, table.layers)
        factors = self._kernels.demodulation(scales, table.square_sums, table.rows, table.epsilon, peaks)
        return scales, factors

    def noise_kinds(self, noise: Mapping[str, Tensor | None]) -> dict[str, NoiseKind]:
        """What each convolution's noise input is, by layer name."""
        kinds: dict[str, NoiseKind] = {}
        for name, given in noise.items():
            conv = self._conv(name)
            is_none = given is None or not conv.noise_gain
            kinds[name] = "none" if is_none else "own" if given is conv.noise_const else "given"
        return kinds

    def _activation(self, conv: _Conv, factors: Tensor, noise: Tensor | None, scale: Tensor | None) -> Activation:
        if noise is None or not conv.noise_gain:
            maps = None
        elif noise is conv.noise_const:
            maps = conv.own_noise
        else:
            maps = (noise * conv.noise_gain).view(-1, *noise.shape[-2:]).contiguous()
        return Activation(factors[:, conv.factors], conv.bias, maps, scale, conv.clamp)

    def _convolve(self, x: Tensor, conv: _Conv) -> Tensor:
        if self._dtype == torch.float32:
            return self._kernels.convolve(x, conv.weight, up=conv.up)
        return F.conv2d(x, conv.weight, padding=1)

    def _conv(self, name: str) -> _Conv:
        layer = self._layers[name]
        assert isinstance(layer, _Conv)
        return layer


@dataclass(frozen=True, slots=True, eq=False)
class _StylesTable:
    """All layers' affines and demodulations, end to end."""

    affine: Tensor
    """float32 [S, w_dim], times its gain."""
    bias: Tensor
    """float32 [S], times its gain."""
    row_of: Tensor
    """int32 [S]: the row of W+ of each style."""
    layers: Tensor
    """int32 [K, 2]: where a demodulated layer's styles start, how many they are."""
    square_sums: Tensor
    """float32: of each demodulated channel in turn, its squared weights summed over the kernel, by input channel."""
    rows: Tensor
    """int32 [D, 4]: where its sums start, where its styles start, how many, of which layer."""
    epsilon: Tensor
    """float32 [D]."""


class _Table:
    """Collects a `_StylesTable` layer by layer."""

    def __init__(self) -> None:
        self._affine: list[Tensor] = []
        self._bias: list[Tensor] = []
        self._row_of: list[int] = []
        self._layers: list[tuple[int, int]] = []
        self._square_sums: list[Tensor] = []
        self._rows: list[tuple[int, int, int, int]] = []
        self._epsilon: list[float] = []
        self._num_sums = 0

    def add_styles(self, layer: SynthesisLayer | ToRGBLayer, row: int) -> slice:
        """The columns of a layer whose latent is row `row` of W+."""
        start, affine = len(self._row_of), layer.affine
        self._affine.append(_pad(affine.weight.detach() * affine.weight_gain, 0))
        self._bias.append(_pad(affine.bias.detach() * affine.bias_gain, 0))
        self._row_of += [row] * self._bias[-1].shape[0]
        return slice(start, len(self._row_of))

    def add_factors(self, weight: Tensor, styles: slice, shrink: float, *, num_real: int) -> slice:
        """The columns of a layer of weights [O, I, 3, 3], of which the first `num_real` outputs are no padding."""
        num_out, num_in = weight.shape[:2]
        start = len(self._rows)
        self._square_sums.append(weight.square().sum(dim=(2, 3)).flatten())
        here = (styles.start, num_in, len(self._layers))
        self._rows += [(self._num_sums + num_in * o, *here) for o in range(num_out)]
        # Padding sums to nothing: 1 in its place keeps its factor finite.
        self._epsilon += [ops.DEMOD_EPS * shrink * shrink] * num_real + [1.0] * (num_out - num_real)
        self._layers.append((styles.start, num_in))
        self._num_sums += num_out * num_in
        return slice(start, len(self._rows))

    def on(self, device: torch.device) -> _StylesTable:
        """The whole of it."""

        def integers(values: object) -> Tensor:
            return torch.tensor(values, dtype=torch.int32, device=device)

        return _StylesTable(
            affine=torch.cat(self._affine).contiguous(),
            bias=torch.cat(self._bias),
            row_of=integers(self._row_of),
            layers=integers(self._layers),
            square_sums=torch.cat(self._square_sums),
            rows=integers(self._rows),
            epsilon=torch.tensor(self._epsilon, device=device),
        )


def phase_weights(weight: Tensor) -> Tensor:
    """[O, I, 3, 3] of a stride-2 transposed convolution -> [4O, I, 2, 2]: its four output phases as one convolution.

    An even output 2i has taps 2 and 0 at the inputs i - 1 and i, an odd one tap 1 at i.
    """
    num_out, num_in = weight.shape[:2]
    phases = weight.new_zeros(2, 2, num_out, num_in, 2, 2)
    taps = {0: ((0, 2), (1, 0)), 1: ((1, 1),)}  # phase -> (place, tap)
    for a, rows in taps.items():
        for b, columns in taps.items():
            for u, row in rows:
                for v, column in columns:
                    phases[a, b, :, :, u, v] = weight[:, :, row, column]
    return phases.view(4 * num_out, num_in, 2, 2)


def _pad(tensor: Tensor, axis: int) -> Tensor:
    """With zeros at the end of `axis`, up to a multiple of CHANNEL_MULTIPLE."""
    missing = -tensor.shape[axis] % CHANNEL_MULTIPLE
    if not missing:
        return tensor
    return F.pad(tensor, (*(0, 0) * (tensor.dim() - 1 - axis), 0, missing))
