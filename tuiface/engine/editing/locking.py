"""Turning an edit away from a region: the smallest step in W+ that undoes what the edit does there.

Let J be the picture's Jacobian at the unedited face over a basis of the population, W_b weights on what must stay, W_f
on what may change. For an edit d0 the smooth lock minimises, over steps c,

    |J (d + c) - J d0|^2 on W_f  +  lambda |J (d0 + c)|^2 on W_b  +  epsilon |c|^2,

whose solution is d* = (M_f + lambda M_b + epsilon)^-1 (M_f + epsilon) d0 with M = J^T W J: the smooth lock
(I + lambda M_b)^-1 d0, and its null space as lambda grows, with "I" replaced by what the edit is for. Pictures are not
linear in W+, so both residuals are measured on pictures and the step is repeated with the same J (chord method).

Shape legend: L = num_ws, w = w_dim, D = steps of the basis, P = numbers observed of a picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.engine.editing.jacobian import gram

#: lambda at strength 1: an outside change weighs a hundred times an inside one.
FULL_LOCK = 100.0
#: epsilon, as a share of the mean curvature: keeps the step among directions that the population uses.
DAMPING = 0.02
NUM_STEPS = 4
#: Longest step, in standard deviations over all groups of rows; two faces of the population lie some twenty apart.
REACH = 6.0

ObserveStep = Callable[[Tensor], Tensor]
"""A step [1, L, w] on top of the edit -> what is observed of the picture, float32 [P]."""


@dataclass(frozen=True, slots=True, eq=False)
class LockSpace:
    """The Jacobian of one unedited face."""

    steps: Tensor
    """float32 [D, L, w]."""
    columns: Tensor
    """float32 [D, P]: change of the observed numbers for one unit of each step."""
    base: Tensor
    """float32 [P]: the unedited face."""


@dataclass(frozen=True, slots=True, eq=False)
class LockWeights:
    """What may change and what must not, for each observed number."""

    inside: Tensor
    """float32 [P], sums to 1."""
    outside: Tensor
    """float32 [P]: lambda times a weighting that sums to 1 at strength 1."""


def firmness(strength: Tensor) -> Tensor:
    """lambda of each pixel from its strength in [0, 1]: 0, and at strength 1 `FULL_LOCK`."""
    slack = 1 / FULL_LOCK
    return strength / (1 + slack - strength)


def locked_step(space: LockSpace, weights: LockWeights, observe: ObserveStep) -> Tensor:
    """The step [1, L, w] to add to an edit so that it leaves the outside alone and does inside what it did.

    `observe` gives the picture of the edit with a step on top. Costs at most `NUM_STEPS` + 1 pictures.
    """
    both = weights.inside + weights.outside
    normal = gram(space.columns, both)
    damping = DAMPING * float(gram(space.columns, weights.inside).diagonal().mean()) + 1e-12
    normal += damping * torch.eye(len(normal), device=normal.device)
    factor = torch.linalg.cholesky(normal.double())
    coefficients = torch.zeros(len(space.columns), device=normal.device)
    target = observed = observe(_combined(space, coefficients))

    def cost() -> float:
        return float((weights.inside * (observed - target) ** 2 + weights.outside * (observed - space.base) ** 2).sum())

    best, best_observed, best_cost, share = coefficients, observed, cost(), 1.0
    for _ in range(NUM_STEPS):
        residual = weights.inside * (best_observed - target) + weights.outside * (best_observed - space.base)
        gradient = space.columns @ residual + damping * best
        step = -torch.cholesky_solve(gradient.double()[:, None], factor)[:, 0].float()
        coefficients = _within_reach(best + share * step)
        observed = observe(_combined(space, coefficients))
        if cost() < best_cost:
            best, best_observed, best_cost = coefficients, observed, cost()
        else:  # the picture bends away from its tangent: a shorter step from where it was best
            share /= 2
    return _combined(space, best)


def _within_reach(coefficients: Tensor) -> Tensor:
    """At most `REACH` long: a lock that would need more cannot hold without leaving every face."""
    length = float(coefficients.norm())
    return coefficients if length <= REACH else coefficients * (REACH / length)


def _combined(space: LockSpace, coefficients: Tensor) -> Tensor:
    return torch.einsum("d,dlw->lw", coefficients, space.steps)[None]
