"""The app under a pty, its bytes decoded back to pixels, numbers and cells: what a terminal would show."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.tui.fake_engine import paint
from tests.tui.pty_app import pty_command
from tuiface.benchmarks.terminal import KITTY, PLAIN, PtyTerminal, Screen, TerminalModel
from tuiface.faces.recipe import ModelRef, Recipe, SeedSource
from tuiface.terminal.halfblock import resample

Start = Callable[..., PtyTerminal]
RIGHT = "\x1b[C"
SIXEL = TerminalModel("XTerm(379)", "64;4;22")
LATIN = TerminalModel("XTerm(379)", encoding="latin-1")


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def begin(
        model: TerminalModel, graphics: str = "auto", size: tuple[int, int] = (80, 24), **extra: str
    ) -> PtyTerminal:
        command = [sys.executable, *pty_command(tmp_path, graphics)]
        environment = {"COLORTERM": "truecolor", **extra}
        return PtyTerminal(command, size=size, model=model, environment=environment)

    return begin


def face(seed: int, size: int) -> np.ndarray:
    return paint(Recipe(model=ModelRef(sha256="ab" * 32, name="x"), source=SeedSource(seed=seed)), size)


def shown_number(screen: Screen) -> int | None:
    numbers = {number for number, _, _ in screen.placeholders().values()}
    return numbers.pop() if len(numbers) == 1 else None


def shows(seed: int, size: int) -> Callable[[Screen], bool]:
    """Placeholders form one whole rectangle, in the size that the picture was placed in, and it is the face's own."""

    def check(screen: Screen) -> bool:
        number, placeholders = shown_number(screen), screen.placeholders()
        if number not in screen.images:
            return False
        top, left = min(placeholders)
        columns, rows = screen.sizes[number]
        expected = {(top + y, left + x): (number, y, x) for y in range(rows) for x in range(columns)}
        return placeholders == expected and np.array_equal(screen.images[number], face(seed, size))

    return check


def test_kitty_gets_the_frames_own_pixels(start: Start) -> None:
    with start(KITTY) as terminal:
        terminal.until(shows(0, 256))
        terminal.press(RIGHT)
        terminal.until(shows(1, 256))
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.screen.images == {}, "every picture is freed at the end"
        assert not terminal.screen.in_alternate


def test_kitty_through_tmux_is_wrapped(tmp_path: Path) -> None:
    from tuiface.terminal import kitty

    screen = Screen()
    png = kitty.encode_png(face(3, 64))
    text = kitty.transmit(png, 0x123456, 10, 5, in_tmux=True)
    assert text.startswith("\x1bPtmux;\x1b\x1b_G")
    screen.feed(text)
    np.testing.assert_array_equal(screen.images[0x123456], face(3, 64))
    screen.feed(kitty.delete(0x123456, in_tmux=True))
    assert screen.images == {}


def test_a_dialog_shows_cells_and_gives_the_picture_back(start: Start) -> None:
    with start(KITTY) as terminal:
        terminal.until(shows(0, 256))
        terminal.press("g")
        terminal.until(lambda screen: not screen.placeholders() and "Enter goes there" in screen.text())
        terminal.press("\x1b")
        terminal.until(shows(0, 256))


def test_a_resize_fits_the_picture_anew_and_keeps_no_old_one(start: Start) -> None:
    with start(KITTY) as terminal:
        terminal.until(shows(0, 256))
        for size in ((100, 30), (60, 20), (160, 50)):
            terminal.resize(*size)
        terminal.until(lambda screen: shows(0, 256)(screen) and len(screen.placeholders()) > 30 * 60)
        assert len(terminal.screen.images) <= 2, "two numbers take turns"


def test_changing_the_protocol_frees_the_picture(start: Start) -> None:
    with start(KITTY) as terminal:
        terminal.until(shows(0, 256))
        terminal.press("V")
        terminal.until(lambda screen: not screen.placeholders() and not screen.images)
        assert any(cell.text in "▀▘▝▌▐▖▗▄" for cell in terminal.screen.cells.values())


