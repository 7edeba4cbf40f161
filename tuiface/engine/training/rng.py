"""All randomness of a run: draws, and the order in which pictures come, both kept by a snapshot.

One torch.Generator and one position in shuffled epochs: what makes an exact resume possible.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tuiface.engine.training.ranks import ALONE, Ranks


class RandomGenerator:
    """Random draws on one device, a row a picture.

    Of several ranks each draws the rows of all and keeps its own: their generators stay in one state. The leading
    number of each shape is that of the rank's rows.
    """

    def __init__(self, seed: int, device: str = "cpu", ranks: Ranks = ALONE) -> None:
        self._ranks = ranks
        self.device = torch.device(device)
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal float32 of `shape`."""
        return self._ranks.own_rows(torch.randn(self._whole(shape), generator=self.generator, device=self.device))

    def uniform(self, *shape: int) -> Tensor:
        """Uniform float32 of `shape` in [0, 1)."""
        return self._ranks.own_rows(torch.rand(self._whole(shape), generator=self.generator, device=self.device))

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Uniform int64 of `shape` in [low, high)."""
        whole = torch.randint(low, high, self._whole(shape), generator=self.generator, device=self.device)
        return self._ranks.own_rows(whole)

    def bernoulli(self, count: int, probability: float) -> Tensor:
        """bool [count], each True with `probability`."""
        return self.uniform(count) < probability

    def _whole(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0] * self._ranks.count, *shape[1:])


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """A position in the data.

    Each epoch is a permutation of the pictures that were there when it began, so data may arrive while training runs.
    """

    seed: int
    epoch: int = 0
    size: int = 0
    """Pictures in this epoch."""
    offset: int = 0
    """Pictures of this epoch that were taken."""

    def take(self, count: int, available: int) -> tuple[Tensor, SampleOrder]:
        """The next `count` indices, int64 [count], and the position behind them; `available` pictures are there now.

        An epoch that has fewer than `count` left ends early; fewer than `count` pictures in all are repeated.
        """
        order = self
        if order.offset + count > order.size or order.size == 0:
            order = replace(order, epoch=order.epoch + 1, size=available, offset=0)
        permutation = order._permutation()
        if order.size < count:
            permutation = permutation.repeat(-(-count // order.size))
        indices = permutation[order.offset : order.offset + count]
        return indices, replace(order, offset=order.offset + count)

    def _permutation(self) -> Tensor:
        # Seeds of neighbouring epochs must not be neighbours: runs with seeds 0 and 1 would share their epochs.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return torch.randperm(self.size, generator=generator)
