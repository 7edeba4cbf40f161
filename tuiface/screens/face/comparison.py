"""Comparing two pictures: how long each is seen in turn, what they differ by, and the map of that."""

from __future__ import annotations

import numpy as np

FLICKER_S = 0.6
"""Each picture is shown for so long: shorter and the eye sees a blend, longer and it forgets."""

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_PAPER = np.array([24, 26, 30], np.float32)
LIGHTER, DARKER = "#ffb05c", "#5ca8ff"
"""The colours of the map, for its legend."""
_LIGHTER, _DARKER = np.array([255, 176, 92], np.float32), np.array([92, 168, 255], np.float32)
_LINE = np.array([104, 110, 120], np.float32)
_EDGE_PERCENTILE, _EDGE_GAIN = 88.0, 3.0
"""Edges stronger than in so many percent of the pixels are drawn, at full strength from a third of the strongest on."""
_FULL_COLOUR_LEVELS = 48.0
"""Levels of 255 that are drawn in full colour."""


def difference_map(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] of two such: orange where `after` is lighter, blue where it is darker, dark where they agree.

    The outlines of `before` lie over it in grey, so that one sees what of the face changed.
    """
    change = (after.astype(np.float32) - before.astype(np.float32)) @ _LUMA  # [H, W]
    part = np.clip(np.abs(change) / _FULL_COLOUR_LEVELS, 0, 1)[..., None]
    ink = np.where(change[..., None] > 0, _LIGHTER, _DARKER)
    picture = _PAPER + (ink - _PAPER) * part
    line = outline_of(before)[..., None] * (1 - part)
    shown: np.ndarray = (picture + (_LINE - picture) * line).astype(np.uint8)
    return shown


def outline_of(picture: np.ndarray) -> np.ndarray:
    """float32 [H, W], 0 to 1: where the luma of uint8 [H, W, 3] has its strongest edges."""
    luma = picture.astype(np.float32) @ _LUMA
    down, across = np.gradient(luma)
    edge = np.hypot(down, across)
    strong = np.percentile(edge, _EDGE_PERCENTILE)
    found: np.ndarray = np.clip((edge - strong) / max(float(edge.max() - strong), 1.0) * _EDGE_GAIN, 0, 1)
    return found


def mean_difference(before: np.ndarray, after: np.ndarray) -> float:
    """Mean absolute difference of uint8 [H, W, 3], in percent of the whole range."""
    return float(np.abs(after.astype(np.int16) - before.astype(np.int16)).mean() / 2.55)
