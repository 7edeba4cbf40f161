"""What the edits did to the face, in numbers: below the rows of the edit panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.geometry import Size

from tuiface.screens.face.measures import Measure, measures_of
from tuiface.screens.widgets.content_lines import ContentLines
from tuiface.screens.widgets.text import assemble

if TYPE_CHECKING:
    from tuiface.screens.state import InterfaceState

_LABEL, _VALUE, _WARNING = "$foreground 55%", "$foreground 90%", "$text-warning"
_GAP = "   "
_LABEL_WIDTH = 15


class MeasureLines(ContentLines):
    """One measure a line where the screen is high; else as many in a line as fit."""

    ALLOW_SELECT = False

    def __init__(self, state: InterfaceState, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state = state

    def lines(self) -> list[Content]:
        """The measures of the picture on the screen."""
        return self._layout_measures(self.content_size.width)

    def renew(self) -> None:
        """Draw what has changed; lay out anew only where there are more lines, or fewer."""
        if len(self._layout_measures(self.content_size.width)) != self.content_size.height:
            self.refresh(layout=True)
        super().renew()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are."""
        return len(self._layout_measures(width))

    def _layout_measures(self, width: int) -> list[Content]:
        found = measures_of(self._state)
        if self.screen.has_class("-high"):
            return [_entry(measure, _LABEL_WIDTH) for measure in found]
        lines: list[Content] = []
        for measure in found:
            entry = _entry(measure)
            if lines and lines[-1].cell_length + len(_GAP) + entry.cell_length <= width:
                lines[-1] = assemble(lines[-1], _GAP, entry)
            else:
                lines.append(entry)
        return lines


def _entry(measure: Measure, label_width: int = 0) -> Content:
    gap = " " if measure.label else ""
    style = _WARNING if measure.is_notice else _VALUE
    return assemble((measure.label.ljust(label_width if measure.label else 0), _LABEL), gap, (measure.value, style))
