"""Directions from what people say of faces: answers of one, or ratings of many.

Shape legend: N = faces, k = whitened components of w, A = attributes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tuiface.core.errors import ModelError
from tuiface.directions.direction import Direction, DirectionOrigin, Labels
from tuiface.directions.questionnaire import PRIOR_PRECISION
from tuiface.directions.regression import conditional_step, ridge_slopes
from tuiface.engine.latents import z_from_seed
from tuiface.engine.learning.batch_predict import Precision, SupportsAttributePrediction, predict_attributes
from tuiface.engine.learning.records import make_direction
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.scheduler import Pause, no_pause

#: Seeds that the mapping network takes in one batch: more than a person answers about or rates.
MAPPED_AT_ONCE = 1000


def seed_components(network: OpenedNetwork, seeds: Sequence[int], pause: Pause = no_pause) -> np.ndarray:
    """float64 [N, k]: whitened components of w of seeds, as people number them; `pause` between parts of them."""
    generator, population = network.generator, network.population
    parts = []
    for start in range(0, len(seeds), MAPPED_AT_ONCE):
        if start:
            pause()
        some = seeds[start : start + MAPPED_AT_ONCE]
        z = torch.cat([z_from_seed(seed, generator.config.z_dim) for seed in some]).to(population.mean.device)
        with torch.no_grad():
            w = generator.map(z, network.first_class(len(some)))[:, 0]
        parts.append(population.whiten(w).double().cpu().numpy())
    return np.concatenate(parts)


def raw_features(
    network: OpenedNetwork, white: np.ndarray, predictor: SupportsAttributePrediction | None, pause: Pause = no_pause
) -> np.ndarray:
    """float64 [N, F]: what a predictor sees in each face [N, k]; without one, the components of w themselves.

    A predictor's few attributes need far fewer answers than a hundred components.
    """
    if predictor is None:
        return white
    population = network.population
    w = torch.from_numpy(white).float().to(population.mean.device) @ population.basis.t() + population.mean
    ws = w[:, None].expand(-1, network.generator.num_ws, -1)
    seen = predict_attributes(network.generator, predictor, ws, Precision(network.draft_dtype), pause)
    return np.asarray(seen.double().cpu().numpy())


def direction_from_scores(
    network: OpenedNetwork,
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
    step = torch.from_numpy(conditional_step(unit, 0, [])).float().to(network.population.mean.device)
    return make_direction(network, name, step @ network.population.basis.t(), origin, labels=labels)
