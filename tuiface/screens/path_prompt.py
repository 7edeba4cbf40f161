"""A line that takes the path of a file, and offers what the folder holds while it is typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.suggester import Suggester
from textual.widgets import Input

from tuiface.language import tr
from tuiface.screens.seed_prompt import LinePrompt


class PathPrompt(LinePrompt):
    """Answers the path of a file that exists, with one of the suffixes that are accepted."""

    def __init__(self, label: str, hint: str, suffixes: Sequence[str]) -> None:
        super().__init__(label, hint)
        self._suffixes = tuple(suffixes)

    def on_mount(self) -> None:
        """Offer names."""
        self.query_one(Input).suggester = PathSuggester(self._suffixes)

    def problem(self, text: str) -> str:
        """Why there is nothing to read; empty while it may still become a path."""
        path = Path(text).expanduser()
        if path.is_dir() or not text:
            return ""
        if path.suffix.lower() not in self._suffixes:
            return tr("accepted: {suffixes}", suffixes=" ".join(self._suffixes))
        return "" if path.is_file() else tr("no such file")

    def refusal(self, text: str) -> str:
        """A folder is no answer either."""
        return "" if Path(text).expanduser().is_file() else self.problem(text) or tr("type the path of a file")


class PathSuggester(Suggester):
    """Completes to the first folder or accepted file that begins with what was typed."""

    def __init__(self, suffixes: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._suffixes = tuple(suffixes)

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with the completion; None where nothing begins so."""
        return complete_path(value, self._suffixes)


def complete_path(text: str, suffixes: Sequence[str]) -> str | None:
    """`text` completed to the first name in its folder, by the alphabet; folders end in a slash."""
    before, slash, start = text.rpartition("/")
    folder = Path(before + slash).expanduser() if slash else Path()
    try:
        names = sorted(
            path.name + ("/" if path.is_dir() else "")
            for path in folder.iterdir()
            if path.name.startswith(start) and (start or not path.name.startswith("."))
            if path.is_dir() or path.suffix.lower() in suffixes
        )
    except OSError:
        return None
    return before + slash + names[0] if names and text else None
