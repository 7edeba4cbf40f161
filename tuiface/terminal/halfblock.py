"""Pictures as coloured cells: two pixels a cell by ▀ (upper half in the foreground colour, lower in the background's).

pixels uint8 [H, W, 3] -> `resample` in linear light -> `to_cells` uint8 [rows, columns, 2, 3] -> `to_strips`.
Shape legend: R rows and C columns of cells, P pixels in a cell (2, or 1 where only spaces are safe), H and W of pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tuiface.terminal.capabilities import Capabilities, Colours
from tuiface.terminal.private_api import truecolor_style

if TYPE_CHECKING:
    from PIL.Image import Resampling

UPPER_HALF = "▀"

#: Levels of the 6 x 6 x 6 cube of the 256-colour palette (xterm), whose numbers begin at 16.
_CUBE = np.array([0, 95, 135, 175, 215, 255])
#: Its greys between the cube's black (16) and white (231), and their levels.
_GREYS = np.array([16, *range(232, 256), 231])
_GREY_LEVELS = np.array([0, *range(8, 239, 10), 255])
#: Pixels whose channels differ by no more are drawn by greys, which are four times finer than the cube.
_NEUTRAL = 10
#: Black, dark grey, light grey and white of the first 16 colours: the other twelve are pure ones, which no face has.
_SIXTEEN = np.array([0, 8, 7, 15])
_SIXTEEN_LEVELS = np.array([0, 127, 229, 255])
#: Thresholds between 0 and 1 of a 4 x 4 pattern.
_BAYER = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) + 0.5) / 16


def draw(pixels: np.ndarray, columns: int, rows: int, capabilities: Capabilities) -> list[Strip]:
    """uint8 [H, W, 3] stretched over `columns` x `rows` cells, as one Strip a row."""
    return to_strips(to_cells(pixels, columns, rows, capabilities))


def to_cells(pixels: np.ndarray, columns: int, rows: int, capabilities: Capabilities, *, step: int = 1) -> np.ndarray:
    """Colours of the cells: uint8 [R, C, P, 3], or [R, C, P, 1] with palette numbers where colours are few.

    `step`: of the levels of a channel, as in `coarsen`.
    """
    per_cell = capabilities.pixels_per_cell
    fine = coarsen(resample(pixels, rows * per_cell, columns), step)  # [R P, C, 3]
    fine = quantise(fine, capabilities.colours)  # [R P, C, 3 or 1]
    return fine.reshape(rows, per_cell, columns, -1).swapaxes(1, 2)


# --- resampling --------------------------------------------------------------------------------------------------


def resample(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 [H, W, 3] -> uint8 [height, width, 3] by a Lanczos filter (bicubic where enlarged), in linear light.

    Averaging sRGB numbers instead of light darkens fine texture: hair and brows would change with the window's size.
    """
    source_height, source_width = pixels.shape[:2]
    if (source_height, source_width) == (height, width):
        return pixels
    light = _linear_light()[pixels]  # [H, W, 3]
    resized = np.stack([_resize(light[..., channel], height, width) for channel in range(3)], axis=2)
    numbers: np.ndarray = np.searchsorted(_rounding_borders(), resized)
    return numbers.astype(np.uint8)


def coarsen(pixels: np.ndarray, step: int) -> np.ndarray:
    """uint8 with every `step`-th level alone: more neighbours are alike, and need no bytes of their own."""
    return pixels if step == 1 else pixels // step * step + step // 2


def _resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """float32 [H, W] -> [height, width]. By Pillow, whose one thread leaves the other cores to the engine: those of a
    matrix product go on spinning for milliseconds after it."""
    from PIL import Image

    image = Image.fromarray(values)
    image = image.resize((width, image.height), _choose_filter(image.width, width))
    return np.asarray(image.resize((width, height), _choose_filter(image.height, height)))


def _choose_filter(source: int, target: int) -> Resampling:
    """Three lobes sharpen a reduction; enlarging, they leave dark halos around light skin."""
    from PIL.Image import Resampling

    return Resampling.LANCZOS if source > target else Resampling.BICUBIC


