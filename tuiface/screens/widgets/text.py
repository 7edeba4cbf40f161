"""Words on their way to the screen: none of them is obeyed, whoever wrote them.

Every text that the interface draws passes here. What a terminal would obey is written out (`core/visible.py`) before it
is measured and laid out, brackets are brackets and no markup, and an endless name is shortened. A line break inside a
text is somebody else's, and shown as such: lines of ours are joined with `Content("\\n").join`.

`VisibleLines` looks at every line once more when it is painted: also at what Textual draws by itself, such as the text
in an input.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from textual import widgets
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter
from textual.style import Style
from textual.visual import VisualType

from tuiface.core.visible import is_visible, to_visible

MAX_TEXT = 500
"""Characters of one text: the longest of our own has half of them."""
_PICTURE_CELL = "\U0010eeee"
"""Stands for a cell of a picture (terminal/kitty.py). A name cannot bring one in: `to_visible` escapes it."""


def styled(text: str, style: str | Style = "") -> Content:
    """One line of `text` in a style."""
    return Content.styled(to_visible(text, MAX_TEXT), style)


def assemble(*parts: str | Content | tuple[str, str | Style]) -> Content:
    """One line of texts, texts with their styles, and contents that were made here."""
    return Content.assemble(*map(_to_content, parts))


def _to_content(part: str | Content | tuple[str, str | Style]) -> Content:
    if isinstance(part, Content):
        return part
    return styled(part) if isinstance(part, str) else styled(*part)


class Static(widgets.Static):
    """Shows a text, or a content that was made here."""

    def __init__(self, content: VisualType = "", **settings: Any) -> None:
        super().__init__(_to_visual(content), **{**settings, "markup": False})

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show another one."""
        super().update(_to_visual(content), layout=layout)


class Label(widgets.Label, Static):
    """The same, as wide as it is."""


def _to_visual(content: VisualType) -> VisualType:
    return to_visible(content, MAX_TEXT) if isinstance(content, str) else content


class VisibleLines(LineFilter):
    """Escapes whatever a painted line still holds; what no longer fits is cut, so that the line keeps its length.

    Pictures stay as they are: their cells are of kitty's private character, and sixels lie in control segments.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """A line as the terminal may be given it: nearly always the same list, since there is nothing to do."""
        if is_visible("".join([segment.text for segment in segments])):  # a picture has one a cell
            return segments
        if all(map(_is_shown, segments)):
            return segments
        shown = [
            segment if _is_shown(segment) else Segment(to_visible(segment.text, None), segment.style)
            for segment in segments
        ]
        return Segment.adjust_line_length(shown, Segment.get_line_length(segments))


def _is_shown(segment: Segment) -> bool:
    return segment.control is not None or is_visible(segment.text.replace(_PICTURE_CELL, " "))


class VisibleConsole(Console):
    """Prints the traceback of a bug, whose message and values may be those of a file."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Any:
        """Segments as the terminal may be given them."""
        for segment in super().render(renderable, options):
            if segment.control is not None or is_visible(segment.text):
                yield segment
            else:
                yield Segment(to_visible(segment.text, None, keep="\n"), segment.style)
