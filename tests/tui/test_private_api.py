"""The private parts of Rich and Textual that we use are where we look for them."""

from __future__ import annotations

import pytest
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.drivers.linux_driver import LinuxDriver
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from tuiface.terminal.private_api import (
    control_segment,
    force_colours,
    foreground_style,
    forward_key,
    invalidate_lines,
    run_binding,
    terminal_size,
    truecolor_style,
    write_to_terminal,
)


def test_codes_worked_out_in_advance_are_richs_own() -> None:
    both = truecolor_style(upper=(1, 20, 255), lower=(0, 128, 7))
    same = Style.from_color(Color.from_rgb(1, 20, 255), Color.from_rgb(0, 128, 7))
    for mine, richs in ((both.color, same.color), (both.bgcolor, same.bgcolor)):
        assert mine is not None
        assert richs is not None
        assert mine.triplet == richs.triplet
    assert both._ansi == Strip.render_ansi(same, ColorSystem.TRUECOLOR)
    lower = truecolor_style(upper=None, lower=(9, 8, 7))
    assert lower._ansi == Strip.render_ansi(Style.from_color(None, Color.from_rgb(9, 8, 7)), ColorSystem.TRUECOLOR)


def test_codes_are_forgotten_when_styles_are_combined() -> None:
    tinted = truecolor_style(upper=(1, 2, 3), lower=(4, 5, 6)) + Style(bgcolor="red")
    assert tinted._ansi is None


def test_textual_writes_24_bit_colours_when_told() -> None:
    app: App[None] = App()
    for colours in ("256", "truecolor"):
        force_colours(app, colours)
        assert app.console.color_system == colours


def test_a_foreground_is_sent_as_it_is() -> None:
    style = foreground_style((1, 2, 3))
    assert style._ansi == "38;2;1;2;3"
    assert Strip([Segment("x", style)], 1).render(Console(color_system="truecolor")) == "\x1b[38;2;1;2;3mx\x1b[0m"


async def test_nothing_is_written_where_there_is_no_terminal() -> None:
    app: App[None] = App()
    assert not write_to_terminal(app, "x")
    async with app.run_test():
        assert not write_to_terminal(app, "x")


async def test_the_terminals_size_is_asked_of_textuals_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "91")
    monkeypatch.setenv("LINES", "37")
    app: App[None] = App()
    assert terminal_size(app) is None
    app._driver = LinuxDriver(app)
    assert terminal_size(app) == (91, 37)
    app._driver._in_band_window_resize = True
    assert terminal_size(app) is None


async def test_forgotten_lines_are_asked_for_again() -> None:
    class Counting(Widget):
        asked = 0

        def render_line(self, y: int) -> Strip:
            self.asked += 1
            return Strip.blank(self.size.width)

    class Counter(App[None]):
        def compose(self) -> ComposeResult:
            yield Counting()

    app = Counter()
    async with app.run_test(size=(10, 5)):
        widget = app.query_one(Counting)
        widget.render_lines(widget.size.region)
        before = widget.asked
        widget.render_lines(widget.size.region)
        assert widget.asked == before
        invalidate_lines(widget)
        widget.render_lines(widget.size.region)
        assert widget.asked == before + 5


def test_a_control_segment_takes_no_cell_and_is_written_as_it_is() -> None:
    strip = Strip([Segment("ab"), control_segment("\x1b7raw\x1b8")])
    assert strip.cell_length == 2
    assert strip.render(Console(color_system="truecolor")).endswith("\x1b7raw\x1b8")


def test_a_cursor_position_is_an_event_and_not_a_key() -> None:
    from textual._xterm_parser import XTermParser
    from textual.events import CursorPosition

    [event] = [token for token in XTermParser().feed("\x1b[2;2R") if not isinstance(token, str)]
    assert isinstance(event, CursorPosition)


async def test_a_key_is_given_to_the_focus_and_its_binding_is_run() -> None:
    class Typed(App[None]):
        BINDINGS = [("b", "note", "Note")]  # noqa: RUF012 - Textual's own type
        noted = 0

        def compose(self) -> ComposeResult:
            yield Input()

        def action_note(self) -> None:
            self.noted += 1

    app = Typed()
    async with app.run_test() as pilot:
        forward_key(app, "b", "b")
        await pilot.pause()
        assert (app.query_one(Input).value, app.noted) == ("b", 0)
        app.query_one(Input).blur()
        await pilot.pause()
        forward_key(app, "b", "b")
        await pilot.pause()
        assert app.noted == 1
        await run_binding(app, "b")
        assert app.noted == 2
