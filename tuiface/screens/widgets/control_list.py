"""The edit panel: rows of what can be turned, in groups, the chosen one with its ends; scrolls to keep it in sight."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from textual.content import Content
from textual.events import MouseScrollDown, MouseScrollUp
from textual.style import Style

from tuiface.core.i18n import tr
from tuiface.screens.face.controls import Control, list_controls
from tuiface.screens.widgets.content_lines import ContentLines
from tuiface.screens.widgets.gauge import LINE, MARK, draw_gauge

if TYPE_CHECKING:
    from tuiface.screens.session import Session

_WORD_WIDTH, _VALUE_WIDTH = 16, 6
_HEADING = "bold $text-primary"
_WORD, _SET, _FAINT = "$foreground 80%", "bold $foreground", "$foreground 55%"
_WARNING = "$text-warning"
_MIN_GAUGE = 7


class ControlList(ContentLines):
    """Draws `knobs(session)` in the width that it gets; a click chooses a row."""

    ALLOW_SELECT = False

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._session = session
        self._top = 0
        """First line that is shown."""
        self._row_cache: dict[tuple[Control, int, bool], list[Content]] = {}
        """Rows of the last drawing: of sixty, a key changes one or two."""

    def lines(self) -> list[Content]:
        """The rows around the chosen one."""
        width, height = self.content_size
        before, self._row_cache = self._row_cache, {}
        lines: list[Content] = []
        first = last = 0
        heading = ""
        for knob in list_controls(self._session):
            is_chosen = knob.key == self._session.control_key
            if is_chosen:
                first = len(lines)
            if knob.heading != heading:
                heading = knob.heading
                lines.append(Content.styled(heading, _HEADING))
            place = (knob, width, is_chosen)
            rows = self._row_cache[place] = before.get(place) or self._row(knob, width, is_chosen=is_chosen)
            lines += rows
            if is_chosen:
                last = len(lines)
            if knob.kind == "noise" and self._session.is_settled and not self._session.concepts:
                lines += [Content(""), *_wrap_text(_no_directions(), width), Content("")]
        self._scroll(first, last, len(lines), height)
        return lines[self._top : self._top + height]

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """The row below."""
        event.stop()
        self.call_later(self.run_action, "screen.row_below")

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """The row above."""
        event.stop()
        self.call_later(self.run_action, "screen.row_above")

    def _scroll(self, first: int, last: int, num_lines: int, height: int) -> None:
        """Keep lines [first, last) in sight, with a few after them where there is room."""
        after = min(last + 2, num_lines)
        self._top = min(max(self._top, after - height), max(0, first))
        self._top = max(0, min(self._top, num_lines - height))

    # --- rows ----------------------------------------------------------------------------------------------------

    def _row(self, knob: Control, width: int, *, is_chosen: bool) -> list[Content]:
        unicode = self._session.capabilities.unicode
        mark = ("▸ " if unicode else "> ") if is_chosen else "  "
        word_style = _SET if is_chosen or knob.is_set else _WORD
        value_style = _WARNING if knob.is_beyond else _SET if knob.is_set else _FAINT
        value = knob.value if unicode else knob.value.replace("·", ".")
        room = width - len(mark) - _WORD_WIDTH
        head = Content.assemble((mark, MARK), (knob.word[: _WORD_WIDTH - 1].ljust(_WORD_WIDTH), word_style))
        if knob.gauge is not None:
            gauge = self._gauge(knob, room - _VALUE_WIDTH - 1)
            tail = Content.assemble((value.rjust(_VALUE_WIDTH), value_style), " ", gauge)
        elif knob.kind == "lock":
            tail = Content.assemble((value.rjust(_VALUE_WIDTH), value_style), " ", (knob.ends[1], _WORD))
        else:
            tail = Content.styled(value.rjust(_VALUE_WIDTH), value_style)
        line = Content.assemble(head, tail)
        line = line.stylize(Style.from_meta({"@click": f"screen.choose_row({knob.key!r})"}))
        return [line, *self._details(knob, width)] if is_chosen else [line]

    def _details(self, knob: Control, width: int) -> list[Content]:
        """What the chosen row says below itself: its ends, with a line between them, and a remark."""
        lines = []
        low, high = knob.ends
        if low and high:
            room = width - 4 - len(low) - len(high)
            if room >= _MIN_GAUGE:
                gauge = self._gauge(knob, room - 1 + room % 2)
                lines.append(Content.assemble("  ", (low, _FAINT), " ", gauge, " ", (high, _FAINT)))
            else:
                lines += [Content.styled(f"  - {low}", _FAINT), Content.styled(f"  + {high}", _FAINT)]
        return [*lines, *_wrap_text(knob.remark, width, _WARNING if knob.is_beyond else _FAINT)]

    def _gauge(self, knob: Control, width: int) -> Content:
        mark = _WARNING if knob.is_beyond else MARK if knob.is_set else LINE
        filled = knob.kind != "psi"
        unicode = self._session.capabilities.unicode
        return draw_gauge(knob.gauge or 0.0, width, unicode=unicode, filled=filled, mark=mark)


def _no_directions() -> str:
    return tr(
        "This network has no directions yet: `tuiface directions discover` finds some, `learn` makes them from labels "
        "or your answers, `import` reads your files."
    )


def _wrap_text(text: str, width: int, style: str = _FAINT) -> list[Content]:
    return [Content.styled(f"  {line}", style) for line in textwrap.wrap(text, max(8, width - 2))]
