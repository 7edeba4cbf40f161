"""Limited-memory BFGS whose every decision is taken on the device, so that a CUDA graph can hold it.

Nocedal and Wright 2006: the two-loop recursion (algorithm 7.4) over the last pairs of steps and of gradients' changes
(Liu and Nocedal 1989), and a search for the strong Wolfe conditions by cubic interpolation (algorithms 3.5 and 3.6).
One call of `advance` takes one cost with its gradient and decides on the next point by `torch.where`; nothing is read
by the host, and all shapes are fixed. It is the twin of torch.optim.LBFGS, of which it takes the constants: both go
through the same points, but for rounding.

Shape legend: n = variables, m = pairs that are remembered. A sample is a point of a line search as float32 [3 + n]: how
many times the direction it lies away, its cost, the cost's slope along the direction, its gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

SUFFICIENT_DECREASE = 1e-4
"""c1 of the Wolfe conditions."""
CURVATURE = 0.9
"""c2."""
MIN_CURVATURE = 1e-10
"""Of a step and its gradients' change: below it the pair says nothing about the Hessian."""
MIN_CHANGE = 1e-9
"""Of a variable, of the cost, of a slope: where less happens, it is the end."""
MIN_GRADIENT = 1e-7

_LENGTH, _COST, _SLOPE, _GRADIENT = 0, 1, 2, 3


