"""The laboratory's frame variation: exactly its weights, and the contour's shift in pixels."""

from __future__ import annotations

import numpy as np
import pytest

from tuiface.directions.frame_metric import (
    BACKGROUND,
    FACE,
    FRAME_SIDE_PX,
    HAIR,
    contour_shift_px,
    frame_variation_percent,
)


def labels(side: int = 60, *, column: int = 80) -> np.ndarray:
    maps = np.full((FRAME_SIDE_PX, FRAME_SIDE_PX), BACKGROUND, np.uint8)
    maps[60 : 60 + side, column : column + side] = FACE
    return maps


@pytest.mark.parametrize(
    ("before", "after", "weight"),
    [
        (BACKGROUND, FACE, 1.0),
        (FACE, BACKGROUND, 1.0),
        (HAIR, BACKGROUND, 1.0),
        (BACKGROUND, HAIR, 1.0),
        (FACE, HAIR, 0.2),
        (HAIR, FACE, 0.2),
        (HAIR, HAIR, 0.0),
    ],
)
def test_each_switch_has_its_weight(before: int, after: int, weight: float) -> None:
    a, b = labels(), labels()
    a[70, 90:100], b[70, 90:100] = before, after
    assert frame_variation_percent(a, b) == pytest.approx(100 * 10 * weight / 224**2)


def test_everything_switching_is_a_hundred_percent() -> None:
    a, b = np.full((224, 224), BACKGROUND), np.full((224, 224), HAIR)
    assert frame_variation_percent(a, b) == 100


def test_contour_shift_is_in_pixels_of_the_picture() -> None:
    assert contour_shift_px(labels(), labels(), 224) == 0
    shifted = contour_shift_px(labels(), labels(column=84), 224)
    assert 1.5 < shifted < 4
    assert contour_shift_px(labels(), labels(column=84), 448) == pytest.approx(2 * shifted)
    a = labels()
    a[60:70, 80:100] = HAIR
    assert contour_shift_px(labels(), a, 224) == 0
    empty = np.full((224, 224), BACKGROUND)
    assert (contour_shift_px(empty, empty, 64), contour_shift_px(empty, a, 64)) == (0, 64)
