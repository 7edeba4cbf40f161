"""Means of losses between two ticks, kept in snapshots too: a resumed run reports what an uninterrupted one would."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Statistics:
    """Sums and counts of named losses; they stay on their device, so that a GPU is waited for at ticks alone."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        """float64 [2] by name: the sum, and how many were added."""

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Note one step's losses."""
        for name, value in losses.items():
            noted = torch.stack([value.detach().double(), torch.ones_like(value, dtype=torch.float64)])
            self.sums[name] = self.sums[name] + noted if name in self.sums else noted

    def take(self) -> dict[str, float]:
        """Means by name; begins anew."""
        means = {name: float(total / count) for name, (total, count) in self.sums.items()}
        self.sums.clear()
        return means
