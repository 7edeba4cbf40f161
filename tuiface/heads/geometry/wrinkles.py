"""Lines and folds of age and expression, as relief: they grow with `wrinkled`, deepen with the muscles below them.

Every crease is a valley between raised shoulders. Where lines run, how far apart and how deep each is, differs from
head to head: drawn numbers shift them, and the head's own broad noise bends and breaks them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tuiface.heads.geometry.chart import Window
from tuiface.heads.geometry.curves import bell, smoothstep
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.sampling.look import Look


def add_folds(surface: Surface, look: Look) -> None:
    """Nasolabial and marionette folds, raised cheeks of a smile, tear troughs and bags under the eyes."""
    w = surface.chart.window(0.62, -1.0, 0.0)
    y, a, front = w.y, w.a, w.front
    smile, wrinkled = look["smile"], look["wrinkled"]
    mottle = surface.at(surface.mottle, w)
    wing = 0.180 * (1 + 0.05 * look["nose_width"])
    down = ((-0.40 - y) / 0.32).clamp(0, 1.3)
    curved = 0.185 * down**0.85 + 0.030 * torch.sin(math.pi * down.clamp(max=1))
    fold_line = wing + curved + 0.025 * smile + 0.005 * mottle
    distance = a - fold_line
    along = smoothstep(-0.37, -0.46, y) * smoothstep(-0.80, -0.56, y)
    depth = (0.05 + 0.50 * look["cheek_fold"] + 1.05 * wrinkled + 0.25 * smile * wrinkled) * along * front
    pillow = smoothstep(-0.02, 0.06, distance) * torch.exp(-distance.clamp(min=0) / 0.17)
    line = bell(distance / 0.019)
    marionette = bell((a - 0.285 - 0.10 * (-0.70 - y) - 0.005 * mottle) / 0.018)
    below = wrinkled * smoothstep(-0.70, -0.77, y) * smoothstep(-1.0, -0.88, y) * front
    raised = 0.058 * smile * bell((a - 0.39) / 0.15) * bell((y + 0.28) / 0.13) * front
    outward, occlusion = surface.at(surface.outward, w), surface.at(surface.occlusion, w)
    outward += (0.020 * pillow - 0.020 * line) * depth + raised - 0.024 * below * marionette
    occlusion *= 1 - (0.26 * depth * line + 0.34 * below * marionette).clamp(max=0.5)
    trough = bell((a - 0.27 + (y + 0.13) * 0.6) / 0.1) * bell((y + 0.14) / 0.045)
    surface.at(surface.forward, w).sub_(0.010 * trough * (0.35 + 1.2 * look["age"]) * front)


def add_wrinkles(surface: Surface, look: Look) -> None:
    """Lines of the forehead, between the brows, beside and under the eyes, over the lips and across old cheeks."""
    _add_forehead_lines(surface, look)
    _add_frown_lines(surface, look)
    _add_eye_lines(surface, look)
    _add_lip_lines(surface, look)


def _crease(surface: Surface, w: Window, valley: Tensor, shoulders: Tensor, depth: float) -> None:
    """Press `valley` (0..1 and beyond) into the surface, `depth` dm at 1, and raise what it displaces."""
    surface.at(surface.outward, w).add_(depth * (0.45 * shoulders - valley))
    surface.at(surface.occlusion, w).mul_(1 - (0.42 * valley).clamp(max=0.6))


def _periodic(phase: Tensor, width: float) -> tuple[Tensor, Tensor]:
    """A valley at every whole `phase`, of a half-width in periods, and the shoulders beside it."""
    away = phase - torch.round(phase)
    return bell(away / width), bell((away.abs() - 2.2 * width) / (1.2 * width))


def _add_forehead_lines(surface: Surface, look: Look) -> None:
    """Three to five lines that follow the brows, broken and bent; raised brows bring them out at any age."""
    w = surface.chart.window(0.62, 0.22, 0.74)
    y, a = w.y, w.a
    mottle = surface.at(surface.mottle, w)
    draws = look.draw("wrinkles")[:, :, None, None]
    spacing = 0.078 + 0.030 * draws[:, 0]
    bent = 0.030 * bell((a - 0.26) / 0.14) * (0.4 + 1.2 * draws[:, 1]) - 0.05 * a * a + 0.010 * mottle
    phase = (y - 0.33 - 0.07 * draws[:, 2] - bent) / spacing
    valley, shoulders = _periodic(phase, 0.13)
    # Each line has a depth and a length of its own.
    number = torch.round(phase)
    own = 0.72 + 0.28 * torch.sin(number * 2.4 + 6.3 * draws[:, 3]) + 0.10 * mottle
    reach = 0.46 + 0.07 * torch.sin(number * 1.7 + 6.3 * draws[:, 4])
    raised = look["forehead_raise"]
    strength = 0.95 * look["wrinkled"] + raised * (0.12 + 0.7 * look["wrinkled"])
    where = bell((y - 0.46) / 0.15) * smoothstep(0.0, -0.16, a - reach) * w.front
    where = where * own.clamp(min=0) * strength
    _crease(surface, w, valley * where, shoulders * where, 0.024)


def _add_frown_lines(surface: Surface, look: Look) -> None:
    """Two upright lines between the brows and one across the root of the nose."""
    w = surface.chart.window(0.22, 0.0, 0.38)
    y, a = w.y, w.a
    mottle = surface.at(surface.mottle, w)
    draws = look.draw("wrinkles")[:, :, None, None]
    uneven = 1 + 0.35 * torch.sign(w.x) * (2 * draws[:, 5] - 1)
    beside = a - 0.050 - 0.018 * draws[:, 6] - 0.10 * (y - 0.19) * draws[:, 7] - 0.004 * mottle
    upright = bell((y - 0.195) / 0.075) * uneven
    strength = 0.85 * look["wrinkled"] + look["frown"] * (0.45 + 0.6 * look["wrinkled"])
    root = bell((y - 0.075 - 0.02 * draws[:, 8] + 0.6 * a * a) / 0.013) * smoothstep(0.11, 0.05, a)
    valley = (bell(beside / 0.014) * upright + 0.6 * root) * strength
    shoulders = bell((beside.abs() - 0.030) / 0.018) * upright * strength
    _crease(surface, w, valley, shoulders, 0.022)


def _add_eye_lines(surface: Surface, look: Look) -> None:
    """Crow's feet, which fan from the outer corner of the eye, and creases under the lower lid."""
    w = surface.chart.window(0.74, -0.42, 0.24)
    y, a, front = w.y, w.a, w.front
    mottle = surface.at(surface.mottle, w)
    draws = look.draw("wrinkles")[:, :, None, None]
    wrinkled, smile = look["wrinkled"], look["smile"]
    from_x, from_y = a - 0.435 - 0.007 * look["eye_spacing"], y + 0.005
    radius = torch.sqrt(from_x * from_x + from_y * from_y)
    angle = torch.atan2(from_y, from_x)
    spacing = 0.30 + 0.10 * draws[:, 9]
    phase = (angle + 0.9 * radius * angle) / spacing + draws[:, 10] + 0.10 * mottle
    away = (phase - torch.round(phase)) * spacing * radius
    fan = (
        smoothstep(1.30, 0.85, (angle + 0.1).abs()) * smoothstep(0.045, 0.075, radius) * smoothstep(0.25, 0.13, radius)
    )
    own = 0.75 + 0.25 * torch.sin(torch.round(phase) * 2.1 + 6.3 * draws[:, 11])
    rays = fan * own * (0.95 * wrinkled + smile * (0.22 + 1.0 * wrinkled)) * front
    valley, shoulders = bell(away / 0.0105) * rays, bell((away.abs() - 0.024) / 0.013) * rays
    under = from_y + 0.125 - 0.55 * (a - 0.31) ** 2 + 0.004 * mottle
    below_lid, more = _periodic(under / 0.036 + draws[:, 12], 0.20)
    lids = bell((under + 0.012) / 0.045) * bell((a - 0.33) / 0.15) * front * (0.45 * wrinkled + 0.25 * smile * wrinkled)
    # Old cheeks: long fine folds from the temple down to the jaw.
    slack = ((wrinkled - 0.45).clamp(min=0)) * bell((a - 0.50) / 0.13) * bell((y + 0.26) / 0.20) * front
    folds, beside = _periodic((a + 0.42 * y + 0.012 * mottle) / 0.052 + draws[:, 13], 0.18)
    valley = valley + below_lid * lids + 0.55 * folds * slack
    shoulders = shoulders + more * lids + 0.55 * beside * slack
    _crease(surface, w, valley, shoulders, 0.022)


def _add_lip_lines(surface: Surface, look: Look) -> None:
    """Short upright lines over the upper lip and fewer under the lower one; pursed by age."""
    w = surface.chart.window(0.30, -0.86, -0.46)
    x, y, a = w.x, w.y, w.a
    mottle = surface.at(surface.mottle, w)
    draws = look.draw("wrinkles")[:, :, None, None]
    phase = (x * (1 + 0.5 * (y + 0.6)) + 0.004 * mottle) / (0.042 + 0.014 * draws[:, 14]) + draws[:, 15]
    valley, shoulders = _periodic(phase, 0.17)
    own = (0.6 + 0.4 * torch.sin(torch.round(phase) * 2.7 + 6.3 * draws[:, 12])) * smoothstep(0.27, 0.17, a)
    over_lip, under_lip = bell((y + 0.555) / 0.042), 0.5 * bell((y + 0.79) / 0.035)
    strength = (look["wrinkled"] - 0.25).clamp(min=0) * 1.15 * (over_lip + under_lip) * own
    _crease(surface, w, valley * strength, shoulders * strength, 0.014)
