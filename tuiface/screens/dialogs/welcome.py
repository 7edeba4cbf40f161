"""What a first run says, in one screen."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from tuiface.core.i18n import tr
from tuiface.core.reading import is_there
from tuiface.screens.widgets.text import Static

_FILE, _COLOURS_FILE = "welcomed", "told-of-colours"
log = logging.getLogger("tuiface")


class Welcome(ModalScreen[None]):
    """Closes with any of the keys that close things."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,escape,space,q,question_mark", "close", "Close")]

    def compose(self) -> ComposeResult:
        """What this is, what to press first, and where things go."""
        with VerticalScroll(id="help"):
            yield Static(tr("Welcome to tuiface"), classes="topic")
            for line in _lines():
                yield Static(line, classes="paragraph")

    def action_close(self) -> None:
        """Go to work."""
        self.dismiss()


def _lines() -> tuple[str, ...]:
    return (
        tr("Each face here is of nobody: it is made from a number, its seed. The same number gives the same face."),
        tr("← and → walk through seeds; ↑ and ↓ choose what else they turn: psi, noise, age, smile and more."),
        tr("2 shows a grid of faces, 3 exchanges parts of two faces, 4 turns one into another, 5 is your library."),
        tr("s saves: a picture, and beside it a file with which anybody can make the same picture again."),
        tr("The line above the keys is the command that does the same without this screen; y copies it."),
        tr("? lists all keys, Ctrl+P finds an action by its name, q leaves. Nothing that you make is lost."),
        tr("Enter begins."),
    )


def is_first_run(state: Path) -> bool:
    """Whether nobody was welcomed yet, with this folder for state."""
    return not is_there(state / _FILE)


def remember_welcome(state: Path) -> None:
    """Do not welcome again; a folder that cannot be written must not keep anybody from working."""
    _remember(state / _FILE)


def must_tell_of_colours(state: Path) -> bool:
    """Whether nobody was told yet how a terminal says that it has 24-bit colours; from now on somebody was."""
    if is_there(state / _COLOURS_FILE):
        return False
    _remember(state / _COLOURS_FILE)
    return True


def _remember(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    except OSError as error:
        log.warning("%s not remembered: %s", file.name, error)
