"""Directions of everything that an attribute reader reads, learned from a network's own faces.

    draw faces -> read them -> concepts as linear functions of w -> for each, the smallest step that moves it and none
    of the others (InterFaceGAN's conditional direction) -> the rows of W+ on which it does so best -> what still leaks
    is measured on pictures and subtracted.

Shape legend: N = faces, L = num_ws, w = w_dim, k = whitened components, A = attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tuiface.directions.linear import LinearReading, conditional_step, fit_linear
from tuiface.engine.editing.reading import AttributeReading, read_attributes
from tuiface.engine.editing.workshop import Workshop
from tuiface.engine.latents import draw_w

#: Seeds of the draws that are learned from, and of those that are measured on: neither are faces that people number.
LEARNING_SEED, MEASURING_SEED = 1_000_003, 2_000_003
#: A concept that w explains by less than this cannot be held still, and is not worth a direction.
LEAST_R2 = 0.2
#: Concepts that go together more closely than this are not held against each other: none could then move.
TWINS = 0.85
MEASURING_PSI = 0.7
#: A mixture may be so many times as long as the step that it corrects; dampings are tried until it is.
LONGEST_MIXTURE = 1.15
#: What a mixture must keep of its own concept, and how much more that weighs than one that is held: dozens of held
#: concepts together would otherwise hold the direction itself.
LEAST_KEPT, OWN_WEIGHT = 0.8, 8.0
DAMPINGS = (0.1, 0.3, 1.0, 3.0, 10.0)
#: Faces that are enough to choose rows.
ROW_FACES = 12
#: Amount at which effects are measured, both ways: near enough that a concept is not used up, far enough to be read.
PROBE = 0.75

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Faces of the population and what a reader read of them."""

    names: tuple[str, ...]
    white: np.ndarray
    """float64 [N, k]."""
    values: np.ndarray
    """float64 [N, A], standardised."""
    deviation: np.ndarray
    """float64 [A]: one standard deviation of each attribute in its own unit."""
    reading: LinearReading

    @property
    def correlation(self) -> np.ndarray:
        """float64 [A, A] over the population."""
        return np.asarray(self.values.T @ self.values / len(self.values))


def observe_population(workshop: Workshop, reader: AttributeReading, count: int) -> Observations:
    """Draw and read `count` faces at psi 1."""
    w = draw_w(workshop.generator, LEARNING_SEED, count)
    ws = w[:, None].expand(-1, workshop.generator.num_ws, -1)
    values = read_attributes(workshop.generator, reader, ws, workshop.draft_dtype).double().cpu().numpy()
    deviation = values.std(axis=0).clip(1e-9)
    white = workshop.population.whiten(w).double().cpu().numpy()
    standardised = (values - values.mean(axis=0)) / deviation
    return Observations(tuple(reader.names), white, standardised, deviation, fit_linear(white, standardised))


def held_concepts(observations: Observations, target: int) -> list[int]:
    """The concepts that the direction of `target` must leave alone: all that w explains, but its twins."""
    r2, correlation = observations.reading.r2, observations.correlation
    return [
        j
        for j in range(len(observations.names))
        if j != target and r2[j] >= LEAST_R2 and abs(correlation[j, target]) < TWINS
    ]


