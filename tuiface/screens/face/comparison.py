"""Comparing two pictures: how long each is seen in turn, what they differ by, and the map of that."""

from __future__ import annotations

import numpy as np

FLICKER_S = 0.6
"""Each picture is shown for so long: shorter and the eye sees a blend, longer and it forgets."""

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_PAPER = np.array([24, 26, 30], np.float32)
_LIGHTER, _DARKER = np.array([255, 176, 92], np.float32), np.array([92, 168, 255], np.float32)
_FULL_COLOUR_LEVELS = 48.0
"""Levels of 255 that are drawn in full colour."""


def difference_map(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] of two such: orange where `after` is lighter, blue where it is darker, dark where they agree."""
    change = (after.astype(np.float32) - before.astype(np.float32)) @ _LUMA  # [H, W]
    part = np.clip(np.abs(change) / _FULL_COLOUR_LEVELS, 0, 1)[..., None]
    ink = np.where(change[..., None] > 0, _LIGHTER, _DARKER)
    shown: np.ndarray = (_PAPER + (ink - _PAPER) * part).astype(np.uint8)
    return shown


def mean_difference(before: np.ndarray, after: np.ndarray) -> float:
    """Mean absolute difference of uint8 [H, W, 3], in percent of the whole range."""
    return float(np.abs(after.astype(np.int16) - before.astype(np.int16)).mean() / 2.55)
