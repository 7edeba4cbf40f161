"""The small pictures of grids, strips and transitions: those that were rendered, and what is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuiface.screens.changes import StatePart

if TYPE_CHECKING:
    import numpy as np

    from tuiface.engine_api.protocol import RenderResult
    from tuiface.faces.recipe import Recipe
    from tuiface.screens.changes import Changes
    from tuiface.screens.engine_link import EngineLink
    from tuiface.screens.engine_state import EngineState

MAX_TILES = 600


class Tiles(StatePart):
    """A cache of the newest 600, by recipe and resolution; None stands for the network's own.

    By the recipe itself: of frames with their numbers in W+, a digest takes twenty times as long as a hash.
    """

    def __init__(self, changes: Changes, engine: EngineState, link: EngineLink) -> None:
        super().__init__(changes)
        self._engine = engine
        self._link = link
        self._pixels: OrderedDict[tuple[Recipe, int | None], np.ndarray] = OrderedDict()

    def request(self, recipes: Sequence[Recipe], resolution: int | None) -> None:
        """Render those of `recipes` that are not known at this size; what was asked for before is forgotten."""
        if self._engine.studio is None or self._engine.phase != "ready":
            return
        from tuiface.engine_api.protocol import RenderRequest

        missing = dict.fromkeys(r for r in recipes if (r, resolution) not in self._pixels)
        self._link.render_tiles([RenderRequest(recipe, resolution, quality="draft") for recipe in missing])

    def find(self, recipe: Recipe, resolution: int | None) -> np.ndarray | None:
        """uint8 [r, r, 3] of a small picture; None until it was rendered."""
        return self._pixels.get((recipe, resolution))

    def add(self, result: RenderResult) -> None:
        """Keep a small picture, unless its network was closed meanwhile; throw away the oldest beyond 600."""
        if self._engine.studio is None:
            return
        self._pixels[result.recipe, self.resolution_of(result.pixels)] = result.pixels
        while len(self._pixels) > MAX_TILES:
            self._pixels.popitem(last=False)
        self.changes.mark_tiles()

    def clear(self) -> None:
        """They are of a network that is not open any more."""
        self._pixels.clear()

    def fit_resolution(self, view_px: int, largest: int | None = None) -> int | None:
        """The resolution to ask for in a place of `view_px` pixels, at most `largest`. Needs a studio."""
        resolution = block_resolution(view_px, self._full)
        return self._none_for_full(resolution if largest is None else min(resolution, largest))

    def resolution_of(self, pixels: np.ndarray) -> int | None:
        """The resolution that a picture was asked for in. Needs a studio."""
        return self._none_for_full(pixels.shape[0])

    def _none_for_full(self, resolution: int) -> int | None:
        return None if resolution == self._full else resolution

    @property
    def _full(self) -> int:
        assert self._engine.studio is not None
        return self._engine.studio.info.resolution


def block_resolution(view_px: int, full: int) -> int:
    """The smallest block of the network (4, 8, ... `full`) with at least `view_px` pixels, or the last one."""
    resolution = 4
    while resolution < min(view_px, full):
        resolution *= 2
    return min(resolution, full)
