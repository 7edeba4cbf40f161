"""Shares of a step: smaller where its concept is used up, larger where it starts late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from tuiface.engine.learning.fitting import EvaluationFaces
from tuiface.engine.learning.step_trial import STEP_SCALES, ScaledStep, find_monotone_scale
from tuiface.engine.learning.verification import AMOUNTS, MIN_SLOPE, monotone_fraction


@dataclass
class CurveBench:
    """One face, on which a concept is a function of the amount."""

    curve: Callable[[float], float]
    asked: list[float] = field(default_factory=list)
    ws = torch.zeros(1, 1, 1)
    num_together = 1

    def values_at(self, amount: float, step: Tensor, faces: slice) -> np.ndarray:
        assert float(step) == 1
        self.asked.append(amount)
        return np.array([[self.curve(amount)]])[faces]


class RandomBench:
    """Faces, each with a wobble of its own along the amount."""

    num_together = 4

    def __init__(self, seed: int, wobble: float) -> None:
        state = np.random.RandomState(seed)
        self.ws = torch.zeros(10, 1, 1)
        self.gain, self.height = state.uniform(0.2, 0.5, 10), wobble * state.randn(10)
        self.phase, self.pace = state.uniform(0, 6, 10), state.uniform(1, 3, 10)
        self.num_read = 0

    def values_at(self, amount: float, step: Tensor, faces: slice = slice(None)) -> np.ndarray:
        found = self.gain * amount + self.height * np.sin(self.pace * amount + self.phase)
        self.num_read += len(found[faces])
        return np.asarray(found[faces, None])


def read_everything(bench: RandomBench, percent: float, floor: float) -> ScaledStep | None:
    """As `find_monotone_scale`, which is to read less and find the same."""
    best = None
    for scale in STEP_SCALES:
        curves = np.stack([bench.values_at(amount * scale, torch.ones(1))[:, 0] for amount in AMOUNTS])
        at_one = AMOUNTS.index(1.0), AMOUNTS.index(-1.0)
        slope = float((curves[at_one[0]] - curves[at_one[1]]).mean() / 2)
        scaled = ScaledStep(scale, slope, 100 * monotone_fraction(curves))
        if slope < MIN_SLOPE:
            continue
        if scaled.percent >= percent:
            return scaled
        if scaled.percent > (best.percent if best else floor):
            best = scaled
    return best


def share_of(curve: Callable[[float], float], percent: float = 97.0) -> tuple[float, float, float] | None:
    found = find_monotone_scale(cast(EvaluationFaces, CurveBench(curve)), torch.tensor(1.0), 0, percent)
    return None if found is None else (found.scale, found.slope, found.percent)


def test_a_straight_concept_keeps_its_unit() -> None:
    assert share_of(lambda amount: 0.5 * amount) == pytest.approx((1.0, 0.5, 100.0))


def test_a_concept_that_is_used_up_gets_a_smaller_unit() -> None:
    found = share_of(lambda amount: amount if abs(amount) < 1.7 else np.sign(amount) * (3.4 - abs(amount)))
    assert found is not None
    assert found[0] == 0.5
    assert found[2] == 100.0


def test_a_concept_that_starts_late_gets_a_larger_unit() -> None:
    """A wobble of the reader on the side where nothing happens is little against the range of a larger step."""
    found = share_of(lambda amount: max(0.0, amount - 0.5) ** 1.5 + (0.3 if -2.2 < amount < -1.8 else 0.0))
    assert found is not None
    assert found[0] > 1
    assert found[2] == 100.0


def test_what_hardly_moves_has_no_share_and_is_tried_at_two_amounts_alone() -> None:
    bench = CurveBench(lambda amount: 0.01 * amount)
    assert find_monotone_scale(cast(EvaluationFaces, bench), torch.tensor(1.0), 0, 97.0) is None
    assert len(bench.asked) == 2 * len(STEP_SCALES)


def test_where_none_is_even_the_first_of_the_best_is_given() -> None:
    found = share_of(lambda amount: amount if amount < 0.3 else -amount + 4 * (amount > 0.34))
    assert found is not None
    assert (found[0], found[2]) == (1.0, 0.0)


@pytest.mark.parametrize("floor", [-1.0, 55.0])
@pytest.mark.parametrize("wobble", [0.05, 0.3, 0.6])
@pytest.mark.parametrize("seed", range(6))
def test_giving_up_early_finds_what_reading_everything_finds(seed: int, wobble: float, floor: float) -> None:
    whole, quick = RandomBench(seed, wobble), RandomBench(seed, wobble)
    expected = read_everything(whole, 90.0, floor)
    assert find_monotone_scale(cast(EvaluationFaces, quick), torch.tensor(1.0), 0, 90.0, floor) == expected
    is_first = expected is not None and expected.scale == STEP_SCALES[0]
    assert quick.num_read < whole.num_read or is_first
