"""From an attribute reader to verified direction files: the whole set that a network ships with, or a few of it.

draw faces -> read them -> gradients of every attribute in W+ -> for each, the step that moves it most evenly and
what is held least (fisher_discriminant.py), as strictly as the concept can bear -> evened out, where that is asked for
and needed (monotone_refinement.py) -> verified on other faces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import torch
from pydantic import field_validator

from tuiface.core.bounds import Figures
from tuiface.core.errors import ModelError, TuifaceError, UsageError, suggest_nearest
from tuiface.core.values import Value
from tuiface.directions.concepts import direction_name
from tuiface.directions.direction import Direction, DirectionOrigin
from tuiface.engine.edits.masks import RegionPredictor
from tuiface.engine.learning.batch_predict import Precision, SupportsAttributePrediction
from tuiface.engine.learning.candidate_steps import (
    TRIAL_PERCENT,
    Candidates,
    TrialStep,
    boundary_candidates,
    discriminant_candidates,
    even_out,
    select_strictest,
)
from tuiface.engine.learning.fisher_discriminant import compute_attribute_gradients
from tuiface.engine.learning.fitting import (
    MIN_R2,
    EvaluationFaces,
    Observations,
    population_deviation,
    read_population,
    select_held_concepts,
)
from tuiface.engine.learning.pace import Pace
from tuiface.engine.learning.reading_precision import MeasuredPrecision, measure_precision
from tuiface.engine.learning.records import make_direction
from tuiface.engine.learning.verification import MIN_SLOPE, Verification, verify_step
from tuiface.engine.learning.work_cache import NOTHING_KEPT, Arrays, WorkCache
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.engine_api.packed import PackedDirection, pack_directions, unpack_direction
from tuiface.engine_api.requests import AttributesRequest, OnStep

MONOTONE_PERCENT = 95.0
#: Of what is computed here and below: another one makes what was worked out before count no more.
LEARNING_REVISION = 1
PAPERS = {"tangent": "after Shen et al. 2020, arXiv 2005.09635", "boundary": "Shen et al. 2020, arXiv 2005.09635"}
REFINEMENT_PAPER = "; evened out after Goetschalckx et al. 2019, arXiv 1906.10112"


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
    cache: WorkCache = NOTHING_KEPT,
) -> Iterator[LearnedDirection]:
    """Directions of what `predictor` reads, each as soon as it is verified.

    What `cache` holds of an earlier run is not worked out again, and nothing else comes of it. Raises UsageError for
    unknown names, ModelError where none shows.
    """
    wanted = _find_columns(plan.names, predictor.names)
    learner = _Learner(network, predictor, regions, plan, note, pause, cache)
    observations = learner.observations
    min_r2 = MIN_R2 if plan.method == "boundary" else 0.0  # gradients need no straight boundary
    targets = _select_targets(observations, wanted, min_r2, chosen=bool(plan.names), note=note)
    pace = Pace(len(targets))
    for target in targets:
        with pace.step():
            learned = learner.learn(target, pace)
        direction, verified = learned.direction, learned.verification
        note(
            f"{direction.name}: monotone on {verified.monotone_percent:.0f} % of faces, {verified.slope:.2f} sigma; "
            f"{pace.describe()}"
        )
        yield learned


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
    precision = measure_precision(network, predictor, full=True).precision
    _, read = read_population(network, predictor, draws, precision)
    deviation = population_deviation(read)
    evaluation = EvaluationFaces.of(network, predictor, deviation, seeds, seed_offset=1, precision=precision)
    for direction, target in zip(directions, targets, strict=True):
        step = torch.from_numpy(direction.step).to(evaluation.ws.device)
        verified = verify_step(evaluation, step, target, regions)
        yield LearnedDirection(_attach_measures(direction, verified), verified)


class _KeptDirection(Value):
    """A learned direction as the cache holds it."""

    direction: PackedDirection
    monotone_percent: float
    slope: float
    leakage: Figures
    frame_variation_percent: float

    @field_validator("direction")
    @classmethod
    def _check_direction(cls, text: str) -> str:
        try:
            unpack_direction(text)
        except TuifaceError as error:
            raise ValueError(error.message) from None
        return text

    @classmethod
    def of(cls, learned: LearnedDirection) -> _KeptDirection:
        """To be kept."""
        [packed] = pack_directions([learned.direction])
        return cls(direction=packed, **asdict(learned.verification))

    def unpack(self) -> LearnedDirection:
        """As it was."""
        verification = Verification(self.monotone_percent, self.slope, self.leakage, self.frame_variation_percent)
        return LearnedDirection(unpack_direction(self.direction), verification)


@dataclass(frozen=True, eq=False)
class _Learner:
    """What all attributes share: each part is worked out, or recalled, when it is first needed."""

    network: OpenedNetwork
    predictor: SupportsAttributePrediction
    regions: RegionPredictor
    plan: AttributesRequest
    note: OnStep
    pause: Pause
    cache: WorkCache

    @cached_property
    def drafts(self) -> MeasuredPrecision:
        """For whatever is tried."""
        return self._measure_precision(full=False)

    @cached_property
    def final(self) -> MeasuredPrecision:
        """For whatever is verified: of full pictures."""
        return self.drafts if self.drafts.precision.resolution is None else self._measure_precision(full=True)

    def _measure_precision(self, *, full: bool) -> MeasuredPrecision:
        return self.cache.recall_value(
            "precision",
            {"full": full},
            MeasuredPrecision,
            lambda: measure_precision(self.network, self.predictor, full=full, pause=self.pause),
        )

    @cached_property
    def observations(self) -> Observations:
        """Of the faces that are learned from."""
        plan, precision, names = self.plan, self.drafts.precision, self.predictor.names

        def make() -> Arrays:
            self.note(f"reading {plan.draws} faces")
            white, read = read_population(self.network, self.predictor, plan.draws, precision, self.pause)
            return {"white": white, "read": read}

        components = self.network.population.basis.shape[1]
        shapes = {"white": (plan.draws, components), "read": (plan.draws, len(names))}
        inputs = {"draws": plan.draws, "precision": asdict(precision)}
        found = self.cache.recall("observations", inputs, shapes, make)
        return Observations.of(names, found["white"], found["read"])

    @cached_property
    def candidates(self) -> Candidates:
        """By the method that is asked for."""
        if self.plan.method == "boundary":
            return boundary_candidates(self.network, self.observations)
        return discriminant_candidates(self.network, self._gradients())

    def _gradients(self) -> torch.Tensor:
        """float32 [N, A, L, k]."""
        network, plan, precision = self.network, self.plan, self.drafts.precision

        def make() -> Arrays:
            self.note(f"taking gradients on {plan.faces} faces")
            ws = self._faces(plan.faces, 0, precision).ws
            deviation = torch.from_numpy(self.observations.deviation).float().to(ws.device)
            found = compute_attribute_gradients(network, self.predictor, ws, deviation, precision, self.pause)
            return {"gradients": found.cpu().numpy()}

        components = network.population.basis.shape[1]
        shapes = {"gradients": (plan.faces, len(self.predictor.names), network.generator.num_ws, components)}
        inputs = {"draws": plan.draws, "faces": plan.faces, "precision": asdict(precision)}
        found = self.cache.recall("gradients", inputs, shapes, make)
        return torch.from_numpy(found["gradients"]).to(network.device)

    @cached_property
    def trial(self) -> EvaluationFaces:
        """On which steps are tried."""
        return self._faces(self.plan.faces, 2, self.drafts.precision)

    @cached_property
    def evaluation(self) -> EvaluationFaces:
        """On which directions are verified."""
        return self._faces(self.plan.seeds, 1, self.final.precision)

    def _faces(self, count: int, seed_offset: int, precision: Precision) -> EvaluationFaces:
        deviation = self.observations.deviation
        return EvaluationFaces.of(self.network, self.predictor, deviation, count, seed_offset, precision, self.pause)

    def learn(self, target: int, pace: Pace) -> LearnedDirection:
        """The direction of an attribute, verified; recalled where it was learned before."""
        others = _select_held(self.observations, target, self.plan.held)

        def make() -> _KeptDirection:
            pace.count_this()
            return _KeptDirection.of(self._learn(target, others))

        inputs = {
            **self.plan.model_dump(mode="json", exclude={"names", "held"}),
            "model": [self.network.model.name, self.network.licence],
            "precisions": [asdict(self.drafts.precision), asdict(self.final.precision)],
            "attribute": self.observations.names[target],
            "others": [self.observations.names[i] for i in others],
        }
        return self.cache.recall_value("direction", inputs, _KeptDirection, make).unpack()

    def _learn(self, target: int, others: list[int]) -> LearnedDirection:
        chosen = select_strictest(self.candidates, self.trial, target, others)
        if self.plan.even and chosen.percent < TRIAL_PERCENT:
            self.note(f"evening {direction_name(self.observations.names[target])} out")
            chosen = even_out(self.trial, chosen, target, others)
        verified = verify_step(self.evaluation, chosen.step, target, self.regions)
        return LearnedDirection(self._build(chosen, target, others, verified), verified)

    def _build(self, chosen: TrialStep, target: int, others: list[int], verified: Verification) -> Direction:
        observations, plan, precision = self.observations, self.plan, self.drafts.precision
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
                "dtype": precision.dtype,
                "reader_dtype": precision.reader_dtype,
                "read_px": self.network.generator.check_resolution(precision.resolution),
                "reading_error": round(max(self.drafts.error, self.final.error), 4),
            },
        )
        sigma = float(chosen.step.norm()) / chosen.scale
        made = make_direction(self.network, direction_name(attribute), chosen.step, origin, sigma=sigma)
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
