"""The keys of a screen, from the registry of actions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import HorizontalGroup, VerticalScroll
from textual.screen import ModalScreen

from tuiface.actions import Action, format_key, format_key_ascii
from tuiface.core.i18n import tr
from tuiface.screens.widgets.text import Static

_INTRODUCTION = (
    "Every face is made from a number, its seed; psi says how far it may lie from the mean face. "
    "What is on the screen is also a command, written below the picture."
)


class HelpScreen(ModalScreen[None]):
    """Scrolls where it is longer than the terminal."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "close", "Close"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, actions: Sequence[Action], *, unicode: bool) -> None:
        super().__init__()
        self._actions = actions
        self._unicode = unicode

    def compose(self) -> ComposeResult:
        """A heading for each topic, a line for each action."""
        with VerticalScroll(id="help"):
            yield Static(tr(_INTRODUCTION))
            for topic, actions in groupby(self._actions, key=lambda action: action.topic):
                yield Static(tr(topic), classes="topic")
                for action in actions:
                    with HorizontalGroup():
                        yield Static(" ".join(map(self._key_text, action.keys)), classes="keys")
                        yield Static(tr(action.help), classes="meaning")

    def _key_text(self, key: str) -> str:
        return format_key(key) if self._unicode else format_key_ascii(key)

    def action_close(self) -> None:
        """Back to the screen below."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """As the arrow keys do."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
