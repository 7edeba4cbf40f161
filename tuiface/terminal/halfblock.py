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

from tuiface.terminal.capabilities import Capabilities
from tuiface.terminal.palette import quantise
from tuiface.terminal.private_api import truecolor_style

if TYPE_CHECKING:
    from PIL.Image import Resampling

UPPER_HALF = "▀"


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
