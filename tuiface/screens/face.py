"""The first screen: one face, large, and the keys that change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal

from tuiface.actions import command_line
from tuiface.language import tr
from tuiface.screens.face_steps import STEPS, show_seed
from tuiface.screens.widgets.face_panel import FacePanel
from tuiface.screens.widgets.face_view import FaceView
from tuiface.screens.work_screen import WorkScreen
from tuiface.terminal.image_view import ImageView

if TYPE_CHECKING:
    import numpy as np
    from textual.timer import Timer

    from tuiface.screens.comparison import Mode
    from tuiface.screens.session import Session


class FaceScreen(WorkScreen):
    """One face beside its numbers; compared with the face that its changes began with, if asked."""

    PLACE = "face"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._mode: Mode = "off"
        self._flicker: Timer | None = None
        self._shows_original = False

    def compose_body(self) -> ComposeResult:
        """The picture, another beside it while they are compared, and the panel."""
        with Horizontal(id="body"):
            yield FaceView(self.session.wire, id="original", classes="-hidden")
            yield FaceView(self.session.wire, id="face")
            yield FacePanel(self.session, id="panel")

    def on_image_view_resized(self, event: ImageView.Resized) -> None:
        """Previews are rendered for what can be seen."""
        if event.view.id == "face":
            self.session.resize_view(event.view_px)
            self.show_state()

    # --- drawing -------------------------------------------------------------------------------------------------

    def show_body(self) -> None:
        """The picture and its numbers."""
        self._show_face()
        self.query_one(FacePanel).refresh()

    def command_line(self) -> str:
        """The command that makes the current face; empty before there is one."""
        studio = self.session.studio
        return "" if studio is None else command_line(studio.current.recipe, self.session.settings)

    def _show_face(self) -> None:
        session, view = self.session, self.query_one("#face", FaceView)
        if session.frame is not None:
            if self._mode == "off":
                view.show_frame(session.frame)
            else:
                self._show_comparison()
        elif session.phase == "stopped" and session.error is not None:
            view.show_problem((session.error.message, session.error.hint, "", tr("R tries again, q quits")))
        else:
            view.show_waiting(tr("starting the engine") if session.studio is None else tr("rendering"))

    # --- comparing -----------------------------------------------------------------------------------------------

    def action_compare(self) -> None:
        """Go round: flicker, side by side, map of differences, the face alone."""
        from tuiface.screens.comparison import FLICKER_S, MODES

        if self.session.frame is None:
            return
        self._mode = MODES[(MODES.index(self._mode) + 1) % len(MODES)]
        if self._flicker is not None:
            self._flicker.stop()
            self._flicker = None
        self._shows_original = False
        self.query_one("#original", FaceView).set_class(self._mode != "side", "-hidden")
        if self._mode == "flicker":
            self._flicker = self.set_interval(FLICKER_S, self._turn)
        self.session.comparison = self._mode
        self.show_state()

    def tiles_changed(self) -> None:
        """The original arrived."""
        if self._mode != "off":
            self.show_state()

    def _turn(self) -> None:
        self._shows_original = not self._shows_original
        self._show_comparison()

    def _show_comparison(self) -> None:
        from tuiface.screens.comparison import difference_map, mean_difference

        frame, before = self.session.frame, self._original_pixels()
        if frame is None:
            return
        view = self.query_one("#face", FaceView)
        after = frame.pixels
        if before is None or before.shape != after.shape:
            view.show_frame(frame)
            return
        self.session.difference_percent = mean_difference(before, after)
        if self._mode == "side":
            self.query_one("#original", FaceView).show_pixels(before)
        if self._mode == "map":
            view.show_derived(difference_map(before, after))
        elif self._mode == "flicker" and self._shows_original:
            view.show_derived(before)
        else:
            view.show_derived(after)

    def _original_pixels(self) -> np.ndarray | None:
        """At the size of the frame; asked for if it is not there yet."""
        session = self.session
        assert session.studio is not None
        assert session.frame is not None
        side = session.frame.pixels.shape[0]
        resolution = None if side == session.studio.info.resolution else side
        recipe = session.studio.original.recipe
        pixels = session.tile(recipe, resolution)
        if pixels is None:
            session.request_tiles([recipe], resolution)
        return pixels

    # --- actions -------------------------------------------------------------------------------------------------

    def action_take_step(self, name: str) -> None:
        """Any action that is one step in the studio."""
        self.session.do(STEPS[name])
        self.show_state()

    def action_go_to_seed(self) -> None:
        """Ask for a seed number."""
        from tuiface.screens.seed_prompt import SeedPrompt

        def go(seed: str | None) -> None:
            if seed is not None:
                self.session.do(lambda studio: show_seed(studio, int(seed)))
                self.show_state()

        self.app.push_screen(SeedPrompt(), go)

    def action_save(self) -> None:
        """Save in the background; the app tells where when it is done."""
        self.session.save()
        self.show_state()

    def action_more_like_this(self) -> None:
        """Neighbours, in Explore."""
        self.session.do(lambda studio: self.session.near(studio.current))
        self.app.call_later(self.app.run_action, "explore_screen")

    def action_use_in_mix(self) -> None:
        """The next parent."""
        self.session.do(lambda studio: self.session.use_in_mix(studio.current))
        self.notify(
            tr("{number} of 2 parents; 3 shows them.", number=len(self.session.parents)), title="Mix", timeout=3
        )

    def action_add_to_morph(self) -> None:
        """The transition's next face."""
        self.session.do(lambda studio: self.session.transition.append(studio.current))
        number = len(self.session.transition)
        self.notify(tr("Faces: {number}; 4 shows the transition.", number=number), title="Morph", timeout=3)
