"""A question that is answered by yes or no; what is not a yes is a no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen

from tuiface.screens.widgets.text import Static


class ConfirmDialog(ModalScreen[bool]):
    """Answers whether yes was chosen, by one of the keys that mean it here."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("n,escape,q", "refuse", "No")]

    def __init__(self, title: str, lines: Sequence[str], keys: str, *, yes: Sequence[str]) -> None:
        """`keys` says in words what `yes`, Textual's names of keys, and the others do."""
        super().__init__()
        self._title, self._lines, self._keys, self._yes = title, tuple(lines), keys, tuple(yes)

    def compose(self) -> ComposeResult:
        """A title, what is known, and the keys that answer."""
        with Vertical(id="question"):
            yield Static(self._title, classes="topic")
            for line in self._lines:
                yield Static(line)
            yield Static(self._keys, classes="answer")

    def on_key(self, event: Key) -> None:
        """A yes."""
        if event.key in self._yes:
            event.stop()
            self.dismiss(True)  # noqa: FBT003 - Textual's signature

    def action_refuse(self) -> None:
        """A no."""
        self.dismiss(False)  # noqa: FBT003
