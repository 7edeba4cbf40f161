"""The large picture: what was asked for, what has come, and whether the newest is still awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.screens.changes import Drawn, StatePart
from tuiface.screens.tiles import block_resolution

if TYPE_CHECKING:
    from tuiface.engine_api.protocol import Quality, RenderResult
    from tuiface.faces.recipe import Recipe
    from tuiface.screens.changes import Changes
    from tuiface.screens.engine_link import EngineLink
    from tuiface.screens.engine_state import EngineState


class Preview(StatePart):
    """The current face's, in the size of the view; of edited faces a preview first, the final one once keys rest."""

    result: Drawn[RenderResult | None] = Drawn(None)
    """The newest picture there is, of the current face or one shortly before it."""

    def __init__(self, changes: Changes, engine: EngineState, link: EngineLink) -> None:
        super().__init__(changes)
        self._engine = engine
        self._link = link
        self._view_px = 0
        """Pixels along the longer side that the view can show."""
        self._sequence = 0
        self._refused_sequence = 0
        """Sequence of the last request when the engine refused one: it will not be answered."""
        self._requested: tuple[Recipe, int, Quality] | None = None
        """Face, size, and how well it was asked for."""

    @property
    def is_behind(self) -> bool:
        """Whether the picture on the screen is of an earlier face than the current one."""
        is_awaited = self._engine.phase == "ready" and self._refused_sequence < self._sequence
        return is_awaited and (self.result is None or self.result.sequence < self._sequence)

    @property
    def is_provisional(self) -> bool:
        """Whether the current face was only asked for in preview quality so far: it has no measures yet."""
        return self._engine.phase == "ready" and self._requested is not None and self._requested[2] == "preview"

    def resize_view(self, view_px: int) -> None:
        """Previews are rendered for a view of `view_px` pixels from now on."""
        self._view_px = view_px
        self.request()

    def request(self, *, complete: bool = False) -> None:
        """Ask for the current face, if that is another one now, at the smallest size that fills the view.

        Large networks stay quick so. Of edited faces a preview first, the final picture once it is to be `complete`;
        others have nothing to leave out.
        """
        studio = self._engine.studio
        if studio is None or self._engine.phase != "ready" or not self._view_px:
            return
        from tuiface.engine_api.protocol import RenderRequest

        recipe = studio.current.recipe
        resolution = block_resolution(self._view_px, studio.info.resolution)
        best: Quality = "final" if recipe.edits else "draft"
        quality: Quality = "preview" if recipe.edits and not complete else best
        if self._requested in ((recipe, resolution, quality), (recipe, resolution, best)):
            return
        self._requested = (recipe, resolution, quality)
        self._sequence += 1
        self.changes.mark()
        self._link.submit(RenderRequest(recipe, resolution, quality, sequence=self._sequence))

    def request_again(self) -> None:
        """Another engine is there: it knows nothing of what was asked before."""
        self._requested = None
        self.request()

    def complete(self) -> None:
        """No key has come for a while: ask for the current face with its locks and measures."""
        self.request(complete=True)

    def accept(self, result: RenderResult) -> bool:
        """Take a picture, unless it is older than the one on the screen; returns whether it was taken.

        The answer to a request that was replaced while it was rendered is newer than the picture on the screen: with a
        key held down, such pictures are the progress.
        """
        if self.result is not None and result.sequence <= self.result.sequence:
            return False
        self.result = result
        return True

    def abandon(self) -> None:
        """The engine told why it cannot render: nothing is awaited any more."""
        self._refused_sequence = self._sequence
        self._requested = None
        self.changes.mark()

    def clear(self) -> None:
        """There is no picture of the network that is opened now."""
        self.result = self._requested = None
