"""The inner face of one face in the contour of another: the cells of the laboratory's 2x2 design.

A step in W+ from the face with the contour, found as a lock's is (lock.py): what must stay is its frame, and what is
wanted inside is not an edit but the other picture. The contour weighs less than in a lock, since here the inner face
has a long way to go.

Shape legend: L = num_ws, w = w_dim, P = numbers observed of a picture, s = its observed side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.engine.edits.lock import LockWeights, normalise_weights

#: What the contour weighs against the inner face; 10 leaves half of the way undone.
CONTOUR_WEIGHT = 2.0
CROSS_ITERATIONS = 100


@dataclass(frozen=True, slots=True, eq=False)
class CrossedFace:
    """A face between two others."""

    ws: Tensor
    """float32 [1, L, w]."""
    frame_variation_percent: float
    """Against the face that gave the contour."""
    inner_difference_percent: float
    """What is left of the difference between the two inner faces: 0 where it is the other's, 100 where none moved."""

    def measures(self) -> dict[str, float]:
        """As the origin of the face records them."""
        return {
            "frame_variation_percent": self.frame_variation_percent,
            "inner_difference_percent": self.inner_difference_percent,
        }


def cross_weights(contour_frame: Tensor, inner_frame: Tensor, outline_weight: float) -> LockWeights:
    """From where each of the faces has its frame, float32 [s, s] in [0, 1]: colours, then the frame's classes.

    Between the two frames nothing is asked for.
    """
    between = 1 - torch.maximum(contour_frame, inner_frame)
    inside, outside = between.expand(3, -1, -1), contour_frame.expand(3, -1, -1)
    classes = normalise_weights(torch.ones_like(outside))
    return LockWeights(
        torch.cat([normalise_weights(inside), torch.zeros_like(inside)]).flatten(),
        CONTOUR_WEIGHT * torch.cat([normalise_weights(outside), outline_weight * classes]).flatten(),
    )


def inner_difference_percent(weights: LockWeights, found: Tensor, contour: Tensor, inner: Tensor) -> float:
    """Of what is observed of the found face and of both others, float32 [P] each."""
    left, whole = ((weights.inside * (seen - inner) ** 2).sum() for seen in (found, contour))
    return 100 * float((left / whole.clamp_min(1e-12)).sqrt())
