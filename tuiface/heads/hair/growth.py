"""Where hair grows and in which colour: hairline, scalp, thinning, pigment."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.heads.geometry.chart import Chart, neutral_hairline
from tuiface.heads.geometry.curves import bell, colour, over, smoothstep
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.sampling.look import Look
from tuiface.heads.sampling.parameters import HAIR_STYLES

_EUMELANIN = (0.50, 0.70, 1.08)
_PHEOMELANIN = (0.24, 0.52, 1.0)
GREY = (0.36, 0.355, 0.345)


def hair_pigment(look: Look) -> Tensor:
    """Linear RGB [N, 3, 1, 1] of the pigmented strands, before greying.

    Absorption per unit concentration follows d'Eon et al. 2011, table 1, drawn towards grey: light crosses several
    strands before it leaves, and the single-fibre values look dyed.
    """
    brown = (0.75 * torch.exp(2.75 * look["hair_eumelanin"]))[:, None]
    red = (2.0 * look["hair_red"] ** 1.5)[:, None]
    eumelanin = colour(*_EUMELANIN, device=look.device)
    pheomelanin = colour(*_PHEOMELANIN, device=look.device)
    floor = colour(0.0085, 0.0065, 0.0055, device=look.device)
    return 0.80 * torch.exp(-brown * eumelanin - red * pheomelanin) + floor


def mean_hair_colour(look: Look) -> Tensor:
    """Linear RGB [N, 3, 1, 1] of the hair as a whole, greyed."""
    return over(hair_pigment(look), colour(*GREY, device=look.device), look["grey"])


def hairline(look: Look, theta: Tensor) -> Tensor:
    """Height y of the hairline at angle `theta` [1, h, w] around the head: [N, h, w].

    Height moves it over the whole forehead; recession lifts the temples into an M; a peak lowers the middle;
    roundness raises the middle over the corners.
    """
    degrees = theta.abs() * (180 / math.pi)
    over_forehead = smoothstep(58, 34, degrees)
    phases = 2 * math.pi * look.draw("hairline")[:, :, None, None]
    ragged = 0.012 * torch.sin(theta * 9 + phases[:, 0]) + 0.008 * torch.sin(theta * 23 + phases[:, 1])
    y = neutral_hairline(theta) + 0.042 * look["hairline_height"] * over_forehead + ragged
    recession = look["hairline_recession"]
    y = y + recession * (0.30 * bell((degrees - 33) / 14) + 0.07 * over_forehead)
    # Where the crown is bare, the forehead meets it: no thin band of hair stays between them.
    y = y + 0.36 * smoothstep(0.36, 0.60, look["crown_thinning"]) * over_forehead
    y = y - 0.10 * look["hairline_peak"] * bell(degrees / 10)
    arch = over_forehead * (bell(degrees / 30) - 0.45)
    return y + 0.075 * look["hairline_roundness"] * arch


def thinning_height(look: Look) -> Tensor:
    """Height y [N, 1, 1] above which the crown is bare."""
    return 1.30 - 0.82 * look["crown_thinning"]


def paint_scalp(surface: Surface, albedo: Tensor, look: Look, line: Tensor) -> Tensor:
    """Darken the scalp under the hair in `albedo`; returns its coverage [N, H, W]. `line` from `hairline`."""
    y = surface.chart.whole.y
    style = look["hair_style"]
    bald, buzz = style == HAIR_STYLES.index("bald"), style == HAIR_STYLES.index("buzz")
    above = torch.sigmoid((y - line) / 0.022 + 0.22 * surface.mottle + 0.15 * surface.grain)
    top = thinning_height(look)
    above = above * torch.sigmoid((top - y) / 0.035 + 0.3 * surface.mottle)
    density = torch.where(bald, 0.36 * look["hair_length"], torch.where(buzz, 0.80, 0.96))
    coverage = (above * density * (1 + torch.where(bald | buzz, 0.08, 0.02) * surface.grain)).clamp(0, 0.97)
    # Between long strands one looks into their shade.
    ink = mean_hair_colour(look) * torch.where(bald | buzz, 0.7, 0.42)[:, None]
    albedo.copy_(over(albedo, ink, coverage))
    surface.gloss.mul_(1 - 0.8 * coverage)
    surface.region.copy_(torch.where((coverage > 0.5) & ~bald, float(Region.HAIR), surface.region))
    return coverage


def root_survival(look: Look, chart: Chart, line: Tensor, texels: Tensor, jitter: Tensor) -> Tensor:
    """Whether a strand grows at each of `texels` [N, S]; `jitter` uniform [N, S] frays the borders."""
    y = chart.whole.y.flatten()[texels]
    here = line.flatten(1).gather(1, texels)
    edge = y + 0.035 * (jitter - 0.5) > here
    crown = y + 0.12 * (jitter - 0.5) < thinning_height(look)[:, :, 0]
    hairy = look["hair_style"][:, :, 0] != HAIR_STYLES.index("bald")
    return edge & crown & hairy


def strand_colours(look: Look, owner: Tensor, jitter: Tensor, clump: Tensor) -> Tensor:
    """Linear RGB [T, 3] of single strands: each is grey or is not, and shades vary by clump.

    `owner` int64 [T]; `jitter` uniform [T, 2]; `clump` in -1..1 [T].
    """
    grey = look.column("grey")[owner]
    # Of all strands as many as the share says; a third lose their pigment gradually: each stands for many hairs.
    drawn = 0.86 * jitter[:, 0] + 0.07 * (clump + 1)
    lost = smoothstep(-0.18, 0.18, 0.07 + 0.86 * grey + 0.25 * (2 * grey - 1) ** 3 - drawn)
    base = over(hair_pigment(look)[owner, :, 0, 0], colour(*GREY, device=look.device)[:, :, 0, 0], lost)
    return base * torch.exp(0.26 * (jitter[:, 1] - 0.5) + 0.10 * clump)[:, None]
