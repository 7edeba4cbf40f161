"""From an attribute reader to verified direction files: the whole set that a network ships with, or a few of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tuiface.directions.direction import Direction, DirectionOrigin
from tuiface.directions.vocabulary import READER_NAMES, direction_name
from tuiface.engine.editing.learning import (
    LEAST_R2,
    Bench,
    Observations,
    held_concepts,
    learn_steps,
    observe_population,
)
from tuiface.engine.editing.reading import AttributeReading
from tuiface.engine.editing.regions import RegionReader
from tuiface.engine.editing.verification import Verification, verified_share, verify_step
from tuiface.engine.editing.workshop import Workshop
from tuiface.errors import ModelError, UsageError, nearest

MONOTONE_PERCENT = 95.0
PAPER = "Shen et al. 2020, arXiv 2005.09635"
#: A verified direction that moves its concept by less than this share of its unit is none.
LEAST_SLOPE = 0.15


@dataclass(frozen=True, slots=True)
class LearningPlan:
    """What to learn, and with how many faces."""

    names: tuple[str, ...] = ()
    """Attributes of the reader, or names of directions; empty for all that show."""
    held: tuple[str, ...] | None = None
    """Attributes that directions leave alone; None for all others, empty for none."""
    draws: int = 4000
    """Faces that are read to learn from."""
    faces: int = 24
    """Faces on which rows and leakage are measured."""
    seeds: int = 200
    """Faces on which each direction is verified."""


@dataclass(frozen=True, slots=True, eq=False)
class LearnedDirection:
    """A direction and whether it does what its name says."""

    direction: Direction
    verification: Verification

    @property
    def holds(self) -> bool:
        """Whether it is monotone on enough faces and moves its concept."""
        found = self.verification
        return found.monotone_percent >= MONOTONE_PERCENT and found.slope >= LEAST_SLOPE


def learn_directions(
    workshop: Workshop,
    reader: AttributeReading,
    regions: RegionReader,
    plan: LearningPlan,
    note: Callable[[str], None],
) -> list[LearnedDirection]:
    """Directions of what `reader` reads, verified; raises UsageError for unknown names, ModelError where none shows."""
    wanted = _columns(plan.names, reader.names)
    note(f"reading {plan.draws} faces")
    observations = observe_population(workshop, reader, plan.draws)
    targets = _targets(observations, wanted, chosen=bool(plan.names), note=note)
    held = [_held(observations, target, plan.held) for target in targets]
    steps = learn_steps(workshop, reader, observations, targets, held, plan.faces, note)
    trial = Bench.of(workshop, reader, observations.deviation, plan.faces, seed_offset=2)
    bench = Bench.of(workshop, reader, observations.deviation, plan.seeds, seed_offset=1)
    made = []
    for step, target, others in zip(steps, targets, held, strict=True):
        share = verified_share(trial, step, target, MONOTONE_PERCENT)
        found = verify_step(bench, share * step, target, regions)
        direction = _direction(workshop, observations, share * step, target, others, plan, found)
        unit = {"unit": "sigma" if share == 1 else "range", "sigma": float(step.norm())}
        made.append(LearnedDirection(Direction(direction.header.model_copy(update=unit), direction.arrays), found))
        note(f"{made[-1].direction.name}: monotone on {found.monotone_percent:.0f} % of faces, {found.slope:.2f} sigma")
    return made


def _direction(
    workshop: Workshop,
    observations: Observations,
    step: torch.Tensor,
    target: int,
    others: list[int],
    plan: LearningPlan,
    found: Verification,
) -> Direction:
    attribute = observations.names[target]
    origin = DirectionOrigin(
        method="attributes",
        data=f"{plan.draws} faces of the network, read by the attribute reader",
        paper=PAPER,
        settings={
            "attribute": attribute,
            "draws": plan.draws,
            "faces": plan.faces,
            "seeds": plan.seeds,
            "held": len(others),
            "r2": round(float(observations.reading.r2[target]), 3),
        },
    )
    made = workshop.direction(direction_name(attribute), step, origin)
    changes = {"leakage": renamed(found.leakage), "measures": found.measures()}
    return Direction(made.header.model_copy(update=changes), made.arrays)


def renamed(leakage: dict[str, float]) -> dict[str, float]:
    """Leakage under the names of directions."""
    return {direction_name(name): value for name, value in leakage.items()}


def _columns(names: Sequence[str], known: Sequence[str]) -> list[int]:
    """Columns of the reader for names of attributes or directions; all for none. Raises UsageError."""
    attributes = {**{name: name for name in known}, **{READER_NAMES[n]: n for n in known if n in READER_NAMES}}
    for name in names:
        if name not in attributes:
            raise UsageError(f"no attribute '{name}'; the reader knows {', '.join(known)}", nearest(name, attributes))
    return [list(known).index(attributes[name]) for name in names] or list(range(len(known)))


def _targets(observations: Observations, wanted: list[int], *, chosen: bool, note: Callable[[str], None]) -> list[int]:
    """The wanted attributes that w explains. Raises ModelError where one that was chosen, or every one, is too weak."""
    r2 = observations.reading.r2
    weak = [i for i in wanted if not r2[i] >= LEAST_R2 or not np.isfinite(r2[i])]
    names = ", ".join(f"{observations.names[i]} ({r2[i]:.2f})" for i in weak)
    if weak and (chosen or len(weak) == len(wanted)):
        raise ModelError(f"this network's w hardly explains {names}: no direction to learn (R2 below {LEAST_R2})")
    if weak:
        note(f"left out, w hardly explains them (R2): {names}")
    return [i for i in wanted if i not in weak]


def _held(observations: Observations, target: int, names: tuple[str, ...] | None) -> list[int]:
    if names is None:
        return held_concepts(observations, target)
    return [i for i in _columns(names, observations.names) if i != target] if names else []
