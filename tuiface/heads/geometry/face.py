"""Nose and mouth: bridge, tip, wings, nostrils, philtrum; lips as curves over a mouth line, teeth and cavity behind."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.heads.constants import constant
from tuiface.heads.geometry.chart import Window
from tuiface.heads.geometry.curves import bell, interpolate_table, mix, over, smoothstep, soft_step
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.geometry.teeth import Opening, paint_opening
from tuiface.heads.sampling.look import Look
from tuiface.heads.shading.skin import skin_colour


def add_nose(surface: Surface, look: Look) -> None:
    """Raise the nose from the face and darken the nostrils."""
    w = surface.chart.window(0.36, -0.66, 0.22)
    x, y, a = w.x, w.y, w.a
    length, width = 1 + 0.085 * look["nose_length"], 1 + 0.095 * look["nose_width"]
    tip_y = -0.375 + 0.020 * look["nose_tip"] - 0.013 * look["nose_length"]
    t = ((0.13 - y) / (0.13 - tip_y)).clamp(0, 1)
    ridge = (0.172 + 0.012 * look["masculinity"]) * length * t**1.35 + (0.026 + 0.013 * look["nose_bridge"]) * bell(
        (y + 0.06) / 0.13
    )
    half = width * (0.066 + 0.066 * t * t)
    under = smoothstep(-0.505, -0.365, y + 0.035 * (1 - (x / 0.1) ** 2).clamp(min=0))
    relief = ridge * torch.exp(-((a / half) ** 2.5)) * under
    bulb = 1 + 0.12 * look["nose_bulb"]
    relief = relief + 0.068 * bulb * bell(a / (0.078 * bulb * width)) * bell((y - tip_y) / 0.088)
    relief = relief + 0.058 * bell((a - 0.118 * width) / 0.054) * bell((y + 0.408) / 0.062)
    relief = relief - 0.008 * bell((a - 0.083 * width) / 0.022) * bell((y + 0.40) / 0.05)
    rim = ((a - 0.116 * width) / 0.088) ** 2 + ((y + 0.40) / 0.088) ** 2
    groove = bell((rim.sqrt() - 1.0) / 0.24) * smoothstep(0.10, 0.15, a / width) * smoothstep(-0.475, -0.42, y)
    relief = relief - 0.015 * groove
    nostril = bell((a - 0.064 * width + 0.32 * (y + 0.45)) / 0.034) ** 1.3 * bell((y + 0.452) / 0.020)
    relief = relief - 0.030 * nostril
    philtrum = -0.010 * bell(x / 0.028) + 0.008 * bell((a - 0.052) / 0.024)
    relief = relief + philtrum * smoothstep(-0.47, -0.52, y) * smoothstep(-0.60, -0.56, y)
    surface.at(surface.forward, w).add_(relief)
    occlusion = surface.at(surface.occlusion, w)
    occlusion *= (1 - 0.80 * nostril.clamp(0, 1)) * (1 - 0.14 * groove)
    outline = (a < (0.075 + 0.105 * t * width)) & (y < 0.05) & (y > -0.482)
    surface.mark(w, outline, Region.NOSE)


MOUTH_Y = -0.648
"""Height of the resting mouth line on the neutral head, which FFHQ's alignment pins."""

_LIPSTICKS = ((0.36, 0.13, 0.10), (0.45, 0.07, 0.06), (0.40, 0.015, 0.025), (0.42, 0.05, 0.11), (0.20, 0.02, 0.05))


@dataclass(frozen=True, eq=False)
class Mouth:
    """Masks [N, h, w] of a shaped mouth, for painting, and its extent."""

    window: Window
    lips: Tensor
    inside: Tensor
    """Opening between the lips."""
    border: Tensor
    """The pale rim where the red of the lips ends."""
    grooves: Tensor
    """Fine upright lines of the lips."""
    fold: Tensor
    """0 at the border of the lips .. 1 where they meet."""
    opening: Opening
    """What lies behind the lips is painted by it."""
    half_width: Tensor
    """[N, 1, 1], dm."""
    corner_y: Tensor
    """[N, 1, 1], height of the corners on the neutral head."""


