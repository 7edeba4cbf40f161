"""Pictures as mosaic characters: 2x2 (quadrants) or 2x3 (sextants) pixels a cell, in the two colours that fit best.

For each cell every division of its pixels into two groups is tried, and the one is taken whose two mean colours leave
the least squared error. The half-block is one of these divisions, so a cell is never worse than with half-blocks.

pixels uint8 [H, W, 3] -> `to_cells` int [R, C, 7] (ink's colour, paper's colour, number of the glyph) -> `to_strips`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from rich.segment import Segment
from textual.strip import Strip

from tuiface.terminal.capabilities import Mosaic
from tuiface.terminal.halfblock import coarsen, mean_light, resample
from tuiface.terminal.private_api import truecolor_style

QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""By the sum of 1 (upper left), 2 (upper right), 4 (lower left), 8 (lower right)."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """The divisions of one kind of cell: P pixels in `rows` x 2, M divisions."""

    rows: int
    glyphs: str
    masks: np.ndarray
    """float32 [M, P]: 1 where the ink is. The last pixel is always paper: the complement is the same division."""


def to_cells(pixels: np.ndarray, columns: int, rows: int, mosaic: Mosaic, *, step: int = 1) -> np.ndarray:
    """Colours and glyphs of the cells, int16 [rows, columns, 7], for uint8 [H, W, 3] stretched over them.

    `step`: of the levels of a channel, as in `coarsen`.
    """
    grid = _grid(mosaic)
    fine = coarsen(resample(pixels, rows * grid.rows, columns * 2), step)  # [R r, C 2, 3]
    parts = fine.reshape(rows, grid.rows, columns, 2, 3).swapaxes(1, 2).reshape(rows * columns, -1, 3)  # [R C, P, 3]
    number = _best_divisions(parts.astype(np.float32), grid.masks)  # [R C]
    ink = grid.masks[number][..., None] > 0  # [R C, P, 1]
    cells = np.empty((rows * columns, 7), np.int16)
    cells[:, 3:6] = mean_light(parts, ~ink)
    cells[:, 0:3] = np.where(number[:, None] > 0, mean_light(parts, ink), cells[:, 3:6])
    cells[:, 6] = number
    return cells.reshape(rows, columns, 7)


def _best_divisions(parts: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """int [N]: the division of each cell's pixels, float32 [N, P, 3], that leaves the least squared error.

    The error is sum |v|^2 - |S1|^2 / n1 - |S0|^2 / n0 with the sums S and sizes n of the groups; the first is constant.
    """
    total = parts.sum(axis=1, keepdims=True)  # [N, 1, 3]
    ink_sums = np.einsum("mp,npc->nmc", masks, parts)  # [N, M, 3]
    num_ink = masks.sum(axis=1)  # [M]
    num_paper = masks.shape[1] - num_ink
    kept = (ink_sums**2).sum(axis=2) / np.maximum(num_ink, 1) + ((total - ink_sums) ** 2).sum(axis=2) / num_paper
    # Of equally good ones the first is taken, so that flat cells are plain; float noise must not decide.
    best: np.ndarray = (kept - 1e-5 * kept[:, :1] * (np.arange(len(masks)) > 0)).argmax(axis=1)
    return best


def to_strips(cells: np.ndarray, mosaic: Mosaic) -> list[Strip]:
    """One Strip a row of cells; neighbours that are the same share one segment."""
    glyphs = _grid(mosaic).glyphs
    rows, columns, _ = cells.shape
    begins_run = np.ones((rows, columns), dtype=bool)
    begins_run[:, 1:] = (cells[:, 1:] != cells[:, :-1]).any(axis=-1)
    strips = []
    for row, begins in zip(cells, begins_run, strict=True):
        starts = np.flatnonzero(begins)
        lengths = np.diff(starts, append=columns).tolist()
        segments = []
        for (r, g, b, paper_r, paper_g, paper_b, number), length in zip(row[starts].tolist(), lengths, strict=True):
            ink = (r, g, b) if number else None
            style = truecolor_style(upper=ink, lower=(paper_r, paper_g, paper_b))
            segments.append(Segment(glyphs[number] * length, style))
        strips.append(Strip(segments, columns))
    return strips


@cache
def _grid(mosaic: Mosaic) -> _Grid:
    assert mosaic != "half"
    if mosaic == "quadrant":
        return _divisions(2, QUADRANTS)
    return _divisions(3, "".join(map(_sextant, range(64))))


def _divisions(rows: int, glyphs: str) -> _Grid:
    num_pixels = 2 * rows
    numbers = range(2 ** (num_pixels - 1))
    masks = np.array([[number >> pixel & 1 for pixel in range(num_pixels)] for number in numbers], np.float32)
    return _Grid(rows, glyphs, masks)


def _sextant(number: int) -> str:
    """Unicode 13's sextants lack the four patterns that were characters before."""
    older = {0: " ", 21: "▌", 42: "▐", 63: "█"}
    return older.get(number) or chr(0x1FB00 + number - 1 - (number > 21) - (number > 42))
