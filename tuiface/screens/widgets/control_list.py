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
from tuiface.screens.widgets.text import assemble, styled

if TYPE_CHECKING:
    from tuiface.screens.state import InterfaceState

_WORD_WIDTH, _VALUE_WIDTH = 16, 6
_HEADING = "bold $text-primary"
_WORD, _SET, _FAINT = "$foreground 80%", "bold $foreground", "$foreground 55%"
_WARNING = "$text-warning"
_MIN_GAUGE = 7


class ControlList(ContentLines):
    """Draws `list_controls(state)` in the width that it gets; a click chooses a row."""

    ALLOW_SELECT = False

    def __init__(self, state: InterfaceState, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state = state
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
        for control in list_controls(self._state):
            is_chosen = control.key == self._state.face.control_key
            if is_chosen:
                first = len(lines)
            if control.heading != heading:
                heading = control.heading
                lines.append(styled(heading, _HEADING))
            place = (control, width, is_chosen)
            rows = self._row_cache[place] = before.get(place) or self._row(control, width, is_chosen=is_chosen)
            lines += rows
            if is_chosen:
                last = len(lines)
            if control.kind == "noise" and self._state.engine.is_settled and not self._state.face.concepts:
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

    def _row(self, control: Control, width: int, *, is_chosen: bool) -> list[Content]:
        unicode = self._state.capabilities.unicode
        mark = ("▸ " if unicode else "> ") if is_chosen else "  "
        word_style = _SET if is_chosen or control.is_set else _WORD
        value_style = _WARNING if control.is_beyond else _SET if control.is_set else _FAINT
        value = control.value if unicode else control.value.replace("·", ".")
        room = width - len(mark) - _WORD_WIDTH
        head = assemble((mark, MARK), (control.word[: _WORD_WIDTH - 1].ljust(_WORD_WIDTH), word_style))
        if control.gauge is not None:
            gauge = self._gauge(control, room - _VALUE_WIDTH - 1)
            tail = assemble((value.rjust(_VALUE_WIDTH), value_style), " ", gauge)
        elif control.kind == "lock":
            tail = assemble((value.rjust(_VALUE_WIDTH), value_style), " ", (control.ends[1], _WORD))
        else:
            tail = styled(value.rjust(_VALUE_WIDTH), value_style)
        line = assemble(head, tail)
        line = line.stylize(Style.from_meta({"@click": f"screen.choose_row({control.key!r})"}))
        return [line, *self._details(control, width)] if is_chosen else [line]

    def _details(self, control: Control, width: int) -> list[Content]:
        """What the chosen row says below itself: its ends, with a line between them, and a remark."""
        lines = []
        low, high = control.ends
        if low and high:
            room = width - 4 - len(low) - len(high)
            if room >= _MIN_GAUGE:
                gauge = self._gauge(control, room - 1 + room % 2)
                lines.append(assemble("  ", (low, _FAINT), " ", gauge, " ", (high, _FAINT)))
            else:
                lines += [styled(f"  - {low}", _FAINT), styled(f"  + {high}", _FAINT)]
        return [*lines, *_wrap_text(control.remark, width, _WARNING if control.is_beyond else _FAINT)]

    def _gauge(self, control: Control, width: int) -> Content:
        mark = _WARNING if control.is_beyond else MARK if control.is_set else LINE
        filled = control.kind != "psi"
        unicode = self._state.capabilities.unicode
        return draw_gauge(control.gauge or 0.0, width, unicode=unicode, filled=filled, mark=mark)


def _no_directions() -> str:
    return tr(
        "This network has no directions yet: `tuiface directions discover` finds some, `learn` makes them from labels "
        "or your answers, `import` reads your files."
    )


def _wrap_text(text: str, width: int, style: str = _FAINT) -> list[Content]:
    return [styled(f"  {line}", style) for line in textwrap.wrap(text, max(8, width - 2))]
