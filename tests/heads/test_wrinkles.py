"""Wrinkles are relief: they grow with the years, run as drawn lines would, and deepen with the muscles below them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.heads.test_render import plain
from tuiface.heads import HeadParameters, concatenate, render_heads

RESOLUTION = 128
FOREHEAD = (slice(27, 44), slice(48, 80))
"""Rows and columns on an aligned frontal head with a high hairline."""
BESIDE_EYE = (slice(58, 74), slice(89, 99))
LIP_TO_NOSE = (slice(76, 92), slice(38, 54))


def bare(**changes: float | str) -> HeadParameters:
    """A face whose forehead is free and unmarked."""
    base: dict[str, float | str] = {
        "hair_style": "bald", "hair_length": 0, "mole": 0, "scar": 0, "wrinkles": 0, "light_elevation": 40,
        "light_key": 0.7, "light_softness": 0.4,
    }  # fmt: skip
    return plain(0, **{**base, **changes})


def fine_detail(*variants: HeadParameters) -> Tensor:
    """What a blur over 7 pixels takes from the levels of sRGB, [N, R, R]."""
    levels = render_heads(concatenate(list(variants)), RESOLUTION).pixels.float().mean(3)[:, None]
    return (levels - F.avg_pool2d(levels, 7, 1, 3))[:, 0]


def energy(detail: Tensor, place: tuple[slice, slice]) -> Tensor:
    """Standard deviation [N] at a place."""
    return detail[:, place[0], place[1]].flatten(1).std(1)


def test_the_relief_of_the_forehead_grows_with_age() -> None:
    grown = energy(fine_detail(*(bare(age=age) for age in (20, 35, 50, 65, 80))), FOREHEAD)
    assert (grown.diff() > 0.1).all(), grown
    assert grown[3] > 2 * grown[0], "plain to see at 65"


def test_wrinkles_tell_heads_of_one_age_apart() -> None:
    grown = energy(fine_detail(*(bare(age=60, wrinkles=sd) for sd in (-2, 0, 2))), FOREHEAD)
    assert (grown.diff() > 0.3).all(), grown


def test_lines_of_the_forehead_run_across_as_drawn_ones_do() -> None:
    """Beside a drawing of level lines: the derivative down a picture is much stronger than the one across."""
    rows = torch.arange(RESOLUTION).float()[None, :, None]
    drawing = torch.sin(rows * 1.6).expand(1, RESOLUTION, RESOLUTION)
    young, old = fine_detail(bare(age=20), bare(age=80))

    def slope_down_over_across(lines: Tensor) -> float:
        patch = lines[FOREHEAD]
        return float(patch.diff(dim=0).abs().mean() / (patch.diff(dim=1).abs().mean() + 1e-6))

    assert slope_down_over_across(drawing[0]) > 100
    assert slope_down_over_across(old - young) > 1.8


@pytest.mark.parametrize(
    ("expression", "place"),
    [({"brow_raise": 1.3}, FOREHEAD), ({"smile": 1.0}, BESIDE_EYE), ({"smile": 1.0}, LIP_TO_NOSE)],
)
def test_an_expression_deepens_its_lines(expression: dict[str, float], place: tuple[slice, slice]) -> None:
    rest, moved = energy(fine_detail(bare(age=55), bare(age=55, **expression)), place)
    assert moved > 1.15 * rest
