"""A screen at rest sends nothing, by whatever protocol its pictures are drawn."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.tui.pty_app import pty_command
from tuiface.benchmarks.terminal import KITTY, PLAIN, PtyTerminal, TerminalModel

MODELS = {"cells": PLAIN, "kitty": KITTY, "sixel": TerminalModel("XTerm(390)", "64;4;22")}
SCREENS = {
    "1": "Face",
    "2": "Explore",
    "3": "Mix",
    "4": "Morph",
    "5": "Library",
    "6": "Models",
    "7": "Jobs",
    "8": "Concepts",
}
REST_S = 0.25
"""Several of the intervals at which anything here looks whether it must draw."""


def wait_for_rest(terminal: PtyTerminal, deadline_s: float = 20.0) -> int:
    """Bytes that came in the last of many moments: 0 where the screen comes to rest."""
    end = time.monotonic() + deadline_s
    while True:
        before = terminal.num_bytes
        terminal.run_for(REST_S)
        if terminal.num_bytes == before or time.monotonic() > end:
            return terminal.num_bytes - before


@pytest.mark.parametrize(
    ("protocol", "size"), [("cells", (80, 24)), ("kitty", (160, 50)), ("sixel", (80, 24)), ("sixel", (160, 50))]
)
def test_every_screen_comes_to_rest(protocol: str, size: tuple[int, int], tmp_path: Path) -> None:
    command = [sys.executable, *pty_command(tmp_path, "auto")]
    with PtyTerminal(command, size=size, model=MODELS[protocol], environment={"COLORTERM": "truecolor"}) as terminal:
        terminal.until(lambda screen: "render 0 --psi 0.7" in screen.text())
        restless = {}
        for key, name in (*SCREENS.items(), ("1", "Face again")):
            seen = terminal.num_bytes
            terminal.press(key)
            while terminal.num_bytes == seen:
                assert terminal.step()
            if num_bytes := wait_for_rest(terminal):
                restless[name] = num_bytes
        assert restless == {}
