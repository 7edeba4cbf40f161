"""All randomness of a run: draws, and the order in which pictures come, both kept by a snapshot.

One torch.Generator and one position in shuffled epochs: what makes an exact resume possible.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from tuiface.engine.training.ranks import ALONE, Ranks


class RandomGenerator:
    """Random draws on one device, a row a picture.

    Of several ranks each draws the rows of all and keeps its own: their generators stay in one state. The leading
    number of each shape is that of the rank's rows.
    """

    def __init__(self, seed: int, device: str = "cpu", ranks: Ranks = ALONE) -> None:
        self.ranks = ranks
        self.device = torch.device(device)
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(seed)

    def replace(self, state: Tensor) -> None:
        """Go on from `state` with another generator: one whose capture failed cannot be drawn from again."""
        self.generator = torch.Generator(self.device)
        self.generator.set_state(state)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal float32 of `shape`."""
        return self.ranks.own_rows(torch.randn(self._whole(shape), generator=self.generator, device=self.device))

    def uniform(self, *shape: int) -> Tensor:
        """Uniform float32 of `shape` in [0, 1)."""
        return self.ranks.own_rows(torch.rand(self._whole(shape), generator=self.generator, device=self.device))

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Uniform int64 of `shape` in [low, high)."""
        whole = torch.randint(low, high, self._whole(shape), generator=self.generator, device=self.device)
        return self.ranks.own_rows(whole)

    def bernoulli(self, count: int, probability: float | Tensor) -> Tensor:
        """bool [count], each True with `probability`, a number or a tensor []."""
        return self.uniform(count) < probability

    def _whole(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0] * self.ranks.count, *shape[1:])


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

    def place(self, count: int, available: int) -> SampleOrder:
        """The position of the next `count` indices: this one, or the next epoch's beginning where fewer are left.

        `available` pictures are there now: those of an epoch that begins.
        """
        if self.offset + count > self.size or self.size == 0:
            return replace(self, epoch=self.epoch + 1, size=available, offset=0)
        return self

    def indices(self, count: int) -> Tensor:
        """The `count` indices at this position, int64 [count]; fewer pictures in all are repeated."""
        permutation = _permute(self.seed, self.epoch, self.size)
        if self.size < count:
            permutation = permutation.repeat(-(-count // self.size))
        return permutation[self.offset : self.offset + count]

    def after(self, count: int) -> SampleOrder:
        """The position behind `count` indices."""
        return replace(self, offset=self.offset + count)


@lru_cache(maxsize=2)
def _permute(seed: int, epoch: int, size: int) -> Tensor:
    """Of one epoch, int64 [size]: nobody may write into it."""
    # Seeds of neighbouring epochs must not be neighbours: runs with seeds 0 and 1 would share their epochs.
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(size, generator=generator)
