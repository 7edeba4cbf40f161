"""From an attribute reader to verified direction files: the whole set that a network ships with, or a few of it.

draw faces -> read them -> gradients of every attribute in W+ -> for each, the step that moves it most evenly and
what is held least (fisher_discriminant.py), as strictly as the concept can bear -> evened out, where that is asked for
and needed (monotone_refinement.py) -> verified on other faces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from tuiface.core.errors import ModelError, UsageError, suggest_nearest
from tuiface.directions.concepts import direction_name
from tuiface.directions.direction import Direction, DirectionOrigin
from tuiface.engine.edits.masks import RegionPredictor
from tuiface.engine.learning.batch_predict import SupportsAttributePrediction
from tuiface.engine.learning.fisher_discriminant import compute_attribute_gradients, solve_discriminant_step
from tuiface.engine.learning.fitting import (
    MIN_R2,
    EvaluationFaces,
    Observations,
    boundary_step,
    observe_population,
    scale_to_population,
    select_held_concepts,
)
from tuiface.engine.learning.monotone_refinement import refine_step
from tuiface.engine.learning.records import make_direction
from tuiface.engine.learning.verification import (
    AMOUNTS,
    MIN_SLOPE,
    Verification,
    find_monotone_scale,
    monotone_fraction,
    verify_step,
)
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.engine_api.requests import AttributesRequest, OnStep

MONOTONE_PERCENT = 95.0
#: On the few faces of the trial: more than the verification wants on many, so that the two agree.
TRIAL_PERCENT = 97.0
#: Deviations a unit that can be seen: for a smaller effect, others are held less strictly.
VISIBLE_SLOPE = 0.5
PAPERS = {"tangent": "after Shen et al. 2020, arXiv 2005.09635", "boundary": "Shen et al. 2020, arXiv 2005.09635"}
REFINEMENT_PAPER = "; evened out after Goetschalckx et al. 2019, arXiv 1906.10112"
#: How much leakage counts, strictest first: the first that lets the concept move evenly and visibly is taken. Dozens of
#: concepts that are held together would otherwise hold the direction itself, where a network hardly tells them apart.
STRICTNESSES = (1.0, 0.3, 0.1, 0.03)


@dataclass(frozen=True, slots=True, eq=False)
class LearnedDirection:
    """A direction and whether it does what its name says."""

    direction: Direction
    verification: Verification

    @property
    def holds(self) -> bool:
        """Whether it is monotone on enough faces and moves its concept."""
        enough = self.verification.monotone_percent >= MONOTONE_PERCENT
        return enough and self.verification.slope >= MIN_SLOPE


def learn_directions(
    network: OpenedNetwork,
    predictor: SupportsAttributePrediction,
    regions: RegionPredictor,
    plan: AttributesRequest,
    note: OnStep,
    pause: Pause = no_pause,
) -> Iterator[LearnedDirection]:
    """Directions of what `predictor` reads, each as soon as it is verified.

    Raises UsageError for unknown names, ModelError where none shows.
    """
    wanted = _find_columns(plan.names, predictor.names)
    note(f"reading {plan.draws} faces")
    observations = observe_population(network, predictor, plan.draws, pause)
    min_r2 = MIN_R2 if plan.method == "boundary" else 0.0  # gradients need no straight boundary
    targets = _select_targets(observations, wanted, min_r2, chosen=bool(plan.names), note=note)
    candidates = _boundary_candidates(network, observations)
    if plan.method == "tangent":
        note(f"taking gradients on {plan.faces} faces")
        candidates = _discriminant_candidates(network, predictor, observations, plan.faces, pause)
    trial = EvaluationFaces.of(network, predictor, observations.deviation, plan.faces, 2, pause)
    evaluation = EvaluationFaces.of(network, predictor, observations.deviation, plan.seeds, 1, pause)
    for target in targets:
        others = _select_held(observations, target, plan.held)
        chosen = _select_strictest(candidates, trial, target, others)
        if plan.even and chosen.percent < TRIAL_PERCENT:
            note(f"evening {direction_name(observations.names[target])} out")
            chosen = _refine(trial, chosen, target, others)
        verified = verify_step(evaluation, chosen.step, target, regions)
        direction = _build_direction(network, observations, chosen, target, others, plan, verified)
        note(f"{direction.name}: monotone on {verified.monotone_percent:.0f} % of faces, {verified.slope:.2f} sigma")
        yield LearnedDirection(direction, verified)


def verify_again(
    network: OpenedNetwork,
    predictor: SupportsAttributePrediction,
    regions: RegionPredictor,
    directions: Sequence[Direction],
    draws: int,
    seeds: int,
) -> Iterator[LearnedDirection]:
    """Directions that `learn_directions` made, measured anew: their steps and units stay as they are.

    For another predictor, on the same faces. Raises UsageError where it does not know what one is a direction of.
    """
    targets = _find_columns(
        [str(direction.header.origin.settings["attribute"]) for direction in directions], predictor.names
    )
    observations = observe_population(network, predictor, draws)
    evaluation = EvaluationFaces.of(network, predictor, observations.deviation, seeds, seed_offset=1)
    for direction, target in zip(directions, targets, strict=True):
        step = torch.from_numpy(direction.step).to(evaluation.ws.device)
        verified = verify_step(evaluation, step, target, regions)
        yield LearnedDirection(_attach_measures(direction, verified), verified)


@dataclass(frozen=True, slots=True, eq=False)
class _TrialStep:
    """A step on trial."""

    step: torch.Tensor
    """float32 [L, w]: amount 1."""
    strictness: float | None = None
    """How much leakage counted; None for a boundary, which leaves held concepts out altogether."""
    scale: float = 1.0
    """What amount 1 is, in units of the population."""
    percent: float = 0.0
    """Of the trial's faces on which it is monotone; 0 for one that hardly moves its concept."""
    is_refined: bool = False
    """Whether it was fitted through the network."""


