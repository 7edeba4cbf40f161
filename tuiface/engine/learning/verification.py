"""Whether a direction does what its name says: measured on faces that it was not learned from.

Shape legend: N = faces, L = num_ws, w = w_dim, A = attributes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuiface.directions.frame_metric import frame_variation_percent
from tuiface.engine.edits.masks import RegionPredictor
from tuiface.engine.edits.observation import segment_contour
from tuiface.engine.learning.batch_predict import synthesize_images
from tuiface.engine.learning.fitting import EvaluationFaces

AMOUNTS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
#: A step back of less than this fraction of a face's whole range is the predictor's noise: the concept is used up.
MONOTONE_SLACK = 0.03
#: A face whose concept moves by less than this over all amounts, in standard deviations, was not moved.
MIN_RANGE = 0.25
FRAME_AMOUNT = 2.0
#: A direction that moves its concept by less than this fraction of a deviation for one unit is none.
MIN_SLOPE = 0.15


@dataclass(frozen=True, slots=True)
class Verification:
    """What a direction does on other faces than it was learned from."""

    monotone_percent: float
    """Of the faces, on which the concept grows at every step from -3 to 3."""
    slope: float
    """Deviations of the concept for one unit, between -1 and 1."""
    leakage: dict[str, float]
    """Deviations of every attribute for one unit."""
    frame_variation_percent: float
    """Mean over faces and both ways at amount 2."""

    def measures(self) -> dict[str, float]:
        """For the direction's header."""
        return {
            "monotone_percent": round(self.monotone_percent, 1),
            "slope_sigma": round(self.slope, 3),
            "frame_variation_percent": round(self.frame_variation_percent, 3),
        }


def verify_step(
    evaluation: EvaluationFaces, step: Tensor, target: int, regions: RegionPredictor, frame_faces: int = 16
) -> Verification:
    """Try a unit step [L, w] at the seven `AMOUNTS` on the faces of `evaluation`."""
    curves = np.stack([evaluation.values_at(amount, step) for amount in AMOUNTS])  # [7, N, A]
    effect = slopes_at_one(curves)
    leakage = {name: round(float(effect[i]), 3) for i, name in enumerate(evaluation.predictor.names)}
    return Verification(
        monotone_percent=100 * monotone_fraction(curves[:, :, target]),
        slope=float(effect[target]),
        leakage=leakage,
        frame_variation_percent=mean_frame_variation(evaluation, step, regions, frame_faces),
    )


def slopes_at_one(curves: np.ndarray) -> np.ndarray:
    """Mean change for one unit, between amounts -1 and 1, of curves [amounts, N, ...]."""
    return np.asarray((curves[AMOUNTS.index(1.0)] - curves[AMOUNTS.index(-1.0)]).mean(axis=0) / 2)


def monotone_fraction(curves: np.ndarray) -> float:
    """Fraction of the columns of [amounts, N] that grow at every step, but for `MONOTONE_SLACK` of their range."""
    return float(grow_at_every_step(curves, np.ones(len(curves) - 1)).mean())


def grow_at_every_step(curves: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """bool [N]: whether each column of [M, N] grows from each amount to the next, but for the slack of its range.

    gaps [M - 1]: to how many steps the slack is due between two neighbours, where amounts between them are left out. A
    column that fails so fails with them too.
    """
    span = curves[-1] - curves[0]
    slack = MONOTONE_SLACK * gaps[:, None] * span
    return np.asarray((np.diff(curves, axis=0) >= -slack).all(axis=0) & (span > MIN_RANGE))


def mean_frame_variation(evaluation: EvaluationFaces, step: Tensor, regions: RegionPredictor, faces: int) -> float:
    """Mean frame variation in percent of the first `faces` faces at +-`FRAME_AMOUNT`."""
    generator, precision = evaluation.network.generator, evaluation.precision
    percents = []
    for ws in torch.split(evaluation.ws[:faces], 1):
        versions = synthesize_images(
            generator,
            torch.cat([ws, ws + FRAME_AMOUNT * step, ws - FRAME_AMOUNT * step]),
            precision.dtype,
            precision.resolution,
        )
        evaluation.pause()
        before, *after = (segment_contour(image[None], regions) for image in versions)
        percents += [frame_variation_percent(before, labels) for labels in after]
    return float(np.mean(percents))
