"""Directions from what people say of faces: answers of one, or ratings of many.

Shape legend: N = faces, k = whitened components of w, A = attributes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tuiface.core.errors import ModelError
from tuiface.directions.direction import Direction, DirectionOrigin, Labels
from tuiface.directions.questionnaire import PRIOR_PRECISION, standardise
from tuiface.directions.regression import conditional_step, ridge_slopes
from tuiface.engine.latents import z_from_seed
from tuiface.engine.learning.batch_predict import SupportsAttributePrediction, predict_attributes
from tuiface.engine.learning.workshop import Workshop


def seed_components(workshop: Workshop, seeds: Sequence[int]) -> np.ndarray:
    """float64 [N, k]: whitened components of w of seeds, as people number them."""
    generator = workshop.generator
    z = torch.cat([z_from_seed(seed, generator.config.z_dim) for seed in seeds]).to(workshop.population.mean.device)
    with torch.no_grad():
        w = generator.map(z, workshop.first_class(len(seeds)))[:, 0]
    return np.asarray(workshop.population.whiten(w).double().cpu().numpy())


def raw_features(workshop: Workshop, white: np.ndarray, reader: SupportsAttributePrediction | None) -> np.ndarray:
    """float64 [N, F]: what a reader sees in each face [N, k]; without one, the components of w themselves.

    A reader's few attributes need far fewer answers than a hundred components.
    """
    if reader is None:
        return white
    population = workshop.population
    w = torch.from_numpy(white).float().to(population.mean.device) @ population.basis.t() + population.mean
    ws = w[:, None].expand(-1, workshop.generator.num_ws, -1)
    return np.asarray(predict_attributes(workshop.generator, reader, ws, workshop.draft_dtype).double().cpu().numpy())


def face_features(workshop: Workshop, white: np.ndarray, reader: SupportsAttributePrediction | None) -> np.ndarray:
    """float64 [N, F]: `raw_features`, those of a reader standardised over the faces."""
    raw = raw_features(workshop, white, reader)
    return raw if reader is None else standardise(raw)


def direction_from_scores(
    workshop: Workshop,
    name: str,
    white: np.ndarray,
    scores: np.ndarray,
    origin: DirectionOrigin,
    labels: Labels | None = None,
) -> Direction:
    """The direction of a concept from its score [N] for faces with components [N, k].

    Amount 1 is one standard deviation of the concept as far as w explains it. Raises ModelError where w explains none.
    """
    spread = float(scores.std())
    if spread < 1e-9:
        raise ModelError(f"'{name}': every face has the same score, so nothing tells one from another")
    standard = (scores - scores.mean()) / spread
    slopes = ridge_slopes(white, standard[:, None], PRIOR_PRECISION / len(white))
    if float(np.linalg.norm(slopes)) < 1e-3:
        raise ModelError(f"'{name}': w explains nothing of these scores, so there is no direction")
    unit = slopes / np.linalg.norm(slopes)
    step = torch.from_numpy(conditional_step(unit, 0, [])).float().to(workshop.population.mean.device)
    return workshop.direction(name, step @ workshop.population.basis.t(), origin, labels=labels)
