"""Small directions for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuiface.directions.direction import Direction, DirectionHeader
from tuiface.faces.recipe import ModelRef

MODEL = ModelRef(sha256="e" * 64, name="fake")


def make_direction(
    name: str = "smile",
    array: np.ndarray | None = None,
    *,
    model: ModelRef = MODEL,
    arrays: dict[str, np.ndarray] | None = None,
    **fields: Any,
) -> Direction:
    """A direction of W along the first axis unless told otherwise."""
    if array is None:
        array = np.array([1, 0, 0, 0], np.float32)
    values = {
        "name": name,
        "labels": {"en": ("unsmiling", "smiling"), "es": ("sin sonrisa", "sonriente")},
        "space": "w" if array.ndim == 1 else "w+",
        "origin": {"method": "test"},
        "licence": "CC0-1.0",
        "model": model,
        **fields,
    }
    return Direction(DirectionHeader.model_validate(values), arrays or {"step": array.astype(np.float32)})
