"""What every screen shows: the studio, the last frame, and how the engine is. Screens draw this and keep nothing.

Threads: the app's alone. Steps taken before the engine answers are kept and taken when it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tuiface.errors import TuifaceError
    from tuiface.protocol import Frame
    from tuiface.recipe import Recipe
    from tuiface.screens.engine_link import EngineLink
    from tuiface.screens.face_steps import Step
    from tuiface.settings import Settings
    from tuiface.studio import Face, Studio
    from tuiface.terminal.capabilities import Capabilities
    from tuiface.terminal.wire import Wire

Phase = Literal["starting", "ready", "restarting", "stopped"]

RESTARTS = 1
"""Times in a row that a dead engine is started again without asking."""


class Session:
    """One user's session as the interface sees it."""

    def __init__(self, settings: Settings, wire: Wire, link: EngineLink) -> None:
        self.settings = settings
        self.wire = wire
        self.link = link
        self.phase: Phase = "starting"
        self.studio: Studio | None = None
        """None until the engine answers for the first time."""
        self.frame: Frame | None = None
        """The newest picture there is, of the current face or one shortly before it."""
        self.error: TuifaceError | None = None
        """Why the engine stopped."""
        self.kept_steps: list[Step] = []
        """Steps that wait for the first engine."""
        self.saving: list[Face] = []
        """Faces on their way into the library."""
        self.num_saved = 0
        self._unsaved: list[Face] = []
        """Faces whose save the engine's end interrupted; saved when it is back."""
        self._view_px = 0
        """Pixels along the longer side that the view can show."""
        self._deaths = 0
        """Ends of the engine since it last delivered a frame."""
        self._sequence = 0
        self._requested: tuple[Recipe, int] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """How pictures are drawn now."""
        return self.wire.capabilities

    # --- what keys do --------------------------------------------------------------------------------------------

    def do(self, step: Step) -> None:
        """Take a step in the studio and ask for its picture; kept for later while there is no studio."""
        if self.studio is None:
            self.kept_steps.append(step)
            return
        step(self.studio)
        self._request_preview()

    def save(self) -> None:
        """Save the current face in the background."""
        self.do(lambda studio: self._save(studio.current))

    def resize_view(self, view_px: int) -> None:
        """Previews are rendered for a view of `view_px` pixels from now on."""
        self._view_px = view_px
        self._request_preview()

    # --- what threads tell ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the engine, or start it again."""
        self.phase = "starting" if self.studio is None else "restarting"
        self.error = None
        self.link.start(self.studio)

    def engine_ready(self, studio: Studio) -> None:
        """Go on where the last engine ended, or take the steps that were kept for the first one."""
        self.phase = "ready"
        self.studio = studio
        steps, self.kept_steps = self.kept_steps, []
        for step in steps:
            step(studio)
        faces, self._unsaved = self._unsaved, []
        for face in faces:
            self.link.save(face)
        self._requested = None
        self._request_preview()

    def engine_failed(self, error: TuifaceError) -> None:
        """The engine could not be started: wait for the user."""
        self.phase = "stopped"
        self.error = error

    def engine_died(self, error: TuifaceError) -> bool:
        """The engine ended on its own: start it again, unless it has just been. Returns whether it was."""
        self._deaths += 1
        if self._deaths > RESTARTS:
            self.engine_failed(error)
            return False
        self.start()
        return True

    def accept(self, frame: Frame) -> bool:
        """Take a frame, unless it is older than the one on the screen; returns whether it was taken.

        A frame of a request that was replaced while it was rendered is newer than the picture on the screen: with a
        key held down, such frames are the progress.
        """
        if self.frame is not None and frame.sequence <= self.frame.sequence:
            return False
        self.frame = frame
        self._deaths = 0
        return True

    def saved(self, face: Face, *, existed: bool) -> None:
        """A face lies in the library."""
        assert self.studio is not None
        self.saving.remove(face)
        self.num_saved += not existed
        self.studio.mark_saved(face.recipe)

    def save_failed(self, face: Face, *, try_again: bool) -> None:
        """A face could not be saved; with `try_again` it is as soon as the engine is back."""
        if try_again:
            self._unsaved.append(face)
        else:
            self.saving.remove(face)

    # --- what is shown -------------------------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether the picture on the screen is of an earlier face than the current one."""
        return self.phase == "ready" and (self.frame is None or self.frame.sequence < self._sequence)

    def _save(self, face: Face) -> None:
        self.saving.append(face)
        if self.phase == "ready":
            self.link.save(face)
        else:
            self._unsaved.append(face)

    def _request_preview(self) -> None:
        """Ask for the current face at the smallest size that fills the view: large networks stay quick."""
        if self.studio is None or self.phase != "ready" or not self._view_px:
            return
        from tuiface.protocol import RenderJob

        recipe = self.studio.current.recipe
        resolution = block_resolution(self._view_px, self.studio.info.resolution)
        if self._requested == (recipe, resolution):
            return
        self._requested = (recipe, resolution)
        self._sequence += 1
        self.link.submit(RenderJob(recipe, resolution, draft=True, sequence=self._sequence))


def block_resolution(view_px: int, full: int) -> int:
    """The smallest block of the network (4, 8, ... `full`) with at least `view_px` pixels, or the last one."""
    resolution = 4
    while resolution < min(view_px, full):
        resolution *= 2
    return min(resolution, full)
