"""Lines of content of which only those that change are drawn again."""

from __future__ import annotations

import numpy as np
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Offset
from textual.selection import Selection
from textual.strip import Strip

from tuiface.screens.widgets.content_lines import ContentLines


class Counted(ContentLines):
    """Counts the rows that are asked for again."""

    DEFAULT_CSS = "Counted { width: 1fr; height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.words = [f"line {number}" for number in range(6)]
        self.made = 0
        self.drawn: list[int] = []

    def lines(self) -> list[Content]:
        self.made += 1
        return [Content.styled(word, "bold $text-primary") for word in self.words]

    def render_line(self, y: int) -> Strip:
        self.drawn.append(y)
        return super().render_line(y)


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        self.counted = Counted()
        yield self.counted

    def row(self, y: int) -> str:
        return "".join(segment.text for segment in self.screen._compositor.render_strips()[y]).rstrip()

    def colour(self, y: int) -> object:
        segment = next(s for s in self.screen._compositor.render_strips()[y] if s.text.strip())
        assert segment.style is not None
        return segment.style.color


async def test_only_changed_rows_are_drawn_again() -> None:
    app = Shown()
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        assert [app.row(y) for y in range(7)] == [*app.counted.words, ""]
        app.counted.drawn.clear()
        app.counted.words[2] = "another"
        app.counted.renew()
        await pilot.pause()
        assert app.counted.drawn == [2]
        assert app.row(2) == "another"
        app.counted.drawn.clear()
        app.counted.renew()
        await pilot.pause()
        assert app.counted.drawn == []


async def test_lines_come_and_go() -> None:
    app = Shown()
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        app.counted.words = ["one"]
        app.counted.renew()
        await pilot.pause()
        assert [app.row(y) for y in range(3)] == ["one", "", ""]
        app.counted.words = ["one", "two"]
        app.counted.renew()
        await pilot.pause()
        assert [app.row(y) for y in range(3)] == ["one", "two", ""]


async def test_another_size_and_another_theme_draw_all_anew() -> None:
    app = Shown()
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        app.counted.words[0] = "changed meanwhile"
        await pilot.resize_terminal(12, 5)
        await pilot.pause()
        assert app.row(0) == "changed mea…"
        before = app.colour(1)
        app.theme = "textual-light"
        await pilot.pause()
        assert app.colour(1) != before


async def test_text_can_be_selected() -> None:
    app = Shown()
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        plain = app.screen._compositor.render_strips()[1]
        app.screen.selections = {app.counted: Selection(Offset(0, 1), Offset(4, 2))}
        await pilot.pause()
        assert app.counted.get_selection(app.counted.text_selection) == ("line 1\nline", "\n")  # type: ignore[arg-type]
        assert app.screen._compositor.render_strips()[1] != plain
        app.screen.clear_selection()
        await pilot.pause()
        assert app.screen._compositor.render_strips()[1] == plain
        styles = [segment.style for segment in plain if segment.style is not None and "offset" in segment.style.meta]
        assert np.ravel([style.meta["offset"] for style in styles])[1::2].tolist() == [1] * len(styles)
        assert styles