class DeviceLBFGS:
    """A minimisation of n variables: `trial` is where the cost is asked for, `advance` takes it."""

    def __init__(self, num_variables: int, num_pairs: int, device: torch.device) -> None:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, device=device)

        self.trial = zeros(num_variables)
        """float32 [n]: where cost and gradient are wanted; after the end, the point that was found."""
        self.is_finished = torch.zeros((), dtype=torch.bool, device=device)
        """bool []: whether `advance` changes nothing any more."""
        self._max_iterations, self._max_evaluations = zeros(), zeros()
        self._num_iterations = zeros()
        self._num_evaluations = zeros()
        self._num_searched = zeros()  # evaluations of this line search before
        self._is_zooming = torch.zeros_like(self.is_finished)  # within an interval that holds an acceptable point
        self._is_near_end = torch.zeros_like(self.is_finished)  # so was the last interpolated point in it
        self._point, self._direction = zeros(num_variables), zeros(num_variables)
        self._length = zeros()
        self._start, self._low, self._high = (zeros(_GRADIENT + num_variables) for _ in range(3))
        self._steps, self._changes = zeros(num_pairs, num_variables), zeros(num_pairs, num_variables)  # oldest first
        self._weights = zeros(num_pairs)  # 1 over the curvature of each pair; 0 where there is none yet
        self._scale = zeros()  # of the first approximation of the inverse Hessian

    def reset(self, num_iterations: int) -> None:
        """Begin again at 0, for so many line searches at most."""
        for state in vars(self).values():
            state.zero_()
        self._scale.fill_(1)
        self._max_iterations.fill_(num_iterations)
        self._max_evaluations.fill_(self.max_evaluations(num_iterations))

    @staticmethod
    def max_evaluations(num_iterations: int) -> int:
        """How often the cost is asked for at most: after so many calls of `advance` it is finished."""
        return num_iterations * 5 // 4

    @torch.no_grad()
    def advance(self, cost: Tensor, gradient: Tensor) -> None:
        """Take the cost [] and gradient [n] at `trial`, and go on to the next point."""
        is_first = self._num_evaluations == 0
        sample = torch.cat([torch.stack([self._length, cost, gradient @ self._direction]), gradient])
        is_last = self._num_evaluations + 1 >= self._max_evaluations
        accepted, is_zooming, low, high = self._narrow(sample)
        length, is_near_end = self._choose_length(sample, low, high, is_zooming)
        width = (high[_LENGTH] - low[_LENGTH]).abs() * self._direction.abs().max()
        is_narrow = is_zooming & (width < MIN_CHANGE)
        best = torch.where(is_zooming, low, torch.where(sample[_COST] < self._start[_COST], sample, self._start))
        best = torch.where(is_first | accepted, sample, best)
        searched = {
            "_num_evaluations": self._num_evaluations + 1,
            "_num_searched": self._num_searched + 1,
            "_is_zooming": is_zooming,
            "_is_near_end": is_near_end,
            "_length": length,
            "_low": low,
            "_high": high,
        }
        moved = self._move(best, is_first=is_first, is_last=is_last)
        self._keep(searched, moved, is_first | accepted | is_narrow | is_last)

    def _keep(self, searched: dict[str, Tensor], moved: dict[str, Tensor], has_moved: Tensor) -> None:
        """Take over what a line search or, where it has come to its end, the step made of the state."""
        is_finished = self.is_finished.clone()
        for name in searched.keys() | moved.keys():
            before = getattr(self, name)
            found = searched.get(name, before)
            found = torch.where(has_moved, moved[name], found) if name in moved else found
            before.copy_(torch.where(is_finished, before, found))
        torch.add(self._point, self._direction * torch.where(self.is_finished, 0, self._length), out=self.trial)

    def _narrow(self, sample: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Whether the sample meets the Wolfe conditions; whether an interval is known after it, and its ends.

        The first of them has the lower cost. Before there is an interval it is the sample that the next one follows.
        """
        low, high, length, slope = self._low, self._high, sample[_LENGTH], sample[_SLOPE]
        limit = self._start[_COST] + SUFFICIENT_DECREASE * length * self._start[_SLOPE]
        # One after the first may lie higher than that by rounding alone.
        is_compared = self._is_zooming | (self._num_searched > 1)
        rises = (sample[_COST] > limit) | (is_compared & (sample[_COST] >= low[_COST]))
        accepted = ~rises & (slope.abs() <= -CURVATURE * self._start[_SLOPE])
        closes = rises | (~self._is_zooming & (slope >= 0))  # between `low` and the sample lies what is looked for
        is_lower = sample[_COST] < low[_COST]
        is_turned = slope * (high[_LENGTH] - low[_LENGTH]) >= 0
        beyond = torch.where(is_turned, low, high)
        new_low = torch.where(closes & ~is_lower, low, sample)
        new_high = torch.where(closes, torch.where(is_lower, low, sample), beyond)
        return accepted, self._is_zooming | closes, new_low, new_high

    def _choose_length(self, sample: Tensor, low: Tensor, high: Tensor, is_zooming: Tensor) -> tuple[Tensor, Tensor]:
        """The next length: beyond the sample, or within the interval, and whether near an end of it."""
        length, before = sample[_LENGTH], self._low
        farther = _minimise_cubic(before, sample, length + 0.01 * (length - before[_LENGTH]), length * 10)
        is_ordered = low[_LENGTH] <= high[_LENGTH]
        left, right = torch.where(is_ordered, low, high), torch.where(is_ordered, high, low)
        first, last = left[_LENGTH], right[_LENGTH]
        within = _minimise_cubic(left, right, first, last)
        margin = 0.1 * (last - first)
        is_near_end = torch.minimum(last - within, within - first) < margin
        # Twice in turn near an end, or at it, the interval would hardly shrink.
        is_moved = is_near_end & (self._is_near_end | (within >= last) | (within <= first))
        inward = torch.where(last - within < within - first, last - margin, first + margin)
        within = torch.where(is_moved, inward, within)
        return torch.where(is_zooming, within, farther), is_zooming & is_near_end & ~is_moved

    def _move(self, best: Tensor, *, is_first: Tensor, is_last: Tensor) -> dict[str, Tensor]:
        """The state after the step to a sample of this line search, with the next direction."""
        gradient, before = best[_GRADIENT:], self._start
        step, change = best[_LENGTH] * self._direction, gradient - before[_GRADIENT:]
        curvature = change @ step
        is_told = ~is_first & (curvature > MIN_CURVATURE)
        steps, changes, weights = (
            torch.where(is_told, torch.cat([pairs[1:], newest[None]]), pairs)
            for pairs, newest in ((self._steps, step), (self._changes, change), (self._weights, 1 / curvature))
        )
        scale = torch.where(is_told, curvature / (change @ change), self._scale)
        direction = _descent(gradient, steps, changes, weights, scale)
        slope = gradient @ direction
        zero, one = torch.zeros_like(slope), torch.ones_like(slope)
        start = torch.cat([torch.stack([zero, best[_COST], slope]), gradient])
        num_iterations = self._num_iterations + (~is_first).float()
        has_stopped = (step.abs().max() <= MIN_CHANGE) | ((best[_COST] - before[_COST]).abs() < MIN_CHANGE)
        is_finished = is_last | (num_iterations >= self._max_iterations) | (~is_first & has_stopped)
        is_finished |= (gradient.abs().max() <= MIN_GRADIENT) | (slope > -MIN_CHANGE)
        return {
            "is_finished": is_finished,
            "_point": self._point + step,
            "_direction": direction,
            "_length": torch.where(is_first, torch.minimum(one, 1 / gradient.abs().sum()), one),
            "_num_iterations": num_iterations,
            "_num_searched": zero,
            "_is_zooming": torch.zeros_like(is_first),
            "_is_near_end": torch.zeros_like(is_first),
            "_start": start,
            "_low": start,
            "_steps": steps,
            "_changes": changes,
            "_weights": weights,
            "_scale": scale,
        }


def _descent(gradient: Tensor, steps: Tensor, changes: Tensor, weights: Tensor, scale: Tensor) -> Tensor:
    """Minus the gradient [n] times the inverse Hessian that pairs [m, n] tell of, those of weight 0 nothing."""
    direction, shares = -gradient, []
    for step, change, weight in zip(steps.flip(0), changes.flip(0), weights.flip(0), strict=True):
        shares.append(weight * (step @ direction))
        direction = torch.addcmul(direction, change, shares[-1], value=-1)
    direction = scale * direction
    for step, change, weight in zip(steps, changes, weights, strict=True):
        direction = torch.addcmul(direction, step, shares.pop() - weight * (change @ direction))
    return direction


def _minimise_cubic(left: Tensor, right: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Where the cubic through two samples and their slopes is lowest within [first, last]; its middle without one.

    Nocedal and Wright 2006, equation 3.59; `left` lies before `right`.
    """
    a, fa, ga = left[_LENGTH], left[_COST], left[_SLOPE]
    b, fb, gb = right[_LENGTH], right[_COST], right[_SLOPE]
    d1 = ga + gb - 3 * (fa - fb) / (a - b)
    d2 = (d1.square() - ga * gb).sqrt()
    lowest = b - (b - a) * ((gb + d2 - d1) / (gb - ga + 2 * d2))
    return torch.where(lowest.isfinite(), lowest.clamp(first, last), (first + last) / 2)
