"""Networks of FFHQ's shape with random weights, and latents for them: what is measured where no trained one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuiface.engine.networks.config import GeneratorConfig, block_resolutions

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tuiface.engine.networks.generator import Generator
    from tuiface.engine.networks.inference import Plan


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Of a generator, whatever its resolution; the defaults are those of FFHQ's config F (Karras et al. 2020)."""

    channel_base: int = 32768
    """C(r) = min(channel_base / r, channel_max)."""
    channel_max: int = 512
    width: int = 512
    """Of z, w and the mapping's layers."""
    mapping_layers: int = 8

    def config(self, resolution: int) -> GeneratorConfig:
        """Of a generator of this shape."""
        channels = tuple(min(self.channel_base // r, self.channel_max) for r in block_resolutions(resolution))
        return GeneratorConfig(self.width, 0, self.width, resolution, 3, channels, (self.width,) * self.mapping_layers)


CONFIG_F = NetworkShape()


def build_generator(config: GeneratorConfig, device: torch.device) -> Generator:
    """Random weights, noise of 0.1, random biases; the same numbers in every process. It takes no gradients."""
    import torch

    from tuiface.engine.networks.generator import Generator

    torch.manual_seed(0)
    generator = Generator(config).eval()
    for name, parameter in generator.synthesis.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.1)
        elif name.endswith(".bias") and "affine" not in name:
            parameter.data.normal_(std=0.1)
    return generator.requires_grad_(requires_grad=False).to(device)


def sample_z(generator: Generator, batch: int) -> Tensor:
    """float32 [batch, z_dim] of seeds 0 and on."""
    import torch

    z = np.concatenate([np.random.RandomState(seed).randn(1, generator.config.z_dim) for seed in range(batch)])
    return torch.from_numpy(z).float().to(generator.mapping.w_avg.device)


def sample_ws(generator: Generator, batch: int) -> Tensor:
    """float32 [batch, num_ws, w_dim] of seeds 0 and on, the same on every device but for rounding."""
    import torch

    with torch.no_grad():
        return generator.map(sample_z(generator, batch))


def sample_steps(generator: Generator, seed: int) -> Mapping[str, Tensor]:
    """An edit of styles: [1, I] of every third layer."""
    import torch

    rng, device = np.random.RandomState(seed), generator.mapping.w_avg.device
    layers = list(generator.synthesis.style_layers())[seed % 3 :: 3]
    return {
        name: torch.from_numpy(rng.randn(1, layer.affine.weight.shape[0])).float().to(device)
        for name, layer, _ in layers
    }


def drawing(plan: Plan, ws: Tensor, generator: Generator, until: int) -> Callable[[], np.ndarray]:
    """From ws to bytes on the host, without an edit."""
    noise = generator.noise_maps("const", until)
    return lambda: plan.draw(ws, {}, noise, until)
