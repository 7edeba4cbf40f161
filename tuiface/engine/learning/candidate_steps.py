"""The step that becomes a direction: candidates from gradients or boundaries, and the one that a concept can bear.

Shape legend: L = num_ws, w = w_dim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tuiface.engine.learning.fisher_discriminant import solve_discriminant_step
from tuiface.engine.learning.fitting import EvaluationFaces, Observations, boundary_step, scale_to_population
from tuiface.engine.learning.monotone_refinement import refine_step
from tuiface.engine.learning.step_trial import find_monotone_scale
from tuiface.engine.learning.verification import AMOUNTS, monotone_fraction
from tuiface.engine.opened_network import OpenedNetwork

#: On the few faces of the trial: more than the verification wants on many, so that the two agree.
TRIAL_PERCENT = 97.0
#: Deviations a unit that can be seen: for a smaller effect, others are held less strictly.
VISIBLE_SLOPE = 0.5
#: How much leakage counts, strictest first: the first that lets the concept move evenly and visibly is taken. Dozens of
#: concepts that are held together would otherwise hold the direction itself, where a network hardly tells them apart.
STRICTNESSES = (1.0, 0.3, 0.1, 0.03)


@dataclass(frozen=True, slots=True, eq=False)
class TrialStep:
    """A step on trial."""

    step: Tensor
    """float32 [L, w]: amount 1."""
    strictness: float | None = None
    """How much leakage counted; None for a boundary, which leaves held concepts out altogether."""
    scale: float = 1.0
    """What amount 1 is, in units of the population."""
    percent: float = 0.0
    """Of the trial's faces on which it is monotone; 0 for one that hardly moves its concept."""
    is_refined: bool = False
    """Whether it was fitted through the network."""


Candidates = Callable[[int, list[int]], Iterator[TrialStep]]
"""Steps for an attribute and those held still, of one deviation of the population; the strictest first."""


def boundary_candidates(network: OpenedNetwork, observations: Observations) -> Candidates:
    """InterFaceGAN's conditional boundary, the only one."""
    population, num_ws = network.population, network.generator.num_ws

    def steps(target: int, held: list[int]) -> Iterator[TrialStep]:
        yield TrialStep(scale_to_population(population, boundary_step(population, num_ws, observations, target, held)))

    return steps


def discriminant_candidates(network: OpenedNetwork, gradients: Tensor) -> Candidates:
    """A discriminant for each of `STRICTNESSES`. gradients: of `compute_attribute_gradients`."""
    population = network.population

    def steps(target: int, held: list[int]) -> Iterator[TrialStep]:
        for strictness in STRICTNESSES if held else STRICTNESSES[:1]:
            step = solve_discriminant_step(gradients, target, held, strictness).float() @ population.basis.t()
            yield TrialStep(scale_to_population(population, step), strictness)

    return steps


def select_strictest(candidates: Candidates, trial: EvaluationFaces, target: int, held: list[int]) -> TrialStep:
    """The strictest step that moves its concept evenly and visibly on the faces of `trial`.

    Where none does, the one that moves it most of those that move it evenly, or else the most even one; the laxest
    where none moves it at all.
    """
    best: tuple[bool, float] = (False, 0.0)
    chosen = tried = None
    for tried in candidates(target, held):
        floor = TRIAL_PERCENT if best[0] else best[1]  # an uneven step is worth nothing beside an even one
        scaled = find_monotone_scale(trial, tried.step, target, TRIAL_PERCENT, floor)
        if scaled is None:
            continue
        is_even = scaled.percent >= TRIAL_PERCENT
        worth = (is_even, scaled.slope if is_even else scaled.percent)
        if worth > best:
            step = scaled.scale * tried.step
            best, chosen = worth, replace(tried, step=step, scale=scaled.scale, percent=scaled.percent)
            if is_even and scaled.slope >= VISIBLE_SLOPE:
                break
    assert tried is not None
    return chosen or tried


def even_out(trial: EvaluationFaces, chosen: TrialStep, target: int, held: list[int]) -> TrialStep:
    """The chosen step fitted through the network, if it is then monotone on more of the trial's faces."""
    deviation = torch.from_numpy(trial.deviation).float().to(chosen.step.device)
    step = refine_step(
        trial.network, trial.predictor, deviation, chosen.step, target, held, trial.precision, pause=trial.pause
    )
    curves = np.stack([trial.values_at(amount, step)[:, target] for amount in AMOUNTS])
    percent = 100 * monotone_fraction(curves)
    if percent <= chosen.percent:
        return chosen
    unit = scale_to_population(trial.network.population, step)
    return replace(chosen, step=step, scale=float(step.norm() / unit.norm()), percent=percent, is_refined=True)
