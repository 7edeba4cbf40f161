"""The first screen: one face, large, and the keys that change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Label, Static

from tuiface.actions import ACTIONS, command_line
from tuiface.screens.bindings import bindings_at
from tuiface.screens.face_steps import STEPS, show_seed
from tuiface.screens.widgets.face_panel import FacePanel
from tuiface.screens.widgets.face_view import FaceView
from tuiface.screens.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.timer import Timer

    from tuiface.screens.session import Session

MIN_COLUMNS, MIN_ROWS = 40, 12
LATE_S = 0.3
"""A picture that takes longer is announced: a word that comes and goes with every key would be noise."""


class FaceScreen(Screen[None]):
    """Draws the session; its actions take one step in it and draw again."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_at("face")]
    HORIZONTAL_BREAKPOINTS = [(0, "-too-narrow"), (MIN_COLUMNS, "-narrow"), (64, "-medium"), (110, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-too-low"), (MIN_ROWS, "-low"), (32, "-high")]  # noqa: RUF012

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._late_timer: Timer | None = None
        self._is_late = False
        """Whether the picture has been behind for so long that it should be said."""

    def compose(self) -> ComposeResult:
        """A title, the picture beside its panel, the command, the keys."""
        with Horizontal(id="title"):
            yield Label("tuiface", id="name")
            yield Label("", id="model", markup=False)
            yield Label("", id="status", markup=False)
        with Horizontal(id="body"):
            yield FaceView(self._session.wire, id="face")
            yield FacePanel(self._session, id="panel")
        yield Static("", id="command", markup=False)
        yield KeyLine(ACTIONS, unicode=self._session.capabilities.unicode, id="keys")
        yield Static("", id="too-small", markup=False)

    def on_mount(self) -> None:
        """Show that the engine is on its way, before it is even asked for."""
        self.show_state()

    def on_resize(self) -> None:
        """Below the smallest size, one sentence stands in for everything."""
        width, height = self.app.size
        self.query_one("#too-small", Static).update(
            f"{width} x {height} is too small: tuiface needs {MIN_COLUMNS} columns and {MIN_ROWS} rows."
        )

    def on_image_view_resized(self, event: FaceView.Resized) -> None:
        """Previews are rendered for what can be seen."""
        self._session.resize_view(event.view_px)
        self.show_state()

    # --- drawing -------------------------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Draw the session as it is now."""
        session = self._session
        self._show_face()
        self.query_one(FacePanel).refresh()
        if session.studio is not None:
            self.query_one("#model", Label).update(session.studio.info.model.name, layout=False)
            command = Content.assemble(("$ ", "$foreground 55%"), self.command_line())
            self.query_one("#command", Static).update(command, layout=False)
        self._watch_lateness()
        self._show_status()

    def command_line(self) -> str:
        """The command that makes the current face; empty before there is one."""
        studio = self._session.studio
        return "" if studio is None else command_line(studio.current.recipe, self._session.settings)

    def _show_face(self) -> None:
        session, view = self._session, self.query_one(FaceView)
        if session.frame is not None:
            view.show_frame(session.frame)
        elif session.phase == "stopped" and session.error is not None:
            view.show_problem((session.error.message, session.error.hint, "", "R tries again, q quits"))
        else:
            view.show_waiting("starting the engine" if session.studio is None else "rendering")

    def _watch_lateness(self) -> None:
        if not self._session.is_behind:
            self._is_late = False
            if self._late_timer is not None:
                self._late_timer.stop()
                self._late_timer = None
        elif self._late_timer is None:
            self._late_timer = self.set_timer(LATE_S, self._say_late)

    def _say_late(self) -> None:
        self._is_late = self._session.is_behind  # a timer that was stopped may have fired already
        self._show_status()

    def _show_status(self) -> None:
        session = self._session
        words: list[str] = [session.phase] if session.frame is not None and session.phase != "ready" else []
        if self._is_late:
            words.append("rendering")
        if session.saving:
            words.append(f"saving {len(session.saving)}")
        self.query_one("#status", Label).update(", ".join(words), layout=False)

    # --- actions -------------------------------------------------------------------------------------------------

    def action_take_step(self, name: str) -> None:
        """Any action that is one step in the studio."""
        self._session.do(STEPS[name])
        self.show_state()

    def action_go_to_seed(self) -> None:
        """Ask for a seed number."""
        from tuiface.screens.seed_prompt import SeedPrompt

        def go(seed: int | None) -> None:
            if seed is not None:
                self._session.do(lambda studio: show_seed(studio, seed))
                self.show_state()

        self.app.push_screen(SeedPrompt(), go)

    def action_save(self) -> None:
        """Save in the background; the app tells where when it is done."""
        self._session.save()
        self.show_state()

    def action_copy_command(self) -> None:
        """Copy by OSC 52, which reaches the clipboard of the terminal's own machine through SSH."""
        line = self.command_line()
        if line:
            self.app.copy_to_clipboard(line)
            self.app.notify(line, title="Copied", markup=False, timeout=3)
