"""Turning an edit away from a region: the step in W+ that undoes what the edit does there, and little else.

Let x(d) be what is observed of the picture for a step d in W+, W_b weights on what must stay and W_f on what may
change. For an edit d0 the smooth lock looks for a step c that makes

    |x(d0 + c) - x(d0)|^2 on W_f  +  |x(d0 + c) - x(0)|^2 on W_b  +  RIDGE |c|^2

small, with c in standard deviations of the population's components, row by row. Were pictures linear in W+, with M the
Gram matrices of their Jacobian, this were (M_f + M_b + RIDGE)^-1 (M_f + RIDGE) d0: the null space of M_b as its weight
grows, with the identity of the textbook's lock replaced by what the edit is for. They are not, so the gradient is taken
through the network itself, by L-BFGS (Liu and Nocedal 1989) from c = 0. It takes the steepest of the region's change
away first, and is stopped before it gives up the edit for the last hundredths. Here it is PyTorch's, for processors;
step_search.py has its twin for cards.

Shape legend: L = num_ws, w = w_dim, k = whitened components, P = numbers observed of a picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.engine.edits.edits import EditSum
from tuiface.engine.latents import LatentPopulation
from tuiface.engine.optimizers import EagerLBFGS
from tuiface.faces.recipe import Recipe, RegionLock

#: lambda at strength 1: an outside change weighs a hundred times an inside one.
MAX_LAMBDA = 100.0
#: Squared levels of [-1, 1] that one standard deviation costs: keeps the step among faces of the population.
RIDGE = 1e-6
NUM_ITERATIONS = 40
"""Each one gives up a little more of the edit for a lot less change outside: at equal effect 20 leave half as much
again, 30 a fifth."""
#: A step that was found is scaled to other amounts at most so far.
MAX_SCALE = 2.0
HISTORY = 20
"""Pairs that L-BFGS remembers."""
_SCALE = 1e4
"""Of the cost: L-BFGS stops at absolute tolerances."""

Observe = Callable[[Tensor], Tensor]
"""A step [1, L, w] on top of the edit -> what is observed of the picture, float32 [P]; differentiable."""


@dataclass(frozen=True, slots=True, eq=False)
class LockWeights:
    """What may change and what must not, for each observed number."""

    inside: Tensor
    """float32 [P], sums to 1."""
    outside: Tensor
    """float32 [P]: lambda times a weighting that sums to 1 at strength 1."""


@dataclass(frozen=True, slots=True, eq=False)
class LockStep:
    """The step that locks added to the edits of one recipe."""

    recipe: Recipe
    edits: EditSum
    step: Tensor
    """float32 [1, L, w]."""

    def is_reusable_for(self, recipe: Recipe) -> bool:
        """Whether it need not be looked for again."""
        return self.recipe.edits == recipe.edits and self.has_equal_locks(recipe)

    def has_equal_locks(self, recipe: Recipe) -> bool:
        """Whether the recipe's locks hold the same pixels as firmly; what they guarantee beyond the step is theirs."""
        return _strip_guarantees(self.recipe) == _strip_guarantees(recipe)

    def scale_to(self, edits: EditSum) -> Tensor:
        """The step [1, L, w] for other amounts of the same edits: in proportion, which holds for small changes."""
        before, now = self.edits.by_name(), edits.by_name()
        overlap = sum(float((before[name] * now[name]).sum()) for name in before.keys() & now.keys())
        length = sum(float(step.square().sum()) for step in before.values())
        return self.step * (min(max(overlap / length, -MAX_SCALE), MAX_SCALE) if length else 0.0)


def _strip_guarantees(recipe: Recipe) -> list[RegionLock]:
    return [lock.model_copy(update={"guarantee": "direction"}) for lock in recipe.locks]


def lambda_from_strength(strength: Tensor) -> Tensor:
    """lambda of each pixel from its strength in [0, 1]: 0, and at strength 1 `MAX_LAMBDA`."""
    slack = 1 / MAX_LAMBDA
    return strength / (1 + slack - strength)


def normalise_weights(weights: Tensor) -> Tensor:
    """Scaled to sum to 1; all zero where nothing weighs."""
    return weights / weights.sum().clamp_min(1e-6)


def step_cost(weights: LockWeights, target: Tensor, base: Tensor, observed: Tensor, walked: Tensor) -> Tensor:
    """[]: what a step is looked for by, of what is observed with it.

    target, base, observed: float32 [P], of the edited face, of the unedited one, with the step; walked: [L, k].
    """
    change = weights.inside * (observed - target) ** 2 + weights.outside * (observed - base) ** 2
    return _SCALE * (change.sum() + RIDGE * walked.square().sum())


def solve_lock_step(
    population: LatentPopulation,
    weights: LockWeights,
    target: Tensor,
    base: Tensor,
    num_ws: int,
    observe: Observe,
    num_iterations: int = NUM_ITERATIONS,
) -> Tensor:
    """The step [1, L, w] to add to an edit so that it leaves the outside alone and does inside what it did.

    target, base: float32 [P], what is observed of the edited and of the unedited face. Costs some `num_iterations`
    pictures and their gradients. The same bits each time for the same number of CPU threads.
    """
    basis = population.basis
    walked = torch.zeros(num_ws, basis.shape[1], device=basis.device, requires_grad=True)  # [L, k]

    def combined() -> Tensor:
        return (walked @ basis.t())[None]  # [L, k] @ [k, w] -> [1, L, w]

    def cost() -> Tensor:
        with torch.enable_grad():
            loss = step_cost(weights, target, base, observe(combined()), walked)
            (walked.grad,) = torch.autograd.grad(loss, walked)
        return loss

    optimiser = EagerLBFGS([walked], max_iter=num_iterations, history_size=HISTORY, line_search_fn="strong_wolfe")
    optimiser.step(cost)  # type: ignore[no-untyped-call]
    return combined().detach()
