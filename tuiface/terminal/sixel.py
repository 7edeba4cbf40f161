"""Pictures as sixels (DEC VT340 and its heirs): bands of six rows, each colour drawn over the band in turn."""

from __future__ import annotations

import re

import numpy as np

BAND = 6
"""Rows of pixels in one band."""
FULL_COLOURS, DRAFT_COLOURS = 192, 64
_BITS = (1 << np.arange(BAND, dtype=np.uint8))[:, None]
_EMPTY_SIXEL = 63
"""Character of an empty column, `?`."""
_RUN = re.compile(r"(.)\1{3,}")


def encode(pixels: np.ndarray, colours: int = FULL_COLOURS) -> str:
    """uint8 [H, W, 3] as one sixel string, ESC P to ESC \\, with at most `colours` colours (median cut).

    H is a multiple of 6: a terminal would otherwise paint the rest of the last band.
    """
    assert pixels.shape[0] % BAND == 0, pixels.shape
    numbers, palette = quantise(pixels, colours)  # [H, W], [colours, 3]
    height, width = numbers.shape
    used = np.unique(numbers)
    # 0;1: pixels that no colour is drawn in keep what is there; the raster attributes give the size in advance.
    parts = [f'\x1bP0;1;0q"1;1;{width};{height}']
    for number in used.tolist():
        red, green, blue = to_percent(palette[number])
        parts.append(f"#{number};2;{red};{green};{blue}")
    parts += [_encode_band(numbers[top : top + BAND]) for top in range(0, height, BAND)]
    return "".join([*parts, "\x1b\\"])


def quantise(pixels: np.ndarray, colours: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [H, W] of palette numbers, and the palette, uint8 [n, 3]."""
    from PIL import Image

    image = Image.fromarray(pixels).quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = np.array(image.getpalette() or [], dtype=np.uint8).reshape(-1, 3)
    return np.asarray(image), palette


def to_percent(colour: np.ndarray) -> tuple[int, int, int]:
    """A colour as sixel writes it: 0 to 100."""
    red, green, blue = (colour.astype(int) * 100 + 127) // 255
    return int(red), int(green), int(blue)


def _encode_band(numbers: np.ndarray) -> str:
    """uint8 [6, W] as one line of sixels: each colour in turn, `$` back to the left, `-` to the next band."""
    layers = []
    for number in np.unique(numbers).tolist():
        columns = ((numbers == number) * _BITS).sum(axis=0).astype(np.uint8) + _EMPTY_SIXEL
        last = int(np.flatnonzero(columns != _EMPTY_SIXEL)[-1]) + 1
        text = columns[:last].tobytes().decode("ascii")
        layers.append(f"#{number}" + _RUN.sub(lambda m: f"!{len(m[0])}{m[1]}", text))
    return "$".join(layers) + "-"


def place_sixel(column: int, row: int, sixel: str) -> str:
    """`sixel` with its upper left corner in a cell, the cursor left where it was."""
    return f"\x1b7\x1b[{row + 1};{column + 1}H{sixel}\x1b8"
