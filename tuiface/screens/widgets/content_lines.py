"""Lines of content of which a key changes a few: only these are drawn again."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget


class ContentLines(Widget):
    """Draws `lines`, one a row.

    A widget that renders all of its content takes 20 ms for a panel of 40 rows: with a key held down, more than the
    faces themselves.
    """

    DEFAULT_CSS = "ContentLines { text-wrap: nowrap; text-overflow: ellipsis; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Content] = []
        self._strips: dict[int, Strip] = {}
        """Of the lines that were drawn, by row."""
        self._lines_size = Size(-1, -1)
        """Size of the widget that the lines were made for."""

    def lines(self) -> list[Content]:
        """What to draw now in `content_size`, a row each."""
        raise NotImplementedError

    def renew(self) -> None:
        """Draw what has changed."""
        if self._lines_size != self.content_size:
            self.refresh()
            return
        before, self._lines = self._lines, self.lines()
        num_rows = max(len(before), len(self._lines))
        if not self.is_attached or not num_rows:
            return
        width = self.content_size.width
        changed = [y for y in range(num_rows) if not _is_same(_at(before, y), _at(self._lines, y))]
        for y in changed:
            self._strips.pop(y, None)
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render(self) -> Content:
        """All lines: what a selection takes its text from."""
        return Content("\n").join(self.lines())

    def render_line(self, y: int) -> Strip:
        """One row."""
        if self.text_selection is not None:
            self._strips.clear()
            return super().render_line(y)
        if self._lines_size != self.content_size:
            self._lines_size, self._lines = self.content_size, self.lines()
            self._strips.clear()
        if y not in self._strips:
            line, width = _at(self._lines, y) or Content(""), self.content_size.width
            strips = Visual.to_strips(self, line, width, 1, self.visual_style, pad=True)
            self._strips[y] = strips[0].apply_offsets(0, y) if self.ALLOW_SELECT else strips[0]
        return self._strips[y]

    def notify_style_update(self) -> None:
        """Another theme: the same lines in other colours."""
        super().notify_style_update()
        self._strips.clear()


def _at(lines: list[Content], y: int) -> Content | None:
    return lines[y] if y < len(lines) else None


def _is_same(one: Content | None, other: Content | None) -> bool:
    return one is other or (one is not None and other is not None and one.is_same(other))
