"""From a recipe with edits and locks to a measured picture.

sum edits    -> a step in W+ and steps of styles (edits.py)
solve lock   -> a step in W+ more, which undoes the edit in what is locked (lock.py, step_search.py)
synthesize   -> the edited picture
blend        -> with features of the unedited face where firm locks hold (blend.py)
paste        -> with its very pixels where the firmest do (blend.py)
measure      -> against the unedited face (measures.py)

Shape legend: r = side of the block that a picture stops at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from tuiface.engine.edits.blend import build_feature_blend, paste
from tuiface.engine.edits.edits import EditSum
from tuiface.engine.edits.face_cache import FaceCache, UneditedFace
from tuiface.engine.edits.lock_solver import LockSolver
from tuiface.engine.edits.masks import build_lock_mask, refuse_immovable, refuse_unknown_regions, resize_maps
from tuiface.engine.edits.measures import EditedPicture, EditMeasurer
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.pixels import to_pixels
from tuiface.engine.renderer import exact_convolutions
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.engine_api.protocol import Dtype, Quality
from tuiface.faces.recipe import Recipe, RegionLock


@dataclass(frozen=True, slots=True)
class MeasuredPicture:
    """A picture and what was measured of it."""

    pixels: np.ndarray
    """uint8 [r, r, 3]."""
    measures: dict[str, float] = field(default_factory=dict)
    """By name (docs/formats.md); empty where nothing is measured."""
    notices: tuple[str, ...] = ()


class EditRenderer:
    """Renders any recipe of one network."""

    def __init__(
        self,
        faces: FaceCache,
        lock_solver: LockSolver,
        discriminator: Discriminator | None = None,
        find_reader: Callable[[], object] = lambda: None,
    ) -> None:
        self._faces = faces
        self._renderer = faces.renderer
        self._lock_solver = lock_solver
        self._measurer = EditMeasurer(faces, discriminator, find_reader)

    @torch.no_grad()
    def render(
        self,
        recipe: Recipe,
        resolution: int | None = None,
        dtype: Dtype = "float32",
        *,
        quality: Quality = "final",
        pause: Pause = no_pause,
    ) -> MeasuredPicture:
        """The recipe's picture at a block's resolution, with measures where it has edits.

        `pause` is called between the steps of a locked picture alone. Raises UsageError or ModelError for
        parts that do not fit, before anything is computed for long.
        """
        until = self._renderer.check_resolution(resolution)
        if not recipe.edits:  # then there is nothing for locks to hold, and nothing to measure against
            return MeasuredPicture(self._renderer.render(recipe, resolution, dtype))
        with exact_convolutions():
            edits = unlocked = self._renderer.edits(recipe)
            face = self._faces.find(recipe)
            if quality == "preview":
                edits = self._lock_solver.scale_last_step(face, recipe, edits)
                return MeasuredPicture(to_pixels(face.edited_image(edits, until, dtype)))
            if recipe.locks:
                refuse_unknown_regions(recipe.locks, self._faces.region_predictor)
                refuse_immovable(face.lock_mask(recipe.locks))
                edits = self._lock_solver.solve(face, recipe, edits, pause)
            picture = self._render_locked(face, recipe.locks, edits, until, dtype)
            notices = self._lock_solver.notices if recipe.locks else ()
            if quality == "unmeasured":
                return MeasuredPicture(picture.pixels, notices=notices)
            if recipe.locks:
                pause()
            measures, found = self._measure(picture, recipe.locks)
            if recipe.locks:
                pause()
                measures |= self._measurer.measure_delivery(picture, recipe, unlocked)
            return MeasuredPicture(picture.pixels, measures, (*notices, *found))

    @torch.no_grad()
    def bake(self, recipe: Recipe, pause: Pause = no_pause) -> np.ndarray:
        """float32 [L, w]: the rows of W+ that the recipe's picture is synthesized from, all edits and locks applied.

        Steps of styles, and what locks blend or paste, are in no row.
        """
        with exact_convolutions():
            edits = self._renderer.edits(recipe)
            face = self._faces.find(recipe)
            if recipe.edits and recipe.locks:
                refuse_unknown_regions(recipe.locks, self._faces.region_predictor)
                refuse_immovable(face.lock_mask(recipe.locks))
                edits = self._lock_solver.solve(face, recipe, edits, pause)
            rows: np.ndarray = (face.ws + edits.ws)[0].cpu().numpy()
            return rows

    def _render_locked(
        self, face: UneditedFace, locks: tuple[RegionLock, ...], edits: EditSum, until: int, dtype: Dtype
    ) -> EditedPicture:
        """Edits that are turned away from `locks` already, then what each lock guarantees beyond that."""
        image = face.edited_image(edits, until, dtype)  # [1, 3, r, r]
        if not locks:
            pixels = to_pixels(image)
            return EditedPicture(face, edits, dtype, pixels, pixels)
        regions = self._regions(image)
        firm = tuple(lock for lock in locks if lock.guarantee in ("blend", "paste"))
        if firm:
            image = self._blend(face, edits, _held_mask(face, firm, regions), until, dtype)
            regions = self._regions(image)
        pixels = unpasted = to_pixels(image)
        firmest = tuple(lock for lock in locks if lock.guarantee == "paste")
        pasted = _held_mask(face, firmest, regions)[0, 0].cpu().numpy() if firmest else None
        if pasted is not None:
            pixels = paste(to_pixels(face.image(until, dtype)), unpasted, pasted)
        held = _held_mask(face, locks, regions)[0, 0].cpu().numpy()
        return EditedPicture(face, edits, dtype, pixels, unpasted, held, pasted)

    def _regions(self, image: Tensor) -> Tensor:
        """float32 [1, K, r, r]: what each pixel of an edited `image` [1, 3, r, r] shows."""
        return self._faces.region_predictor.probabilities(image.clamp(-1, 1))

    def _blend(self, face: UneditedFace, edits: EditSum, held: Tensor, until: int, dtype: Dtype) -> Tensor:
        """float32 [1, 3, r, r]: the edited face with features of the unedited one where `held` [1, 1, r, r] says so.

        Both are synthesized side by side, as a batch of two.
        """
        generator = self._renderer.generator
        unedited = generator.synthesis.styles(face.ws, until)
        edited = self._renderer.edit_styles(face.ws, edits, until)
        styles = {name: torch.cat([style, edited[name]]) for name, style in unedited.items()}  # [2, I]
        noise = self._renderer.noise_maps(face.recipe.noise, until)
        pair = generator.plan(getattr(torch, dtype)).synthesize(styles, noise, until, build_feature_blend(held))
        return pair[1:]

    def _measure(
        self, picture: EditedPicture, locks: tuple[RegionLock, ...]
    ) -> tuple[dict[str, float], tuple[str, ...]]:
        measures, notices = self._measurer.measure(picture)
        if locks:
            predicted = self._lock_solver.predict_outside_change(picture.face, locks, picture.edits)
            measures = {"predicted_outside_change": round(predicted, 4), **measures}
        return measures, notices


def _held_mask(face: UneditedFace, locks: tuple[RegionLock, ...], regions: Tensor) -> Tensor:
    """float32 [1, 1, r, r]: where `locks` hold in the unedited face, or in the edited one of `regions` [1, K, r, r]."""
    side = regions.shape[-1]
    return torch.maximum(resize_maps(face.lock_mask(locks), side), build_lock_mask(regions, locks, side))
