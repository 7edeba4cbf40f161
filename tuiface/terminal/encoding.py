"""From pixels to what is drawn in C x R cells, for whichever protocol the terminal has: pure, for any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuiface.terminal import halfblock, kitty, mosaic, sixel
from tuiface.terminal.capabilities import Capabilities, GraphicsProtocol

if TYPE_CHECKING:
    from textual.strip import Strip

DRAFT_STEP = 16
"""Between the levels of a channel in coloured cells that are drafts."""


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """A picture ready to be put on the terminal."""

    graphics: GraphicsProtocol
    columns: int
    rows: int
    pixels: np.ndarray
    """uint8 [H, W, 3] that it was made from."""
    is_draft: bool
    """Smaller or coarser than it could be."""
    cells: np.ndarray | None = None
    """`block`: colours of the cells, by halfblock or mosaic."""
    data: bytes = b""
    """`kitty`: a PNG."""
    text: str = ""
    """`sixel`: the whole escape sequence."""


def encode(
    pixels: np.ndarray, columns: int, rows: int, capabilities: Capabilities, *, draft: bool = False
) -> EncodedPicture:
    """uint8 [H, W, 3] for `columns` x `rows` cells; `draft` for a slow link: a fraction of the bytes."""
    if capabilities.graphics == "kitty" and max(columns, rows) <= kitty.MAX_CELLS:
        return _encode_kitty(pixels, columns, rows, capabilities, draft=draft)
    if capabilities.graphics == "sixel":
        width, height = columns * capabilities.cell_px[0], rows * capabilities.cell_px[1]
        height -= height % sixel.BAND
        if height:
            fine = halfblock.resample(pixels, height, width)
            text = sixel.encode(fine, sixel.DRAFT_COLOURS if draft else sixel.FULL_COLOURS)
            return EncodedPicture("sixel", columns, rows, pixels, draft, text=text)
    return encode_cells(pixels, columns, rows, capabilities, draft=draft)


def encode_cells(
    pixels: np.ndarray, columns: int, rows: int, capabilities: Capabilities, *, draft: bool = False
) -> EncodedPicture:
    """The same in coloured cells, which every terminal takes. A draft has pairs of equal cells, of fewer colours: less
    than half of the bytes."""
    across, step = (max(1, columns // 2), DRAFT_STEP) if draft else (columns, 1)
    if capabilities.mosaic == "half" or not capabilities.unicode or capabilities.colours != "truecolor":
        cells = halfblock.to_cells(pixels, across, rows, capabilities, step=step)
    else:
        cells = mosaic.to_cells(pixels, across, rows, capabilities.mosaic, step=step)
    if across != columns:
        cells = cells[:, np.minimum(np.arange(columns) // 2, across - 1)]
    return EncodedPicture("block", columns, rows, pixels, draft, cells=cells)


def cell_strips(cells: np.ndarray, capabilities: Capabilities) -> list[Strip]:
    """The strips of `EncodedPicture.cells`, or of some rows of them."""
    if cells.ndim == 3:
        return mosaic.to_strips(cells, capabilities.mosaic)
    return halfblock.to_strips(cells)


def _encode_kitty(
    pixels: np.ndarray, columns: int, rows: int, capabilities: Capabilities, *, draft: bool
) -> EncodedPicture:
    """At the picture's own size where that is smaller than its place: the terminal enlarges it as well as we could."""
    width, height = columns * capabilities.cell_px[0], rows * capabilities.cell_px[1]
    fine = pixels
    if pixels.shape[0] > height or pixels.shape[1] > width:
        fine = halfblock.resample(pixels, min(height, pixels.shape[0]), min(width, pixels.shape[1]))
    is_coarse = draft and max(fine.shape) > kitty.DRAFT_PX // 2
    data = kitty.encode_draft_png(fine) if is_coarse else kitty.encode_png(fine)
    return EncodedPicture("kitty", columns, rows, pixels, is_coarse, data=data)
