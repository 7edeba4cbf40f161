"""The interface: paints first, then starts the engine; messages in, session calls, state out.

Nothing that the first paint can do without is imported here: never torch, and no HTTP or Pillow before the
engine starts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.events import CursorPosition
from textual.screen import Screen

from tuiface.actions import Action, Place, actions_at
from tuiface.errors import EXIT_DONE, EngineError, TuifaceError, UsageError, nearest, quoted
from tuiface.screens.bindings import bindings_at, handler
from tuiface.screens.engine_link import EngineFactory, EngineLink, private_engine
from tuiface.screens.face import FaceScreen
from tuiface.screens.messages import (
    EngineFailed,
    EngineReady,
    FaceSaved,
    FrameArrived,
    PreviewFailed,
    SaveFailed,
    ThreadCrashed,
)
from tuiface.screens.session import Session
from tuiface.screens.summary import home_relative, source_text
from tuiface.terminal.capabilities import Capabilities, detect, tmux_facts
from tuiface.terminal.private_api import send_truecolor
from tuiface.terminal.probe import given_environment
from tuiface.terminal.wire import Wire

if TYPE_CHECKING:
    from tuiface.settings import Settings
    from tuiface.terminal.probe import Probe

LOG_NAME = "tuiface.log"
log = logging.getLogger("tuiface")
log.addHandler(logging.NullHandler())


def run_app(settings: Settings, probe: Probe | None = None) -> int:
    """Run the interface until the user leaves; returns the exit code, 4 or 5 where the engine could not be used.

    `probe` is the question to the terminal, already under way; None asks nothing.

    Raises UsageError for a theme that does not exist.
    """
    log_to(settings.state)
    app = TuifaceApp(settings, capabilities_of(settings, probe))
    if settings.theme not in app.available_themes:
        names = sorted(app.available_themes)
        raise UsageError(f"no theme {quoted(settings.theme)}", nearest(settings.theme, names) or ", ".join(names))
    app.run()
    return app.return_code or EXIT_DONE


def capabilities_of(settings: Settings, probe: Probe | None = None) -> Capabilities:
    """What the environment says of the terminal, with its answers and the settings."""
    environment = given_environment()
    if probe is None:
        return detect(environment, settings.graphics, cells=settings.cells)
    answers, tmux = probe.answers(), tmux_facts(probe.tmux_line())
    return detect(environment, settings.graphics, cells=settings.cells, answers=answers, tmux=tmux)


def log_to(folder: Path) -> None:
    """Send the log and Python's warnings to a file in `folder`: the terminal belongs to the screen."""
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file: logging.Handler = logging.FileHandler(folder / LOG_NAME, encoding="utf-8", delay=True)
    except OSError:
        file = logging.NullHandler()  # a state folder that cannot be written must not keep anybody from working
    file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    root.addHandler(file)
    log.setLevel(logging.INFO)