_Candidates = Callable[[int, list[int]], Iterator[_TrialStep]]
"""Steps for an attribute and those held still, of one deviation of the population; the strictest first."""


def _boundary_candidates(network: OpenedNetwork, observations: Observations) -> _Candidates:
    population, num_ws = network.population, network.generator.num_ws

    def steps(target: int, held: list[int]) -> Iterator[_TrialStep]:
        yield _TrialStep(scale_to_population(population, boundary_step(population, num_ws, observations, target, held)))

    return steps


def _discriminant_candidates(
    network: OpenedNetwork,
    predictor: SupportsAttributePrediction,
    observations: Observations,
    faces: int,
    pause: Pause,
) -> _Candidates:
    population = network.population
    ws = EvaluationFaces.of(network, predictor, observations.deviation, faces).ws
    deviation = torch.from_numpy(observations.deviation).float().to(ws.device)
    gradients = compute_attribute_gradients(network, predictor, ws, deviation, pause)

    def steps(target: int, held: list[int]) -> Iterator[_TrialStep]:
        for strictness in STRICTNESSES if held else STRICTNESSES[:1]:
            step = solve_discriminant_step(gradients, target, held, strictness).float() @ population.basis.t()
            yield _TrialStep(scale_to_population(population, step), strictness)

    return steps


def _select_strictest(candidates: _Candidates, trial: EvaluationFaces, target: int, held: list[int]) -> _TrialStep:
    """The strictest step that moves its concept evenly and visibly on the faces of `trial`.

    Where none does, the one that moves it most of those that move it evenly, or else the most even one; the laxest
    where none moves it at all.
    """
    best: tuple[bool, float] = (False, 0.0)
    chosen = tried = None
    for tried in candidates(target, held):
        scaled = find_monotone_scale(trial, tried.step, target, TRIAL_PERCENT)
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


