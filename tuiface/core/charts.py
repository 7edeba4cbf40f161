"""How our charts look: colours, letters."""

from __future__ import annotations

from functools import cache

from PIL import ImageFont

INK, FAINT, GRID, PAPER = "#1f2430", "#8a90a0", "#dde0e8", "#ffffff"
COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8f5aa8", "#c98a00")
"""Of what is told apart, in order."""


@cache
def font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own letters, `size` pixels high: nothing is looked for on the system."""
    return ImageFont.load_default(size)
