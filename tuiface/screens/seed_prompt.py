"""A line at the bottom of the screen that takes a seed number."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from tuiface.limits import MAX_SEED

_HINT = "Enter goes there, Esc closes"
_MAX_DIGITS = 24
"""More than any seed has, so that a pasted number is refused by its value and not cut."""


class SeedPrompt(ModalScreen[int | None]):
    """Answers the seed that was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def compose(self) -> ComposeResult:
        """One row, over the command line of the screen below."""
        with Horizontal(id="seed-prompt"):
            yield Label("Seed")
            yield Input(restrict=r"[0-9]*", max_length=_MAX_DIGITS, compact=True, select_on_focus=False)
            yield Label(_HINT, id="seed-hint")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say at once when the number has become too large."""
        problem = seed_problem(event.value) if event.value else ""
        hint = self.query_one("#seed-hint", Label)
        hint.update(problem or _HINT)
        hint.set_class(bool(problem), "-problem")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer a number that is a seed; stay open for any other."""
        problem = seed_problem(event.value)
        if not problem:
            self.dismiss(int(event.value))
            return
        hint = self.query_one("#seed-hint", Label)
        hint.update(problem)
        hint.add_class("-problem")

    def action_close(self) -> None:
        """Answer nothing."""
        self.dismiss(None)


def seed_problem(text: str) -> str:
    """Why `text` is no seed; empty if it is one."""
    if not text:
        return f"type a number from 0 to {MAX_SEED}"
    return "" if int(text) <= MAX_SEED else f"too large; accepted: 0 to {MAX_SEED}"
