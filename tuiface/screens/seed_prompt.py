"""A line at the bottom of the screen that takes a text: a seed number, a search, tags, a path."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from tuiface.errors import UsageError
from tuiface.language import tr
from tuiface.limits import MAX_SEED

_MAX_DIGITS = 24
"""More than any seed has, so that a pasted number is refused by its value and not cut."""


class LinePrompt(ModalScreen[str | None]):
    """Answers the text that was typed, or None. Subclasses say what is accepted."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]
    RESTRICT: ClassVar[str | None] = None
    MAX_LENGTH: ClassVar[int | None] = None

    def __init__(self, label: str, hint: str, *, value: str = "", live: Callable[[str], None] | None = None) -> None:
        """`live` is told each change, so that a search shows at once what it finds."""
        super().__init__()
        self._label, self._hint, self._value, self._live = label, hint, value, live

    def compose(self) -> ComposeResult:
        """One row, over the command line of the screen below."""
        with Horizontal(id="seed-prompt"):
            yield Label(self._label, markup=False)
            yield Input(
                self._value,
                restrict=self.RESTRICT,
                max_length=self.MAX_LENGTH or 0,
                compact=True,
                select_on_focus=False,
            )
            yield Label(self._hint, id="seed-hint", markup=False)

    def problem(self, text: str) -> str:
        """Why `text` is not accepted; empty if it is."""
        return ""

    def refusal(self, text: str) -> str:
        """Why `text` cannot be answered, asked when Enter is pressed; empty if it can."""
        return self.problem(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say at once when the text has become too much."""
        self._show_problem(self.problem(event.value) if event.value else "")
        if self._live is not None:
            self._live(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer a text that is accepted; stay open for any other."""
        problem = self.refusal(event.value)
        if problem:
            self._show_problem(problem)
        else:
            self.dismiss(event.value)

    def action_close(self) -> None:
        """Answer nothing."""
        self.dismiss(None)

    def _show_problem(self, problem: str) -> None:
        hint = self.query_one("#seed-hint", Label)
        hint.update(problem or self._hint)
        hint.set_class(bool(problem), "-problem")


class CheckedPrompt(LinePrompt):
    """Answers a text that a function accepts: one that raises UsageError, in one line, for any other."""

    def __init__(self, label: str, hint: str, check: Callable[[str], object], *, value: str = "") -> None:
        super().__init__(label, hint, value=value)
        self._check = check

    def refusal(self, text: str) -> str:
        """What the function says."""
        try:
            self._check(text)
        except UsageError as error:
            return str(error)
        return ""


class SeedPrompt(LinePrompt):
    """Answers the digits of a seed."""

    RESTRICT = r"[0-9]*"
    MAX_LENGTH = _MAX_DIGITS

    def __init__(self, label: str = "") -> None:
        super().__init__(label or tr("Seed"), tr("Enter goes there, Esc closes"))

    def problem(self, text: str) -> str:
        """Why `text` is no seed."""
        return seed_problem(text)


def seed_problem(text: str) -> str:
    """Why `text` is no seed; empty if it is one."""
    if not text:
        return tr("type a number from 0 to {last}", last=MAX_SEED)
    return "" if int(text) <= MAX_SEED else tr("too large; accepted: 0 to {last}", last=MAX_SEED)