def mean_light(parts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The mean colour, by light, of the chosen ones (bool [N, P, 1]) of P pixels, uint8 [N, P, 3]: [N, 3]."""
    light = (_linear_light()[parts] * chosen).sum(axis=1) / np.maximum(chosen.sum(axis=1), 1)
    numbers: np.ndarray = np.searchsorted(_rounding_borders(), light)
    return numbers


@cache
def _linear_light() -> np.ndarray:
    """float32 [256]: the light of each sRGB number (IEC 61966-2-1)."""
    return _srgb_to_linear(np.arange(256) / 255).astype(np.float32)


@cache
def _rounding_borders() -> np.ndarray:
    """float32 [255]: the light half-way (in sRGB) between a number and the next: searching them inverts exactly."""
    return _srgb_to_linear((np.arange(255) + 0.5) / 255).astype(np.float32)


def _srgb_to_linear(value: np.ndarray) -> np.ndarray:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


# --- colours -----------------------------------------------------------------------------------------------------


def quantise(pixels: np.ndarray, colours: Colours) -> np.ndarray:
    """uint8 [H, W, 3] unchanged for truecolor, else palette numbers uint8 [H, W, 1] by ordered dither (Bayer 1973).

    Skin is a slow gradient: without dither the 256-colour cube, 40 apart, shows it as contour lines.
    """
    if colours == "truecolor":
        return pixels
    height, width = pixels.shape[:2]
    threshold = np.tile(_BAYER, (height // 4 + 1, width // 4 + 1))[:height, :width]
    luma = pixels @ np.array([0.2126, 0.7152, 0.0722])
    if colours == "16":
        numbers = _SIXTEEN[_dither(luma, _SIXTEEN_LEVELS, threshold)]
    else:
        cube = 16 + _dither(pixels, _CUBE, threshold[..., None]) @ np.array([36, 6, 1])
        greys = _GREYS[_dither(luma, _GREY_LEVELS, threshold)]
        numbers = np.where(np.ptp(pixels, axis=-1) <= _NEUTRAL, greys, cube)
    return np.asarray(numbers, dtype=np.uint8)[..., None]


def _dither(values: np.ndarray, levels: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Index of the level above or below each value, in such parts that their mean is the value; `levels` ascend."""
    below = np.clip(np.searchsorted(levels, values, side="right") - 1, 0, len(levels) - 2)
    part = (values - levels[below]) / (levels[below + 1] - levels[below])
    return np.asarray(below + (part > threshold))


# --- strips ------------------------------------------------------------------------------------------------------


def to_strips(cells: np.ndarray) -> list[Strip]:
    """One Strip a row of cells [R, C, P, 3 or 1]; neighbours of equal colours share one segment."""
    rows, columns, per_cell, channels = cells.shape
    glyph = UPPER_HALF if per_cell == 2 else " "
    style = _STYLES[per_cell, channels]
    values = cells.reshape(rows, columns, per_cell * channels)
    begins_run = np.ones((rows, columns), dtype=bool)
    begins_run[:, 1:] = (values[:, 1:] != values[:, :-1]).any(axis=-1)
    strips = []
    for row, begins in zip(values, begins_run, strict=True):
        starts = np.flatnonzero(begins)
        lengths = np.diff(starts, append=columns).tolist()
        colours = row[starts].tolist()
        segments = [Segment(glyph * n, style(*colour)) for colour, n in zip(colours, lengths, strict=True)]
        strips.append(Strip(segments, columns))
    return strips


def _half_truecolor(r: int, g: int, b: int, lower_r: int, lower_g: int, lower_b: int) -> Style:
    return truecolor_style(upper=(r, g, b), lower=(lower_r, lower_g, lower_b))


def _full_truecolor(r: int, g: int, b: int) -> Style:
    return truecolor_style(upper=None, lower=(r, g, b))


@lru_cache(maxsize=16384)
def _half_palette(upper: int, lower: int) -> Style:
    return Style.from_color(Color.from_ansi(upper), Color.from_ansi(lower))


@cache
def _full_palette(number: int) -> Style:
    return Style.from_color(None, Color.from_ansi(number))


_STYLES: dict[tuple[int, int], Callable[..., Style]] = {
    (2, 3): _half_truecolor,
    (1, 3): _full_truecolor,
    (2, 1): _half_palette,
    (1, 1): _full_palette,
}
"""By pixels in a cell and numbers in a pixel."""
