"""Marks are where their parameters say, with the contrast that they say, and nowhere else."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.heads.test_render import plain
from tuiface.heads import HeadParameters, concatenate, render_heads
from tuiface.heads.geometry.chart import build_chart
from tuiface.heads.geometry.head import build_head
from tuiface.heads.sampling.look import resolve_look
from tuiface.heads.shading.camera import aim_camera, rotate_about_neck

RESOLUTION = 128


def darkening(bare: HeadParameters, marked: HeadParameters) -> Tensor:
    """How much darker each pixel became, [R, R], in levels of sRGB."""
    levels = render_heads(concatenate([bare, marked]), RESOLUTION).pixels.float().mean(3)
    return levels[0] - levels[1]


def pixel_of_mark(parameters: HeadParameters, mark: str) -> Tensor:
    """Where the mark of the one head of `parameters` is in its picture, (column, row)."""
    look = resolve_look(parameters)
    chart = build_chart(RESOLUTION, look.device)
    head = build_head(look, chart)
    away = (chart.whole.x - look[f"{mark}_across"]) ** 2 + (chart.whole.y - look[f"{mark}_height"]) ** 2
    nearest = (away + (chart.whole.z < 0)).flatten().argmin()
    point = head.part.position.flatten(2)[:, :, nearest, None]
    camera = aim_camera(look, head.landmarks)
    return camera.project(rotate_about_neck(camera.head_rotation, point))[0, :, 0] * RESOLUTION


@pytest.mark.parametrize("melanin", [0.1, 0.4, 0.8])
@pytest.mark.parametrize(("x", "y"), [(0.5, 0.1), (-0.7, -0.3), (0.1, 0.8), (-0.2, -0.95)])
def test_a_mole_is_a_dark_spot_at_its_place(x: float, y: float, melanin: float) -> None:
    bare = plain(mole=0, scar=0, melanin=melanin, hairline_height=2)
    marked = bare.override(mole=0.7, mole_x=x, mole_y=y)
    darker = darkening(bare, marked)
    column, row = pixel_of_mark(marked, "mole").tolist()
    place = int(darker.argmax())
    assert abs(place % RESOLUTION + 0.5 - column) < 2.5
    assert abs(place // RESOLUTION + 0.5 - row) < 2.5
    assert darker.max() > 12
    assert (darker.abs() > 6).float().mean() < 0.004, "a mole is small"


def test_a_mole_grows_with_its_parameter() -> None:
    bare = plain(mole=0, scar=0)
    areas = [(darkening(bare, bare.override(mole=m, mole_x=0.5, mole_y=0.0)) > 8).sum() for m in (0.0, 0.3, 0.65, 1.0)]
    assert areas[0] == 0
    assert areas == sorted(set(areas)), areas


def spread_of(change: Tensor) -> tuple[float, Tensor]:
    """Number of changed pixels, and the direction along which they lie, (column, row)."""
    rows, columns = (change.abs() > 7).nonzero().float().unbind(1)
    places = torch.stack([columns - columns.mean(), rows - rows.mean()])
    return float(len(rows)), torch.linalg.eigh(places @ places.T / len(rows))[1][:, 1]


def test_a_scar_lies_along_its_angle_and_has_its_length() -> None:
    bare = plain(mole=0, scar=0, hairline_height=2)
    sizes = []
    for angle, length in ((50, 0.2), (50, 1.0), (-50, 1.0)):
        change = darkening(bare, bare.override(scar=1, scar_x=0.5, scar_y=0.1, scar_length=length, scar_angle=angle))
        size, direction = spread_of(change)
        sizes.append(size)
        turn = math.radians(angle)
        along = torch.tensor([math.cos(turn), -math.sin(turn)])  # anticlockwise, and rows go down
        assert abs(float(direction @ along)) > 0.9
    assert sizes[1] > 1.5 * sizes[0] > 8


def test_heads_without_marks_do_not_change_with_their_places() -> None:
    bare = plain(mole=0, scar=0)
    other = bare.override(mole_x=0.9, mole_y=-0.3, scar_x=-0.4, scar_y=0.3, scar_length=1, scar_angle=80)
    assert not darkening(bare, other).any()
