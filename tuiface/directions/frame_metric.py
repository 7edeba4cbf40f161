"""How far an edit moved the face frame, from maps of background, face and hair: the laboratory's own measure.

Frame variation % (Roca & Britos 2024, arXiv 2407.00803): both pictures are segmented into background, face and hair at
224 x 224 px; 100 / 224^2 * (pixels that switch to or from background + 0.2 * pixels that switch between face and hair).
"""

from __future__ import annotations

import numpy as np

FRAME_SIDE_PX = 224
OUTLINE_WEIGHT = 1.0
HAIRLINE_WEIGHT = 0.2

BACKGROUND, FACE, HAIR = 0, 1, 2


def frame_variation_percent(before: np.ndarray, after: np.ndarray) -> float:
    """0 to 100, from two maps [224, 224] of `BACKGROUND`, `FACE`, `HAIR`."""
    assert before.shape == after.shape == (FRAME_SIDE_PX, FRAME_SIDE_PX)
    outline = (before == BACKGROUND) != (after == BACKGROUND)
    hairline = (before != after) & ~outline
    weighted = OUTLINE_WEIGHT * outline.sum() + HAIRLINE_WEIGHT * hairline.sum()
    percent: float = 100.0 * float(weighted) / FRAME_SIDE_PX**2
    return percent


def contour_shift_px(before: np.ndarray, after: np.ndarray, side: int) -> float:
    """Mean distance between the outlines of face with hair, both ways, in pixels of a picture of `side` px.

    0 where neither map has an outline, the picture's side where one of them has none.
    """
    a, b = (_outline(labels != BACKGROUND) for labels in (before, after))
    if not len(a) or not len(b):
        return 0.0 if len(a) == len(b) else float(side)
    distances = np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))
    mean: float = (distances.min(axis=1).mean() + distances.min(axis=0).mean()).item() / 2
    return float(mean * side / before.shape[0])


def _outline(inside: np.ndarray) -> np.ndarray:
    """float [N, 2]: rows and columns of pixels inside with a neighbour outside; the picture's border does not count."""
    padded = np.pad(inside, 1, mode="edge")
    neighbours = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.argwhere(inside & ~neighbours).astype(np.float64)