def mouth_half_width(look: Look) -> Tensor:
    """Half the distance between the corners, dm, [N, 1, 1]."""
    rest = 0.256 + 0.013 * look["mouth_width"]
    widened = 0.21 * look["smile"] + 0.14 * look["lip_stretch"] - 0.03 * look["corner_depress"]
    return rest * (1 + widened - 0.13 * look["mouth_open"] * (1 - 0.6 * look["smile"]) - 0.05 * look["lip_press"])


def shape_mouth(surface: Surface, look: Look) -> Mouth:
    """Model lips and opening into the surface."""
    w = surface.chart.window(0.46, -0.98, -0.44)
    x, y, front = w.x, w.y, w.front
    smile, opened = look["smile"], look["mouth_open"]
    half_width = mouth_half_width(look)
    signed = x / half_width
    t = signed.abs()
    bow = (1 - t * t).clamp(min=0)
    lowered = 0.052 * look["corner_depress"] + 0.016 * look["lip_stretch"]
    corner_lift = 0.078 * smile + 0.002 - lowered
    arched = -0.012 * smile + 0.4 * lowered + 0.014 * look["chin_raise"]
    line = MOUTH_Y + corner_lift * t.clamp(max=1.3) ** 2 + arched * bow + 0.003 * torch.cos(t * 7) * bow
    # A jaw that drops takes the lower lip with it; bared teeth lift the upper one as well.
    tight = 1 - 0.8 * look["lip_press"]
    dropped = opened * 0.135 * tight * bow**0.75
    bared = look["teeth"] * 0.100 * tight * bow**0.80
    gap = dropped + bared
    lifted_most = 0.050 * look["upper_lip_raise"] + 0.018 * look["nose_wrinkle"]
    lifted = lifted_most * bow**0.70
    upper_edge, lower_edge = line + 0.14 * dropped + 0.30 * bared + lifted, line - 0.86 * dropped - 0.70 * bared
    gap = gap + 0.6 * lifted
    fullness = (1 + 0.17 * look["lip_fullness"]).clamp(0.42, 1.65)
    fullness = fullness * (1 - 0.52 * look["lip_press"]) * (1 - 0.18 * look["lip_stretch"])
    lip_ratio = 1 + 0.10 * look["upper_lip"]
    thin = 1 - 0.20 * smile * (0.4 + 0.6 * look["teeth"])
    cupid = 1 + 0.16 * bell((t - 0.24) / 0.17) - 0.20 * bell(t / 0.11)
    top = upper_edge + 0.070 * fullness * lip_ratio * thin * bow**0.66 * cupid
    bottom = lower_edge - 0.088 * fullness * thin * bow**0.58
    edge = max(surface.chart.texel * 0.9, 0.003)
    within = (t < 1).float()
    inside = within * soft_step(upper_edge - y, edge) * soft_step(y - lower_edge, edge) * smoothstep(0, 0.01, gap)
    upper = within * soft_step(top - y, edge * 1.5) * soft_step(y - upper_edge, edge)
    lower = within * soft_step(y - bottom, edge * 1.9) * soft_step(lower_edge - y, edge)
    up = ((y - upper_edge) / (top - upper_edge + 1e-3)).clamp(0, 1)
    down = ((lower_edge - y) / (lower_edge - bottom + 1e-3)).clamp(0, 1)
    roll = 0.036 * fullness**0.7 * upper * torch.sin(math.pi * (up * 0.85 + 0.15))
    roll = roll + 0.052 * fullness**0.7 * lower * torch.sin(math.pi * (down * 0.8 + 0.2))
    closed = smoothstep(0.05, 0.0, gap)
    relief = roll * bow**0.4 - 0.020 * bell((y - line) / 0.013) * smoothstep(1.12, 0.95, t) * closed
    dimple = bell((w.a - half_width - 0.012) / 0.035) * bell((y - line) / 0.038)
    relief = relief - (0.009 + 0.016 * smile) * dimple
    lips = (upper + lower).clamp(0, 1) * front * (1 - inside)
    grooves = _lip_grooves(surface, look, w, signed) * lips
    border = (bell((y - top - 0.006) / 0.011) + 0.7 * bell((bottom - 0.005 - y) / 0.012)) * smoothstep(1.0, 0.75, t)
    border = border * (1 - lips) * front
    relief = relief - 0.0048 * grooves + 0.006 * border
    surface.at(surface.forward, w).add_(relief * front - 0.050 * inside * front)
    occlusion = surface.at(surface.occlusion, w)
    occlusion *= 1 - 0.16 * bell((y - bottom + 0.014) / 0.022) * smoothstep(0.85, 0.5, t)
    occlusion *= 1 - 0.62 * bell((y - line) / 0.011) * smoothstep(1.12, 0.92, t) * closed
    occlusion *= 1 - 0.22 * bell((w.a - half_width) / 0.024) * bell((y - line) / 0.022)
    corner_y = MOUTH_Y + corner_lift
    fold = 1 - torch.where(y > line, up, down)
    apart = (0.135 * opened + 0.100 * look["teeth"]) * tight + 0.6 * lifted_most
    behind = Opening(w, t, upper_edge - y, y - lower_edge, MOUTH_Y + arched, apart)
    return Mouth(w, lips, inside * front, border, grooves, fold, behind, half_width, corner_y)


