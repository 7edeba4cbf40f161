"""The inner face of one face in the contour of another: the cells of the laboratory's 2x2 design.

A step in W+ from the face with the contour, found as a lock's is (locking.py): what must stay is its frame, and what is
wanted inside is not an edit but the other picture. The contour weighs less than in a lock, since here the inner face
has a long way to go.

Shape legend: L = num_ws, w = w_dim, P = numbers observed of a picture, s = its observed side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.engine.editing.locking import LockWeights

#: What the contour weighs against the inner face; 10 leaves half of the way undone.
CONTOUR_WEIGHT = 2.0
NUM_ITERATIONS = 100


@dataclass(frozen=True, slots=True, eq=False)
class CrossedFace:
    """A face between two others."""

    ws: Tensor
    """float32 [1, L, w]."""
    frame_variation_percent: float
    """Against the face that gave the contour."""
    inner_difference_percent: float
    """What is left of the difference between the two inner faces: 0 where it is the other's, 100 where none moved."""


def cross_weights(contour_frame: Tensor, inner_frame: Tensor, outline_weight: float) -> LockWeights:
    """From where each of the faces has its frame, float32 [s, s] in [0, 1]: colours, then the frame's classes.

    Between the two frames nothing is asked for.
    """
    inside = 1 - torch.maximum(contour_frame, inner_frame)
    nowhere, everywhere = torch.zeros_like(inside), torch.ones_like(inside)
    return LockWeights(
        torch.cat([_colours(inside), _colours(nowhere)]).flatten(),
        CONTOUR_WEIGHT * torch.cat([_colours(contour_frame), outline_weight * _colours(everywhere)]).flatten(),
    )


def inner_difference_percent(weights: LockWeights, found: Tensor, contour: Tensor, inner: Tensor) -> float:
    """Of what is observed of the found face and of both others, float32 [P] each."""
    left, whole = ((weights.inside * (seen - inner) ** 2).sum() for seen in (found, contour))
    return 100 * float((left / whole.clamp_min(1e-12)).sqrt())


def _colours(weights: Tensor) -> Tensor:
    """[3, s, s] that sum to 1, or are all zero."""
    return (weights / (3 * weights.sum()).clamp_min(1e-6)).expand(3, -1, -1)
