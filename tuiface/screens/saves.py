"""Faces on their way into the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.screens.changes import Drawn, StatePart

if TYPE_CHECKING:
    from tuiface.faces.studio import Face
    from tuiface.screens.changes import Changes
    from tuiface.screens.engine_link import EngineLink
    from tuiface.screens.engine_state import EngineState


class Saves(StatePart):
    """None is dropped: a save that the engine's end interrupted is done when it is back."""

    pending: Drawn[tuple[Face, ...]] = Drawn(())
    num_saved: Drawn[int] = Drawn(0)

    def __init__(self, changes: Changes, engine: EngineState, link: EngineLink) -> None:
        super().__init__(changes)
        self._engine = engine
        self._link = link
        self._interrupted: list[Face] = []

    def save(self, face: Face) -> None:
        """Save `face` in the background."""
        self.pending = (*self.pending, face)
        if self._engine.phase == "ready":
            self._link.save(face)
        else:
            self._interrupted.append(face)

    def record_save(self, face: Face, *, existed: bool) -> None:
        """A face lies in the library."""
        assert self._engine.studio is not None
        self._drop(face)
        self.num_saved += not existed
        self._engine.studio.mark_saved(face.recipe)

    def record_failed_save(self, face: Face, *, try_again: bool) -> None:
        """A face could not be saved; with `try_again` it is as soon as the engine is back."""
        if try_again:
            self._interrupted.append(face)
        else:
            self._drop(face)

    def resume(self) -> None:
        """The engine is back."""
        faces, self._interrupted = self._interrupted, []
        for face in faces:
            self._link.save(face)

    def _drop(self, face: Face) -> None:
        place = self.pending.index(face)
        self.pending = self.pending[:place] + self.pending[place + 1 :]
