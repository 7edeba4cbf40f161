"""One-shot pictures in the shell, through term-image: kitty, iTerm2, or coloured cells.

term-image opens the tty and patches multiprocessing when it is imported, so it is imported here alone, late, and never
in the interface. Which of its styles is used follows from the environment: its own way is to ask the terminal, which
costs 200 ms where nobody answers, and a late answer lands in the user's shell.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Literal

import numpy as np

from tuiface.core.console import print_line

Style = Literal["kitty", "iterm2", "block"]


def show_pixels(pixels: np.ndarray) -> None:
    """Draw uint8 [H, W, 3] on stdout; without a terminal, or without colour, say so on stderr instead."""
    reason = _find_obstacle(os.environ)
    if reason:
        print_line(f"note: the picture is not shown: {reason}", to_stderr=True)
        return
    import term_image

    term_image.disable_queries()
    from PIL import Image
    from term_image.image import BlockImage, ITerm2Image, KittyImage

    style = choose_style(os.environ)
    kind = {"kitty": KittyImage, "iterm2": ITerm2Image, "block": BlockImage}[style]
    if style != "block":
        kind.forced_support = True
    kind(Image.fromarray(pixels)).draw(h_align="left", v_align="top", pad_height=1, pad_width=1, scroll=True)
    sys.stdout.flush()


def choose_style(environment: Mapping[str, str]) -> Style:
    """What the terminal in `environment` draws best; multiplexers swallow pictures, so cells there."""
    term = environment.get("TERM", "")
    if "TMUX" in environment or term.startswith(("screen", "tmux")):
        return "block"
    if "KITTY_WINDOW_ID" in environment or term in ("xterm-kitty", "xterm-ghostty"):
        return "kitty"
    if environment.get("TERM_PROGRAM") in ("iTerm.app", "WezTerm") or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    return "block"


def _find_obstacle(environment: Mapping[str, str]) -> str:
    if not sys.stdout.isatty():
        return "the output is not a terminal"
    if environment.get("NO_COLOR"):
        return "NO_COLOR is set"
    if environment.get("TERM", "dumb") == "dumb":
        return "this terminal has no colours"
    if 0 in os.get_terminal_size(sys.stdout.fileno()):
        return "the terminal does not say how large it is"
    return ""
