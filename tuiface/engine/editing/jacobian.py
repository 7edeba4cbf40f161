"""How a face's picture answers to small steps in W+: central differences over a basis of the population.

Shape legend: L = num_ws, w = w_dim, D = steps of the basis, P = numbers observed of a picture.
Forward differences over a few hundred steps replace the one backward pass a pixel of LowRankGAN (Zhu et al. 2021,
arXiv 2106.04488); the basis is the population's own (GANSpace), so a step of 1 is one standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: Half a standard deviation: large against rounding, small against the curvature of an edit.
STEP_SIGMA = 0.5
BATCH = 16

Observe = Callable[[Tensor], Tensor]
"""ws [N, L, w] -> what is observed of each picture, float32 [N, P]."""


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
