"""The unit of a step: which multiple of it moves its concept evenly, found with as few pictures as decide it.

Multiples share amounts (1.5 is one and a half units, three halves, and one of 1.5), so that what was read along a step
is remembered; and a multiple is given up as soon as the faces on which it already fails are too many for it to be
chosen. Neither changes what is chosen.

Shape legend: N = faces, L = num_ws, w = w_dim, M = amounts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from tuiface.engine.learning.fitting import EvaluationFaces
from tuiface.engine.learning.verification import AMOUNTS, MIN_SLOPE, grow_at_every_step

STEP_SCALES = (1.0, 0.75, 0.5, 0.35, 1.5, 1.75, 2.0)
_ROUNDS = ((-3.0, -1.0, 0.0, 1.0, 3.0), AMOUNTS)
"""Amounts after which the faces that fail are counted."""


@dataclass(frozen=True, slots=True)
class ScaledStep:
    """How evenly a multiple of a step moves its concept."""

    scale: float
    """Of `STEP_SCALES`."""
    slope: float
    """Deviations of the concept for one unit."""
    percent: float
    """Of the faces on which it is monotone."""


def find_monotone_scale(
    evaluation: EvaluationFaces, step: Tensor, target: int, percent: float, floor: float = -1.0
) -> ScaledStep | None:
    """The first of `STEP_SCALES` of a step [L, w] that is monotone over all amounts on `percent` of the faces.

    A concept with an end, as age has, is used up before three deviations of it on many faces; its unit must be smaller.
    One at whose end most faces are, as closed mouths are, moves one way alone: with a larger unit this way outweighs
    the predictor's noise on the other. Where none is monotone enough, the most monotone one of those that are so on
    more than `floor` percent; None where there is none, or none moves `MIN_SLOPE`.
    """
    best: ScaledStep | None = None
    curve = _Curve(evaluation, step, target)
    for scale in STEP_SCALES:
        slope = float((curve.at(scale) - curve.at(-scale)).mean() / 2)
        if slope < MIN_SLOPE:
            continue
        reached = _monotone_percent(curve, scale, percent, floor)
        if reached is None:
            continue
        scaled = ScaledStep(scale, slope, reached)
        if reached >= percent:
            return scaled
        best, floor = scaled, reached
    return best


def _monotone_percent(curve: _Curve, scale: float, wanted: float, floor: float) -> float | None:
    """Percent of the faces on which a multiple is monotone; None where it is neither `wanted` nor more than `floor`."""
    possible = np.ones(curve.num_faces, dtype=bool)
    for faces in curve.batches():
        for amounts in _ROUNDS:
            curves = np.stack([curve.at(amount * scale, faces) for amount in amounts])  # [M, n]
            possible[faces] = grow_at_every_step(curves, np.diff(amounts))
            percent = 100 * float(possible.mean())
            if percent < wanted and percent <= floor:
                return None
    return 100 * float(possible.mean())


class _Curve:
    """A concept along a step, on every face at every amount read once at most."""

    def __init__(self, evaluation: EvaluationFaces, step: Tensor, target: int) -> None:
        self._evaluation = evaluation
        self._step = step
        self._target = target
        self._read: dict[float, np.ndarray] = {}
        """float64 [N] by amount; NaN where nothing was read."""

    @property
    def num_faces(self) -> int:
        """N."""
        return len(self._evaluation.ws)

    def batches(self) -> Iterator[slice]:
        """Faces that are read at once."""
        together = self._evaluation.num_together
        return (slice(start, start + together) for start in range(0, self.num_faces, together))

    def at(self, amount: float, faces: slice = slice(None)) -> np.ndarray:
        """float64 [N], in deviations."""
        known = self._read.setdefault(amount, np.full(self.num_faces, np.nan))
        if np.isnan(known[faces]).any():
            known[faces] = self._evaluation.values_at(amount, self._step, faces)[:, self._target]
        return known[faces]
