"""The edit panel: rows of what can be turned, in groups, the chosen one with its ends; scrolls to keep it in sight."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from textual.content import Content
from textual.events import MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.style import Style

from tuiface.core.i18n import tr, trn
from tuiface.screens.face.controls import Control, find_controls, list_controls
from tuiface.screens.widgets.content_lines import ContentLines
from tuiface.screens.widgets.gauge import LINE, MARK, draw_gauge
from tuiface.screens.widgets.text import assemble, styled

if TYPE_CHECKING:
    from tuiface.screens.state import InterfaceState

_WORD_WIDTH, _VALUE_WIDTH = 16, 6
_HEADING = "bold $text-primary"
_WORD, _SET, _FAINT = "$foreground 80%", "bold $foreground", "$foreground 55%"
_WARNING = "$text-warning"
_BAR = 1
"""Columns of the scrollbar."""
_END_WIDTH, _MIN_SLIDER = 14, 9
"""Columns of the names of both ends where every row has them, and of the line that they need between them."""


class ControlList(ContentLines):
    """Draws `list_controls(state)` in the width that it gets; a click chooses a row, one on its slider sets it."""

    ALLOW_SELECT = False

    def __init__(self, state: InterfaceState, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state = state
        self._top = 0
        """First line that is shown."""
        self._row_cache: dict[tuple[Control, int, bool], list[Content]] = {}
        """Rows of the last drawing: of sixty, a key changes one or two."""
        self._sliders: dict[int, Control] = {}
        """What has one, by the number of its line."""
        self._dragged: Control | None = None
        """Whose slider the mouse holds."""

    def lines(self) -> list[Content]:
        """The rows around the chosen one, with a scrollbar where there are more."""
        width, height = max(self.content_size.width - _BAR, 1), self.content_size.height
        before, self._row_cache, self._sliders = self._row_cache, {}, {}
        lines: list[Content] = self._filter_lines()
        first = last = 0
        heading, face = "", self._state.face
        for control in list_controls(self._state):
            is_chosen = control.key == face.control_key
            if is_chosen:
                first = len(lines)
            if control.heading != heading:
                heading = control.heading
                if control.kind != "group":
                    lines.append(self._heading(heading))
            if control.gauge is not None:
                self._sliders[len(lines)] = control
            place = (control, width, is_chosen)
            rows = self._row_cache[place] = before.get(place) or self._row(control, width, is_chosen=is_chosen)
            lines += rows
            if is_chosen:
                last = len(lines)
            if control.kind == "noise" and self._state.engine.is_settled and not face.concepts:
                lines += [Content(""), *_wrap_text(_no_directions(), width), Content("")]
        self._scroll(first, last, len(lines), height)
        return self._with_scrollbar(lines, width, height)

    def _filter_lines(self) -> list[Content]:
        text = self._state.face.filter_text
        if not text:
            return []
        number = len(find_controls(self._state, text))
        if number:
            words = trn(
                "“{text}”: {number} row, Esc shows all", "“{text}”: {number} rows, Esc shows all", number, text=text
            )
        else:
            words = tr("“{text}”: no row, Esc shows all", text=text)
        return [styled(words, _WARNING)]

    def _heading(self, heading: str) -> Content:
        link = Style.from_meta({"@click": f"screen.fold_group({heading!r})"})
        return styled(heading, _HEADING).stylize(link)

    def _with_scrollbar(self, lines: list[Content], width: int, height: int) -> list[Content]:
        shown = lines[self._top : self._top + height]
        if len(lines) <= height:
            return shown
        full, empty = ("█", "│") if self._state.capabilities.unicode else ("#", "|")
        size = max(1, round(height * height / len(lines)))
        start = round((height - size) * self._top / (len(lines) - height))
        return [
            assemble(
                line.truncate(width, pad=True),
                (full if start <= y < start + size else empty, "$foreground 25%"),
            )
            for y, line in enumerate(shown)
        ]

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """The row below."""
        event.stop()
        self.call_later(self.run_action, "screen.row_below")

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """The row above."""
        event.stop()
        self.call_later(self.run_action, "screen.row_above")

    def on_mouse_down(self, event: MouseDown) -> None:
        """Set the slider below the mouse, and hold it."""
        control = self._sliders.get(event.y + self._top)
        if control is None:
            return
        start, width = self._slider_span(control)
        if start <= event.x < start + width:
            self.capture_mouse()
            self._dragged = control
            self._place(control, event.x)

    def on_mouse_move(self, event: MouseMove) -> None:
        """Drag the slider that is held."""
        if self._dragged is not None:
            self._place(self._dragged, event.x)

    def on_mouse_up(self, event: MouseUp) -> None:
        """Let go of it."""
        self._dragged = None
        self.release_mouse()

    def _place(self, control: Control, x: int) -> None:
        start, width = self._slider_span(control)
        half = (width - 1) // 2
        value = min(max((x - start - half) / half, -1.0), 1.0)
        self.call_later(self.run_action, f"screen.place_row({control.key!r}, {value!r})")

    def _slider_span(self, control: Control) -> tuple[int, int]:
        """First column of a row's slider, and how many it has."""
        left = len(self._delivered(control))
        room = max(self.content_size.width - _BAR, 1) - 2 - _WORD_WIDTH - _VALUE_WIDTH - left - 1
        before, width = self._split_room(control, room)
        return 2 + _WORD_WIDTH + _VALUE_WIDTH + left + 1 + before, 2 * ((max(width, 3) - 1) // 2) + 1

    def _scroll(self, first: int, last: int, num_lines: int, height: int) -> None:
        """Keep lines [first, last) in sight, with a few after them where there is room."""
        after = min(last + 2, num_lines)
        self._top = min(max(self._top, after - height), max(0, first))
        self._top = max(0, min(self._top, num_lines - height))

    # --- rows ----------------------------------------------------------------------------------------------------

    def _row(self, control: Control, width: int, *, is_chosen: bool) -> list[Content]:
        unicode = self._state.capabilities.unicode
        mark = ("▸ " if unicode else "> ") if is_chosen else "  "
        word_style = _HEADING if control.kind == "group" else _SET if is_chosen or control.is_set else _WORD
        value_style = _WARNING if control.is_beyond else _SET if control.is_set else _FAINT
        value = control.value if unicode else control.value.replace("·", ".")
        room = width - len(mark) - _WORD_WIDTH
        head = assemble((mark, MARK), (control.word[: _WORD_WIDTH - 1].ljust(_WORD_WIDTH), word_style))
        if control.gauge is not None:
            left = self._delivered(control)
            gauge = self._slider(control, room - _VALUE_WIDTH - len(left) - 1)
            tail = assemble((value.rjust(_VALUE_WIDTH), value_style), (left, _WARNING), " ", gauge)
        elif control.kind == "lock":
            tail = assemble((value.rjust(_VALUE_WIDTH), value_style), " ", (control.ends[1], _WORD))
        else:
            tail = styled(value.rjust(_VALUE_WIDTH), value_style)
        line = assemble(head, tail)
        line = line.stylize(Style.from_meta({"@click": f"screen.choose_row({control.key!r})"}))
        return [line, *self._details(control, width)] if is_chosen else [line]

    def _delivered(self, control: Control) -> str:
        """What is seen of an edit under locks, beside what was asked."""
        return f"{'→' if self._state.capabilities.unicode else '>'}{control.delivered}" if control.delivered else ""

    def _split_room(self, control: Control, room: int) -> tuple[int, int]:
        """Columns before a slider, for the name of its lower end, and its own."""
        names = 2 * (_END_WIDTH + 1)
        if room < names + _MIN_SLIDER:
            return 0, room
        return (_END_WIDTH + 1 if all(control.ends) else 0), room - names

    def _slider(self, control: Control, room: int) -> Content:
        """The line with its mark, between its ends where there is room for their names in every row."""
        before, width = self._split_room(control, room)
        gauge = self._gauge(control, width)
        if not before:
            return gauge
        low, high = control.ends
        return assemble((low[:_END_WIDTH].rjust(_END_WIDTH), _FAINT), " ", gauge, " ", (high[:_END_WIDTH], _FAINT))

    def _details(self, control: Control, width: int) -> list[Content]:
        """What the chosen row says below itself: the names of its ends, below its line, and a remark."""
        lines = []
        low, high = control.ends
        has_names = width - 2 - _WORD_WIDTH - _VALUE_WIDTH - 1 >= 2 * (_END_WIDTH + 1) + _MIN_SLIDER
        if low and high and not has_names:
            left, right = ("← ", " →") if self._state.capabilities.unicode else ("< ", " >")
            gap = width - 2 - len(low) - len(high) - len(left) - len(right)
            if gap >= 1:
                lines.append(styled(f"  {left}{low}{' ' * gap}{high}{right}", _FAINT))
            else:
                lines += [styled(f"  {left}{low}", _FAINT), styled(f"  {high}{right}".rjust(width), _FAINT)]
        return [*lines, *_wrap_text(control.remark, width, _WARNING if control.is_beyond else _FAINT)]

    def _gauge(self, control: Control, width: int) -> Content:
        mark = _WARNING if control.is_beyond else MARK if control.is_set else LINE
        filled = control.kind != "psi"
        unicode = self._state.capabilities.unicode
        return draw_gauge(control.gauge or 0.0, width, unicode=unicode, filled=filled, mark=mark)


def _no_directions() -> str:
    return tr(
        "This network has no directions yet. In Concepts, which 8 opens: a learns them from the attribute reader, "
        "as a job, i imports the lab's, f discovers some, n learns from your answers."
    )


def _wrap_text(text: str, width: int, style: str = _FAINT) -> list[Content]:
    return [styled(f"  {line}", style) for line in textwrap.wrap(text, max(8, width - 2))]
