"""All chance of a run, in one torch.Generator whose state a snapshot keeps: what makes an exact resume possible."""

from __future__ import annotations

import torch
from torch import Tensor


class RandomGenerator:
    """Random draws on one device."""

    def __init__(self, seed: int, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal float32 of `shape`."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform float32 of `shape` in [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.device)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Uniform int64 of `shape` in [low, high)."""
        return torch.randint(low, high, shape, generator=self.generator, device=self.device)

    def bernoulli(self, count: int, probability: float) -> Tensor:
        """bool [count], each True with `probability`."""
        return self.uniform(count) < probability
