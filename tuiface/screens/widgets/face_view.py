"""The picture of a face in coloured cells, centred and square; a quiet place for it while there is none."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    import numpy as np
    from textual.timer import Timer

    from tuiface.protocol import Frame
    from tuiface.terminal.capabilities import Capabilities

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
ASCII_SPINNER = "|/-\\"
_SPINNER_S = 0.1
_PANEL = "face-view--place"
_PROBLEM = "face-view--problem"


class FaceView(Widget):
    """Shows a Frame, a line that says what is waited for, or the line that says what went wrong."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {_PANEL, _PROBLEM}
    ALLOW_SELECT = False

    @dataclass
    class Resized(Message):
        """The view can show this many pixels along its longer side."""

        view_px: int

    def __init__(self, capabilities: Capabilities, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._capabilities = capabilities
        self._frame: Frame | None = None
        self._waiting = ""
        self._problem: tuple[str, ...] = ()
        self._drawn_size = Size(0, 0)
        """Size of the widget that the strips were made for."""
        self._fit = (0, 0)
        """Columns and rows that the picture takes."""
        self._cells: np.ndarray | None = None
        """Colours of the strips that are drawn: only rows that differ are drawn again."""
        self._strips: list[Strip] = []
        self._background: Style | None = None
        """Of the margins; None when it must be asked for again, which takes as long as drawing a row."""
        self._spinner: Timer | None = None
        self._spin = 0

    # --- what to show --------------------------------------------------------------------------------------------

    def show_frame(self, frame: Frame) -> None:
        """Show a picture, in place of whatever was shown."""
        self._stop_waiting()
        self._problem = ()
        if frame is not self._frame:
            self._frame = frame
            self._draw()

    def show_waiting(self, text: str) -> None:
        """Say what is waited for, in the place where the picture will be. A picture that is there stays."""
        if self._frame is not None or text == self._waiting:
            return
        self._waiting, self._problem = text, ()
        if self._spinner is None:
            self._spinner = self.set_interval(_SPINNER_S, self._turn_spinner)
        self._draw()

    def show_problem(self, lines: Sequence[str]) -> None:
        """Say what went wrong and what to do. A picture that is there stays."""
        self._stop_waiting()
        if self._frame is None and tuple(lines) != self._problem:
            self._problem = tuple(lines)
            self._draw()

    # --- events --------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Say how large the picture is now; it is drawn when its rows are asked for."""
        columns, rows = self._capabilities.fit_square(*self.content_size)
        self.post_message(self.Resized(max(columns, rows * self._capabilities.pixels_per_cell)))

    def notify_style_update(self) -> None:
        """The place and its words have the theme's colours: draw them again."""
        super().notify_style_update()
        self._background = None
        if self._cells is None:
            self._drawn_size = Size(0, 0)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """All but the one that turns palette numbers into 24-bit colours: pictures take what there is."""
        return [f for f in super().get_line_filters() if not isinstance(f, ANSIToTruecolor)]

    def render_line(self, y: int) -> Strip:
        """One row of the widget: the picture's, with the background on both sides."""
        width, height = self.content_size
        if self._drawn_size != self.content_size:
            self._build()
        columns, rows = self._fit
        top, left = (height - rows) // 2, (width - columns) // 2
        if self._background is None:
            self._background = self.rich_style
        if not 0 <= y - top < len(self._strips):
            return Strip.blank(width, self._background)
        margins = [Segment(" " * cells, self._background) for cells in (left, width - columns - left)]
        return Strip([margins[0], *self._strips[y - top], margins[1]], width)

    # --- drawing -------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Build what is to be shown and paint the rows that differ."""
        if not all(self.content_size):
            return
        changed = self._build()
        if changed is None:
            self.refresh()
        elif changed:
            width, height = self.content_size
            top = (height - self._fit[1]) // 2
            self.refresh(*(Region(0, top + row, width, 1) for row in changed))

    def _build(self) -> list[int] | None:
        """Make the strips for the present size; the rows that differ from those before, None for all."""
        self._drawn_size = self.content_size
        self._fit = self._capabilities.fit_square(*self.content_size)
        if self._frame is not None and self._capabilities.pictures:
            return self._build_picture(self._frame)
        self._cells = None
        self._strips = self._words()
        return None

    def _build_picture(self, frame: Frame) -> list[int] | None:
        from tuiface.terminal.halfblock import to_cells, to_strips

        old, (columns, rows) = self._cells, self._fit
        self._cells = cells = to_cells(frame.pixels, columns, rows, self._capabilities)
        if old is None or old.shape != cells.shape:
            self._strips = to_strips(cells)
            return None
        changed: list[int] = (cells != old).any(axis=(1, 2, 3)).nonzero()[0].tolist()
        if changed:
            for row, strip in zip(changed, to_strips(cells[changed]), strict=True):
                self._strips[row] = strip
        return changed

    def _words(self) -> list[Strip]:
        """The place of the picture with lines of text in its middle."""
        columns, rows = self._fit
        place = self.get_component_rich_style(_PANEL)
        first_style = self.get_component_rich_style(_PROBLEM) if self._problem else place
        lines = [
            (line, first_style if number == 0 else place)
            for number, text in enumerate(self._texts())
            for line in textwrap.wrap(text, max(8, columns - 4)) or [""]
        ]
        top = max(0, (rows - len(lines)) // 2)
        strips = [Strip([Segment(" " * columns, place)], columns)] * rows
        for row, (line, style) in enumerate(lines[:rows], top):
            strips[row] = _centred(line[:columns], columns, style, place)
        return strips

    def _texts(self) -> Sequence[str]:
        if self._frame is not None:
            from tuiface.terminal.measures import describe_pixels

            return [f"{name}: {value}" for name, value in describe_pixels(self._frame.pixels).items()]
        if self._problem:
            return self._problem
        turns = SPINNER if self._capabilities.unicode else ASCII_SPINNER
        return [f"{turns[self._spin % len(turns)]} {self._waiting}"] if self._waiting else []

    def _turn_spinner(self) -> None:
        self._spin += 1
        self._draw()

    def _stop_waiting(self) -> None:
        self._waiting = ""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """As wide as it may be: the picture is fitted into what the layout gives."""
        return container.width


def _centred(text: str, width: int, style: Style, place: Style) -> Strip:
    left = (width - len(text)) // 2
    segments = [Segment(" " * left, place), Segment(text, style), Segment(" " * (width - left - len(text)), place)]
    return Strip(segments, width)
