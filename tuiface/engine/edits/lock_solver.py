"""What a lock needs of a network: the step that turns an edit away from what is locked, and what still changes there.

lock.py has the optimisation problem; here its terms are pictures of a face (observation.py).

Shape legend: L = num_ws, w = w_dim, s = side at which pictures are observed, P = 6 s^2 numbers observed of a picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuiface.engine.edits.edits import EditSum
from tuiface.engine.edits.face_cache import UneditedFace
from tuiface.engine.edits.lock import (
    NUM_ITERATIONS,
    LockStep,
    LockWeights,
    lambda_from_strength,
    normalise_weights,
)
from tuiface.engine.edits.observation import pool
from tuiface.engine.edits.step_search import StepProblem, StepSearch
from tuiface.engine.pixels import LEVELS_PER_UNIT
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.faces.recipe import Recipe, RegionLock

#: Weight of the contour's classes beside the pixels, for locks that hold an outline.
CONTOUR_CLASSES_WEIGHT = 4.0
_CONTOUR_REGIONS = ("frame", "hairline", "hair", "background")


class LockSolver:
    """Turns edits away from locked regions; the last step of each face is kept with it."""

    def __init__(self, search: StepSearch) -> None:
        self._search = search

    @torch.no_grad()
    def solve(self, face: UneditedFace, recipe: Recipe, edits: EditSum, pause: Pause = no_pause) -> EditSum:
        """`edits` of `recipe` with the step that keeps them out of its locked regions.

        `pause` is called before each picture, and what it raises leaves the face's last step as it is.
        """
        if face.lock_step is None or not face.lock_step.is_reusable_for(recipe):
            face.lock_step = self._find_step(face, recipe, edits, pause)
        return edits.add_ws(face.lock_step.step)

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user must know of how steps are found here."""
        return self._search.notices

    def scale_last_step(self, face: UneditedFace, recipe: Recipe, edits: EditSum) -> EditSum:
        """`edits` with the face's last step in proportion; without one while there is none for the recipe's locks."""
        if not recipe.locks or face.lock_step is None or not face.lock_step.has_equal_locks(recipe):
            return edits
        return edits.add_ws(face.lock_step.scale_to(edits))

    @torch.no_grad()
    def predict_outside_change(self, face: UneditedFace, locks: tuple[RegionLock, ...], edits: EditSum) -> float:
        """What the edits will change in the locked regions, root mean square in levels, before they are made.

        sqrt(d^T M_b d) with the curvature along d: both from half a step forwards and half a step back.
        """
        forwards, back = (face.observe(edits.scale(factor)) for factor in (0.5, -0.5))
        slope, bend = forwards - back, 2 * (forwards + back - 2 * face.observe())
        return self._outside_rms(face, locks, slope + bend)

    @torch.no_grad()
    def measure_outside_change(self, face: UneditedFace, locks: tuple[RegionLock, ...], edits: EditSum) -> float:
        """What the edits do change there, in the same unit."""
        return self._outside_rms(face, locks, face.observe(edits) - face.observe())

    def _find_step(self, face: UneditedFace, recipe: Recipe, edits: EditSum, pause: Pause) -> LockStep:
        stepped = face.stepped(edits)
        pause()
        target = stepped.observe(torch.zeros_like(face.ws))
        pause()
        problem = StepProblem(stepped, _weigh(face, recipe.locks), target, face.base, NUM_ITERATIONS)
        return LockStep(recipe, edits, self._search.find(problem, pause))

    def _outside_rms(self, face: UneditedFace, locks: tuple[RegionLock, ...], change: Tensor) -> float:
        """Root mean square in levels of 255 of an observed change [P], over colours where the locks hold."""
        held = pool(face.lock_mask(locks))[0, 0]  # [s, s]
        colours = change.view(6, *held.shape)[:3]
        return LEVELS_PER_UNIT * float(((colours**2 * held).sum() / (3 * held.sum()).clamp_min(1e-6)).sqrt())


def _weigh(face: UneditedFace, locks: tuple[RegionLock, ...]) -> LockWeights:
    """Colours inside and outside what is held; the contour's classes everywhere, for locks that hold an outline."""
    held = pool(face.lock_mask(locks))[0, 0]  # [s, s]
    colours, classes = held.expand(3, -1, -1), torch.zeros_like(held).expand(3, -1, -1)
    firmness = max((lock.strength for lock in locks if lock.region in _CONTOUR_REGIONS), default=0.0)
    firm = torch.full_like(held, firmness).expand(3, -1, -1)
    inside = torch.cat([normalise_weights(1 - colours), classes])
    outside = torch.cat([
        lambda_from_strength(colours) * normalise_weights(colours),
        CONTOUR_CLASSES_WEIGHT * lambda_from_strength(firm) * normalise_weights(firm),
    ])  # fmt: skip
    return LockWeights(inside.flatten(), outside.flatten())
