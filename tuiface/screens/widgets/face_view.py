"""The picture of a face; a quiet place for it, with a line of text, while there is none."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from tuiface.core.i18n import tr
from tuiface.core.visible import to_visible
from tuiface.screens.widgets.text import MAX_TEXT
from tuiface.terminal.image_view import ImageView

if TYPE_CHECKING:
    import numpy as np
    from textual.timer import Timer

    from tuiface.engine_api.protocol import RenderResult
    from tuiface.terminal.writer import TerminalWriter

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
ASCII_SPINNER = "|/-\\"
_SPINNER_S = 0.1
_PANEL = "face-view--place"
_PROBLEM = "face-view--problem"


class FaceView(ImageView):
    """Shows a picture, a line that says what is waited for, or the line that says what went wrong."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {_PANEL, _PROBLEM}

    def __init__(
        self, writer: TerminalWriter, *, id: str | None = None, classes: str | None = None, at_top: bool = False
    ) -> None:
        super().__init__(writer, id=id, classes=classes, at_top=at_top)
        self._result: RenderResult | None = None
        self._waiting = ""
        self._problem: tuple[str, ...] = ()
        self._spinner: Timer | None = None
        self._spinner_step = 0

    # --- what to show --------------------------------------------------------------------------------------------

    def show_result(self, result: RenderResult) -> None:
        """Show a picture, in place of whatever was shown."""
        self._stop_waiting()
        self._problem = ()
        if result is not self._result:
            self._result = result
            self.show_pixels(result.pixels)

    def show_derived(self, pixels: np.ndarray) -> None:
        """Show what was made of pictures: a map of differences, the face before."""
        self._stop_waiting()
        self._problem = ()
        self._result = None
        if pixels is not self.pixels:
            self.show_pixels(pixels)

    def show_waiting(self, text: str) -> None:
        """Say what is waited for, in the place where the picture will be. A picture that is there stays."""
        if self.pixels is not None or text == self._waiting:
            return
        self._waiting, self._problem = text, ()
        if self._spinner is None:
            self._spinner = self.set_interval(_SPINNER_S, self._turn_spinner)
        self._refresh_text()

    def remove_picture(self) -> None:
        """Take away a picture that is of something else than what is named now."""
        if self.pixels is not None:
            self._result = None
            self.clear()

    def show_problem(self, lines: Sequence[str]) -> None:
        """Say what went wrong and what to do. A picture that is there stays."""
        self._stop_waiting()
        if self.pixels is None and tuple(lines) != self._problem:
            self._problem = tuple(lines)
            self._refresh_text()

    # --- drawing -------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """The place and its words have the theme's colours: draw them again."""
        super().notify_style_update()
        if self.pixels is None:
            self._drawn_size = Size(0, 0)

    def render_message(self, columns: int, rows: int) -> list[Strip]:
        """The place of the picture with lines of text in its middle."""
        place = self.get_component_rich_style(_PANEL)
        first_style = self.get_component_rich_style(_PROBLEM) if self._problem else place
        lines = [
            (line, first_style if number == 0 else place)
            for number, text in enumerate(self._texts())
            for line in textwrap.wrap(to_visible(text, MAX_TEXT), max(8, columns - 4)) or [""]
        ]
        top = max(0, (rows - len(lines)) // 2)
        strips = [Strip([Segment(" " * columns, place)], columns)] * rows
        for row, (line, style) in enumerate(lines[:rows], top):
            strips[row] = _centre_text(line[:columns], columns, style, place)
        return strips

    def _texts(self) -> Sequence[str]:
        if self.pixels is not None:
            from tuiface.terminal.numbers import describe_pixels

            return [f"{tr(name)}: {value}" for name, value in describe_pixels(self.pixels).items()]
        if self._problem:
            return self._problem
        turns = SPINNER if self.writer.capabilities.unicode else ASCII_SPINNER
        return [f"{turns[self._spinner_step % len(turns)]} {self._waiting}"] if self._waiting else []

    def _refresh_text(self) -> None:
        self._drawn_size = Size(0, 0)
        self.refresh()

    def _turn_spinner(self) -> None:
        """On the shown screen alone: whatever is drawn anew on one below it has all of the shown one sent again."""
        self._spinner_step += 1
        if self.screen.is_active:
            self._refresh_text()

    def _stop_waiting(self) -> None:
        self._waiting = ""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None


def _centre_text(text: str, width: int, style: Style, place: Style) -> Strip:
    left = (width - len(text)) // 2
    segments = [Segment(" " * left, place), Segment(text, style), Segment(" " * (width - left - len(text)), place)]
    return Strip(segments, width)
