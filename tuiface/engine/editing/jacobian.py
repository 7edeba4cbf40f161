"""How a face's picture answers to small steps in W+: central differences over a basis of the population.

Shape legend: L = num_ws, w = w_dim, D = steps of the basis, P = numbers observed of a picture.
Forward differences over a few hundred steps replace the one backward pass a pixel of LowRankGAN (Zhu et al. 2021,
arXiv 2106.04488); the basis is the population's own (GANSpace), so a step of 1 is one standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tuiface.engine.editing.population import Population

#: Components a group of rows: the largest ones, which hold nearly all of what faces differ in.
COMPONENTS = 40
#: Half a standard deviation: large against rounding, small against the curvature of an edit.
STEP_SIGMA = 0.5
BATCH = 16

Observe = Callable[[Tensor], Tensor]
"""ws [N, L, w] -> what is observed of each picture, float32 [N, P]."""


def row_groups(num_ws: int) -> list[tuple[int, int]]:
    """Rows that a basis moves together, half-open: pairs for the coarse ones, the fine ones as one."""
    pairs = [(start, start + 2) for start in range(0, min(8, num_ws), 2)]
    return pairs if num_ws <= 8 else [*pairs, (8, num_ws)]


def lock_basis(population: Population, num_ws: int) -> Tensor:
    """float32 [D, L, w]: steps of one standard deviation along the population's components, for each group of rows."""
    components = population.basis[:, :COMPONENTS].t()  # [k, w]
    steps = []
    for start, stop in row_groups(num_ws):
        step = torch.zeros(len(components), num_ws, components.shape[1], device=components.device)
        step[:, start:stop] = components[:, None]
        steps.append(step)
    return torch.cat(steps)


def jacobian(observe: Observe, ws: Tensor, steps: Tensor) -> Tensor:
    """float32 [D, P]: the change of what is observed at ws [1, L, w], for one unit of each of steps [D, L, w]."""
    rows = []
    for chunk in torch.split(steps, BATCH // 2):
        both = torch.cat([ws + STEP_SIGMA * chunk, ws - STEP_SIGMA * chunk])
        plus, minus = observe(both).chunk(2)
        rows.append((plus - minus) / (2 * STEP_SIGMA))
    return torch.cat(rows)


def gram(columns: Tensor, weights: Tensor) -> Tensor:
    """float32 [D, D]: M = J^T diag(weights) J of columns [D, P] and weights [P]."""
    return (columns * weights) @ columns.t()