def test_sixel_has_the_frames_pixels_within_its_palette(start: Start) -> None:
    with start(SIXEL) as terminal:
        terminal.until(lambda screen: screen.sixels)
        terminal.press(RIGHT)
        seen = len(terminal.screen.sixels)
        terminal.until(lambda screen: len(screen.sixels) > seen)
        terminal.run_for(0.5)
        row, column, pixels = terminal.screen.sixels[-1]
        expected = resample(face(1, 256), *pixels.shape[:2]).astype(int)
        assert np.abs(pixels - expected).mean() < 3
        assert row >= 1
        assert (column * 8 + pixels.shape[1]) <= 80 * 8
        assert (row * 16 + pixels.shape[0]) <= 24 * 16


@pytest.mark.parametrize("model", [PLAIN, KITTY], ids=["plain", "kitty"])
def test_no_color_has_no_pictures_but_cells(start: Start, model: TerminalModel) -> None:
    with start(model, NO_COLOR="1") as terminal:
        terminal.until(lambda screen: any(cell.text in "▀▘▌▛" for cell in screen.cells.values()))
        assert terminal.screen.images == {}
        colours = {cell.foreground for cell in terminal.screen.cells.values() if isinstance(cell.foreground, tuple)}
        assert all(len(set(colour)) == 1 for colour in colours)


def test_lang_c_has_nothing_but_ascii(start: Start) -> None:
    with start(LATIN, LANG="C") as terminal:
        terminal.until(lambda screen: "$ tuiface render 0" in screen.text())
        terminal.run_for(0.5)
        assert terminal.screen.text().isascii()


def test_lang_c_in_a_terminal_that_reads_utf8_has_whole_pictures(start: Start) -> None:
    with start(KITTY, LANG="C") as terminal:
        terminal.until(shows(0, 256))


def test_the_command_is_copied_through_the_terminal(start: Start) -> None:
    with start(PLAIN) as terminal:
        terminal.until(lambda screen: "$ tuiface render 0" in screen.text())
        terminal.press("y")
        terminal.until(lambda screen: screen.clipboard == "tuiface render 0 --psi 0.7")


def test_a_toast_over_a_sixel_lies_on_cells_and_the_sixel_comes_back(start: Start) -> None:
    with start(SIXEL) as terminal:
        terminal.until(lambda screen: screen.sixels)
        terminal.run_for(0.5)
        seen = len(terminal.screen.sixels)
        terminal.press("y")
        terminal.until(lambda screen: any(cell.text in "▀▄▌▐▘▝▖▗" for cell in screen.cells.values()))
        assert "Copied" in terminal.screen.text()
        terminal.until(lambda screen: len(screen.sixels) > seen)
        assert "Copied" not in terminal.screen.text()


@pytest.mark.parametrize("keeps_rgb", [True, False, None])
def test_a_plain_ssh_session_has_the_colours_that_the_terminal_keeps(start: Start, *, keeps_rgb: bool | None) -> None:
    term = "xterm-256color" if keeps_rgb is None else "xterm"  # of which Rich thinks that it has 16
    with start(TerminalModel("", keeps_rgb=keeps_rgb), COLORTERM="", SSH_CONNECTION="x", TERM=term) as terminal:
        terminal.until(lambda screen: sum(cell.text == "▀" for cell in screen.cells.values()) > 50)
        told = "COLORTERM=truecolor"
        if not keeps_rgb:
            terminal.until(lambda screen: told in screen.text())
        backs = {cell.back for cell in terminal.screen.cells.values() if cell.text == "▀"}
        assert all(isinstance(back, tuple) if keeps_rgb else isinstance(back, int) and back >= 16 for back in backs)
        assert (told in terminal.screen.text()) is not keeps_rgb or keeps_rgb is None
