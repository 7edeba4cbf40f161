"""The arithmetic of StyleGAN2, as the papers write it: differentiable, any device, any batch.

These are the reference twins. `inference` holds the fast twin of a whole layer; tuiface/engine/cuda those on a GPU,
which step in here where they are loaded. Tests bind them.

Shape legend: N = batch, I/O = input/output channels, H/W = height/width, K = kernel side.
Sources: Karras et al. 2020 (arXiv 1912.04958), eq. 1-3 and appendix B; up- and down-sampling: Karras et al. 2020b
(2006.06676), appendix C.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.engine import interpolation
from tuiface.engine.cuda import filtering
from tuiface.engine.cuda.loaded import inference_kernels, loaded_kernels
from tuiface.engine.networks.config import RESAMPLE_TAPS
from tuiface.engine.networks.convolution import Geometry, convolve, to_channels_last

LEAKY_SLOPE = 0.2
ACT_GAIN = math.sqrt(2)  # keeps the variance of a leaky ReLU's output
DEMOD_EPS = 1e-8


@cache
def resample_filter(device: torch.device | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
    """The 4x4 low-pass filter of every stock network: outer([1, 3, 3, 1]) / 64, sum 1.

    The same tensor each time: a CUDA device would be waited for where it is made.
    """
    taps = torch.tensor(RESAMPLE_TAPS, device=device, dtype=dtype)
    kernel = torch.outer(taps, taps)
    return kernel / kernel.sum()


def normalize_second_moment(x: Tensor) -> Tensor:
    """[N, C] scaled so that each row has a mean square of 1."""
    kernels = inference_kernels(x)
    if kernels is not None:
        return kernels.normalize(x)
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


def filter_low_pass(x: Tensor, padding: int, gain: float = 1.0) -> Tensor:
    """Each channel of [N, C, H, W] by `resample_filter` times `gain`, with `padding` (1 or 2) zeros on all sides.

    It can be differentiated any number of times.
    """
    channels = x.shape[1]
    kernels = loaded_kernels(x.device)
    if kernels is not None and channels * x.element_size() % 16 == 0:
        return filtering.filter_low_pass(kernels, x, padding, gain)
    kernel = resample_filter(x.device) * gain
    weight = kernel.to(x.dtype).expand(channels, 1, *kernel.shape)
    return convolve(x, weight, None, Geometry(padding=padding, groups=channels))


def upsample_rgb(img: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, 2H, 2W] by the [1, 3, 3, 1] filter with zeros beyond the border.

    Zero insertion and this filter weigh the two nearest samples 3:1, which is bilinear interpolation at half-pixel
    centres; the border of zeros makes the edge agree too.
    """
    return interpolation.double(img)


def demodulation(styles: Tensor, weight_square_sums: Tensor) -> Tensor:
    """[N, O] factors that give each output channel unit variance (eq. 3).

    styles [N, I]; weight_square_sums [O, I], squares of the weights summed over the kernel.
    """
    return torch.rsqrt(styles.square() @ weight_square_sums.t() + DEMOD_EPS)


def modulated_conv2d(
    x: Tensor, weight: Tensor, styles: Tensor, *, demodulate: bool = True, up: bool = False, gain: float = 1.0
) -> Tensor:
    """Convolution whose weights are scaled per sample and input channel (eq. 1-3), times `gain`.

    x [N, I, H, W]; weight [O, I, K, K]; styles [N, I] -> [N, O, H, W], or [N, O, 2H, 2W] with `up`.
    Scaling activations by the styles before, and by the demodulation after, equals scaling the weights and needs no
    grouped convolution. The gain rides on whichever of the two is last, so that it costs no pass of its own.
    """
    if not demodulate:
        styles = styles * gain
    x = x * styles.to(x.dtype)[:, :, None, None]
    x = convolve_modulated(x, weight, up=up)
    if demodulate:
        factors = demodulation(styles, weight.square().sum(dim=(2, 3))) * gain
        x = x * factors.to(x.dtype)[:, :, None, None]
    return x


def convolve_modulated(x: Tensor, weight: Tensor, *, up: bool) -> Tensor:
    """The convolution between both scalings: x [N, I, H, W], weight [O, I, K, K] -> [N, O, H, W], or twice the side."""
    kernel = weight.to(x.dtype)
    if not up:
        return convolve(x, kernel, None, Geometry(padding=weight.shape[-1] // 2))
    kernel = to_channels_last(kernel.transpose(0, 1))
    x = convolve(x, kernel, None, Geometry(stride=2, transposed=True))  # [N, O, 2H+1, 2W+1]
    return filter_low_pass(x, padding=1, gain=4.0)


def colours(x: Tensor, weight: Tensor, styles: Tensor) -> Tensor:
    """toRGB as one product of matrices for each sample: x [N, C, r, r], weight [3, C], styles [N, C] -> [N, 3, r, r].

    The features are read once and never scaled. Eight rows for three: matrices of any other number of rows are read by
    single elements.
    """
    n, channels, height, width = x.shape
    matrices = F.pad(styles[:, None] * weight, (0, 0, 0, -len(weight) % 8)).to(x.dtype)  # [N, 8, C]
    pixels = to_channels_last(x).permute(0, 2, 3, 1).reshape(n, height * width, channels)
    rgb = torch.bmm(pixels, matrices.transpose(1, 2))[:, :, : len(weight)]
    return rgb.reshape(n, height, width, len(weight)).permute(0, 3, 1, 2)


def leaky_relu(x: Tensor, clamp: float | None = None) -> Tensor:
    """Leaky ReLU without its gain, then clamp; overwrites `x`, which must be nobody else's.

    A leaky ReLU is positively homogeneous: its gain sqrt 2 belongs to whatever linear step comes before it.
    """
    x = F.leaky_relu_(x, LEAKY_SLOPE)
    return x if clamp is None else x.clamp(-clamp, clamp)


def minibatch_std(x: Tensor, group_size: int | None, num_channels: int) -> Tensor:
    """Append `num_channels` maps with the mean standard deviation over groups of samples (Karras et al. 2018).

    x [N, C, H, W]; the members of a group are N/G apart. A batch that is no multiple of the group size counts as one
    group.
    """
    n, c, h, w = x.shape
    group = n if group_size is None else min(group_size, n)
    if n % group:
        group = n
    y = x.float().reshape(group, n // group, num_channels, c // num_channels, h, w)
    y = (y - y.mean(dim=0)).square().mean(dim=0)
    std = (y + 1e-8).sqrt().mean(dim=(2, 3, 4))  # [N/G, F]
    maps = std.repeat(group, 1)[:, :, None, None].expand(n, num_channels, h, w)
    return torch.cat([x, to_channels_last(maps.to(x.dtype))], dim=1)
