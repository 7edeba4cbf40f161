"""Hairs about the eyes: brows, which lie on the skin and run outwards, and lashes, which bend away from the lids."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.heads.constants import kept_by_first
from tuiface.heads.geometry.chart import Chart, Window
from tuiface.heads.geometry.curves import bell, colour, normalise, over, smoothstep
from tuiface.heads.geometry.eyes import Eye
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.hair.growth import mean_hair_colour, strand_colours
from tuiface.heads.hair.strands import Strands, cumulate, draw_texels, join_strands, plant_roots
from tuiface.heads.lists import Lists
from tuiface.heads.sampling.look import Look
from tuiface.heads.sampling.rng import draw_uniforms

LASHES_PER_COLUMN = 2
"""Upper lashes for each column of the chart across an eye: about one for each quarter of a pixel."""


@dataclass(frozen=True, eq=False)
class Brows:
    """Where brows grow, [N, H, W]."""

    density: Tensor
    """0..1."""
    across: Tensor
    """-1 at the lower border, 1 at the upper."""


def _brow_window(chart: Chart) -> Window:
    return chart.window(0.64, 0.06, 0.42)


def shape_brows(surface: Surface, look: Look) -> Brows:
    """The arch of the brows over the chart: raised or drawn together with the expression."""
    w = _brow_window(surface.chart)
    y, a, front = w.y, w.a, w.front
    raised = look["brow_raise"].clamp(-0.8, 1.5)
    inner_frown = raised.clamp(max=0) * bell((a - 0.1) / 0.15)
    middle = 0.206 + 0.013 * look["brow_height"]
    middle = middle + 0.050 * raised.clamp(min=0) * (0.6 + 0.4 * bell((a - 0.3) / 0.2)) + 0.035 * inner_frown
    middle = (
        middle + (0.034 + 0.018 * look["brow_arch"]) * smoothstep(0.10, 0.42, a) - 0.075 * smoothstep(0.40, 0.60, a)
    )
    half = (0.034 + 0.0068 * look["brow_thickness"]).clamp(0.012, 0.06)
    half = half * (0.45 + 0.55 * smoothstep(0.08, 0.18, a)) * (1 - 0.74 * smoothstep(0.33, 0.58, a))
    offset = (y - middle) / half
    fullness = (0.92 + 0.08 * look["brow_thickness"].clamp(-2, 2)).clamp(0.6, 1.0)
    density = (
        torch.exp(-(offset.abs() ** 3)) * smoothstep(0.085, 0.17, a) * smoothstep(0.60, 0.48, a) * front * fullness
    )
    whole = torch.zeros_like(surface.forward)
    across = torch.zeros_like(surface.forward)
    surface.at(whole, w).copy_(density)
    surface.at(across, w).copy_(offset.clamp(-1, 1))
    surface.mark(w, (offset.abs() < 1) & (a > 0.10) & (a < 0.57) & (front > 0.3), Region.BROWS)
    return Brows(whole, across)


def paint_brows(surface: Surface, albedo: Tensor, look: Look, brows: Brows) -> None:
    """Shade the skin between the hairs of the brows in `albedo` [N, 3, H, W]."""
    w = _brow_window(surface.chart)
    view, gloss = surface.at(albedo, w), surface.at(surface.gloss, w)
    coverage = 0.34 * surface.at(brows.density, w) * (1 + 0.2 * surface.at(surface.grain, w)).clamp(0.4, 1.6)
    ink = mean_hair_colour(look) * 0.62 + colour(0.010, 0.008, 0.006, device=look.device)
    view.copy_(over(view, ink, coverage))
    gloss *= 1 - 0.8 * coverage


@kept_by_first
def _brow_roots(chart: Chart) -> Tensor:
    w = _brow_window(chart)
    inside = torch.zeros_like(chart.area)
    inside[w.rows, w.columns] = ((w.a > 0.08) & (w.a < 0.60) & (w.y > 0.12) & (w.y < 0.37))[0].float()
    return cumulate((chart.area * inside).flatten())


def grow_brows(look: Look, chart: Chart, head: Tensor, brows: Brows, count: int, points: int, lists: Lists) -> Strands:
    """Grow up to `count` hairs a sample, of `points` points, from the warped `head` [N, 3, H, W]."""
    texels = draw_texels(look.seeds, "brow roots", _brow_roots(chart), count)
    jitter = draw_uniforms(look.seeds, "brow jitter", 5 * count).view(-1, count, 5)
    here = brows.density.flatten(1).gather(1, texels)
    roots = plant_roots(look, chart, head, "brow", texels, here > 0.12 + 0.75 * jitter[..., 0], jitter, lists)
    across = brows.across.flatten(1)[roots.owner, roots.texel]
    a, side = chart.whole.a.flatten()[roots.texel], torch.sign(roots.position[:, 0])
    along = ((a - 0.10) / 0.40).clamp(0, 1)
    # Upright at the root of the nose, then outwards; from both borders towards the middle.
    rise = 1.15 - 2.0 * along.sqrt() - 0.35 * across
    direction = torch.stack([side * (0.35 + 0.75 * along), rise, torch.zeros_like(a)], dim=1) + 0.16 * roots.stray
    direction = direction - (direction * roots.normal).sum(1, keepdim=True) * roots.normal
    direction = normalise(direction) + 0.28 * roots.normal
    t = torch.linspace(0, 1, points, device=look.device)
    reach = ((0.050 + 0.055 * roots.jitter[:, 2]) * (1 - 0.35 * along))[:, None, None] * t
    position = (roots.position + 0.004 * roots.normal)[..., None] + direction[..., None] * reach
    position = position - 2.2 * roots.normal[..., None] * reach**2
    albedo = 0.75 * strand_colours(look, roots.owner, roots.jitter[:, 3:5], 0 * a)
    shape = (len(albedo), points)
    width = roots.grown.weigh((0.80 * (1 - 0.65 * t**2)).expand(shape))
    tangent = normalise(direction)[..., None].expand_as(position)
    return Strands(roots.owner, position, tangent, albedo, (0.75 + 0.25 * t).expand(shape), width, 0 * a)


def grow_lashes(look: Look, head: Tensor, eyes: list[Eye], points: int) -> Strands:
    """Lashes of both lids, of `points` points, from the warped `head` [N, 3, H, W]: long above, few below."""
    return join_strands([_lashes_of(look, head, eye, points, lower=lower) for eye in eyes for lower in (False, True)])


def _lashes_of(look: Look, head: Tensor, eye: Eye, points: int, *, lower: bool) -> Strands:
    """The lashes of one lid: their roots lie where each column of the chart crosses its edge."""
    per_column = 1 if lower else LASHES_PER_COLUMN
    edge = eye.lower if lower else eye.upper
    n, _, columns = eye.height.shape
    row = (eye.height - edge).abs().argmin(1, keepdim=True)
    view = head[..., eye.window.rows, eye.window.columns]
    root = view.gather(2, row[:, None].expand(n, 3, 1, columns))[:, :, 0]
    along = eye.along.expand_as(eye.height).gather(1, row)[:, 0]
    beside = torch.cat([root[..., 1:], root[..., -1:]], dim=2)
    draw = draw_uniforms(look.seeds, f"lash {eye.side} {lower}", 4 * columns * per_column)
    draw = draw.view(n, 4, per_column, columns)
    at = (torch.arange(per_column, device=look.device).view(1, -1, 1) + draw[:, 0]) / per_column
    root = root[:, :, None] + (beside - root)[:, :, None] * at[:, None]
    along = along[:, None].expand_as(at)
    makeup, fair = look["makeup"], 1 - 0.5 * smoothstep(0.5, 0.1, look["hair_eumelanin"]) * (1 - look["makeup"])
    there = smoothstep(1.02, 0.94, along.abs()) * smoothstep(-0.98, -0.35, along)
    length = (0.040 + 0.026 * smoothstep(-0.7, 0.6, along) + 0.024 * makeup) * (0.65 + 0.5 * draw[:, 1])
    down = -1.0 if lower else 1.0
    if lower:
        length, there = 0.5 * length, 0.8 * there * (draw[:, 3] < 0.75)
    # They fan out from the middle of the lid and bend up, in tufts.
    fan = eye.side * (0.75 * along + 0.15) + 0.5 * (draw[:, 2] - 0.5)
    start = normalise(torch.stack([fan, 0 * fan + 0.16 * down, 0 * fan + 0.95], dim=1))
    t = torch.linspace(0, 1, points, device=look.device)
    reach = length[..., None] * t
    bend = torch.stack([0.35 * fan, 0 * fan + 0.42 * down, 0 * fan - 0.15], dim=1)
    position = root[..., None] + start[..., None] * reach[:, None] + bend[..., None] * (reach * t)[:, None]
    position = position.permute(0, 2, 3, 1, 4).flatten(0, 2)
    tangent = normalise(start[..., None] + 2 * bend[..., None] * t).permute(0, 2, 3, 1, 4).flatten(0, 2)
    width = ((0.75 + 0.45 * makeup) * fair * there)[..., None] * (1 - 0.75 * t**1.5)
    owner = torch.arange(n, device=look.device).repeat_interleave(per_column * columns)
    ink = mean_hair_colour(look)[:, :, 0, 0] * 0.18 * (1 - makeup[:, 0]) + 0.008
    albedo = ink.repeat_interleave(per_column * columns, dim=0)
    return Strands(
        owner, position, tangent, albedo, torch.ones_like(width.flatten(0, 2)), width.flatten(0, 2), 0 * albedo[:, 0]
    )
