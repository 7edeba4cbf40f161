"""The screens by name, with the numbers that lead there; each can be clicked."""

from __future__ import annotations

from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from tuiface.actions import SCREENS, ScreenName
from tuiface.core.i18n import tr

#: For xgettext-like tools and people: every tab has its word in the catalogues.
TAB_WORDS: dict[ScreenName, str] = {
    "face": "Face",
    "explore": "Explore",
    "mix": "Mix",
    "morph": "Morph",
    "library": "Library",
    "models": "Models",
    "jobs": "Jobs",
    "concepts": "Concepts",
}


class TabLine(Widget):
    """One line; as much of it as fits."""

    ALLOW_SELECT = False

    def __init__(self, current: ScreenName, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._current = current

    def render(self) -> Content:
        """The program's name where there is room, then the tabs; names alone where there is little."""
        width = self.content_size.width
        for name, gap in (("tuiface  ", "  "), ("", " ")):
            line = self._line(name, gap)
            if line.cell_length <= width:
                return line
        return self._line("", " ", short=True)

    def _line(self, name: str, gap: str, *, short: bool = False) -> Content:
        parts = []
        for number, screen in enumerate(SCREENS, start=1):
            is_current = screen == self._current
            word = tr(TAB_WORDS[screen])
            text = word if is_current or not short else ""
            entry = Content.assemble(
                (str(number), "$text-primary"),
                " " if text else "",
                (text, "bold $foreground underline" if is_current else "$foreground 65%"),
            )
            parts.append(entry.stylize(Style.from_meta({"@click": f"app.go_to({screen!r})"})))
        return Content.assemble((name, "bold $text-primary"), Content(gap).join(parts))
