"""Going on after an interruption: the session is written as one goes, and the one before is offered again."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING

from tuiface.actions import SCREENS, SCREENS_WITHOUT_TAB
from tuiface.core.i18n import tr
from tuiface.screens.session_file import (
    EndedSession,
    SessionFile,
    discard_session,
    find_last_session,
    restore_session,
    serialize_session,
)

if TYPE_CHECKING:
    from tuiface.app import TuifaceApp

WRITE_S = 1.0
"""How often the session is written, if it changed."""


class SessionRecovery:
    """The app's end of its session's file."""

    def __init__(self, app: TuifaceApp) -> None:
        self._app = app
        self._file = SessionFile(app.session.settings.state)
        self._written_state: object = None
        """What the file says: compared part by part, which costs nothing while nothing changes."""
        self._ended_session: EndedSession | None = None
        """The session before this one, until it is taken up."""
        self._was_offered = False

    def start(self) -> None:
        """Look for a session that ended, and begin to write this one."""
        self._ended_session = find_last_session(self._app.session.settings.state)
        self._app.set_interval(WRITE_S, self._write)

    def close(self, *, by_wish: bool = False) -> None:
        """Write how it ended, where its user ended it, and let go of the file."""
        if by_wish:
            if self._app.session.has_begun:
                self._file.write_last(
                    serialize_session(self._app.session, screen=self._app.shown.SCREEN_NAME, ended=True)
                )
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
        if self._ended_session is None or app.session.studio is None:
            app.notify(tr("There is no session to go back to."), timeout=3)
            return
        found, self._ended_session = self._ended_session, None
        outcome, place = restore_session(app.session, found)
        if outcome == "foreign":
            self._ended_session = found
            app.notify(tr("The last session was with another network."), severity="warning")
            return
        discard_session(found)
        if outcome == "damaged":
            app.notify(tr("The last session cannot be read."), severity="warning")
            return
        app.session.refresh_preview()
        app.show_state()
        if place in SCREENS:
            app.action_go_to(place)
        elif place in SCREENS_WITHOUT_TAB:
            app.action_go_to("concepts")  # paused answers are taken up there

    def _handle_answer(self, yes: bool | None) -> None:  # noqa: FBT001 - Textual's signature
        if yes:
            self.restore()

    def _write(self) -> None:
        """Write what changed, in a thread: a slow disk must not hold up keys."""
        session = self._app.session
        if session.studio is None:
            return
        state = (
            *session.studio.history,
            tuple(session.parents),
            tuple(session.transition),
            self._app.shown.SCREEN_NAME,
        )
        if state != self._written_state:
            self._written_state = state
            text = serialize_session(session, screen=self._app.shown.SCREEN_NAME, ended=False)
            session.link.run("", lambda: self._write_text(text))

    def _write_text(self, text: str) -> Callable[[], None]:
        self._file.write(text)
        return lambda: None
