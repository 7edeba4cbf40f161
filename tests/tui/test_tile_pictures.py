"""Grids of faces show pictures by the terminal's own protocol, and send what has changed alone."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from tests.tui.fake_engine import paint
from tests.tui.pty_app import pty_command
from tests.tui.test_at_rest import wait_for_rest
from tuiface.benchmarks.terminal import KITTY, PtyTerminal, Screen, TerminalModel
from tuiface.faces.recipe import ModelRef, Recipe, SeedSource
from tuiface.terminal.halfblock import resample

CELL_PX = (8, 16)
SIXEL = TerminalModel("XTerm(379)", "64;4;22", cell_px=CELL_PX)
SIZES = [(80, 24), (160, 50)]
NUM_SEEDS = 40
Open = Callable[..., PtyTerminal]


@pytest.fixture
def explore(tmp_path: Path) -> Open:
    """Explore, as it is opened."""

    def begin(model: TerminalModel, size: tuple[int, int]) -> PtyTerminal:
        command = [sys.executable, *pty_command(tmp_path, "auto")]
        terminal = PtyTerminal(command, size=size, model=model, environment={"COLORTERM": "truecolor"})
        terminal.until(lambda screen: "render 0 --psi 0.7" in screen.text())
        terminal.press("2")
        terminal.until(lambda screen: "render 0 --count" in screen.text())
        return terminal

    return begin


def wait_for_page(terminal: PtyTerminal, first: int) -> dict[int, tuple[int, int]]:
    """The places of the page's faces by their seeds, once all are there and the screen is at rest."""

    def is_there(screen: Screen) -> bool:
        count = re.search(rf"render {first} --count (\d+)", screen.text())
        if not count or len(screen.whole_sixels(CELL_PX)) != int(count[1]):
            return False
        return sorted(shown_seeds(screen)) == list(range(first, first + int(count[1])))

    for _ in range(5):  # a busy machine pauses in the middle of a page
        terminal.until(is_there)
        if wait_for_rest(terminal) == 0 and is_there(terminal.screen):
            return shown_seeds(terminal.screen)
    raise AssertionError(f"never at rest and whole:\n{terminal.screen.text()}")


def shown_seeds(screen: Screen) -> dict[int, tuple[int, int]]:
    """By the seed whose face it is: row and column of each whole sixel."""
    found = {}
    for place, pixels in screen.whole_sixels(CELL_PX).items():
        errors = [np.abs(pixels - face_of(seed, *pixels.shape[:2])).mean() for seed in range(NUM_SEEDS)]
        if min(errors) < 4:
            found[int(np.argmin(errors))] = place
    return found


@lru_cache(maxsize=1000)
def face_of(seed: int, height: int, width: int) -> np.ndarray:
    recipe = Recipe(model=ModelRef(sha256="ab" * 32, name="x"), source=SeedSource(seed=seed))
    return resample(paint(recipe, 256), height, width).astype(int)


@pytest.mark.parametrize("size", SIZES)
def test_a_grid_of_sixels_is_whole_and_a_choice_sends_captions_alone(explore: Open, size: tuple[int, int]) -> None:
    with explore(SIXEL, size) as terminal:
        seeds = wait_for_page(terminal, 0)
        assert len(seeds) >= (4 if size[0] == 80 else 12)
        num_sixels, num_bytes = len(terminal.screen.sixels), terminal.num_bytes
        assert num_sixels <= 2 * len(seeds), "no picture is sent again when its neighbours come"
        terminal.press("\x1b[C")
        wait_for_rest(terminal)
        assert len(terminal.screen.sixels) == num_sixels
        assert terminal.num_bytes - num_bytes < 4000
        assert shown_seeds(terminal.screen) == seeds


def test_a_page_a_dialog_a_toast_and_a_resize_leave_whole_sixels(explore: Open) -> None:
    with explore(SIXEL, (80, 24)) as terminal:
        first = wait_for_page(terminal, 0)
        terminal.press("\x1b[6~")  # page down
        second = wait_for_page(terminal, len(first))
        assert sorted(second.values()) == sorted(first.values())
        terminal.press("?")
        terminal.until(lambda screen: not shown_seeds(screen))
        wait_for_rest(terminal)
        terminal.press("\x1b")
        assert wait_for_page(terminal, len(first)) == second
        terminal.press("y")
        terminal.until(lambda screen: "Copied" in screen.text())
        terminal.until(lambda screen: "Copied" not in screen.text())
        assert wait_for_page(terminal, len(first)) == second
        terminal.press("\x1b[5~")
        wait_for_page(terminal, 0)
        terminal.resize(100, 36)
        assert len(wait_for_page(terminal, 0)) > len(first)


def num_faces(screen: Screen) -> int:
    """Of the page, by its command."""
    count = re.search(r"render 0 --count (\d+)", screen.text())
    return int(count[1]) if count else 0


def shown_numbers(screen: Screen) -> set[int]:
    """Of kitty's pictures that placeholders stand for."""
    return {number for number, _, _ in screen.placeholders().values()}


def test_a_grid_of_kitty_pictures_has_the_faces_own_pixels(explore: Open) -> None:
    with explore(KITTY, (80, 24)) as terminal:
        screen = terminal.screen
        terminal.until(lambda screen: len(shown_numbers(screen)) == num_faces(screen) >= 4)
        wait_for_rest(terminal)
        numbers = shown_numbers(screen)
        assert len(numbers) == num_faces(screen) >= 4
        sides = {screen.images[number].shape[0] for number in numbers}
        for seed in range(len(numbers)):
            expected = [face_of(seed, side, side) for side in sides]
            assert any(
                picture.shape == wanted.shape and np.abs(picture - wanted).mean() < 4
                for picture in (screen.images[number] for number in numbers)
                for wanted in expected
            )
        num_images = screen.num_images
        terminal.press("\x1b[C")
        wait_for_rest(terminal)
        assert screen.num_images == num_images
