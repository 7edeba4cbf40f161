"""Contact strips: one face a row, one amount a column, for people to judge and name a direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

_GAP_PX = 4
_TEXT_PX = 14
_BACKGROUND, _INK = (250, 250, 250), (30, 30, 30)


def draw_contact_strip(
    rows: Sequence[Sequence[np.ndarray]], columns: Sequence[str], labels: Sequence[str]
) -> np.ndarray:
    """uint8 [H, W, 3]: pictures uint8 [R, R, 3] in rows, the columns' texts above, each row's label before it.

    All pictures have one size; an empty row leaves a line for its label.
    """
    side = next(picture.shape[0] for row in rows for picture in row)
    margin = 8 + 7 * max((len(label) for label in labels), default=0)
    heights = [side if row else _TEXT_PX for row in rows]
    width = margin + len(columns) * (side + _GAP_PX)
    sheet = Image.new("RGB", (width, _TEXT_PX + sum(heights) + _GAP_PX * len(rows)), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for i, text in enumerate(columns):
        draw.text((margin + i * (side + _GAP_PX) + 2, 1), text, fill=_INK)
    top = _TEXT_PX
    for row, label, height in zip(rows, labels, heights, strict=True):
        draw.text((4, top + max(0, height // 2 - 6)), label, fill=_INK)
        for i, picture in enumerate(row):
            sheet.paste(Image.fromarray(picture), (margin + i * (side + _GAP_PX), top))
        top += height + _GAP_PX
    return np.asarray(sheet)


def encode_plain_png(pixels: np.ndarray) -> bytes:
    """A plain PNG of uint8 [H, W, 3]."""
    import io

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
