"""The interface: paints first, then starts the engine; messages in, changes of the state out.

Nothing that the first paint can do without is imported here: never torch, and no HTTP or Pillow before the
engine starts.
"""

from __future__ import annotations

import datetime
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App
from textual.events import CursorPosition, Resize
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.screen import Screen

from tuiface.actions import ScreenName
from tuiface.core.errors import EXIT_DONE, EngineError, TuifaceError, UsageError, quote, suggest_nearest
from tuiface.core.i18n import choose_language, tr, trn, use_language
from tuiface.core.visible import to_visible
from tuiface.screens.bindings import bindings_in
from tuiface.screens.engine_link import EngineFactory, EngineLink, resident_or_private_engine
from tuiface.screens.face.screen import FaceScreen
from tuiface.screens.face.words import home_relative, source_text
from tuiface.screens.garbage import resume_collection
from tuiface.screens.jobs.runner import JobRunner
from tuiface.screens.log_file import log_to
from tuiface.screens.messages import (
    EngineFailed,
    EngineReady,
    FaceSaved,
    JobChanged,
    PreviewArrived,
    PreviewFailed,
    SaveFailed,
    ThreadCrashed,
    TileArrived,
    WorkFailed,
    WorkFinished,
)
from tuiface.screens.registry import make_screen
from tuiface.screens.session_recovery import SessionRecovery
from tuiface.screens.state import InterfaceState
from tuiface.screens.themes import DEFAULT_THEME, THEMES, keep_theme, read_last_theme
from tuiface.screens.widgets.text import MAX_TEXT, VisibleConsole, VisibleLines
from tuiface.screens.work_screen import WorkScreen
from tuiface.terminal.capabilities import Capabilities, capabilities_of
from tuiface.terminal.late_answers import LateAnswers
from tuiface.terminal.private_api import add_bindings, filter_input, force_colours, terminal_size
from tuiface.terminal.writer import TerminalWriter

if TYPE_CHECKING:
    from textual.command import Provider

    from tuiface.core.settings import Settings
    from tuiface.terminal.probe import Probe

LATEST_ANSWER_S, LATE_CHECK_S = 3.0, 0.05
"""How long after its deadline one who leaves at once waits for the terminal's first answer, and how often it looks."""

log = logging.getLogger("tuiface")
log.addHandler(logging.NullHandler())


def run_app(settings: Settings, probe: Probe | None = None) -> int:
    """Run the interface until the user leaves; returns the exit code, 4 or 5 where the engine could not be used.

    `probe` is the question to the terminal, already under way; None asks nothing.

    Raises UsageError for a theme that does not exist.
    """
    log_to(settings.state)
    late_answers = LateAnswers() if probe is None else probe.late_answers()
    app = TuifaceApp(settings, capabilities_of(settings, probe), late_answers=late_answers)
    if settings.theme is not None and settings.theme not in app.available_themes:
        names = sorted(app.available_themes)
        raise UsageError(
            f"no theme {quote(settings.theme)}", suggest_nearest(settings.theme, names) or ", ".join(names)
        )
    app.run()
    return app.return_code or EXIT_DONE


