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
from tuiface.engine.learning.verification import STEP_SCALES, find_monotone_scale


@dataclass
class CurveBench:
    """One face, on which a concept is a function of the amount."""

    curve: Callable[[float], float]
    asked: list[float] = field(default_factory=list)

    def values(self, step: Tensor) -> np.ndarray:
        self.asked.append(float(step))
        return np.array([[self.curve(float(step))]])


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
