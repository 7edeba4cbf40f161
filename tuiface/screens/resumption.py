"""Going on after an interruption: the session is written as one goes, and the one before is offered again."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING

from tuiface.actions import SCREENS, WITHOUT_TAB
from tuiface.core.i18n import tr
from tuiface.screens.session_file import Found, SessionFile, describe, forget, last_session, resume

if TYPE_CHECKING:
    from tuiface.app import TuifaceApp

WRITE_S = 1.0
"""How often the session is written, if it changed."""


class Resumption:
    """The app's end of its session's file."""

    def __init__(self, app: TuifaceApp) -> None:
        self._app = app
        self._file = SessionFile(app.session.settings.state)
        self._written: object = None
        """What the file says: compared part by part, which costs nothing while nothing changes."""
        self._found: Found | None = None
        """The session before this one, until it is taken up."""
        self._was_offered = False

    def start(self) -> None:
        """Look for a session that ended, and begin to write this one."""
        self._found = last_session(self._app.session.settings.state)
        self._app.set_interval(WRITE_S, self._write)

    def close(self, *, by_wish: bool = False) -> None:
        """Write how it ended, where its user ended it, and let go of the file."""
        if by_wish:
            if self._app.session.has_begun:
                self._file.write_last(describe(self._app.session, screen=self._app.shown.PLACE, ended=True))
            else:
                self._file.remove()
        self._file.close()

    def offer(self) -> None:
        """Ask whether to go on where a session broke off; once, and not for one that ended by its user's wish."""
        if self._found is None or self._was_offered or '"ended":true' in self._found.text:
            return
        self._was_offered = True
        from tuiface.screens.dialogs.confirm import Question

        when = datetime.datetime.fromtimestamp(self._found.ended).strftime("%Y-%m-%d %H:%M")
        lines = [tr("It broke off at {time}; nothing of it is lost.", time=when)]
        keys = tr("Enter goes on there, Esc begins anew (B goes back later)")
        question = Question(tr("Go on with the last session?"), lines, keys, yes=("enter",))
        self._app.push_screen(question, self._answered)

    def take_up(self) -> None:
        """Go back to where the session before ended, or say why not."""
        app = self._app
        if self._found is None or app.session.studio is None:
            app.notify(tr("There is no session to go back to."), timeout=3)
            return
        found, self._found = self._found, None
        outcome, place = resume(app.session, found)
        if outcome == "foreign":
            self._found = found
            app.notify(tr("The last session was with another network."), severity="warning")
            return
        forget(found)
        if outcome == "damaged":
            app.notify(tr("The last session cannot be read."), severity="warning")
            return
        app.session.refresh_preview()
        app.show_state()
        if place in SCREENS:
            app.action_go_to(place)
        elif place in WITHOUT_TAB:
            app.action_go_to("concepts")  # paused answers are taken up there

    def _answered(self, yes: bool | None) -> None:  # noqa: FBT001 - Textual's signature
        if yes:
            self.take_up()

    def _write(self) -> None:
        """Write what changed, in a thread: a slow disk must not hold up keys."""
        session = self._app.session
        if session.studio is None:
            return
        state = (*session.studio.history, tuple(session.parents), tuple(session.transition), self._app.shown.PLACE)
        if state != self._written:
            self._written = state
            text = describe(session, screen=self._app.shown.PLACE, ended=False)
            session.link.run("", lambda: self._write_text(text))

    def _write_text(self, text: str) -> Callable[[], None]:
        self._file.write(text)
        return lambda: None
