"""The side panel: sections of labelled values, aligned; one line where there is no room."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from textual.content import Content

from tuiface.core.visible import to_visible
from tuiface.screens.face.summary import summarize, summarize_in_one_line
from tuiface.screens.widgets.content_lines import ContentLines
from tuiface.screens.widgets.gauge import draw_gauge
from tuiface.screens.widgets.text import assemble, styled

if TYPE_CHECKING:
    from tuiface.screens.face.summary import Row, Section
    from tuiface.screens.state import InterfaceState

_LABEL_WIDTH = 9
_HEADING = "bold $text-primary"
_LABEL = "$foreground 55%"
_KEY = "bold $foreground"
_VALUE = "$foreground 85%"
_NOTICE = "$text-warning"
_MAX_GAUGE = 21
MAX_ROW = 240
"""Characters of a value, a licence for one: the rows below it must stay in sight."""


class FacePanel(ContentLines):
    """Draws the summary of the state in the width that it gets."""

    def __init__(self, state: InterfaceState, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state = state

    def lines(self) -> list[Content]:
        """The state as it is now."""
        width, height = self.content_size
        if self.screen.has_class("-narrow"):
            return [styled(summarize_in_one_line(self._state))]
        sections = [self._section_lines(section, width) for section in summarize(self._state)]
        has_room = sum(map(len, sections)) + len(sections) - 1 <= height
        between = [Content("")] if has_room else []
        return [line for i, lines in enumerate(sections) for line in ((between if i else []) + lines)]

    def _section_lines(self, section: Section, width: int) -> list[Content]:
        lines = [styled(section.title, _HEADING)]
        for row in section.rows:
            lines.extend(_row_lines(row, width))
            if row.gauge is not None:
                width_of_gauge = min(width - _LABEL_WIDTH, _MAX_GAUGE)
                gauge = draw_gauge(row.gauge, width_of_gauge, unicode=self._state.capabilities.unicode)
                lines.append(assemble(" " * _LABEL_WIDTH, gauge))
        return lines


def _row_lines(row: Row, width: int) -> list[Content]:
    indent = _LABEL_WIDTH if row.label else 0
    style = _NOTICE if row.is_notice else _KEY if row.is_key else _LABEL if row.is_faint else _VALUE
    parts = textwrap.wrap(to_visible(row.value, MAX_ROW), max(8, width - indent)) or [""]
    label = styled(row.label.ljust(indent), _LABEL)
    blank = styled(" " * indent)
    return [assemble(blank if i else label, styled(part, style)) for i, part in enumerate(parts)]
