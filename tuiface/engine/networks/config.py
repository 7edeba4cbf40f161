"""What a StyleGAN2 network looks like, as values: enough to build it, nothing that needs torch.

Shape legend: R = img_resolution, C(r) = channels at resolution r, w = w_dim.
Sources: Karras et al. 2020 (arXiv 1912.04958) and 2020b (2006.06676) for the architecture.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

MIN_RESOLUTION = 4
MAX_RESOLUTION = 1024

#: Separable low-pass filter of every stock network, before normalisation (Karras et al. 2020, section 2).
RESAMPLE_TAPS = (1.0, 3.0, 3.0, 1.0)


def block_resolutions(img_resolution: int) -> tuple[int, ...]:
    """`(4, 8, ..., img_resolution)`."""
    return tuple(2**i for i in range(2, int(math.log2(img_resolution)) + 1))


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Everything that fixes a generator's shapes and arithmetic besides its tensors."""

    z_dim: int
    """Length of z."""
    c_dim: int
    """Number of classes of the one-hot label; 0 for an unconditional network."""
    w_dim: int
    """Length of w."""
    img_resolution: int
    """Side of the picture in pixels, a power of two from 8 to 1024."""
    img_channels: int
    """3 for RGB."""
    channels: tuple[int, ...]
    """C(4), C(8), ..., C(R)."""
    mapping_features: tuple[int, ...]
    """Output width of each fully connected mapping layer; the last one is w_dim."""
    embed_features: int = 0
    """Width of the label embedding; 0 without labels."""
    mapping_lr_multiplier: float = 0.01
    """Runtime gain of the mapping layers' weights and biases."""
    conv_clamp: float | None = None
    """Activations of convolutions and toRGB are clamped to +-this; None for no clamp."""
    fp16_resolutions: tuple[int, ...] = ()
    """Blocks that the writer ran in half precision. Recorded; rendering in float32 is always valid."""
    architecture: Literal["skip"] = "skip"

    @property
    def num_ws(self) -> int:
        """Rows of W+: 2*log2(R) - 2."""
        return 2 * int(math.log2(self.img_resolution)) - 2

    @property
    def block_resolutions(self) -> tuple[int, ...]:
        """4, 8, ..., R."""
        return block_resolutions(self.img_resolution)

    def channels_at(self, resolution: int) -> int:
        """C(resolution)."""
        return self.channels[int(math.log2(resolution)) - 2]


@dataclass(frozen=True, slots=True)
class DiscriminatorConfig:
    """Everything that fixes a discriminator's shapes and arithmetic besides its tensors."""

    c_dim: int
    img_resolution: int
    img_channels: int
    channels: tuple[int, ...]
    """C(4), C(8), ..., C(R)."""
    architecture: Literal["resnet", "orig"] = "resnet"
    mbstd_group_size: int | None = 4
    """Members of a minibatch-standard-deviation group; None for the whole batch."""
    mbstd_num_channels: int = 1
    """Feature channels that minibatch standard deviation appends; 0 leaves it out."""
    cmap_dim: int = 0
    """Width of the label projection; 0 without labels."""
    mapping_features: tuple[int, ...] = ()
    """Output width of each layer of the label mapping."""
    embed_features: int = 0
    mapping_lr_multiplier: float = 0.01
    conv_clamp: float | None = None

    @property
    def block_resolutions(self) -> tuple[int, ...]:
        """4, 8, ..., R."""
        return block_resolutions(self.img_resolution)

    def channels_at(self, resolution: int) -> int:
        """C(resolution)."""
        return self.channels[int(math.log2(resolution)) - 2]


def config_to_json(config: GeneratorConfig | DiscriminatorConfig) -> dict[str, Any]:
    """The configuration as plain JSON values, for a safetensors header."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()}
