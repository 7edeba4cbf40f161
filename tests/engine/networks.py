"""Small networks with random weights for tests."""

from __future__ import annotations

import torch

from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator
from tuiface.engine.networks.layers import SynthesisLayer


def small_generator(
    channels: tuple[int, ...] = (7, 5, 6),
    *,
    c_dim: int = 0,
    clamp: float | None = None,
    z_dim: int = 9,
    w_dim: int = 11,
    seed: int = 0,
) -> Generator:
    """Odd channel counts on purpose; noise strengths and biases are not zero."""
    torch.manual_seed(seed)
    config = GeneratorConfig(
        z_dim=z_dim,
        c_dim=c_dim,
        w_dim=w_dim,
        img_resolution=2 ** (len(channels) + 1),
        img_channels=3,
        channels=channels,
        mapping_features=(13, w_dim),
        embed_features=w_dim if c_dim else 0,
        conv_clamp=clamp,
    )
    generator = Generator(config)
    with torch.no_grad():
        for layer in generator.modules():
            if isinstance(layer, SynthesisLayer):
                layer.noise_strength.fill_(0.3)
                layer.bias.normal_()
        generator.mapping.w_avg.normal_(std=0.1)
    return generator.eval().requires_grad_(requires_grad=False)


def small_discriminator(resolution: int = 16, *, c_dim: int = 0, architecture: str = "resnet") -> Discriminator:
    torch.manual_seed(0)
    channels = (6, 5, 7, 4, 3)[: resolution.bit_length() - 2]
    config = DiscriminatorConfig(
        c_dim=c_dim,
        img_resolution=resolution,
        img_channels=3,
        channels=channels,
        architecture=architecture,  # type: ignore[arg-type]
        cmap_dim=6 if c_dim else 0,
        mapping_features=(6, 6) if c_dim else (),
        embed_features=6 if c_dim else 0,
    )
    return Discriminator(config).eval()
