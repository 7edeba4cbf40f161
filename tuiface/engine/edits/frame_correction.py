"""Giving a face the frame of another: coarse rows of W+ follow the gradient through the soft segmentation.

The lab's earlier system climbed hills for 750 steps; here the frame's soft classes are differentiable in the picture.

Shape legend: L = num_ws, w = w_dim, k = principal components, s = side of the compared maps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.directions.frame_metric import HAIRLINE_WEIGHT, OUTLINE_WEIGHT, frame_variation_percent
from tuiface.engine.edits.masks import RegionPredictor
from tuiface.engine.edits.measures import segment_contour
from tuiface.engine.population import LatentPopulation
from tuiface.engine.predictors.segmenter import group_probabilities

COARSE_ROWS = 6
NUM_STEPS = 60
LEARNING_RATE = 0.04
#: Weight of the distance walked, in standard deviations: the face stays itself, and among the population's.
PRIOR_WEIGHT = 2e-4
COMPARED_SIDE = 64

Synthesize = Callable[[Tensor], Tensor]
"""ws [1, L, w] -> picture [1, 3, R, R], differentiable."""


@dataclass(frozen=True, slots=True, eq=False)
class CorrectedContour:
    """A face whose frame was drawn towards another's."""

    ws: Tensor
    """float32 [1, L, w]."""
    before_percent: float
    """Frame variation against the reference before."""
    after_percent: float

    def measures(self) -> dict[str, float]:
        """As the origin of the face records them."""
        return {"frame_variation_before": self.before_percent, "frame_variation_after": self.after_percent}


def correct_contour(
    synthesize: Synthesize,
    reader: RegionPredictor,
    population: LatentPopulation,
    ws: Tensor,
    reference: Tensor,
    num_steps: int = NUM_STEPS,
) -> CorrectedContour:
    """Change rows [0, `COARSE_ROWS`) of ws [1, L, w] until the frame is that of the picture `reference` [1, 3, R, R].

    The best of all steps by the frame variation itself is kept, so it never grows.
    """
    rows = min(COARSE_ROWS, ws.shape[1])
    wanted_labels = segment_contour(reference, reader)
    with torch.no_grad():
        wanted = _contour_probabilities(reference, reader)
    walked = torch.zeros(rows, population.basis.shape[1], device=ws.device, requires_grad=True)
    optimiser = torch.optim.Adam([walked], lr=LEARNING_RATE)
    best, best_percent, first = ws, float("inf"), 0.0
    for step in range(num_steps + 1):
        with torch.enable_grad():
            moved = torch.cat([ws[:, :rows] + (walked @ population.basis.t())[None], ws[:, rows:]], dim=1)
            image = synthesize(moved)
            change = _contour_probabilities(image, reader) - wanted
            loss = OUTLINE_WEIGHT * change[:, 0].square().mean() + HAIRLINE_WEIGHT * change[:, 2].square().mean()
            loss = loss + PRIOR_WEIGHT * walked.square().sum() / rows
        with torch.no_grad():
            percent = frame_variation_percent(wanted_labels, segment_contour(image.detach(), reader))
        first = percent if step == 0 else first
        if percent < best_percent:
            best, best_percent = moved.detach(), percent
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return CorrectedContour(best, first, best_percent)


def _contour_probabilities(image: Tensor, reader: RegionPredictor) -> Tensor:
    """Background, face and hair [1, 3, s, s], soft."""
    groups = group_probabilities(reader.probabilities(image.clamp(-1, 1)))
    return groups if groups.shape[-1] <= COMPARED_SIDE else F.adaptive_avg_pool2d(groups, COMPARED_SIDE)
