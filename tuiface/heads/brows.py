"""Eyebrows, painted as slanted hairs along an arch."""

from __future__ import annotations

import torch
from torch import Tensor

from tuiface.heads.curves import bell, colour, over, smoothstep
from tuiface.heads.look import Look
from tuiface.heads.regions import Region
from tuiface.heads.surface import Surface


def paint_brows(surface: Surface, albedo: Tensor, look: Look, hair_colour: Tensor) -> None:
    """Colour the brows into `albedo` [N, 3, H, W]; `hair_colour` linear RGB [N, 3, 1, 1]."""
    w = surface.chart.window(0.64, 0.06, 0.42)
    y, a, front = w.y, w.a, w.front
    view, gloss = surface.at(albedo, w), surface.at(surface.gloss, w)
    grain, mottle = surface.at(surface.grain, w), surface.at(surface.mottle, w)
    raised = look["brow_raise"].clamp(-0.8, 1.5)
    inner_frown = raised.clamp(max=0) * bell((a - 0.1) / 0.15)
    middle = 0.206 + 0.013 * look["brow_height"]
    middle = middle + 0.050 * raised.clamp(min=0) * (0.6 + 0.4 * bell((a - 0.3) / 0.2)) + 0.035 * inner_frown
    middle = (
        middle + (0.034 + 0.018 * look["brow_arch"]) * smoothstep(0.10, 0.42, a) - 0.075 * smoothstep(0.40, 0.60, a)
    )
    half = (0.034 + 0.0068 * look["brow_thickness"]).clamp(0.012, 0.06)
    half = half * (0.45 + 0.55 * smoothstep(0.08, 0.18, a)) * (1 - 0.74 * smoothstep(0.33, 0.58, a))
    along = ((a - 0.1) / 0.46).clamp(0, 1)
    offset = (y - middle) / half
    hairs = torch.sin(a * 240 + (y - middle) * (-190 + 430 * along) + grain * 0.8 + mottle * 2)
    edge = offset + 0.22 * hairs + 0.10 * grain
    density = 0.92 + 0.08 * look["brow_thickness"].clamp(-2, 2)
    coverage = torch.exp(-(edge.abs() ** 3)) * smoothstep(0.085, 0.16, a) * smoothstep(0.60, 0.50, a) * front
    coverage = (coverage * (0.76 + 0.24 * hairs + 0.08 * grain) * density).clamp(0, 0.96)
    ink = hair_colour * 0.62 + colour(0.010, 0.008, 0.006, device=look.device)
    view.copy_(over(view, ink, coverage))
    gloss *= 1 - 0.8 * coverage
    surface.mark(w, (offset.abs() < 1) & (a > 0.10) & (a < 0.57) & (front > 0.3), Region.BROWS)
