"""What directions are learned from: a network's own faces, read; and other faces, on which steps are tried.

Shape legend: N = faces, L = num_ws, w = w_dim, k = whitened components, A = attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from tuiface.core.limits import DEFAULT_PSI
from tuiface.directions.regression import LinearFit, conditional_step, fit_linear
from tuiface.engine.latents import LatentPopulation, draw_w
from tuiface.engine.learning.batch_predict import (
    Precision,
    SupportsAttributePrediction,
    batch_size,
    predict_attributes,
)
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.scheduler import Pause, no_pause

#: Seeds of the draws that are learned from, and of those that are measured on: neither are faces that people number.
LEARNING_SEED, EVALUATION_SEED = 1_000_003, 2_000_003
#: A concept that w explains by less than this cannot be held still, and a boundary in w is no direction of it.
MIN_R2 = 0.2
#: Concepts that go together more closely than this are not held against each other: none could then move.
TWIN_CORRELATION = 0.85
#: Amount at which effects are measured, both ways: near enough that a concept is not used up, far enough to be read.
PROBE_AMOUNT = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Faces of the population and what a predictor read of them."""

    names: tuple[str, ...]
    white: np.ndarray
    """float64 [N, k]."""
    values: np.ndarray
    """float64 [N, A], standardised."""
    deviation: np.ndarray
    """float64 [A]: one standard deviation of each attribute in its own unit."""
    linear_fit: LinearFit

    @classmethod
    def of(cls, names: Sequence[str], white: np.ndarray, read: np.ndarray) -> Observations:
        """white float64 [N, k]; read float64 [N, A], each in its attribute's unit."""
        deviation = population_deviation(read)
        standardised = (read - read.mean(axis=0)) / deviation
        return cls(tuple(names), white, standardised, deviation, fit_linear(white, standardised))

    @property
    def correlation(self) -> np.ndarray:
        """float64 [A, A] over the population."""
        return np.asarray(self.values.T @ self.values / len(self.values))


def read_population(
    network: OpenedNetwork,
    predictor: SupportsAttributePrediction,
    count: int,
    precision: Precision,
    pause: Pause = no_pause,
) -> tuple[np.ndarray, np.ndarray]:
    """(whitened components float64 [N, k], readings float64 [N, A]) of `count` faces at psi 1."""
    w = draw_w(network.generator, LEARNING_SEED, count, pause)
    ws = w[:, None].expand(-1, network.generator.num_ws, -1)
    read = predict_attributes(network.generator, predictor, ws, precision, pause)
    return network.population.whiten(w).double().cpu().numpy(), read.double().cpu().numpy()


def population_deviation(read: np.ndarray) -> np.ndarray:
    """float64 [A]: one standard deviation of each attribute over readings [N, A]."""
    return np.asarray(read.std(axis=0).clip(1e-9))


def select_held_concepts(observations: Observations, target: int) -> list[int]:
    """The concepts that the direction of `target` must leave alone: all that w explains, but its twins."""
    r2, correlation = observations.linear_fit.r2, observations.correlation
    return [
        j
        for j in range(len(observations.names))
        if j != target and r2[j] >= MIN_R2 and abs(correlation[j, target]) < TWIN_CORRELATION
    ]


def boundary_step(
    population: LatentPopulation, num_ws: int, observations: Observations, target: int, held: list[int]
) -> Tensor:
    """float32 [L, w]: InterFaceGAN's conditional direction, the same on all rows."""
    basis = population.basis
    white = torch.from_numpy(conditional_step(observations.linear_fit.slopes, target, held)).float().to(basis.device)
    return (basis @ white).repeat(num_ws, 1)


@dataclass(frozen=True, eq=False)
class EvaluationFaces:
    """Faces on which steps are tried, and what a predictor makes of them."""

    network: OpenedNetwork
    predictor: SupportsAttributePrediction
    deviation: np.ndarray
    """float64 [A]."""
    ws: Tensor
    """float32 [N, L, w], at `DEFAULT_PSI`."""
    precision: Precision
    pause: Pause = no_pause

    @classmethod
    def of(
        cls,
        network: OpenedNetwork,
        predictor: SupportsAttributePrediction,
        deviation: np.ndarray,
        count: int,
        seed_offset: int = 0,
        precision: Precision | None = None,
        pause: Pause = no_pause,
    ) -> EvaluationFaces:
        """With `count` faces that nothing was learned from; another offset gives others.

        Without a precision pictures are drafts, and the reader is exact.
        """
        generator = network.generator
        w = draw_w(generator, EVALUATION_SEED + seed_offset, count, pause)[:, None].expand(-1, generator.num_ws, -1)
        precision = precision or Precision(network.draft_dtype)
        return cls(network, predictor, deviation, generator.truncate(w, DEFAULT_PSI), precision, pause)

    @property
    def num_together(self) -> int:
        """Faces that are read at once."""
        return batch_size(self.network.generator.check_resolution(self.precision.resolution), self.ws.device)

    @cached_property
    def unmoved(self) -> np.ndarray:
        """float64 [N, A]: `values` of no step, which every step's curve goes through; read once."""
        return self.values(torch.zeros_like(self.ws[0]))

    def values(self, step: Tensor, faces: slice = slice(None)) -> np.ndarray:
        """float64 [N, A], in standard deviations, of the faces moved by a step [L, w]; of some `faces` alone."""
        moved, network = self.ws[faces] + step, self.network
        read = predict_attributes(network.generator, self.predictor, moved, self.precision, self.pause)
        return np.asarray(read.double().cpu().numpy() / self.deviation)

    def values_at(self, amount: float, step: Tensor, faces: slice = slice(None)) -> np.ndarray:
        """The same of the faces moved by `amount` times a step."""
        return self.values(amount * step, faces) if amount else self.unmoved[faces]

    def measure_effect(self, step: Tensor, probe: float = PROBE_AMOUNT) -> np.ndarray:
        """float64 [A]: mean change of each attribute for one unit of a step [L, w], in standard deviations."""
        change = self.values(probe * step) - self.values(-probe * step)
        return np.asarray(change.mean(axis=0) / (2 * probe))


def scale_to_population(population: LatentPopulation, step: Tensor) -> Tensor:
    """The step [L, w] scaled to one standard deviation of the concept's own score over the population.

    A score n . w that is linear in w has the deviation |n| in whitened components, so the step's length there becomes
    1 on the row that moves most: amounts up to 3 then stay among the population's faces.
    """
    white = step @ population.axes / population.deviations
    return step / float(white.norm(dim=1).max())
