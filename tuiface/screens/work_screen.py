"""What all screens share: tabs above, command, status and keys below, a sentence where there is no room."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.events import Key
from textual.screen import Screen
from textual.worker import get_current_worker

from tuiface.actions import ScreenName
from tuiface.core.i18n import tr
from tuiface.screens.bindings import bindings_in
from tuiface.screens.changes import Drawn
from tuiface.screens.engine_words import stopped_lines
from tuiface.screens.messages import do_work
from tuiface.screens.widgets.bars import KeyLine, TabLine
from tuiface.screens.widgets.text import Label, Static, assemble, styled
from tuiface.terminal.private_api import add_bindings, forward_key, run_binding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.timer import Timer

    from tuiface.faces.studio import Face
    from tuiface.screens.changes import Changes
    from tuiface.screens.state import InterfaceState

MIN_COLUMNS, MIN_ROWS = 40, 12
LATE_S = 0.3
"""A picture that takes longer is announced: a word that comes and goes with every key would be noise."""


class WorkScreen(Screen[None]):
    """Draws the state; its actions change that and nothing else: what has changed is drawn when they are done."""

    SCREEN_NAME: ClassVar[ScreenName]
    TAB: ClassVar[ScreenName | None] = None
    """The tab that leads here where the screen has none of its own."""
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-too-narrow"), (MIN_COLUMNS, "-narrow"), (64, "-medium"), (110, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-too-low"), (MIN_ROWS, "-low"), (32, "-high")]  # noqa: RUF012

    is_late: Drawn[bool] = Drawn(default=False)
    """Whether the picture has been behind for so long that it should be said."""

    def __init__(self, state: InterfaceState) -> None:
        super().__init__(classes="work")
        self.state = state
        self._late_timer: Timer | None = None
        self._status = ""
        add_bindings(self, bindings_in(state.actions, self.SCREEN_NAME))

    def compose(self) -> ComposeResult:
        """The frame around what the screen is for."""
        with Horizontal(id="title"):
            yield TabLine(self.TAB or self.SCREEN_NAME, id="tabs")
        yield Static("", id="stopped")
        yield from self.compose_body()
        with Horizontal(id="bottom"):
            yield Static("", id="command")
            yield Label("", id="status")
        unicode = self.state.capabilities.unicode
        yield KeyLine(self.state.actions.on_screen(self.SCREEN_NAME), unicode=unicode, id="keys")
        yield Static("", id="too-small")

    def compose_body(self) -> ComposeResult:
        """What the screen is for."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Show that the engine is on its way, before it is even asked for."""
        self._draw_state()

    def on_screen_resume(self) -> None:
        """The state may have changed on another screen."""
        self.changes.mark()

    def on_resize(self) -> None:
        """Below the smallest size, one sentence stands in for everything."""
        width, height = self.app.size
        self.query_one("#too-small", Static).update(
            tr(
                "{width} x {height} is too small: tuiface needs {columns} columns and {rows} rows.",
                width=width,
                height=height,
                columns=MIN_COLUMNS,
                rows=MIN_ROWS,
            )
        )

    def on_key(self, event: Key) -> None:
        """Take keys one after the other: over a slow link they come together.

        Textual hands all of them to this screen before the first is acted on. Where that one opens another screen, the
        rest would be looked up there and dropped: what is typed into a line that is just being opened would be lost.
        Here each waits in the app's queue, where the opening of a screen comes to its end before the next one.
        """
        event.prevent_default()
        event.stop()
        self.app.call_later(self._take_key, event.key, event.character)

    async def _take_key(self, key: str, character: str | None) -> None:
        if self.app.screen is self:
            await run_binding(self.app, key)
        else:
            forward_key(self.app, key, character)

    # --- work ----------------------------------------------------------------------------------------------------

    def read_files(self, title: str, work: Callable[[], Callable[[], None]], *, group: str, latest: bool) -> None:
        """Do `work` on files in a worker, then what it returns here; `title` heads the toast of an error.

        With `latest`, older work of the group is forgotten: what becomes of it is not heard.
        """

        def run() -> None:
            message = do_work(title, work)
            if not get_current_worker().is_cancelled:
                self.app.post_message(message)

        self.run_worker(run, group=group, exclusive=latest, thread=True)

    # --- drawing -------------------------------------------------------------------------------------------------

    @property
    def changes(self) -> Changes:
        """Where the screen says that what it draws is another now."""
        return self.state.changes

    @property
    def has_widgets(self) -> bool:
        """Threads tell of pictures at any time: before the widgets are there, and while the app takes them away."""
        return self.is_mounted and self.app.is_running and bool(self.children)

    def show_state(self) -> None:
        """Draw the state as it is now, where there is something to draw on; the app calls it when something changed."""
        if self.has_widgets:
            self._draw_state()

    def show_tiles(self) -> None:
        """Draw the small pictures that arrived, where there is something to draw on."""
        if self.has_widgets:
            self.redraw_tiles()

    def _draw_state(self) -> None:
        self.show_body()
        line = self.command_line()
        content = assemble(("$ ", "$foreground 55%"), line) if line else Content("")
        self.query_one("#command", Static).update(content, layout=False)
        self._watch_lateness()
        self._show_status()
        self._show_stopped_engine()

    def show_body(self) -> None:
        """Draw what the screen is for."""
        raise NotImplementedError

    def command_line(self) -> str:
        """The command that does what the screen shows; empty where there is none."""
        raise NotImplementedError

    def chosen_faces(self) -> Sequence[Face]:
        """What is copied as Python: the face that is chosen, or those that belong together; none on most screens."""
        return ()

    def redraw_tiles(self) -> None:
        """A small picture arrived: draw it where it is shown."""

    def _watch_lateness(self) -> None:
        if not self.state.preview.is_behind:
            self.is_late = False
            if self._late_timer is not None:
                self._late_timer.stop()
                self._late_timer = None
        elif self._late_timer is None:
            self._late_timer = self.set_timer(LATE_S, self.note_lateness)

    def note_lateness(self) -> None:
        """Say that the picture is late, if it still is: a timer that was stopped may have fired already."""
        self.is_late = self.state.preview.is_behind

    def _show_stopped_engine(self) -> None:
        """Why it stopped and what leads on, above the body."""
        lines, box = stopped_lines(self.state.engine), self.query_one("#stopped", Static)
        box.display = bool(lines)
        if lines:
            box.update(Content("\n").join(map(styled, lines)))

    def _show_status(self) -> None:
        state = self.state
        words = [tr(state.engine.phase)] if state.preview.result is not None and state.engine.phase != "ready" else []
        if self.is_late:
            words.append(tr("rendering"))
        if state.saves.pending:
            words.append(tr("saving {number}", number=len(state.saves.pending)))
        if state.jobs.num_running:
            words.append(tr("jobs {number}", number=state.jobs.num_running))
        text, label = ", ".join(words), self.query_one("#status", Label)
        if text != self._status:  # the command has what it leaves
            self._status = text
            label.update(text)


class FittedStatic(Static):
    """Text of a work screen that holds lines of its own width: the screen draws anew when it has another one."""

    def on_resize(self) -> None:
        """A layout may come in several steps, and the screen be drawn between them."""
        if isinstance(self.screen, WorkScreen):
            self.screen.changes.mark()