def _refine(trial: EvaluationFaces, chosen: _TrialStep, target: int, held: list[int]) -> _TrialStep:
    """The chosen step fitted through the network, if it is then monotone on more of the trial's faces."""
    deviation = torch.from_numpy(trial.deviation).float().to(chosen.step.device)
    step = refine_step(trial.network, trial.predictor, deviation, chosen.step, target, held, pause=trial.pause)
    percent = 100 * monotone_fraction(np.stack([trial.values(amount * step)[:, target] for amount in AMOUNTS]))
    if percent <= chosen.percent:
        return chosen
    unit = scale_to_population(trial.network.population, step)
    return replace(chosen, step=step, scale=float(step.norm() / unit.norm()), percent=percent, is_refined=True)


def _build_direction(
    network: OpenedNetwork,
    observations: Observations,
    chosen: _TrialStep,
    target: int,
    others: list[int],
    plan: AttributesRequest,
    verified: Verification,
) -> Direction:
    attribute = observations.names[target]
    strictness = {} if chosen.strictness is None else {"strictness": chosen.strictness}
    origin = DirectionOrigin(
        method="attributes",
        data=f"{plan.draws} faces of the network, read by the attribute reader",
        paper=PAPERS[plan.method] + (REFINEMENT_PAPER if chosen.is_refined else ""),
        settings={
            "attribute": attribute,
            "draws": plan.draws,
            "faces": plan.faces,
            "seeds": plan.seeds,
            "method": plan.method,
            "held": len(others),
            **strictness,
            **({"evened": True} if chosen.is_refined else {}),
            "r2": round(float(observations.linear_fit.r2[target]), 3),
        },
    )
    sigma = float(chosen.step.norm()) / chosen.scale
    made = make_direction(network, direction_name(attribute), chosen.step, origin, sigma=sigma)
    unit = made.header.model_copy(update={"unit": "sigma" if chosen.scale == 1 else "range"})
    return _attach_measures(Direction(unit, made.arrays), verified)


def _attach_measures(direction: Direction, verified: Verification) -> Direction:
    changes = {"leakage": rename_leakage(verified.leakage), "measures": verified.measures()}
    return Direction(direction.header.model_copy(update=changes), direction.arrays)


def rename_leakage(leakage: dict[str, float]) -> dict[str, float]:
    """Leakage under the names of directions."""
    return {direction_name(name): value for name, value in leakage.items()}


def _find_columns(names: Sequence[str], known: Sequence[str]) -> list[int]:
    """Columns of the predictor for names of attributes or directions; all for none. Raises UsageError."""
    attributes = {**{name: name for name in known}, **{direction_name(name): name for name in known}}
    for name in names:
        if name not in attributes:
            raise UsageError(
                f"no attribute '{name}'; the reader knows {', '.join(known)}", suggest_nearest(name, attributes)
            )
    return [list(known).index(attributes[name]) for name in names] or list(range(len(known)))


def _select_targets(
    observations: Observations, wanted: list[int], min_r2: float, *, chosen: bool, note: OnStep
) -> list[int]:
    """The wanted attributes of which w explains `min_r2`.

    Raises ModelError where one that was chosen, or every one, is too weak.
    """
    r2 = observations.linear_fit.r2
    weak = [i for i in wanted if not r2[i] >= min_r2 or not np.isfinite(r2[i])]
    names = ", ".join(f"{observations.names[i]} ({r2[i]:.2f})" for i in weak)
    if weak and (chosen or len(weak) == len(wanted)):
        raise ModelError(f"this network's w hardly explains {names}: no direction to learn (R2 below {min_r2:g})")
    if weak:
        note(f"left out, w hardly explains them (R2): {names}")
    return [i for i in wanted if i not in weak]


def _select_held(observations: Observations, target: int, names: tuple[str, ...] | None) -> list[int]:
    if names is None:
        return select_held_concepts(observations, target)
    return [i for i in _find_columns(names, observations.names) if i != target] if names else []
