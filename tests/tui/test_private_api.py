"""The private parts of Rich and Textual that we use are where we look for them."""

from __future__ import annotations

from rich.color import Color, ColorSystem
from rich.style import Style
from textual.app import App
from textual.strip import Strip

from tuiface.terminal.private_api import send_truecolor, truecolor_style


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
    send_truecolor(app)
    assert app.console.color_system == "truecolor"
