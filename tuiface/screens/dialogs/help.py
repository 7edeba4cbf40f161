"""The keys of a screen, from the registry of actions; what is typed leaves those that have it in their words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import HorizontalGroup, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen

from tuiface.actions import Action, format_key, format_key_ascii
from tuiface.core.i18n import tr
from tuiface.core.words import fold_text
from tuiface.screens.widgets.text import Static, assemble

_INTRODUCTION = (
    "Every face is made from a number, its seed; psi says how far it may lie from the mean face. "
    "What is on the screen is also a command, written below the picture."
)
_MAX_TEXT = 40


class HelpScreen(ModalScreen[None]):
    """Scrolls where it is longer than the terminal."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear_or_close", "Close"),
        Binding("question_mark,f1", "close", "Close"),
        Binding("backspace", "shorten", show=False),
    ]

    def __init__(self, actions: Sequence[Action], *, unicode: bool) -> None:
        super().__init__()
        self._actions = actions
        self._unicode = unicode
        self._text = ""
        """What was typed."""
        self._lines: list[tuple[str, HorizontalGroup]] = []
        """Of each action: its words in both languages, without accents, and its line."""
        self._topics: list[tuple[Static, slice]] = []
        """Each heading, and where its lines are."""

    def compose(self) -> ComposeResult:
        """What was typed, a heading for each topic, a line for each action."""
        with VerticalScroll(id="help"):
            yield Static(id="help-filter")
            yield Static(tr(_INTRODUCTION), id="help-introduction")
            for topic, actions in groupby(self._actions, key=lambda action: action.topic):
                heading, first = Static(tr(topic), classes="topic"), len(self._lines)
                yield heading
                for action in actions:
                    with HorizontalGroup() as line:
                        yield Static(" ".join(map(self._key_text, action.keys)), classes="keys")
                        yield Static(tr(action.help), classes="meaning")
                    said = (
                        action.help,
                        tr(action.help),
                        action.label,
                        tr(action.label),
                        topic,
                        tr(topic),
                        *action.keys,
                    )
                    self._lines.append((fold_text(" ".join(said)), line))
                self._topics.append((heading, slice(first, len(self._lines))))

    def on_mount(self) -> None:
        """Say that one can type."""
        self._show()

    def on_key(self, event: Key) -> None:
        """Letters narrow what is shown."""
        if event.is_printable and event.character not in (None, "?") and len(self._text) < _MAX_TEXT:
            event.stop()
            self._text = (self._text + str(event.character)).lstrip()
            self._show()

    def action_shorten(self) -> None:
        """Take the last letter back."""
        self._text = self._text[:-1]
        self._show()

    def action_clear_or_close(self) -> None:
        """All actions again, or back to the screen below."""
        if self._text:
            self._text = ""
            self._show()
        else:
            self.dismiss()

    def action_close(self) -> None:
        """Back to the screen below."""
        self.dismiss()

    def _show(self) -> None:
        words = fold_text(self._text).split()
        for said, line in self._lines:
            line.display = all(word in said for word in words)
        for heading, lines in self._topics:
            heading.display = any(line.display for _, line in self._lines[lines])
        self.query_one("#help-introduction").display = not words
        typed = self.query_one("#help-filter", Static)
        if not self._text:
            typed.update(tr("Type to find a key; Esc closes."))
        elif any(line.display for _, line in self._lines):
            typed.update(assemble((f"{self._text}▏" if self._unicode else f"{self._text}_", "bold $text-primary")))
        else:
            typed.update(assemble((tr("“{text}”: no key, Esc shows all", text=self._text), "$text-warning")))
        self.query_one("#help", VerticalScroll).scroll_home(animate=False)

    def _key_text(self, key: str) -> str:
        return format_key(key) if self._unicode else format_key_ascii(key)
