"""Lines at the bottom of the screen that take a text: any, a seed, the path of a file, the rows of W+ of an edit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input

from tuiface.core.errors import UsageError
from tuiface.core.i18n import tr
from tuiface.core.limits import MAX_SEED
from tuiface.core.reading import expand_user, is_file, is_folder
from tuiface.screens.widgets.text import Label

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
        self._is_answered = False
        self._label, self._hint, self._value, self._live = label, hint, value, live

    def compose(self) -> ComposeResult:
        """One row, over the command line of the screen below."""
        with Horizontal(id="seed-prompt"):
            yield Label(self._label)
            yield Input(
                self._value,
                restrict=self.RESTRICT,
                max_length=self.MAX_LENGTH or 0,
                compact=True,
                select_on_focus=bool(self._value),  # what stands there already gives way to what is typed
            )
            yield Label(self._hint, id="seed-hint")

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
        if self._is_answered:
            return  # keys that come together over a slow link may hold a second Enter
        problem = self.refusal(event.value)
        if problem:
            self._show_problem(problem)
        else:
            self._answer(event.value)

    def action_close(self) -> None:
        """Answer nothing."""
        self._answer(None)

    def _answer(self, text: str | None) -> None:
        if not self._is_answered:
            self._is_answered = True
            self.dismiss(text)

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


class TagPrompt(LinePrompt):
    """Answers tags; each is completed to one that faces carry already."""

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__(tr("Tags"), tr("tag adds, -tag removes; Enter writes them, Esc does not"))
        self._known = tuple(known)

    def on_mount(self) -> None:
        """Offer them."""
        self.query_one(Input).suggester = LastWordSuggester(self._known)


class LastWordSuggester(Suggester):
    """Completes the last of several words, with or without a minus before it."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._words = tuple(words)

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with the completion; None where no word begins so."""
        start = re.split(r"[\s,]", value)[-1].removeprefix("-")
        found = next((word for word in self._words if start and word.startswith(start)), None)
        return None if found is None else value + found[len(start) :]


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


class PathPrompt(LinePrompt):
    """Answers the path of a file that exists, with one of the suffixes that are accepted; without any, all are."""

    def __init__(self, label: str, hint: str, suffixes: Sequence[str] = ()) -> None:
        super().__init__(label, hint)
        self._suffixes = tuple(suffixes)

    def on_mount(self) -> None:
        """Offer names."""
        self.query_one(Input).suggester = PathSuggester(self._suffixes)

    def problem(self, text: str) -> str:
        """Why there is nothing to read; empty while it may still become a path."""
        path = expand_user(text)
        if is_folder(path) or not text:
            return ""
        if self._suffixes and path.suffix.lower() not in self._suffixes:
            return tr("accepted: {suffixes}", suffixes=" ".join(self._suffixes))
        return "" if is_file(path) else tr("no such file")

    def refusal(self, text: str) -> str:
        """A folder is no answer either."""
        return "" if is_file(expand_user(text)) else self.problem(text) or tr("type the path of a file")


class PathSuggester(Suggester):
    """Completes to the first folder or accepted file that begins with what was typed."""

    def __init__(self, suffixes: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._suffixes = tuple(suffixes)

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with the completion; None where nothing begins so."""
        return complete_path(value, self._suffixes)


def complete_path(text: str, suffixes: Sequence[str]) -> str | None:
    """`text` completed to the first name in its folder, by the alphabet; folders end in a slash.

    No suffixes stand for all.
    """
    before, slash, start = text.rpartition("/")
    folder = expand_user(before + slash) if slash else Path()
    try:
        names = sorted(
            path.name + ("/" if is_folder(path) else "")
            for path in folder.iterdir()
            if path.name.startswith(start) and (start or not path.name.startswith("."))
            if is_folder(path) or not suffixes or path.suffix.lower() in suffixes
        )
    except (OSError, ValueError):
        return None
    return before + slash + names[0] if names and text else None


class RowsPrompt(LinePrompt):
    """Answers `A-B` that fits the network, or an empty text for the direction's own rows."""

    RESTRICT = r"[0-9-]*"
    MAX_LENGTH = 9

    def __init__(self, num_ws: int, value: str) -> None:
        super().__init__(tr("Rows"), tr("such as 0-{stop}; empty for its own", stop=min(6, num_ws)), value=value)
        self._num_ws = num_ws

    def problem(self, text: str) -> str:
        """Why `text` names no rows of this network; empty if it does."""
        if not text or parse_rows(text, self._num_ws) is not None:
            return ""
        return tr("accepted: A-B with A below B, at most {stop}", stop=self._num_ws)


def parse_rows(text: str, num_ws: int) -> tuple[int, int] | None:
    """`4-8` as (4, 8), half-open; None for what a network of `num_ws` rows has not."""
    match = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", text)
    if match is None:
        return None
    start, stop = int(match[1]), int(match[2])
    return (start, stop) if start < stop <= num_ws else None
