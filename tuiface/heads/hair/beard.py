"""Beards: where they grow, the shade that they leave on skin, and their hairs, from stubble to a full beard."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.heads.constants import constant, kept_by_first
from tuiface.heads.geometry.chart import Chart
from tuiface.heads.geometry.curves import bell, colour, normalise, over, smoothstep
from tuiface.heads.geometry.face import MOUTH_Y, mouth_half_width
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.hair.growth import mean_hair_colour, strand_colours
from tuiface.heads.hair.strands import Strands, cumulate, draw_texels, plant_roots
from tuiface.heads.lists import Lists
from tuiface.heads.sampling.look import Look
from tuiface.heads.sampling.rng import draw_uniforms


@dataclass(frozen=True, eq=False)
class _BeardShapes:
    """Where beards grow, [1, H, W] unless stated."""

    styles: Tensor
    """[4, H, W], in the order of `BEARD_STYLES`."""
    off_mouth: Tensor
    """Squared distance from the lips in height, in their own heights."""
    before_ears: Tensor
    below_cheeks: Tensor
    in_front: Tensor


@kept_by_first
def _beard_shapes(chart: Chart) -> _BeardShapes:
    w = chart.whole
    a, y, z = w.a, w.y, w.z
    moustache = bell((y + 0.553) / 0.047) * smoothstep(0.33, 0.25, a)
    cheeks_and_jaw = smoothstep(-0.43, -0.64, y - 0.75 * (a - 0.28).clamp(min=0)) * smoothstep(0.12, 0.30, z + 0.25)
    goatee = smoothstep(0.27, 0.20, a) * smoothstep(-0.76, -0.84, y)
    goatee = goatee + smoothstep(0.05, 0.0, (a - 0.27).abs() - 0.03) * smoothstep(-0.55, -0.6, y)
    strap = smoothstep(-0.74, -0.86, y - 0.55 * (a - 0.1).clamp(min=0)) * smoothstep(0.12, 0.30, z + 0.25)
    styles = [cheeks_and_jaw + moustache, goatee + moustache, moustache, strap]
    return _BeardShapes(
        styles=torch.cat([style.clamp(0, 1) for style in styles]),
        off_mouth=((y - MOUTH_Y + 0.012) / 0.115) ** 2,
        before_ears=smoothstep(0.68, 0.60, a - 0.3 * (y + 0.3).clamp(min=0)),
        below_cheeks=smoothstep(-0.46, -0.54, y - 0.6 * (a - 0.2).clamp(min=0)),
        in_front=smoothstep(0.05, 0.25, z),
    )


def beard_growth(look: Look, chart: Chart) -> Tensor:
    """Where the beard's style grows, 0..1, [N, H, W]."""
    shapes = _beard_shapes(chart)
    off_lips = ((chart.whole.a / (1.10 * mouth_half_width(look))) ** 2 + shapes.off_mouth).sqrt()
    growth = shapes.styles[look.choice("beard_style")] * smoothstep(0.86, 1.10, off_lips)
    return growth * shapes.before_ears * shapes.below_cheeks * shapes.in_front


def paint_stubble(surface: Surface, albedo: Tensor, look: Look, growth: Tensor) -> None:
    """Colour the shadow of a shaved beard and the skin under a grown one into `albedo`."""
    ink = 0.6 * mean_hair_colour(look) + colour(0.010, 0.010, 0.010, device=look.device)
    density = look["beard_density"]
    dense = growth * (1.7 * density).clamp(0, 1)
    # Skin between hairs: they show through it, and under a long beard it is dark.
    grown = 0.16 + 0.34 * smoothstep(0.35, 0.8, density)
    coverage = (dense * grown * (1 + 0.3 * surface.grain.clamp(-1, 1))).clamp(0, 0.9) * smoothstep(0, 0.3, density)
    albedo.copy_(over(albedo, ink, coverage))
    dark_hair = smoothstep(0.25, 0.7, look["hair_eumelanin"])
    full = bell((surface.chart.whole.y + 0.85) / 0.30) * smoothstep(0.0, 0.3, surface.chart.whole.z)
    shadow = 0.10 * look["stubble"] * dark_hair * full * (1 - look["melanin"]) * surface.chart.whole.front
    albedo.mul_(1 - shadow[:, None] * colour(1.0, 0.75, 0.55, device=look.device))
    surface.gloss.mul_(1 - 0.7 * coverage)
    is_beard = (dense > 0.6) & (surface.region == float(Region.SKIN))  # without grain: a region, not a pattern
    surface.region.copy_(torch.where(is_beard, float(Region.BEARD), surface.region))


