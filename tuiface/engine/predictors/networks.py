"""The networks of the readers: convolutions with bias and ReLU, nothing else, so that they run and store small.

While they are trained, batch normalisation stands between convolution and ReLU (`normalise=True`); `fold` multiplies
it into the convolutions, which gives the network that ships.

Both begin by folding pixels into channels, so that the first stage does not run at the full side. The segmenter's last
convolution unfolds its classes again, so that borders keep the full resolution. A reader of 256 px (`scale` 2) folds
twice as many a side, and its stages are those of 128 px: `refold` makes one of the other without changing what it says.

Shape legend: N = batch, R = working side, W0, W1, ... = channels of the stages, each at half the side of its precursor.
Sources: U-Net, Ronneberger et al. 2015 (1505.04597), with sums instead of concatenation; residual blocks, He et al.
2016 (1512.03385); sub-pixel output, Shi et al. 2016 (1609.05158).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuiface.engine.interpolation import resize_bilinear

_FOLD = 2
_OUTPUT_STRIDE = 32
"""Attributes: R over the side of the last stage."""

Network = TypeVar("Network", bound=nn.Module)


class Convolution(nn.Module):
    """Convolution, normalisation while training, ReLU."""

    def __init__(
        self,
        num_in: int,
        num_out: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        relu: bool = True,
        normalise: bool = False,
        scaled: bool = True,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(num_in, num_out, kernel, stride, kernel // 2, bias=not normalise)
        self.norm = nn.BatchNorm2d(num_out, affine=scaled) if normalise else None
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """[N, I, r, r] -> [N, O, r / stride, r / stride]."""
        x = self.convolution(x)
        if self.norm is not None:
            x = self.norm(x)
        return F.relu(x) if self.relu else x

    @torch.no_grad()
    def fold_batch_norm(self) -> None:
        """Multiply the normalisation's running statistics into weight and bias."""
        if self.norm is None:
            return
        norm, old = self.norm, self.convolution
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = torch.rsqrt(norm.running_var + norm.eps)
        shift = -norm.running_mean * gain
        if norm.affine:
            gain, shift = norm.weight * gain, norm.weight * shift + norm.bias
        folded = nn.Conv2d(
            old.in_channels, old.out_channels, old.kernel_size[0], old.stride[0], old.kernel_size[0] // 2
        )
        folded.weight.copy_(old.weight * gain[:, None, None, None])
        assert folded.bias is not None
        folded.bias.copy_(shift)
        self.convolution, self.norm = folded, None


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; the first may halve the resolution."""

    def __init__(self, num_in: int, num_out: int, *, stride: int = 1, normalise: bool = False) -> None:
        super().__init__()
        self.conv0 = Convolution(num_in, num_out, stride=stride, normalise=normalise)
        self.conv1 = Convolution(num_out, num_out, relu=False, normalise=normalise)
        self.shortcut = None
        if stride != 1 or num_in != num_out:
            self.shortcut = Convolution(num_in, num_out, 1, relu=False, normalise=normalise)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """[N, I, r, r] -> [N, O, r / stride, r / stride]."""
        beside = F.avg_pool2d(x, self.stride) if self.stride != 1 else x
        if self.shortcut is not None:
            beside = self.shortcut(beside)
        return F.relu(beside + self.conv1(self.conv0(x)))


class SegmenterNetwork(nn.Module):
    """A U-Net from pictures to logits of regions."""

    def __init__(self, widths: tuple[int, ...], num_regions: int, *, scale: int = 1, normalise: bool = False) -> None:
        super().__init__()
        self.fold = _FOLD * scale
        self.stem = Convolution(3 * self.fold**2, widths[0], normalise=normalise)
        self.down0 = ResidualBlock(widths[0], widths[0], normalise=normalise)
        self.down1 = ResidualBlock(widths[0], widths[1], stride=2, normalise=normalise)
        self.down2 = ResidualBlock(widths[1], widths[2], stride=2, normalise=normalise)
        self.down3 = ResidualBlock(widths[2], widths[3], stride=2, normalise=normalise)
        self.narrow2 = Convolution(widths[3], widths[2], 1, relu=False, normalise=normalise)
        self.narrow1 = Convolution(widths[2], widths[1], 1, relu=False, normalise=normalise)
        self.narrow0 = Convolution(widths[1], widths[0], 1, relu=False, normalise=normalise)
        self.up2 = Convolution(widths[2], widths[2], normalise=normalise)
        self.up1 = Convolution(widths[1], widths[1], normalise=normalise)
        self.up0 = ResidualBlock(widths[0], widths[0], normalise=normalise)
        self.out = Convolution(widths[0], num_regions * self.fold**2, relu=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, R, R] in [-1, 1] -> logits [N, K, R, R]."""
        x0 = self.down0(self.stem(pixel_unshuffle(images, self.fold)))
        x1 = self.down1(x0)
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        y2 = self.up2(F.relu(x2 + _upsample(self.narrow2(x3))))
        y1 = self.up1(F.relu(x1 + _upsample(self.narrow1(y2))))
        y0 = self.up0(F.relu(x0 + _upsample(self.narrow0(y1))))
        return pixel_shuffle(self.out(y0), self.fold)


