"""The StyleGAN2 discriminator: residual ("resnet") or plain ("orig") blocks, minibatch standard deviation, labels.

Shape legend: N = batch, R = img_resolution, C(r) = channels at resolution r.
Sources: Karras et al. 2020 (arXiv 1912.04958), section 4; projection of labels: Karras et al. 2020b (2006.06676).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from tuiface.engine.cuda import activation
from tuiface.engine.cuda.loaded import loaded_kernels
from tuiface.engine.networks import ops
from tuiface.engine.networks.config import DiscriminatorConfig
from tuiface.engine.networks.convolution import Geometry, convolve, every_second
from tuiface.engine.networks.layers import FullyConnectedLayer, draw_normal, fill_constant


class Conv2dLayer(nn.Module):
    """Convolution with runtime weight scale, optional 2x down-sampling, bias and leaky ReLU."""

    def __init__(
        self,
        num_in: int,
        num_out: int,
        kernel: int,
        *,
        activate: bool = True,
        bias: bool = True,
        down: bool = False,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.activate = activate
        self.down = down
        self.clamp = clamp
        self.weight = nn.Parameter(draw_normal(num_out, num_in, kernel, kernel))
        self.bias = nn.Parameter(fill_constant(0.0, num_out)) if bias else None
        self.weight_gain = 1 / math.sqrt(num_in * kernel**2)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """[N, I, r, r] -> [N, O, r, r] or [N, O, r/2, r/2]."""
        total = gain * ops.ACT_GAIN if self.activate else gain  # a leaky ReLU's gain may move in front of it
        weight = (self.weight * (self.weight_gain * total)).to(x.dtype)
        bias = None if self.bias is None else self.bias * total
        clamp = None if self.clamp is None else self.clamp * gain
        kernels = loaded_kernels(x.device)
        if kernels is not None and bias is not None and self.activate and len(weight) * x.element_size() % 16 == 0:
            return activation.activate(kernels, self._convolve(x, weight, None), None, bias, None, None, clamp)
        x = self._convolve(x, weight, None if bias is None else bias.to(x.dtype))
        if self.activate:
            return ops.leaky_relu(x, clamp)
        return x if clamp is None else x.clamp(-clamp, clamp)

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not self.down:
            return convolve(x, weight, bias, Geometry(padding=weight.shape[-1] // 2))
        if weight.shape[-1] == 1:
            # Blurred at full size, then every second pixel: a depthwise stride-2 backward pass is slow on the CPU.
            return convolve(every_second(ops.filter_low_pass(x, padding=1)), weight, bias, Geometry())
        return convolve(ops.filter_low_pass(x, padding=2), weight, bias, Geometry(stride=2))


class DiscriminatorBlock(nn.Module):
    """Two convolutions that halve the resolution, with a linear skip in the residual architecture."""

    def __init__(self, config: DiscriminatorConfig, resolution: int) -> None:
        super().__init__()
        num_in, num_out = config.channels_at(resolution), config.channels_at(resolution // 2)
        clamp = config.conv_clamp
        self.residual = config.architecture == "resnet"
        if resolution == config.img_resolution:
            self.fromrgb = Conv2dLayer(config.img_channels, num_in, 1, clamp=clamp)
        self.conv0 = Conv2dLayer(num_in, num_in, 3, clamp=clamp)
        self.conv1 = Conv2dLayer(num_in, num_out, 3, down=True, clamp=clamp)
        if self.residual:
            self.skip = Conv2dLayer(num_in, num_out, 1, activate=False, bias=False, down=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C(r), r, r] (RGB in the first block) -> [N, C(r/2), r/2, r/2]."""
        if hasattr(self, "fromrgb"):
            x = self.fromrgb(x)
        if not self.residual:
            return self.conv1(self.conv0(x))  # type: ignore[no-any-return]
        half = math.sqrt(0.5)
        return self.skip(x, gain=half) + self.conv1(self.conv0(x), gain=half)  # type: ignore[no-any-return]


class DiscriminatorEpilogue(nn.Module):
    """4x4 features to a score, or to a label projection's input."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        channels = config.channels_at(4)
        self.group_size = config.mbstd_group_size
        self.num_channels = config.mbstd_num_channels
        self.conv = Conv2dLayer(channels + self.num_channels, channels, 3, clamp=config.conv_clamp)
        self.fc = FullyConnectedLayer(channels * 16, channels, activate=True)
        self.out = FullyConnectedLayer(channels, config.cmap_dim or 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C(4), 4, 4] -> [N, cmap_dim or 1]."""
        x = x.float()
        if self.num_channels:
            x = ops.minibatch_std(x, self.group_size, self.num_channels)
        x = self.conv(x).flatten(1)  # channel, row, column order
        return self.out(self.fc(x))  # type: ignore[no-any-return]


class LabelMapping(nn.Module):
    """One-hot label to the vector that the score is projected on."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.num_layers = len(config.mapping_features)
        self.embed = FullyConnectedLayer(config.c_dim, config.embed_features)
        widths = [config.embed_features, *config.mapping_features]
        for i, (num_in, num_out) in enumerate(pairwise(widths)):
            layer = FullyConnectedLayer(num_in, num_out, lr_multiplier=config.mapping_lr_multiplier, activate=True)
            self.add_module(f"fc{i}", layer)

    def forward(self, c: Tensor) -> Tensor:
        """[N, c_dim] -> [N, cmap_dim]."""
        x = ops.normalize_second_moment(self.embed(c))
        for i in range(self.num_layers):
            x = self.get_submodule(f"fc{i}")(x)
        return x


class Discriminator(nn.Module):
    """Pictures to realism scores; its inner features serve as a perceptual metric."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        for resolution in reversed(config.block_resolutions[1:]):
            self.add_module(f"b{resolution}", DiscriminatorBlock(config, resolution))
        self.b4 = DiscriminatorEpilogue(config)
        if config.c_dim:
            self.mapping = LabelMapping(config)

    def forward(self, img: Tensor, c: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        """img [N, 3, R, R] in [-1, 1] (and labels c [N, c_dim]) -> float32 logits [N, 1].

        `dtype` is that of the activations; parameters, minibatch statistics and everything after them stay float32.
        Raises ValueError for a wrong shape, or labels missing or given to a network without them.
        """
        if (c is not None) != bool(self.config.c_dim):
            state = "missing" if c is None else "given"
            raise ValueError(f"this network takes {self.config.c_dim} classes; c is {state}")
        x: Tensor = self.b4(self.features(img, dtype)[-1])
        if c is not None:
            x = (x * self.mapping(c.float())).sum(dim=1, keepdim=True) / math.sqrt(self.config.cmap_dim)
        return x

    def features(self, img: Tensor, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        """What the blocks make of img [N, 3, R, R]: [N, C(r), r, r] for r = R/2, ..., 4. Raises ValueError."""
        config = self.config
        expected = (img.shape[0], config.img_channels, config.img_resolution, config.img_resolution)
        if tuple(img.shape) != expected:
            raise ValueError(f"img has shape {list(img.shape)}; this discriminator takes {list(expected)}")
        x: Tensor = img.to(dtype).contiguous(memory_format=torch.channels_last)
        outputs = []
        for resolution in reversed(config.block_resolutions[1:]):
            x = self.get_submodule(f"b{resolution}")(x)
            outputs.append(x)
        return outputs
