"""The linear algebra that directions are learned with, in numpy.

Shape legend: N = samples, k = whitened components of w (population mean 0, deviation 1), A = concepts.
Sources: Shen et al. 2020, InterFaceGAN (arXiv 2005.09635), conditional manipulation; ridge regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FOLDS = 4
MAX_STRETCH = 1.5
#: Tried in turn until a step is short enough: how far held concepts may give way.
RIDGES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True, slots=True, eq=False)
class LinearFit:
    """How concepts follow from w over the population."""

    slopes: np.ndarray
    """float64 [k, A]: deviations of each concept for one deviation of each component."""
    r2: np.ndarray
    """float64 [A]: share of each concept's variance that held-out samples confirm."""


def fit_linear(white: np.ndarray, values: np.ndarray, ridge: float = 0.02) -> LinearFit:
    """Concepts [N, A], standardised, from components [N, k]; `ridge` as a share of N."""
    folds = np.arange(len(white)) % FOLDS
    errors = np.zeros(values.shape[1])
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        errors += ((values[test] - white[test] @ ridge_slopes(white[train], values[train], ridge)) ** 2).sum(axis=0)
    total = (values**2).sum(axis=0).clip(1e-9)
    return LinearFit(ridge_slopes(white, values, ridge), 1 - errors / total)


def conditional_step(slopes: np.ndarray, target: int, held: list[int], stretch: float = MAX_STRETCH) -> np.ndarray:
    """float64 [k]: the smallest step that moves concept `target` by one deviation and each of `held` by none.

    In whitened components the population is a unit sphere, so the smallest step is the likeliest face. It is
    InterFaceGAN's conditional direction n - N (N^T N)^-1 N^T n, scaled to its effect. A concept that can hardly be told
    from the target would stretch the step far beyond every face: held concepts give way until it is at most `stretch`
    times as long as the step that holds none.
    """
    columns = slopes[:, [target, *held]]
    gram = columns.T @ columns
    wanted = np.zeros(len(gram))
    wanted[0] = 1
    allowed = stretch / np.linalg.norm(slopes[:, target])
    for ridge in RIDGES:
        softened = gram + ridge * np.diag(np.r_[0.0, np.full(len(held), np.trace(gram) / len(gram))])
        step = columns @ np.linalg.lstsq(softened, wanted, rcond=None)[0]
        reached = float(slopes[:, target] @ step)
        if reached > 0 and np.linalg.norm(step) <= allowed * reached:
            return np.asarray(step / reached)
    return np.asarray(slopes[:, target] / (slopes[:, target] @ slopes[:, target]))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two steps of any one shape."""
    return float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b)))


def ridge_slopes(white: np.ndarray, values: np.ndarray, ridge: float) -> np.ndarray:
    """float64 [k, A]: least squares with `ridge`, as a share of N, on every component."""
    k = white.shape[1]
    found: np.ndarray = np.linalg.solve(white.T @ white + ridge * len(white) * np.eye(k), white.T @ values)
    return found