def _lip_grooves(surface: Surface, look: Look, w: Window, signed: Tensor) -> Tensor:
    """Upright lines 0..1, 2 to 3 mm apart, that fan out towards the corners; full lips are smoother."""
    draws = look.draw("lips")[:, :, None, None]
    fan = w.x * (1 + (1.1 + 0.5 * draws[:, 0]) * (w.y - MOUTH_Y) * torch.sign(MOUTH_Y - w.y))
    phase = fan / (0.021 + 0.008 * draws[:, 1]) + 0.22 * surface.at(surface.mottle, w)
    away = phase - torch.round(phase)
    own = 0.6 + 0.4 * torch.sin(torch.round(phase) * 2.3 + 6.3 * draws[:, 2])
    return bell(away / 0.22) * own * smoothstep(1.0, 0.8, signed.abs())


def paint_mouth(surface: Surface, albedo: Tensor, look: Look, mouth: Mouth) -> None:
    """Colour lips, teeth and cavity into `albedo` [N, 3, H, W]."""
    w, device = mouth.window, look.device
    view, gloss = surface.at(albedo, w), surface.at(surface.gloss, w)
    melanin, lipstick = look["melanin"], look["lipstick"]
    mottle = surface.at(surface.mottle, w)
    # Deeper red towards the mouth and in the grooves, paler at the border.
    blood = 1.35 + 0.15 * look["haemoglobin"] + 0.10 * mottle - 0.25 * look["age"]
    blood = blood + 0.40 * mouth.fold + 0.22 * mouth.grooves
    rim = mouth.border * (1 - 0.5 * look["age"])
    view.mul_(1 + 0.085 * rim[:, None])
    natural = skin_colour(melanin * 0.80 + 0.07 + 0 * blood, blood)
    knots = torch.linspace(0, 1, len(_LIPSTICKS), device=device)
    table = constant(_LIPSTICKS, device)
    hue = look.column("lipstick_hue")
    stick = torch.stack([interpolate_table(knots, table[:, i], hue) for i in range(3)], dim=1)[:, :, None, None]
    stick = stick * (0.40 + 0.60 * (1 - melanin) ** 1.5)[:, None]
    lips = natural + (stick - natural) * (0.78 * lipstick)[:, None]
    view.copy_(over(view, lips, mouth.lips * (0.86 + 0.14 * lipstick)))
    moist = 0.20 + 0.16 * mouth.fold + 0.45 * lipstick - 0.08 * look["age"]
    gloss.copy_(mix(gloss, moist * (1 - 0.45 * mouth.grooves), mouth.lips))
    behind, wet, _ = paint_opening(look, mouth.opening, surface.chart.texel)
    view.copy_(over(view, behind, mouth.inside))
    gloss.copy_(mix(gloss, wet, mouth.inside))
    surface.mark(w, mouth.lips + mouth.inside > 0.5, Region.MOUTH)
