"""The last few faces without their edits, with what was found out about each: what edits are held against.

Shape legend: L = num_ws, w = w_dim, R = the network's resolution, r = side of a block, P = numbers observed of a
picture (observation.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tuiface.engine.edits.edits import EditSum
from tuiface.engine.edits.lock import LockStep
from tuiface.engine.edits.masks import RegionPredictor, build_lock_mask
from tuiface.engine.edits.observation import observe, segment_contour, synthesis_side
from tuiface.engine.edits.step_search import SteppedFace
from tuiface.engine.latents import recipe_ws
from tuiface.engine.renderer import Renderer
from tuiface.engine_api.protocol import Dtype
from tuiface.faces.recipe import Recipe, RegionLock

MAX_CACHED_FACES = 4
MAX_CACHED_MASKS = 4
"""Of one face: all its locks, those of each guarantee, and one set from before."""


class FaceCache:
    """A renderer, what tells regions in its pictures, and the faces that both were used on last."""

    def __init__(self, renderer: Renderer, open_predictor: Callable[[], RegionPredictor]) -> None:
        self.renderer = renderer
        self._open_predictor = open_predictor
        self._predictor: RegionPredictor | None = None
        self._faces: OrderedDict[tuple[str, int], UneditedFace] = OrderedDict()

    @property
    def region_predictor(self) -> RegionPredictor:
        """Says what the pixels of a face show; opened with the first edit. Another one makes all faces forgotten."""
        if self._predictor is None:
            self._predictor = self._open_predictor()
        return self._predictor

    @region_predictor.setter
    def region_predictor(self, predictor: RegionPredictor) -> None:
        self._predictor = predictor
        self.forget()

    def find(self, recipe: Recipe) -> UneditedFace:
        """The face of `recipe` without its edits and locks; raises ModelError for what does not fit the network."""
        plain = recipe.derive(edits=(), locks=())
        # The last bits of a sum depend on how many threads share it.
        key = (plain.digest, torch.get_num_threads())
        face = self._faces.pop(key, None) or UneditedFace(self, plain)
        self._faces[key] = face
        while len(self._faces) > MAX_CACHED_FACES:
            self._faces.popitem(last=False)
        return face

    def forget(self) -> None:
        """Drop what was found out about faces."""
        self._faces.clear()


class UneditedFace:
    """One face without its edits; what is asked of it is computed once."""

    def __init__(self, cache: FaceCache, recipe: Recipe) -> None:
        self.recipe = recipe
        self.ws = recipe_ws(cache.renderer.generator, recipe)
        """float32 [1, L, w]."""
        self.lock_step: LockStep | None = None
        """What locks added to the edits that this face had last."""
        self._cache = cache
        self._images: dict[tuple[int, Dtype], Tensor] = {}
        self._contours: dict[tuple[int, Dtype], np.ndarray] = {}
        self._masks: OrderedDict[tuple[RegionLock, ...], Tensor] = OrderedDict()
        self._observed: Tensor | None = None
        self._base: Tensor | None = None

    def image(self, until: int, dtype: Dtype = "float32") -> Tensor:
        """float32 [1, 3, r, r] with r = `until`."""
        if (until, dtype) not in self._images:
            renderer = self._cache.renderer
            styles = renderer.generator.synthesis.styles(self.ws, until)
            self._images[until, dtype] = renderer.synthesize(styles, self.recipe.noise, until, dtype)
        return self._images[until, dtype]

    def edited_image(self, edits: EditSum, until: int, dtype: Dtype = "float32") -> Tensor:
        """float32 [1, 3, r, r] with r = `until`, with edits; not kept."""
        renderer = self._cache.renderer
        return renderer.synthesize(renderer.edit_styles(self.ws, edits, until), self.recipe.noise, until, dtype)

    def observe(self, edits: EditSum | None = None) -> Tensor:
        """float32 [P]: what locks see of the face, with edits if there are any."""
        side = synthesis_side(self._cache.renderer.generator.config.img_resolution)
        if edits is not None:
            return observe(self.edited_image(edits, side), self._cache.region_predictor)[0]
        if self._observed is None:
            self._observed = observe(self.image(side), self._cache.region_predictor)[0]
        return self._observed

    def stepped(self, edits: EditSum) -> SteppedFace:
        """With edits, and differentiable in a step of W+ more."""
        cache = self._cache
        return SteppedFace.of(cache.renderer, cache.region_predictor, self.ws, edits, self.recipe.noise)

    @property
    def base(self) -> Tensor:
        """float32 [P]: as `observe` without edits, of the arithmetic that is differentiable, whose last bits differ."""
        if self._base is None:
            still = torch.zeros_like(self.ws)
            with torch.no_grad():
                self._base = self.stepped(EditSum(still)).observe(still)
        return self._base

    def contour(self, until: int, dtype: Dtype) -> np.ndarray:
        """uint8 [224, 224] of background, face and hair, as `segment_contour` gives them."""
        if (until, dtype) not in self._contours:
            self._contours[until, dtype] = segment_contour(self.image(until, dtype), self._cache.region_predictor)
        return self._contours[until, dtype]

    def lock_mask(self, locks: tuple[RegionLock, ...]) -> Tensor:
        """[1, 1, R, R]: how firmly each pixel is held."""
        key = tuple(lock.model_copy(update={"guarantee": "direction"}) for lock in locks)
        if key not in self._masks:
            side = self._cache.renderer.generator.config.img_resolution
            probabilities = self._cache.region_predictor.probabilities(self.image(side).clamp(-1, 1))
            self._masks[key] = build_lock_mask(probabilities, locks, side)
            while len(self._masks) > MAX_CACHED_MASKS:
                self._masks.popitem(last=False)
        return self._masks[key]
