"""Clumps: strands that grow side by side run together, and share what chance gives them.

A clump is a cell of space around the scalp, bent so that no grid shows. What it draws is a hash of its place and of
the sample's seed, so it is the same whatever strands the list holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.heads.sampling.rng import hash_uniforms

_CELL = 0.105
"""Side of a cell, dm."""
_PRIMES = (73856093, 19349663, 83492791)
"""Teschner et al. 2003, who hash cells of space with them."""


@dataclass(frozen=True, eq=False)
class Clumps:
    """The clump of each of T strands."""

    towards: Tensor
    """From a strand's root to its clump's middle, dm, [T, 3]."""
    draw: Tensor
    """Uniform [T, 5], the clump's own."""


def gather_clumps(root: Tensor, phase: Tensor, seeds: Tensor) -> Clumps:
    """Clumps of strands at `root` [T, 3]; `phase` [T] bends the cells, `seeds` int64 [T] are their samples'."""
    x, y, z = root.unbind(1)
    bend = [torch.sin(13 * b + 7 * c + phase) + 0.6 * torch.sin(29 * c - 17 * a + 2 * phase) for a, b, c in
            ((x, y, z), (y, z, x), (z, x, y))]  # fmt: skip
    bent = root / _CELL + 0.22 * torch.stack(bend, dim=1)
    cell = bent.floor()
    a, b, c = (along * prime for along, prime in zip(cell.long().unbind(1), _PRIMES, strict=True))
    draw = hash_uniforms(a ^ b ^ c ^ seeds, "clumps", 8)
    middle = cell + 0.25 + 0.5 * draw[:, 5:]
    return Clumps((middle - bent) * _CELL, draw[:, :5])
