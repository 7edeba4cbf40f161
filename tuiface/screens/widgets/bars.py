"""The lines above and below a screen: the screens by name with the numbers that lead there, and the keys at the bottom.

As many keys as fit, the help, the way out and the essential ones first; all of them can be clicked. Widgets of our own
in place of Textual's Footer, which mounts one for every key and doubled the time to the first paint.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from tuiface.actions import ESSENTIAL, SCREENS, Action, ScreenName, format_key, format_key_ascii
from tuiface.core.i18n import tr
from tuiface.screens.bindings import handler
from tuiface.screens.widgets.text import assemble, styled

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
            entry = assemble(
                (str(number), "$text-primary"),
                " " if text else "",
                (text, "bold $foreground underline" if is_current else "$foreground 65%"),
            )
            parts.append(entry.stylize(Style.from_meta({"@click": f"app.go_to({screen!r})"})))
        return assemble((name, "bold $text-primary"), styled(gap).join(parts))


_KEY = "bold $text-primary"
_WORD = "$foreground 70%"
_GAP = "  "


class KeyLine(Widget):
    """Shows the actions that have a word for the footer; neighbours with the same word share it."""

    ALLOW_SELECT = False

    def __init__(self, actions: Sequence[Action], *, unicode: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        shown = [action for action in actions if action.footer and action.keys]
        self._groups = [tuple(group) for _, group in groupby(shown, key=lambda action: action.footer)]
        self._unicode = unicode
        self._left_out: frozenset[str] = frozenset()

    def leave_out(self, ids: frozenset[str]) -> None:
        """Do not advertise actions that mean nothing now, though they keep their keys."""
        if ids != self._left_out:
            self._left_out = ids
            self.refresh()

    def render(self) -> Content:
        """What fits."""
        return self.line(self.content_size.width)

    def line(self, width: int) -> Content:
        """At most `width` columns: help and way out first, then the essential, what works everywhere, the others."""
        shown = [tuple(action for action in group if action.id not in self._left_out) for group in self._groups]
        entries = [(group, self._entry(group)) for group in shown if group]
        chosen: list[Content] = []
        for _, entry in sorted(entries, key=lambda entry: _rank(entry[0][0])):
            used = sum(part.cell_length + len(_GAP) for part in chosen)
            if used + entry.cell_length <= width:
                chosen.append(entry)
        return styled(_GAP).join([entry for _, entry in entries if entry in chosen])

    def _entry(self, group: tuple[Action, ...]) -> Content:
        keys = [styled(self._key(action), Style.from_meta({"@click": _click(action)})) for action in group]
        key_text = styled("" if self._unicode else "/").join(keys).stylize(_KEY)
        return assemble(key_text, " ", (tr(group[0].footer), _WORD))

    def _key(self, action: Action) -> str:
        return format_key(action.keys[0]) if self._unicode else min(map(format_key_ascii, action.keys), key=len)


def _rank(action: Action) -> int:
    if action.id in ("help", "quit"):
        return 0
    return 1 if action.id in ESSENTIAL else 2 if action.scope == "everywhere" else 3


def _click(action: Action) -> str:
    return f"{'app' if action.scope == 'everywhere' else 'screen'}.{handler(action)}"
