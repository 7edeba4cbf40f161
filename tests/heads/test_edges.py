"""Edges and single hairs beside what geometry says of them: coverage, energy along a line, beads on outlines."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tuiface.heads import HeadParameters, concatenate, render_heads, sample_parameters
from tuiface.heads.geometry.chart import build_chart
from tuiface.heads.geometry.surface import Part
from tuiface.heads.lists import FixedLists, Lists, ShortLists
from tuiface.heads.shading.fibres import Polylines, StrandLayer, blend_strands
from tuiface.heads.shading.raster import GBuffer, build_atlas, rasterise

SIZE = 64


def half_plane(slope: float, offset: float) -> GBuffer:
    """A flat surface left of the line x = 0.5 + offset + slope * (y - 0.5), seen at `SIZE` pixels."""
    chart = build_chart(96, torch.device("cpu"))
    rows, columns = chart.height, chart.width
    y = torch.linspace(1.2, -0.2, rows)[:, None].expand(rows, columns)
    along = torch.linspace(-1.1, 0, columns)[None].expand(rows, columns)
    x = 0.5 + offset + slope * (y - 0.5) + along
    flat = torch.zeros(1, rows, columns)
    position = torch.stack([x, -y, torch.zeros_like(x)])[None]
    normal = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).expand_as(position)
    part = Part(position, normal, position * 0 + 0.5, flat, flat, flat + 1, flat, flat + 1)
    screen = torch.stack([x, y])[None]
    return rasterise(build_atlas(chart, [part]), screen, torch.tensor([20.0]), SIZE)


@pytest.mark.parametrize("slope", [0.0, 0.1, -0.37, 0.8])
@pytest.mark.parametrize("offset", [0.0, 0.011])
def test_an_edge_covers_what_geometry_says(slope: float, offset: float) -> None:
    """Pixels of the picture, of 2 x 2 shaded ones: true coverage by 16 cells."""
    covered = 1 - half_plane(slope, offset).void[0]
    fine = (torch.arange(SIZE * 8) + 0.5) / (SIZE * 8)
    truth = (fine[None] < 0.5 + offset + slope * (fine[:, None] - 0.5)).float()
    pixels, expected = (
        torch.nn.functional.avg_pool2d(image[None, None], side)[0, 0] for image, side in ((covered, 2), (truth, 16))
    )
    # Points cover the cell that they lie in: an outline stands out by half a cell, an eighth of a pixel.
    error = pixels - expected
    assert error.abs().max() < 0.3
    edge = (expected > 0) & (expected < 1)
    if slope:
        assert edge.sum() >= SIZE // 4
        assert 0 < error[edge].mean() < 0.2
        assert error[edge].std() < 0.085  # at the rate of shading it would be 0.17


def test_no_points_are_put_between_the_tubes_of_glasses() -> None:
    chart = build_chart(96, torch.device("cpu"))
    flat = torch.zeros(1, 8, chart.width)
    three = torch.zeros(1, 3, 8, chart.width)
    joined = Part(three, three, three, flat, flat, flat, flat, flat)
    apart = replace(joined, bands=((0, 4), (4, 8)))
    rows = [torch.unique(build_atlas(chart, [part]).lattice.down) for part in (joined, apart)]
    assert [len(row) for row in rows] == [15, 14]


def empty(size: int = SIZE) -> GBuffer:
    nothing = torch.zeros(1, size, size)
    three = torch.zeros(1, 3, size, size)
    return GBuffer(
        nothing.bool(), three, three, three, nothing, nothing, nothing, nothing, nothing.byte(), nothing - 9, nothing,
        nothing + 1, nothing - 9,
    )  # fmt: skip


def drawn_hair(angle: float, shift: float, width: float, lists: Lists) -> StrandLayer:
    """One straight hair of many short segments through the middle of the picture."""
    t = torch.linspace(-0.4, 0.4, 37) * SIZE
    x, y = SIZE / 2 + shift + t * math.cos(angle), SIZE / 2 + 0.3 + t * math.sin(angle)
    lines = Polylines(
        torch.zeros(1, dtype=torch.int64),
        torch.stack([x, y])[None],
        torch.zeros(1, 37),
        torch.ones(1, 3, 37),
        torch.full((1, 37), width),
    )
    return blend_strands(lines, empty(), 4.0, lists)


@pytest.mark.parametrize("angle", [0.0, 0.31, 0.75, 1.2, math.pi / 2, 2.2])
@pytest.mark.parametrize("shift", [0.0, 0.37])
def test_a_hair_narrower_than_a_pixel_is_the_same_all_along(angle: float, shift: float) -> None:
    """Optical depth across a hair is its width by its slant in every column: less than 1 % of ripple."""
    width = 0.3
    layer = drawn_hair(angle, shift, width, ShortLists())
    depth = -torch.log1p(-layer.opacity[0])
    steep = math.sin(angle) ** 2 > 0.5
    across = depth.sum(1 if steep else 0)[SIZE // 2 - 12 : SIZE // 2 + 12]
    expected = width / max(abs(math.sin(angle)), abs(math.cos(angle)))
    assert across.std() / across.mean() < 0.01
    assert abs(float(across.mean()) / expected - 1) < 0.01
    assert torch.allclose(layer.colour[0][:, layer.opacity[0] > 0.05], torch.tensor(1.0), atol=0.01)


def test_a_hair_is_the_same_in_lists_of_fixed_length() -> None:
    short, fixed = (drawn_hair(0.6, 0.2, 0.5, lists) for lists in (ShortLists(), FixedLists()))
    assert torch.equal(short.opacity, fixed.opacity)
    assert torch.equal(short.colour, fixed.colour)


def outline(picture: Tensor) -> Tensor:
    """Where a bright head begins in rows of a picture [R, R] before black, to fractions of a pixel."""
    level = torch.cummax(picture, dim=1).values
    inner = level[:, picture.shape[1] // 2 : picture.shape[1] // 2 + 1] * 0.16
    first = (picture > inner).int().argmax(1)
    rows = torch.arange(len(picture))
    before, after = picture[rows, first - 1], picture[rows, first]
    return first - (after - inner[:, 0]) / (after - before)


def bare(index: int) -> HeadParameters:
    """A bald head before black, in even light."""
    return sample_parameters(1, seed=11, start=index).override(
        hair_style="bald", hair_length=0, backdrop="plain", backdrop_lightness=0, backdrop_colourfulness=0, yaw=0,
        light_azimuth=0, light_key=0.3, beard_density=0, melanin=0.1, glasses="none", blur=0, sensor_noise=0,
    )  # fmt: skip


def test_outlines_have_no_beads() -> None:
    """The skull is round: what its outline bends by from row to row is little (0.23 px where edges had five levels)."""
    heads = render_heads(concatenate([bare(i) for i in range(8)]), 128)
    linear = (heads.pixels.float().mean(3) / 255) ** 2.2
    edges = torch.stack([outline(picture)[20:48] for picture in linear])
    assert edges.diff(n=2).abs().mean() < 0.18