class TuifaceApp(App[None]):
    """Owns the state and the engine's threads; screens draw."""

    CSS_PATH = "app.tcss"
    TITLE = "tuiface"
    COMMANDS = {lambda: _palette()}  # noqa: RUF012 - Textual's own type; imported when the palette is opened

    def __init__(
        self,
        settings: Settings,
        capabilities: Capabilities | None = None,
        engine_factory: EngineFactory = resident_or_private_engine,
        *,
        late_answers: LateAnswers | None = None,
    ) -> None:
        super().__init__()
        self.error_console = VisibleConsole(markup=False, highlight=False, stderr=True)
        self._visible_lines = VisibleLines()
        use_language(choose_language(settings.language, os.environ))
        for theme in THEMES:
            self.register_theme(theme)
        capabilities = capabilities_of(settings) if capabilities is None else capabilities
        if capabilities.colours != "16":
            force_colours(self, capabilities.colours)
        self._link = EngineLink(settings, engine_factory, self.post_message)
        self.writer = TerminalWriter(self, capabilities)
        self._runner = JobRunner(self.post_message)
        self.state = InterfaceState.begin(settings, self.writer, self._link, self._runner)
        add_bindings(self, bindings_in(self.state.actions, "everywhere"))
        self._late_answers = LateAnswers() if late_answers is None else late_answers
        filter_input(self._late_answers)
        self._is_leaving = False
        self._has_told_of_state = False
        self._recovery = SessionRecovery(
            self, self.state, lambda: self.current_work_screen.SCREEN_NAME, self.action_go_to
        )

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every painted line of every widget goes through."""
        return [*super().get_line_filters(), self._visible_lines]

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A toast, whoever wrote its words: they are never read as markup."""
        super().notify(
            to_visible(message, MAX_TEXT),
            title=to_visible(title),
            severity=severity,
            timeout=timeout,
            markup=False,
        )

    def get_default_screen(self) -> Screen[None]:
        """The face screen is the first one that is painted."""
        self._last_work_screen: WorkScreen = FaceScreen(self.state)
        self.install_screen(self._last_work_screen, "face")
        return self._last_work_screen

    def on_mount(self) -> None:
        """Take the theme of the settings, or the one that was chosen last; choices are kept from here on."""
        self.state.changes.connect(self._draw, self.call_later)
        settings = self.state.settings
        theme = settings.theme or read_last_theme(settings.state) or DEFAULT_THEME
        self.theme = theme if theme in self.available_themes else DEFAULT_THEME
        self.theme_changed_signal.subscribe(self, lambda theme: keep_theme(settings.state, theme.name))

    def on_ready(self) -> None:
        """The first frame is on the terminal: now the engine may take the processor."""
        self.state.engine.start()
        self._recovery.start()
        self._greet()

    def on_unmount(self) -> None:
        """Leave nothing running, and nothing in the terminal's memory, however the app ends."""
        self.writer.close()
        self._runner.close()
        self._link.close()
        self._recovery.close()

    def _draw(self, is_all: bool) -> None:  # noqa: FBT001 - the signal's signature
        """Draw what has changed, also below a dialog."""
        if is_all:
            self.current_work_screen.show_state()
        else:
            self.current_work_screen.show_tiles()

    def on_cursor_position(self, event: CursorPosition) -> None:
        """The terminal has read what was written before it was asked."""
        event.stop()
        self.writer.acknowledge()

    def on_resize(self, event: Resize) -> None:
        """Believe the terminal: when signals interrupt each other, the size read first can be reported last."""
        size = terminal_size(self)
        if size is not None and size != event.size:
            self.post_message(Resize(size, size))

    # --- what threads tell ---------------------------------------------------------------------------------------

    def on_engine_ready(self, message: EngineReady) -> None:
        """Show the first face, or go on after a restart."""
        info = message.studio.info
        log.info("engine ready: %s, %s px, %s %s", info.model.name, info.resolution, info.device, info.device_name)
        self.state.attach_studio(message.studio)
        import tuiface.terminal.encoding  # noqa: F401 - while the engine draws

        if message.remark:
            self.notify(message.remark, title=tr("A private engine"), severity="warning", timeout=10)
        self._tell_if_nothing_is_kept()
        self._recovery.offer()

    def _tell_if_nothing_is_kept(self) -> None:
        """On a home that is mounted read-only, say once what is missing; everything else works."""
        from tuiface.core.files import is_writable

        folder = self.state.settings.state
        if not self._has_told_of_state and not is_writable(folder):
            text = tr("{folder} cannot be written: session, theme and log are not kept.", folder=home_relative(folder))
            self.notify(text, severity="warning", timeout=10)
        self._has_told_of_state = True

    def on_engine_failed(self, message: EngineFailed) -> None:
        """Say why, and what to do; the exit code says it too."""
        log.error("engine not started: %s", message.error)
        resume_collection()
        self.state.engine.mark_stopped(message.error)
        if self.state.studio is not None:
            self._tell_error(tr("The engine did not start again"), message.error)

    def on_preview_arrived(self, message: PreviewArrived) -> None:
        """Draw the picture, unless a newer one is on the screen."""
        if self.state.preview.accept(message.result):
            self.state.engine.mark_alive()
            if not self.state.engine.is_settled:
                self.call_after_refresh(self._settle)

    def _settle(self) -> None:
        self.state.settle()
        resume_collection()

    def on_tile_arrived(self, message: TileArrived) -> None:
        """Keep a small picture."""
        self.state.tiles.add(message.result)

    def on_work_finished(self, message: WorkFinished) -> None:
        """Take what a thread worked out."""
        message.deliver()

    def on_work_failed(self, message: WorkFailed) -> None:
        """Tell why a thread could not."""
        self._tell_error(message.title, message.error)

    def on_job_changed(self, message: JobChanged) -> None:
        """Draw its progress; tell its end."""
        job = message.progress
        self.state.jobs.take(job, is_first_report=message.is_first_report)
        if job.is_over and job.state != "cancelled" and not message.is_first_report:
            severity: SeverityLevel = "error" if job.state == "failed" else "information"
            self.notify(job.message, title=f"{job.label}: {tr(job.state)}", severity=severity)

    def on_preview_failed(self, message: PreviewFailed) -> None:
        """Start a dead engine again; tell what a live one refused."""
        log.error("preview failed: %s", message.error)
        if self._link.is_alive:
            self.state.preview.abandon()
            self._tell_error(tr("Not rendered"), message.error)
            self._settle()
        else:
            self._handle_engine_death(message.error)

    def on_face_saved(self, message: FaceSaved) -> None:
        """Name the file."""
        log.info("saved %s", message.path)
        self.state.saves.record_save(message.face, existed=message.existed)
        face = source_text(message.face).capitalize()
        title = tr("{face} is saved already", face=face) if message.existed else tr("{face} saved", face=face)
        self.notify(home_relative(message.path), title=title)
        self._leave_if_saved()

    def on_save_failed(self, message: SaveFailed) -> None:
        """Keep the face for the engine's return if that is what failed; else tell why it is not saved."""
        log.error("not saved: %s", message.error)
        has_died = isinstance(message.error, EngineError) and not self._link.is_alive
        self.state.saves.record_failed_save(message.face, try_again=has_died)
        if has_died:
            self._handle_engine_death(message.error)
        else:
            self._is_leaving = False
            face = source_text(message.face).capitalize()
            self._tell_error(tr("{face} is not saved", face=face), message.error)

    def on_thread_crashed(self, message: ThreadCrashed) -> None:
        """A bug: end with its traceback."""
        raise message.error

    def _handle_engine_death(self, error: TuifaceError) -> None:
        if self.state.engine.phase != "ready":
            return  # a save and the stream both tell of the same end
        if self.state.engine.restart_dead(error):
            self.notify(
                tr("{reason}. It is being started again; nothing is lost.", reason=error.message),
                title=tr("Engine restarted"),
                severity="warning",
            )
        else:
            self._tell_error(tr("The engine stopped again; press R to restart it"), error)

    def _tell_error(self, title: str, error: TuifaceError) -> None:
        self.notify(str(error), title=title, severity="error", timeout=10)

    @property
    def current_work_screen(self) -> WorkScreen:
        """The screen below the dialogs; while one takes another's place, the one that goes."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, WorkScreen):
                self._last_work_screen = screen
                break
        return self._last_work_screen

    def _greet(self) -> None:
        from tuiface.screens.dialogs.welcome import Welcome, is_first_run, remember_welcome

        if is_first_run(self.state.settings.state):
            remember_welcome(self.state.settings.state)
            self.push_screen(Welcome())
        if self.writer.capabilities.has_few_colours:
            self._tell_of_colours()

    def _tell_of_colours(self) -> None:
        from tuiface.screens.dialogs.welcome import must_tell_of_colours

        if must_tell_of_colours(self.state.settings.state):
            self.notify(
                tr("If the terminal has 24-bit ones: export COLORTERM=truecolor"),
                title=tr("Faces are drawn in {number} colours", number=self.writer.capabilities.colours),
                timeout=15,
            )

    # --- actions -------------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """Show all keys."""
        from tuiface.screens.dialogs.help import HelpScreen

        if isinstance(self.screen, WorkScreen):
            actions = self.state.actions.on_screen(self.screen.SCREEN_NAME)
            self.push_screen(HelpScreen(actions, unicode=self.state.capabilities.unicode))

    def action_copy_command(self) -> None:
        """Copy by OSC 52, which reaches the clipboard of the terminal's own machine through SSH."""
        line = self.screen.command_line() if isinstance(self.screen, WorkScreen) else ""
        if line:
            self.copy_to_clipboard(line)
            self.notify(line, title=tr("Copied"), timeout=3)

    def action_copy_python(self) -> None:
        """The same for a notebook."""
        screen = self.screen
        code = self.state.commands.python(screen.chosen_faces()) if isinstance(screen, WorkScreen) else ""
        if code:
            self.copy_to_clipboard(code)
            self.notify(code, title=tr("Copied"), timeout=3)

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """An SVG of the cells, with pictures as such."""
        from tuiface.core.files import make_folder, write_file

        with self.writer.cells_only():
            text = self.export_screenshot(title="tuiface")
        self.screen.refresh()
        folder = self.state.settings.library if path is None else Path(path)
        target = folder / (filename or f"screen-{datetime.datetime.now():%Y%m%d-%H%M%S-%f}.svg")
        try:
            make_folder(folder)
            write_file(target, text.encode())
        except TuifaceError as error:
            self._tell_error(tr("The screen is not saved"), error)
        else:
            self.notify(home_relative(target), title=tr("Screen saved"))

    def action_go_to(self, name: ScreenName) -> None:
        """Show a screen: made when it is wanted for the first time, kept from then on. The face's lies below all."""
        if not isinstance(self.screen, WorkScreen) or name == self.screen.SCREEN_NAME:
            return
        if not self.is_screen_installed(name):
            self.install_screen(make_screen(name, self.state), name)
        if name == "face":
            self.pop_screen()
        elif self.screen.SCREEN_NAME == "face":
            self.push_screen(name)
        else:
            self.switch_screen(name)

    def action_graphics(self) -> None:
        """Go round what the terminal offers."""
        now = self.writer.cycle_graphics()
        words = {
            "kitty": tr("kitty's protocol"),
            "sixel": "sixel",
            "block": tr("coloured cells"),
            "none": tr("numbers"),
        }
        self.notify(words[now.graphics], title=tr("Pictures as"), timeout=3)

    def action_redraw(self) -> None:
        """All again: the terminal may be another one."""
        self.writer.redraw()
        self.screen.refresh(layout=True)

    def action_resume(self) -> None:
        """Go back to where the session before ended."""
        self._recovery.restore()

    def action_restart_engine(self) -> None:
        """Start an engine that stopped; one that runs is left alone."""
        if self.state.engine.phase == "stopped":
            self.state.engine.start()

    async def action_quit(self) -> None:
        """Leave, after the faces that are being saved; asked a second time, at once."""
        if self.state.saves.pending and not self._is_leaving:
            self._is_leaving = True
            number = len(self.state.saves.pending)
            if self.state.engine.phase == "ready":
                text = trn(
                    "{number} face to be saved first. Press q again to leave now.",
                    "{number} faces to be saved first. Press q again to leave now.",
                    number,
                )
            else:
                text = trn(
                    "{number} face to be saved when the engine is back. Press q again to leave now.",
                    "{number} faces to be saved when the engine is back. Press q again to leave now.",
                    number,
                )
            self.notify(text, title=tr("Leaving"))
            return
        self._leave()

    def _leave_if_saved(self) -> None:
        if self._is_leaving and not self.state.saves.pending:
            self._leave()

    def _leave(self) -> None:
        error = self.state.engine.error
        self._recovery.close(by_wish=True)
        code = EXIT_DONE if error is None else error.exit_code
        self.writer.leave_when_answered(lambda: self._exit_when_heard(code))

    def _exit_when_heard(self, code: int) -> None:
        """End once the question before the start is answered too, if that can still be."""
        if self._late_answers.is_owed and self._late_answers.age_s < LATEST_ANSWER_S:
            self.set_timer(LATE_CHECK_S, lambda: self._exit_when_heard(code))
        else:
            self.exit(return_code=code)


def _palette() -> type[Provider]:
    from tuiface.screens.palette import PaletteProvider

    return PaletteProvider