class TuifaceApp(App[None]):
    """Owns the session and the engine's threads; screens draw."""

    CSS_PATH = "app.tcss"
    TITLE = "tuiface"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_at("everywhere")]

    def __init__(
        self,
        settings: Settings,
        capabilities: Capabilities | None = None,
        engine_factory: EngineFactory = private_engine,
    ) -> None:
        super().__init__()
        capabilities = capabilities_of(settings) if capabilities is None else capabilities
        if capabilities.colours == "truecolor":
            send_truecolor(self)
        self._link = EngineLink(settings, engine_factory, self.post_message)
        self.wire = Wire(self, capabilities)
        self.session = Session(settings, self.wire, self._link)
        self._is_leaving = False

    def get_default_screen(self) -> Screen[None]:
        """The face screen is the first one that is painted."""
        return FaceScreen(self.session)

    def on_mount(self) -> None:
        """Take the theme of the settings, if there is such a one."""
        if self.session.settings.theme in self.available_themes:
            self.theme = self.session.settings.theme

    def on_ready(self) -> None:
        """The first frame is on the terminal: now the engine may take the processor."""
        self.session.start()

    def on_unmount(self) -> None:
        """Leave nothing running, and nothing in the terminal's memory, however the app ends."""
        self.wire.close()
        self._link.close()

    def show_state(self) -> None:
        """Draw the session again, also below a dialog."""
        for screen in self.screen_stack:
            if isinstance(screen, FaceScreen):
                screen.show_state()

    def on_cursor_position(self, event: CursorPosition) -> None:
        """The terminal has read what was written before it was asked."""
        event.stop()
        self.wire.answered()

    # --- what threads tell ---------------------------------------------------------------------------------------

    def on_engine_ready(self, message: EngineReady) -> None:
        """Show the first face, or go on after a restart."""
        info = message.studio.info
        log.info("engine ready: %s, %s px, %s %s", info.model.name, info.resolution, info.device, info.device_name)
        self.session.engine_ready(message.studio)
        self.show_state()

    def on_engine_failed(self, message: EngineFailed) -> None:
        """Say why, and what to do; the exit code says it too."""
        log.error("engine not started: %s", message.error)
        self.session.engine_failed(message.error)
        self.show_state()
        if self.session.studio is not None:
            self._tell_error("The engine did not start again", message.error)

    def on_frame_arrived(self, message: FrameArrived) -> None:
        """Draw the picture, unless a newer one is on the screen."""
        if self.session.accept(message.frame):
            self.show_state()

    def on_preview_failed(self, message: PreviewFailed) -> None:
        """Start a dead engine again; tell what a live one refused."""
        log.error("preview failed: %s", message.error)
        if self._link.is_alive:
            self._tell_error("Not rendered", message.error)
        else:
            self._engine_died(message.error)

    def on_face_saved(self, message: FaceSaved) -> None:
        """Name the file."""
        log.info("saved %s", message.path)
        self.session.saved(message.face, existed=message.existed)
        title = f"{source_text(message.face).capitalize()} {'is saved already' if message.existed else 'saved'}"
        self.notify(home_relative(message.path), title=title, markup=False)
        self.show_state()
        self._leave_if_saved()

    def on_save_failed(self, message: SaveFailed) -> None:
        """Keep the face for the engine's return if that is what failed; else tell why it is not saved."""
        log.error("not saved: %s", message.error)
        has_died = isinstance(message.error, EngineError) and not self._link.is_alive
        self.session.save_failed(message.face, try_again=has_died)
        if has_died:
            self._engine_died(message.error)
        else:
            self._is_leaving = False
            self._tell_error(f"{source_text(message.face).capitalize()} is not saved", message.error)
            self.show_state()

    def on_thread_crashed(self, message: ThreadCrashed) -> None:
        """A bug: end with its traceback."""
        raise message.error

    def _engine_died(self, error: TuifaceError) -> None:
        if self.session.phase != "ready":
            return  # a save and the stream both tell of the same end
        if self.session.engine_died(error):
            self.notify(
                f"{error.message}. It is being started again; nothing is lost.",
                title="Engine restarted",
                severity="warning",
                markup=False,
            )
        else:
            self._tell_error("The engine stopped again; press R to restart it", error)
        self.show_state()

    def _tell_error(self, title: str, error: TuifaceError) -> None:
        self.notify(str(error), title=title, severity="error", timeout=10, markup=False)

    # --- actions -------------------------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every action that works on `screen`."""
        targets: dict[Place, DOMNode] = {"everywhere": self}
        if isinstance(screen, FaceScreen):
            targets = {"face": screen, **targets}
        for place, target in targets.items():
            for action in actions_at(place):
                if action.id != "command_palette":
                    run = partial(self.run_action, handler(action), target)
                    yield SystemCommand(action.label, _palette_help(action), run)

    def action_help(self) -> None:
        """Show all keys."""
        from tuiface.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(unicode=self.session.capabilities.unicode))

    def action_graphics(self) -> None:
        """Go round what the terminal offers."""
        shown = self.wire.next_graphics()
        words = {"kitty": "kitty's protocol", "sixel": "sixel", "block": "coloured cells", "none": "numbers"}
        self.notify(words[shown.graphics], title="Pictures as", timeout=3)

    def action_redraw(self) -> None:
        """All again: the terminal may be another one."""
        self.wire.redraw()
        self.screen.refresh(layout=True)

    def action_restart_engine(self) -> None:
        """Start an engine that stopped; one that runs is left alone."""
        if self.session.phase == "stopped":
            self.session.start()
            self.show_state()

    async def action_quit(self) -> None:
        """Leave, after the faces that are being saved; asked a second time, at once."""
        if self.session.saving and not self._is_leaving:
            self._is_leaving = True
            num = len(self.session.saving)
            waits = "when the engine is back" if self.session.phase != "ready" else "first"
            self.notify(
                f"{num} face{'s' * (num > 1)} to be saved {waits}. Press q again to leave now.", title="Leaving"
            )
            return
        self._leave()

    def _leave_if_saved(self) -> None:
        if self._is_leaving and not self.session.saving:
            self._leave()

    def _leave(self) -> None:
        error = self.session.error
        self.exit(return_code=EXIT_DONE if error is None else error.exit_code)


def _palette_help(action: Action) -> str:
    """Textual reads markup here: no square brackets."""
    keys = " or ".join(action.shown_keys)
    return f"{action.help} Key: {keys}."