@kept_by_first
def _beard_density(chart: Chart) -> Tensor:
    w = chart.whole
    return cumulate((chart.area * ((w.y < -0.40) & (w.z > 0.05) & (w.y > -1.185))[0]).flatten())


def grow_beard(
    look: Look, chart: Chart, head: Tensor, growth: Tensor, count: int, points: int, lists: Lists
) -> Strands:
    """Grow up to `count` hairs a sample, of `points` points, from the warped `head` [N, 3, H, W]."""
    w, device = chart.whole, look.device
    texels = draw_texels(look.seeds, "beard roots", _beard_density(chart), count)
    jitter = draw_uniforms(look.seeds, "beard jitter", 5 * count).view(-1, count, 5)
    worn = look["beard_density"][:, :, 0]
    full = ((worn - 0.35) / 0.65).clamp(min=0)
    here = growth.flatten(1).gather(1, texels)
    alive = (here > 0.06 + 0.85 * jitter[..., 0]) & (worn > 0.03) & (jitter[..., 1] < 0.25 + 1.3 * worn)
    roots = plant_roots(look, chart, head, "beard", texels, alive, jitter, lists)
    full, worn = full[roots.owner, 0], worn[roots.owner, 0]
    # Stubble is a millimetre or two; what is let grow may reach two centimetres.
    length = (0.012 + 0.016 * smoothstep(0.05, 0.35, worn)) * (0.5 + roots.jitter[:, 2])
    length = (
        length
        + smoothstep(0.0, 0.25, full) * 0.02
        + 0.15 * look.column("beard_length")[roots.owner] * full * (0.55 + 0.8 * roots.jitter[:, 2])
    )
    length = length * torch.where(w.y.flatten()[roots.texel] > -0.62, 0.62, 1.0)
    down = constant(((0.0, -1.0, 0.1),), device)
    direction = 0.55 * roots.normal + down + 0.38 * roots.stray
    direction[:, 0] += 0.15 * torch.sign(roots.position[:, 0])
    direction = normalise(direction)
    t = torch.linspace(0, 1, points, device=device)
    reach = length[:, None, None] * t
    sag = constant((((0.0,), (-0.4,), (-0.08,)),), device)
    position = (roots.position + 0.004 * roots.normal)[..., None] + direction[..., None] * reach + sag * reach * t
    # No two hairs of a beard curl alike.
    curl = 0.35 * roots.stray.roll(1, 1)[..., None] * reach * (t * smoothstep(0.03, 0.12, length)[:, None])[:, None]
    position = position + curl
    albedo = 0.85 * strand_colours(look, roots.owner, roots.jitter[:, 2:4], 2 * roots.jitter[:, 4] - 1)
    shade, width = 0.55 + 0.45 * t, 1 - 0.62 * t**2
    width = (0.50 + 0.60 * smoothstep(0.0, 0.3, full))[:, None] * width
    shape = (len(albedo), points)
    tangent = direction[..., None].expand_as(position)
    width = roots.grown.weigh(width)
    return Strands(roots.owner, position, tangent, albedo, shade.expand(shape), width, 0.2 * (roots.jitter[:, 4] - 0.5))
