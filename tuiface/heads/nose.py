"""The nose: bridge, tip, wings, nostrils, philtrum."""

from __future__ import annotations

import torch

from tuiface.heads.curves import bell, smoothstep
from tuiface.heads.look import Look
from tuiface.heads.regions import Region
from tuiface.heads.surface import Surface


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