class AttributeNetwork(nn.Module):
    """A residual network from pictures to standardised features, and a linear reading of them."""

    def __init__(
        self,
        resolution: int,
        widths: tuple[int, ...],
        feature_width: int,
        num_outputs: int,
        *,
        scale: int = 1,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.fold = (_OUTPUT_STRIDE >> (len(widths) - 1)) * scale
        self.stem = Convolution(3 * self.fold**2, widths[0], normalise=normalise)
        stages = [ResidualBlock(widths[0], widths[0], normalise=normalise)]
        stages += [ResidualBlock(*pair, stride=2, normalise=normalise) for pair in pairwise(widths)]
        self.stages = nn.Sequential(*stages)
        side, narrow = resolution // (_OUTPUT_STRIDE * scale), max(widths[-1] // 3, 1)
        self.narrow = Convolution(widths[-1], narrow, 1, normalise=normalise)
        # Where something lies is what many attributes are: the last places are kept apart, not averaged. As a
        # convolution over all of them, the layer folds its normalisation like any other.
        self.pool = Convolution(narrow * side**2, feature_width, 1, relu=False, normalise=normalise, scaled=False)
        self.out = nn.Linear(feature_width, num_outputs)

    def features(self, images: Tensor) -> Tensor:
        """Images [N, 3, R, R] in [-1, 1] -> [N, feature_width], each of mean 0 and deviation 1 over the data."""
        x = self.narrow(self.stages(self.stem(pixel_unshuffle(images, self.fold))))
        return self.pool(x.contiguous().flatten(1)[:, :, None, None])[:, :, 0, 0]  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, R, R] in [-1, 1] -> outputs [N, A]: standardised values, logits for yes or no."""
        return self.out(F.relu(self.features(images)))  # type: ignore[no-any-return]


@torch.no_grad()
def refold(network: SegmenterNetwork | AttributeNetwork, times: int) -> None:
    """Let a folded `network` read pictures of `times` the side: it says of one what it said of its reduction.

    In place. Each pixel's weight is shared by the times x times that take its place, and so are a segmenter's classes.
    """
    stem, fold = network.stem.convolution, network.fold
    network.stem.convolution = _convolution_of(_spread(stem.weight, 3, fold, times, axis=1) / times**2, stem.bias)
    network.fold = fold * times
    if isinstance(network, SegmenterNetwork):
        out = network.out.convolution
        assert out.bias is not None
        classes = len(out.bias) // fold**2
        network.out.convolution = _convolution_of(
            _spread(out.weight, classes, fold, times, axis=0), _spread(out.bias, classes, fold, times, axis=0)
        )


def _spread(values: Tensor, channels: int, fold: int, times: int, axis: int) -> Tensor:
    """Repeat each pixel of the axis [channels * fold^2] of `values` times x times, ordered as by `pixel_unshuffle`."""
    apart = values.reshape(*values.shape[:axis], channels, fold, fold, *values.shape[axis + 1 :])
    repeated = apart.repeat_interleave(times, dim=axis + 1).repeat_interleave(times, dim=axis + 2)
    return repeated.flatten(axis, axis + 2)


def _convolution_of(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """A convolution of stride 1 with these numbers."""
    assert bias is not None
    made = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], 1, weight.shape[2] // 2)
    made.load_state_dict({"weight": weight, "bias": bias})
    return made


def fold_batch_norms(network: Network) -> Network:
    """`network` itself, with every normalisation multiplied into its convolution."""
    for module in list(network.modules()):
        if isinstance(module, Convolution):
            module.fold_batch_norm()
    return network


def resize_images(images: Tensor, resolution: int) -> Tensor:
    """Images [N, 3, r, r] resampled to [N, 3, R, R]: averaged where they are larger, else interpolated."""
    side = images.shape[-1]
    if images.ndim != 4 or images.shape[1:3] != (3, side):
        raise ValueError(f"images have shape {list(images.shape)}; accepted is [N, 3, R, R]")
    if side == resolution:
        return images
    if side % resolution == 0:
        return F.avg_pool2d(images, side // resolution)
    return resize_bilinear(images, resolution)


def pixel_unshuffle(images: Tensor, times: int) -> Tensor:
    """[N, C, R, R] -> [N, C t^2, R/t, R/t], each t x t pixels in channels; channels-last in memory, N may be 0."""
    n, channels, side, _ = images.shape
    r = side // times
    blocks = images.reshape(n, channels, r, times, r, times).permute(0, 2, 4, 1, 3, 5)
    return blocks.reshape(n, r, r, channels * times**2).permute(0, 3, 1, 2)


def pixel_shuffle(x: Tensor, times: int) -> Tensor:
    """[N, C t^2, r, r] -> [N, C, t r, t r]: the inverse of `pixel_unshuffle`."""
    n, channels, r, _ = x.shape
    blocks = x.reshape(n, channels // times**2, times, times, r, r).permute(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, channels // times**2, r * times, r * times)


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
