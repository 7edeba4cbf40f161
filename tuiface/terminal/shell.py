"""One-shot pictures in the shell, through term-image: kitty, iTerm2, or coloured cells.

term-image opens the tty and patches multiprocessing when it is imported, so it is imported here alone, late, and never
in the interface.
"""

from __future__ import annotations

import os
import sys

import numpy as np


def show_pixels(pixels: np.ndarray) -> None:
    """Draw uint8 [H, W, 3] on stdout; without a terminal, or without colour, say so on stderr instead."""
    reason = _why_not()
    if reason:
        print(f"note: the picture is not shown: {reason}", file=sys.stderr)
        return
    import term_image
    from PIL import Image

    term_image.disable_queries()  # an unanswered query costs 200 ms, and its late answer lands in the user's shell
    from term_image.image import AutoImage

    AutoImage(Image.fromarray(pixels)).draw(h_align="left", v_align="top", pad_height=1, pad_width=1, scroll=True)
    sys.stdout.flush()


def _why_not() -> str:
    if not sys.stdout.isatty():
        return "the output is not a terminal"
    if os.environ.get("NO_COLOR"):
        return "NO_COLOR is set"
    if os.environ.get("TERM", "dumb") == "dumb":
        return "this terminal has no colours"
    return ""
