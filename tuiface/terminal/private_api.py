"""The private parts of Rich and Textual that pictures need, all in this one place, each bound by a test.

A release of either that moves one of them fails tests/tui/test_private_api.py, and nothing else has to be searched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.console import COLOR_SYSTEMS
from rich.segment import ControlType, Segment
from rich.style import Style
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

if TYPE_CHECKING:
    from tuiface.terminal.late_answers import LateAnswers


def truecolor_style(*, upper: tuple[int, int, int] | None, lower: tuple[int, int, int]) -> Style:
    """A style with its escape codes worked out in advance.

    Rich computes them through a cache of 16,384 styles; a face has thousands of new ones, which made painting a frame
    of 80 x 40 cells 16 ms slower.
    """
    red, green, blue = lower
    background = _colour(lower)
    codes = f"48;2;{red};{green};{blue}"
    if upper is None:
        style = Style.from_color(None, background)
    else:
        red, green, blue = upper
        style = Style.from_color(_colour(upper), background)
        codes = f"38;2;{red};{green};{blue};{codes}"
    style._ansi = codes
    return style


def _colour(value: tuple[int, int, int]) -> Color:
    return Color("", ColorType.TRUECOLOR, None, ColorTriplet(*value))


def force_colours(app: App[Any], colours: Literal["truecolor", "256"]) -> None:
    """Make Textual write so many colours: over SSH it sees no COLORTERM, and would reduce them by what TERM says.

    TEXTUAL_COLOR_SYSTEM does the same, but is read when textual is first imported, which is too early for us.
    """
    app.console._color_system = COLOR_SYSTEMS[colours]


def foreground_style(colour: tuple[int, int, int]) -> Style:
    """A style of one foreground colour, with its codes worked out in advance: nothing may round a picture's number."""
    style = Style.from_color(_colour(colour))
    style._ansi = "38;2;{};{};{}".format(*colour)
    return style


def write_to_terminal(app: App[Any], text: str) -> bool:
    """Queue `text` behind everything that Textual has written; False where there is no terminal (tests) to take it."""
    driver = app._driver
    if driver is None or app.is_headless:
        return False
    driver.write(text)
    return True


def filter_input(filtered: LateAnswers) -> None:
    """Give Textual, of what the terminal sends, what `filtered` leaves of it; for the app that starts next."""

    class FilteredParser(XTermParser):
        def feed(self, data: str) -> Iterable[Message]:
            left = filtered.take_out(data)
            return super().feed(left) if left or not data else ()

        def tick(self) -> Iterable[Message]:
            if released := filtered.release():
                yield from super().feed(released)
            yield from super().tick()

    linux_driver.XTermParser = FilteredParser  # type: ignore[attr-defined]


def terminal_size(app: App[Any]) -> Size | None:
    """Columns and rows that the terminal has now; None where it tells each change itself, in order (mode 2048)."""
    driver = app._driver
    if not isinstance(driver, LinuxDriver) or app.is_headless or driver._in_band_window_resize:
        return None
    return Size(*driver._get_terminal_size())


def invalidate_lines(widget: Widget) -> None:
    """Make Textual ask for every row of `widget` again, in the paint that is under way."""
    widget._styles_cache.clear()
    widget._styles_cache.set_dirty(widget.size.region)


def control_segment(text: str) -> Segment:
    """Escapes that take no cell: Rich and Textual count a segment with control codes as zero columns wide."""
    return Segment(text, None, [(ControlType.CURSOR_FORWARD, 0)])


def add_bindings(node: DOMNode, bindings: Sequence[Binding]) -> None:
    """Give one screen or app bindings of its own: the public way knows only those of a class."""
    node._bindings = BindingsMap.merge([node._bindings, BindingsMap(bindings)])


async def run_binding(app: App[Any], key: str) -> None:
    """Do what the active screen, or the app, has bound to `key`."""
    await app._check_bindings(key)


def forward_key(app: App[Any], key: str, character: str | None) -> None:
    """Hand a key to the widget that has the focus, or to the active screen, as if it were typed now."""
    (app.focused or app.screen)._forward_event(Key(key, character))
