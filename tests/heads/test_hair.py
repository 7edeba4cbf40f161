"""Hairs beside what is known of them: clumps, grey ones, highlights, brows, lashes, stubble."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.heads.test_render import plain
from tuiface.core.regions import Region
from tuiface.heads import render_heads, sample_parameters
from tuiface.heads.geometry.chart import build_chart
from tuiface.heads.geometry.head import Head, build_head
from tuiface.heads.hair.brows import grow_brows, grow_lashes
from tuiface.heads.hair.clumps import gather_clumps
from tuiface.heads.hair.growth import strand_colours
from tuiface.heads.hair.strands import Strands, grow_hair, join_strands
from tuiface.heads.lists import ShortLists
from tuiface.heads.sampling.look import Look, resolve_look
from tuiface.heads.shading.light import Lights, shade_strands
from tuiface.heads.shading.shadow import ShadowMaps


def built(**changes: float | str) -> tuple[Look, Head]:
    look = resolve_look(plain(0, **changes))
    return look, build_head(look, build_chart(96, look.device))


def test_strands_of_a_clump_run_together() -> None:
    seeds = torch.full((4000,), 5)
    root = torch.rand(4000, 3, generator=torch.Generator().manual_seed(1))
    clumps = gather_clumps(root, torch.zeros(4000), seeds)
    same = (clumps.draw[:, None] == clumps.draw[None]).all(2)
    assert 2 < same.sum(1).float().mean() < 40
    tips = root + 0.8 * clumps.towards
    pairs = same.triu(1).nonzero()
    at_roots, at_tips = ((p[pairs[:, 0]] - p[pairs[:, 1]]).norm(dim=1).mean() for p in (root, tips))
    assert at_tips < 0.6 * at_roots
    other = gather_clumps(root, torch.zeros(4000), seeds + 1)
    assert not torch.equal(other.draw, clumps.draw)


def test_hair_greys_hair_by_hair() -> None:
    """As many strands are grey as the share says, and few are between."""
    count = 6000
    for age, greying in ((58, 0.0), (66, 0.5)):
        look = resolve_look(plain(age=age, greying=greying, hair_eumelanin=1.0))
        jitter = torch.rand(count, 2, generator=torch.Generator().manual_seed(2))
        jitter[:, 1] = 0.5
        colours = strand_colours(look, torch.zeros(count, dtype=torch.int64), jitter, torch.zeros(count)).mean(1)
        low, high = colours.min(), colours.max()
        lost = (colours - low) / (high - low)
        assert abs(float(lost.mean()) - float(look.column("grey"))) < 0.06
        assert ((lost > 0.15) & (lost < 0.85)).float().mean() < 0.35


def gleam(albedo: float, slopes: Tensor) -> Tensor:
    """Radiance [Q] of hairs that lean by `slopes` (radians) against light and view along z, without ambient light."""
    count = len(slopes)
    tangent = torch.stack([torch.zeros(count), torch.cos(slopes), torch.sin(slopes)])[None]
    position = torch.tensor([0.0, 0.1, 0.9]).view(1, 3, 1).expand(1, 3, count)
    one, flat = torch.ones(1, count), torch.zeros(1, 1, 8, 8)
    strands = Strands(
        torch.zeros(1, dtype=torch.int64), position, tangent, torch.full((1, 3), albedo), one, one, torch.zeros(1)
    )
    direction = torch.tensor([[0.0, 0.0, 1.0]])
    lights = Lights(direction, torch.ones(1, 3), torch.zeros(1, 3), torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
    maps = ShadowMaps(direction, torch.tensor([[1.0, 0, 0]]), torch.tensor([[0.0, 1, 0]]), flat, flat, flat)
    return shade_strands(strands, lights, maps, torch.tensor([20.0]))[0, 1]


def test_two_highlights_are_shifted_apart() -> None:
    """Marschner et al. 2003: what is mirrored moves to the root by the scales' tilt, what went through to the tip."""
    slopes = torch.linspace(-0.8, 0.8, 161)
    mirrored = gleam(0.0, slopes)
    assert abs(float(slopes[mirrored.argmax()]) + math.radians(7.5)) < 0.02
    tinted = gleam(0.25, slopes) - mirrored
    body = 0.25 * (0.75 * torch.cos(slopes) + 0.25) * 1.05
    assert float(slopes[(tinted - tinted.amin() - body).argmax()]) > math.radians(6)


def test_brows_and_lashes_grow_where_they_should() -> None:
    look, head = built(makeup=0)
    brows = grow_brows(look, build_chart(96, look.device), head.part.position, head.brows, 800, 5, ShortLists())
    assert len(brows.owner) > 100
    assert 0.05 < float(brows.position[:, 1, 0].min()) < float(brows.position[:, 1, 0].max()) < 0.45
    outwards = (brows.tangent[:, 0, 0] * torch.sign(brows.position[:, 0, 0])) > 0
    assert outwards.float().mean() > 0.8
    lashes = grow_lashes(look, head.part.position, head.eyes, 5)
    there = lashes.width[:, 0] > 0.1
    tips = lashes.position[there][..., -1] - lashes.position[there][..., 0]
    lengths = tips.norm(dim=1)
    assert (tips[:, 2] > 0).all()
    upper = tips[:, 1] > 0
    assert upper.sum() > 1.2 * (~upper).sum()
    assert lengths[upper].mean() > 1.5 * lengths[~upper].mean()
    assert len(join_strands([brows, lashes]).owner) == len(brows.owner) + len(lashes.owner)


def test_hair_of_any_style_at_the_ends_of_its_ranges_stays_about_the_head() -> None:
    for style in ("buzz", "quiff", "afro", "fringed_bob", "long_curly"):
        for extreme in (0, 1):
            look, head = built(
                hair_style=style, hair_length=extreme, hair_volume=extreme, hair_wave=extreme, parting=2 * extreme - 1
            )
            chart = build_chart(96, look.device)
            hair = grow_hair(look, chart, head.part.position, head.hairline, 300, 36, ShortLists())
            assert hair.position.isfinite().all()
            assert hair.position.abs().max() < 4
            assert hair.width.min() >= 0
            assert (hair.tangent.norm(dim=1) - 1).abs().max() < 1e-3


def test_stubble_is_dots_and_not_a_patch() -> None:
    """The chin's fine contrast grows, and skin shows between hairs."""
    heads = render_heads(plain(masculinity=1, melanin=0.1, sensor_noise=0, age=25), 128)
    grown = render_heads(
        plain(masculinity=1, melanin=0.1, sensor_noise=0, age=25, beard_density=0.3, beard_style="full"), 128
    )
    bare, stubble = (
        h.pixels[0].float().mean(2)[104:118, 52:76].where(h.regions[0][104:118, 52:76] != int(Region.MOUTH), torch.nan)
        for h in (heads, grown)
    )

    def contrast(picture: Tensor) -> Tensor:
        return (picture[1:-1, 1:-1] - (picture[:-2, 1:-1] + picture[2:, 1:-1]) / 2).nanmean(0).abs().mean() + (
            picture.diff(dim=1).abs().nanmean()
        )

    assert contrast(stubble) > 1.7 * contrast(bare)
    assert (bare.nanmean() - stubble.nanmean()) > 4
    assert stubble[stubble > 0].quantile(0.9) > 0.85 * bare.nanmean()


def test_every_style_parts_differently_by_its_parameter() -> None:
    left, right = (
        render_heads(sample_parameters(1, seed=3).override(hair_style="quiff", parting=p), 64) for p in (-0.6, 0.6)
    )
    assert not torch.equal(left.pixels, right.pixels)
