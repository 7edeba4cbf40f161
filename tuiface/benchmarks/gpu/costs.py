"""What a picture must compute and move, kernel by kernel: the least of both, whatever a kernel does besides.

A stride-2 transposed convolution is counted at its input's size, nine taps each; features once in and once out, weights
once. Weights of a picture that stay in the cache from the one before are counted all the same.

Channels are those that kernels take, padded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from tuiface.benchmarks.gpu.bench import Ceilings
from tuiface.benchmarks.gpu.workload import Mode
from tuiface.engine.cuda.kernels import CHANNEL_MULTIPLE
from tuiface.engine.networks.config import GeneratorConfig

KernelClass = Literal["convolution", "up-convolution", "upsample", "finish", "styles", "filter"]

ELEMENT_BYTES: dict[Mode, int] = {"float32": 4, "float16": 2, "bfloat16": 2}
_LOW_PASS_FLOPS = 12
"""Of one output of `filter`: four taps across, and four rows."""
_FILTER_FLOPS = 20
"""Of one output of `upsample`: the low-pass filter by rows and columns, noise, bias, leaky ReLU, clamp, scale."""
_FINISH_FLOPS = 12
"""Of one element of `finish`: the same without the filter, and three sums of toRGB."""


@dataclass(frozen=True, slots=True)
class Work:
    """One kernel's, once."""

    kernel: KernelClass
    resolution: int
    """Of its output; 0 for styles, which are of no resolution."""
    num_in: int
    num_out: int
    batch: int
    mode: Mode
    flops: float
    bytes: float

    @property
    def is_product(self) -> bool:
        """Whether matrix units could do it."""
        return "convolution" in self.kernel

    def floor_ms(self, ceilings: Ceilings) -> float:
        """The least time that its bytes or its products take on a device of these ceilings; 0 where unknown."""
        peak = ceilings.tflops.get(self.mode, 0.0) if self.is_product else 0.0
        computing = self.flops / peak / 1e9 if peak else 0.0
        moving = self.bytes / ceilings.copy_gb_per_s / 1e6 if ceilings.copy_gb_per_s else 0.0
        return max(computing, moving)


def picture_work(config: GeneratorConfig, until: int, batch: int, mode: Mode) -> list[Work]:
    """All of a batch of pictures that stop at `until`, in the order in which it is done."""
    blocks = [r for r in config.block_resolutions if r <= until]
    channels = {r: _pad(c) for r, c in zip(config.block_resolutions, config.channels, strict=True)}
    work = [_styles(config, channels, blocks, batch, mode)]
    for r in blocks:
        if r > blocks[0]:
            work += [
                _convolution("up-convolution", r, channels[r // 2], channels[r], batch, mode),
                _upsample(r, channels[r], batch, mode),
            ]
        work += [
            _convolution("convolution", r, channels[r], channels[r], batch, mode),
            _finish(r, channels[r], batch, mode, is_first=r == blocks[0], is_last=r == blocks[-1]),
        ]
    return work


def filter_work(config: GeneratorConfig, batch: int, mode: Mode) -> list[Work]:
    """Low-pass filters before a discriminator's down-sampling, [N, C, r, r] -> r + 1, at its four largest sizes."""
    work = []
    for r, num in list(zip(config.block_resolutions, config.channels, strict=True))[-4:]:
        outputs = batch * num * (r + 1) ** 2
        moved = (batch * num * r * r + outputs) * ELEMENT_BYTES[mode]
        work.append(Work("filter", r, num, num, batch, mode, _LOW_PASS_FLOPS * outputs, moved))
    return work


def floor_ms(work: Iterable[Work], ceilings: Ceilings) -> float:
    """The least time of all of it, one after the other."""
    return sum(one.floor_ms(ceilings) for one in work)


def _convolution(
    kernel: Literal["convolution", "up-convolution"], r: int, num_in: int, num_out: int, batch: int, mode: Mode
) -> Work:
    is_up = kernel == "up-convolution"
    element, source = ELEMENT_BYTES[mode], r // 2 if is_up else r
    outputs = 4 * (source + 1) ** 2 if is_up else r * r  # the four phases of an up-sampled picture
    flops = 2 * 9 * num_in * num_out * source**2 * batch
    moved = batch * (num_in * source**2 + num_out * outputs) + 9 * num_in * num_out
    return Work(kernel, r, num_in, num_out, batch, mode, flops, moved * element)


def _upsample(r: int, num: int, batch: int, mode: Mode) -> Work:
    element, outputs = ELEMENT_BYTES[mode], num * r * r
    phases = num * 4 * (r // 2 + 1) ** 2
    moved = batch * (phases + outputs) * element + 4 * r * r  # one noise map for all
    return Work("upsample", r, num, num, batch, mode, _FILTER_FLOPS * outputs * batch, moved)


def _finish(r: int, num: int, batch: int, mode: Mode, *, is_first: bool, is_last: bool) -> Work:
    element, outputs = ELEMENT_BYTES[mode], num * r * r
    features = outputs * element * (1 if is_last else 2)  # the last block's are read alone
    picture = 12 * r * r + (0 if is_first else 12 * (r // 2) ** 2) + (3 * r * r if is_last else 0)
    return Work(
        "finish", r, num, num, batch, mode, _FINISH_FLOPS * outputs * batch, batch * (features + picture) + 4 * r * r
    )


def _styles(config: GeneratorConfig, channels: dict[int, int], blocks: list[int], batch: int, mode: Mode) -> Work:
    """Affines of all layers and demodulation of the convolutions; always float32."""
    layers = list(style_layers(channels, blocks))
    affine = sum(num_in for num_in, _ in layers) * config.w_dim
    sums = sum(num_in * num_out for num_in, num_out in layers if num_out)
    products = 2 * batch * (affine + sums)
    latents = batch * config.num_ws * config.w_dim
    return Work("styles", 0, config.w_dim, len(layers), batch, mode, products, 4 * (affine + sums + latents))


def style_layers(channels: dict[int, int], blocks: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(styles, demodulated channels) of each layer; toRGB has none of the latter."""
    for number, r in enumerate(blocks):
        if number:
            yield channels[r // 2], channels[r]
        yield channels[r], channels[r]
        yield channels[r], 0


def _pad(channels: int) -> int:
    return channels + -channels % CHANNEL_MULTIPLE
