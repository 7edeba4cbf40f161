"""Going on after an interruption: the session is written as one goes, and the one before is offered again."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tuiface.actions import SCREENS, SCREENS_WITHOUT_TAB, ScreenName
from tuiface.core.i18n import tr
from tuiface.screens.session_file import (
    EndedSession,
    SessionFile,
    discard_session,
    find_last_session,
    restore_session,
    serialize_session,
    set_session_aside,
)

if TYPE_CHECKING:
    from textual.app import App
    from textual.worker import Worker

    from tuiface.screens.state import InterfaceState

WRITE_S = 1.0
"""How often the session is written, if it changed."""


class SessionRecovery:
    """The app's end of its session's file."""

    def __init__(
        self,
        app: App[None],
        state: InterfaceState,
        screen_name: Callable[[], ScreenName],
        go_to: Callable[[ScreenName], None],
    ) -> None:
        """`screen_name` says which screen is shown; `go_to` shows another one."""
        self._app = app
        self._state = state
        self._screen_name = screen_name
        self._go_to = go_to
        self._file = SessionFile(state.settings.state)
        self._write_worker: Worker[None] | None = None
        self._written_state: object = None
        """What the file says: compared part by part, which costs nothing while nothing changes."""
        self._ended_session: EndedSession | None = None
        """The session before this one, until it is taken up."""
        self._taken_up: EndedSession | None = None
        """The session before this one, once it lives on here."""
        self._was_offered = False

    def start(self) -> None:
        """Look for a session that ended, and begin to write this one."""
        self._ended_session = find_last_session(self._state.settings.state)
        self._app.set_interval(WRITE_S, self._write)

    def close(self, *, by_wish: bool = False) -> None:
        """Write how it ended, where its user ended it, and let go of the file."""
        if by_wish:
            if self._state.has_begun:
                text = serialize_session(self._state, screen=self._screen_name(), ended=True)
                if self._file.write_last(text) and self._taken_up is not None:
                    discard_session(self._taken_up)
            else:
                self._file.remove()
        self._file.close()

    def offer(self) -> None:
        """Ask whether to go on where a session broke off; once, and not for one that ended by its user's wish."""
        if self._ended_session is None or self._was_offered or '"ended":true' in self._ended_session.text:
            return
        self._was_offered = True
        from tuiface.screens.dialogs.confirm import ConfirmDialog

        when = datetime.datetime.fromtimestamp(self._ended_session.ended).strftime("%Y-%m-%d %H:%M")
        lines = [tr("It broke off at {time}; nothing of it is lost.", time=when)]
        keys = tr("Enter goes on there, Esc begins anew (B goes back later)")
        question = ConfirmDialog(tr("Go on with the last session?"), lines, keys, yes=("enter",))
        self._app.push_screen(question, self._handle_answer)

    def restore(self) -> None:
        """Go back to where the session before ended, or say why not."""
        app = self._app
        if self._ended_session is None or self._state.studio is None:
            app.notify(tr("There is no session to go back to."), timeout=3)
            return
        found, self._ended_session = self._ended_session, None
        outcome, screen = restore_session(self._state, found)
        if outcome == "foreign":
            self._ended_session = found
            app.notify(tr("The last session was with another network."), severity="warning")
            return
        if outcome == "damaged":
            set_session_aside(found)
            app.notify(tr("The last session cannot be read."), severity="warning")
            return
        self._taken_up = found
        if screen in SCREENS:
            self._go_to(screen)
        elif screen in SCREENS_WITHOUT_TAB:
            self._go_to("concepts")  # paused answers are taken up there

    def _handle_answer(self, yes: bool | None) -> None:  # noqa: FBT001 - Textual's signature
        if yes:
            self.restore()

    def _write(self) -> None:
        """Write what changed, in a thread: a slow disk must not hold up keys. One that still writes is waited for."""
        state = self._state
        if state.studio is None or (self._write_worker is not None and not self._write_worker.is_finished):
            return
        now = (*state.studio.history, state.mix.parents, state.morph.transition, self._screen_name())
        if now != self._written_state:
            self._written_state = now
            text = serialize_session(state, screen=self._screen_name(), ended=False)
            write = partial(self._write_in_place_of, self._taken_up, text)
            self._write_worker = self._app.run_worker(write, group="session", thread=True)

    def _write_in_place_of(self, taken_up: EndedSession | None, text: str) -> None:
        """Write this session; only then the file goes of the one that lives on in it."""
        if self._file.write(text) and taken_up is not None:
            discard_session(taken_up)