def first_steps(workshop: Workshop, observations: Observations, targets: list[int], held: list[list[int]]) -> Tensor:
    """float32 [T, L, w]: for each target the conditional step, the same on all rows."""
    basis = workshop.population.basis
    steps = [
        conditional_step(observations.reading.slopes, target, others)
        for target, others in zip(targets, held, strict=True)
    ]
    w = torch.from_numpy(np.stack(steps)).float().to(basis.device) @ basis.t()
    return w[:, None].repeat(1, workshop.generator.num_ws, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Faces on which steps are tried, and what a reader makes of them."""

    workshop: Workshop
    reader: AttributeReading
    deviation: np.ndarray
    """float64 [A]."""
    ws: Tensor
    """float32 [N, L, w], at `MEASURING_PSI`."""

    @classmethod
    def of(
        cls, workshop: Workshop, reader: AttributeReading, deviation: np.ndarray, count: int, seed_offset: int = 0
    ) -> Bench:
        """With `count` faces that nothing was learned from; another offset gives others."""
        generator = workshop.generator
        w = draw_w(generator, MEASURING_SEED + seed_offset, count)[:, None].expand(-1, generator.num_ws, -1)
        return cls(workshop, reader, deviation, generator.truncate(w, MEASURING_PSI))

    def values(self, step: Tensor) -> np.ndarray:
        """float64 [N, A], in standard deviations, of the faces moved by a step [L, w]."""
        moved = self.ws + step
        read = read_attributes(self.workshop.generator, self.reader, moved, self.workshop.draft_dtype)
        return np.asarray(read.double().cpu().numpy() / self.deviation)

    def effect(self, step: Tensor, probe: float = PROBE) -> np.ndarray:
        """float64 [A]: mean change of each attribute for one unit of a step [L, w], in standard deviations."""
        change = self.values(probe * step) - self.values(-probe * step)
        return np.asarray(change.mean(axis=0) / (2 * probe))


def row_choices(num_ws: int) -> tuple[tuple[int, int], ...]:
    """Ranges of rows that concepts may live on: all, shape alone, or what lies over it."""
    half = num_ws // 2
    return ((0, num_ws), (0, half), (half, num_ws))


def best_rows(bench: Bench, step: Tensor, target: int, held: list[int]) -> Tensor:
    """The step [L, w] on the rows where it changes least of `held` for what it changes of `target`, at unit effect."""
    best, best_leakage = step, float("inf")
    full: float | None = None
    for start, stop in row_choices(step.shape[0]):
        tried = torch.zeros_like(step)
        tried[start:stop] = step[start:stop]
        effect = bench.effect(tried)
        full = effect[target] if full is None else full
        if effect[target] < 0.5 * full or effect[target] <= 0.05:
            continue
        leakage = float(np.linalg.norm(effect[held])) / effect[target]
        if leakage < 0.9 * best_leakage:  # rows are left out for a gain alone
            best, best_leakage = tried / float(effect[target]), leakage
    return best


def without_leakage(bench: Bench, steps: Tensor, targets: list[int], held: list[list[int]]) -> Tensor:
    """Steps [T, L, w], each with what it still moves of the concepts that it is to hold subtracted, measured.

    Effects are measured on pictures, so this also corrects what is not linear in w. A step becomes a mixture of all of
    them; mixtures that would be much longer, and so lead away from every face, are damped until they are not.
    """
    effects = np.stack([bench.effect(step)[targets] for step in steps], axis=1)  # [concept, step]
    mixed = []
    for i, target in enumerate(targets):
        weights = np.array([OWN_WEIGHT if j == target else float(j in held[i]) for j in targets])
        weighted = effects * weights[:, None]
        wanted = np.zeros(len(targets))
        wanted[i] = OWN_WEIGHT * effects[i, i]
        best = steps[i]
        for damping in DAMPINGS:
            change = np.linalg.solve(
                weighted.T @ weighted + damping * np.eye(len(targets)), weighted.T @ (wanted - weighted[:, i])
            )
            tried = steps[i] + torch.einsum("s,slw->lw", torch.from_numpy(change).float().to(steps.device), steps)
            kept = float(effects[i, i] + effects[i] @ change) / float(effects[i, i])
            if kept >= LEAST_KEPT and float(tried.norm()) <= LONGEST_MIXTURE * float(steps[i].norm()):
                best = tried
                break
        mixed.append(best)
    return torch.stack(mixed)


def population_unit(workshop: Workshop, step: Tensor) -> Tensor:
    """The step [L, w] scaled to one standard deviation of the concept's own score over the population.

    A score n . w that is linear in w has the deviation |n| in whitened components, so the step's length there becomes
    1, averaged over the rows that move: amounts up to 3 then stay among the population's faces.
    """
    white = step @ workshop.population.axes / workshop.population.deviations
    lengths = white.norm(dim=1)
    return step / float(lengths[lengths > 0].mean())


def learn_steps(
    workshop: Workshop,
    reader: AttributeReading,
    observations: Observations,
    targets: list[int],
    held: list[list[int]],
    faces: int,
    note: Progress,
) -> Tensor:
    """float32 [T, L, w]: steps of one deviation of the attributes `targets`, each holding still its list of others."""
    bench = Bench.of(workshop, reader, observations.deviation, faces)
    steps = first_steps(workshop, observations, targets, held)
    few = replace(bench, ws=bench.ws[:ROW_FACES])
    for i, target in enumerate(targets):
        note(f"choosing rows: {observations.names[target]} ({i + 1} of {len(targets)})")
        steps[i] = best_rows(few, steps[i], target, held[i])
    note("subtracting what still leaks")
    steps = without_leakage(bench, steps, targets, held)
    for i in range(len(targets)):
        steps[i] = population_unit(workshop, steps[i])
    return steps
