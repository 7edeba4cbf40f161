"""What the environment says of a terminal."""

from __future__ import annotations

import pytest

from tuiface.terminal.capabilities import Capabilities, detect_capabilities

XTERM = {"TERM": "xterm-256color", "LANG": "en_US.UTF-8"}


def seen(environment: dict[str, str], **options: str) -> Capabilities:
    return detect_capabilities({**XTERM, **environment}, **options, cell_px=(10, 20))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        ({}, "256"),
        ({"COLORTERM": "truecolor"}, "truecolor"),
        ({"COLORTERM": "24bit"}, "truecolor"),
        ({"TERM": "xterm-kitty"}, "truecolor"),
        ({"TERM": "xterm-ghostty"}, "truecolor"),
        ({"TERM": "xterm-direct"}, "truecolor"),
        ({"LC_TERMINAL": "iTerm2"}, "truecolor"),
        ({"TERM_PROGRAM": "Apple_Terminal"}, "256"),
        ({"TERM": "tmux-256color"}, "256"),
        ({"TERM": "linux"}, "16"),
        ({"TERM": "xterm"}, "16"),
        ({"TEXTUAL_COLOR_SYSTEM": "256", "COLORTERM": "truecolor"}, "256"),
    ],
)
def test_colours(environment: dict[str, str], colours: str) -> None:
    assert seen(environment).colours == colours


@pytest.mark.parametrize(
    ("environment", "unicode"),
    [
        ({"LANG": "C"}, False),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "en_US.utf8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "de_AT.UTF-8"}, True),
        ({"LANG": ""}, False),
    ],
)
def test_half_blocks_need_a_utf8_locale(environment: dict[str, str], unicode: bool) -> None:
    assert seen(environment).unicode is unicode


@pytest.mark.parametrize(
    ("term", "graphics", "pictures"),
    [
        ("xterm-256color", "auto", True),
        ("xterm-256color", "none", False),
        ("dumb", "auto", False),
        ("dumb", "block", True),
    ],
)
def test_the_setting_comes_before_the_terminal(term: str, graphics: str, pictures: bool) -> None:
    assert seen({"TERM": term}, graphics=graphics).has_pictures is pictures


@pytest.mark.parametrize("cell_px", [(10, 18), (10, 20), (10, 23)])
@pytest.mark.parametrize(("columns", "rows"), [(40, 12), (80, 24), (24, 80), (1, 1), (160, 50)])
def test_the_fitted_square_lies_inside_and_is_square(columns: int, rows: int, cell_px: tuple[int, int]) -> None:
    aspect = cell_px[1] / cell_px[0]
    width, height = Capabilities(cell_px=cell_px).fit_square(columns, rows)
    assert 1 <= width <= columns
    assert 1 <= height <= rows
    if min(columns, rows) > 1:
        assert abs(width - height * aspect) <= aspect
        assert width + aspect > columns or height + 1 > rows
