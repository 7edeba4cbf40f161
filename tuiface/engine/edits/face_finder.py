"""Faces that are found by the gradient through the network: one with another's contour, one between two others.

Contour correction: coarse rows of W+ follow the gradient through the soft segmentation, by Adam (Kingma and Ba 2015).
The lab's earlier system climbed hills for 750 steps; here the contour's soft classes are differentiable in the picture.

Crossing: the inner face of one face in the contour of another, the cells of the laboratory's 2x2 design. A step in W+
from the face with the contour, found as a lock's is (lock.py): what must stay is its contour, and what is wanted inside
is not an edit but the other picture. The contour weighs less than in a lock, since here the inner face has a long way
to go.

Shape legend: L = num_ws, w = w_dim, k = principal components, R = side of a synthesized picture, s = its observed
side, P = 6 s^2 numbers observed of it (observation.py).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tuiface.directions.frame_metric import frame_variation_percent
from tuiface.engine.edits.contour_search import ContourProblem, ContourSearch, compared_classes
from tuiface.engine.edits.device_loop import LoopPool
from tuiface.engine.edits.edits import EditSum
from tuiface.engine.edits.face_cache import FaceCache
from tuiface.engine.edits.lock import LockWeights, normalise_weights
from tuiface.engine.edits.lock_solver import CONTOUR_CLASSES_WEIGHT
from tuiface.engine.edits.masks import build_lock_mask, refuse_unknown_regions
from tuiface.engine.edits.observation import observe, pool, segment_contour, synthesis_side
from tuiface.engine.edits.step_search import SteppedFace, StepProblem, StepSearch
from tuiface.engine.latents import recipe_ws
from tuiface.engine.renderer import exact_convolutions
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.engine_api.requests import OptimisedFace
from tuiface.faces.recipe import Noise, Recipe, RegionLock

CORRECTION_STEPS = 60

#: What the contour weighs against the inner face; 10 leaves half of the way undone.
CONTOUR_WEIGHT = 2.0
CROSS_ITERATIONS = 100

_CONTOUR_LOCK = RegionLock(region="frame")


class FaceFinder:
    """Finds faces of one network."""

    def __init__(self, faces: FaceCache, search: StepSearch) -> None:
        self._faces = faces
        self._search = search
        self._contour_searches: LoopPool[ContourSearch] = LoopPool()
        self._renderer = faces.renderer
        self._generator = faces.renderer.generator
        self._side = synthesis_side(self._generator.config.img_resolution)

    @torch.no_grad()
    def correct_contour(
        self,
        recipe: Recipe,
        reference: Recipe,
        num_steps: int = CORRECTION_STEPS,
        pause: Pause = no_pause,
    ) -> OptimisedFace:
        """The recipe's face with rows [0, `COARSE_ROWS`) changed until its contour is the unedited `reference`'s.

        The best of all steps by the frame variation itself is kept, so it never grows. `pause` is called before each
        picture; it may render others.
        """
        renderer, predictor = self._renderer, self._faces.region_predictor
        with exact_convolutions():
            edits = renderer.edits(recipe)
            start = recipe_ws(self._generator, recipe) + edits.ws  # [1, L, w]
            of_styles = EditSum(torch.zeros_like(start), edits.styles)
            face = SteppedFace.of(renderer, predictor, start, of_styles, Noise(mode="none"))
            reference_image = self._faces.find(reference).image(self._side)
            problem = ContourProblem(face, compared_classes(reference_image, predictor), num_steps + 1)
            with self._contour_searches.borrow(lambda s: s.fits(problem), lambda: ContourSearch(problem)) as search:
                ws, labels = (found.cpu().numpy() for found in search.find(problem, pause))
            wanted = segment_contour(reference_image, predictor)
        percents = [frame_variation_percent(wanted, found) for found in labels]
        best = int(np.argmin(percents))
        measures = {"frame_variation_before": percents[0], "frame_variation_after": percents[best]}
        return OptimisedFace(ws[best].copy(), measures)

    @torch.no_grad()
    def cross_faces(self, contour: Recipe, inner: Recipe, pause: Pause = no_pause) -> OptimisedFace:
        """The face of `contour` with the inner face of `inner`: both with their edits, neither with its locks.

        `pause` is called before each picture; it may render others. Measures: the frame variation against the face
        that gave the contour, and what is left of the difference between the two inner faces.
        """
        predictor, side = self._faces.region_predictor, self._side
        refuse_unknown_regions((_CONTOUR_LOCK,), predictor)
        with exact_convolutions():
            images = [self._faces.find(r).edited_image(self._renderer.edits(r), side) for r in (contour, inner)]
            observed = [observe(image, predictor)[0] for image in images]  # [P] each
            masks = [self._contour_mask(image) for image in images]  # [s, s] each
            weights = cross_weights(masks[0], masks[1], CONTOUR_CLASSES_WEIGHT)
            edits = self._renderer.edits(contour)
            start = self._faces.find(contour).ws + edits.ws  # [1, L, w]
            of_styles = EditSum(torch.zeros_like(start), edits.styles)
            face = SteppedFace.of(self._renderer, predictor, start, of_styles, contour.noise)
            problem = StepProblem(face, weights, observed[1], observed[0], CROSS_ITERATIONS)
            step = self._search.find(problem, pause)
            pause()
            image = face.image(step)
            labels = [segment_contour(picture, predictor) for picture in (images[0], image)]
            measures = {
                "frame_variation_percent": frame_variation_percent(*labels),
                "inner_difference_percent": inner_difference_percent(weights, observe(image, predictor)[0], *observed),
            }
        return OptimisedFace((start + step)[0].cpu().numpy(), measures)

    def _contour_mask(self, image: Tensor) -> Tensor:
        """float32 [s, s]: where a picture [1, 3, R, R] shows what a lock on the contour holds."""
        probabilities = self._faces.region_predictor.probabilities(image.clamp(-1, 1))
        return pool(build_lock_mask(probabilities, (_CONTOUR_LOCK,), self._side))[0, 0]


def cross_weights(contour: Tensor, inner_contour: Tensor, classes_weight: float) -> LockWeights:
    """From where each of the two faces has its contour, float32 [s, s] in [0, 1]: colours, then the contour's classes.

    Between the two contours nothing is asked for.
    """
    between = 1 - torch.maximum(contour, inner_contour)
    inside, outside = between.expand(3, -1, -1), contour.expand(3, -1, -1)
    classes = normalise_weights(torch.ones_like(outside))
    return LockWeights(
        torch.cat([normalise_weights(inside), torch.zeros_like(inside)]).flatten(),
        CONTOUR_WEIGHT * torch.cat([normalise_weights(outside), classes_weight * classes]).flatten(),
    )


def inner_difference_percent(weights: LockWeights, found: Tensor, contour: Tensor, inner: Tensor) -> float:
    """How much of the way to the other inner face is left: 0 where it is the other's, 100 where nothing moved.

    found, contour, inner: float32 [P], observed of the found face and of the two that it lies between.
    """
    left, whole = ((weights.inside * (seen - inner) ** 2).sum() for seen in (found, contour))
    return 100 * float((left / whole.clamp_min(1e-12)).sqrt())
