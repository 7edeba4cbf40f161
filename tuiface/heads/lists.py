"""Lists that differ in length from head to head: the strands that grow, the points along them.

They can be held in two ways, which draw the same pictures:

- `ShortLists` are as long as they must be. Nothing is computed for nothing, but the program reads each length from the
  device: a GPU is waited for. For CPUs.
- `FixedLists` have lengths that follow from the shapes of their input alone. What is not there has no weight, nothing
  is read, and all of it can be captured as a CUDA graph. Should a list not fit, `fits` says so afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Selection:
    """Which of L things are there."""

    index: Tensor | None
    """int64 [M], their places in order; None where all L are kept, M = L."""
    mask: Tensor
    """bool [L]."""

    def of(self, values: Tensor) -> Tensor:
        """Rows [M, ...] of `values` [L, ...]."""
        return values if self.index is None else values.index_select(0, self.index)

    def weigh(self, weights: Tensor, absent: float = 0.0) -> Tensor:
        """`weights` [M, ...], and `absent` for what is not there."""
        if self.index is not None:
            return weights
        return torch.where(self.mask.view(-1, *[1] * (weights.ndim - 1)), weights, absent)


@dataclass(frozen=True, eq=False)
class Repetition:
    """A list in which the k-th of L things stands as often as its count says."""

    columns: tuple[Tensor, ...]
    """[M] each: what was to be repeated."""
    place: Tensor
    """int64 [M]: 0, 1, ... among those of the same thing."""
    exists: Tensor
    """bool, broadcasts over [M]. What does not exist is the first of any thing."""


class Lists(Protocol):
    """How lists are held."""

    def select(self, mask: Tensor) -> Selection:
        """What is there, bool [L]."""
        ...

    def repeat(self, columns: Sequence[Tensor], counts: Tensor, typical: float) -> Repetition:
        """Each entry of `columns` [L] as often as `counts` int64 [L] says; `typical`: about the mean, seldom more."""
        ...

    def any(self, mask: Tensor) -> bool:
        """False only where nothing is there."""
        ...


class ShortLists:
    """Implements `Lists`: as long as they must be."""

    def select(self, mask: Tensor) -> Selection:
        """As `Lists`."""
        return Selection(mask.nonzero()[:, 0], mask)

    def repeat(self, columns: Sequence[Tensor], counts: Tensor, typical: float) -> Repetition:
        """As `Lists`."""
        first = torch.repeat_interleave(counts.cumsum(0) - counts, counts)
        place = torch.arange(len(first), device=counts.device) - first
        repeated = tuple(torch.repeat_interleave(column, counts) for column in columns)
        return Repetition(repeated, place, torch.ones((), dtype=torch.bool, device=counts.device))

    def any(self, mask: Tensor) -> bool:
        """As `Lists`."""
        return bool(mask.any())


class FixedLists:
    """Implements `Lists` for one batch: of fixed lengths, `slack` times what is typical."""

    def __init__(self, slack: float = 1.0) -> None:
        self._slack = slack
        self._fits: list[Tensor] = []

    @property
    def fits(self) -> Tensor:
        """bool []: whether every list of the batch was long enough; if not, its pictures lack something."""
        return torch.stack(self._fits).all()

    def select(self, mask: Tensor) -> Selection:
        """As `Lists`."""
        return Selection(None, mask)

    def repeat(self, columns: Sequence[Tensor], counts: Tensor, typical: float) -> Repetition:
        """As `Lists`."""
        length = max(1, round(typical * self._slack * len(counts)))
        ends = counts.cumsum(0)
        self._fits.append(ends[-1] <= length)
        starts = ends - counts
        # The number of things that have begun: those that stand nowhere begin where the next one does.
        begun = torch.zeros(length + 1, dtype=torch.int64, device=counts.device)
        begun.scatter_add_(0, starts.clamp(max=length), torch.ones_like(starts))
        at = torch.arange(length, device=counts.device)
        exists = at < ends[-1]
        # What is left over is spread: where it goes next, it would queue for one place.
        thing = torch.where(exists, begun[:-1].cumsum(0) - 1, at % len(counts))
        repeated = tuple(column[thing] for column in columns)
        return Repetition(repeated, torch.where(exists, at - starts[thing], 0), exists)

    def any(self, mask: Tensor) -> bool:
        """As `Lists`."""
        return True
