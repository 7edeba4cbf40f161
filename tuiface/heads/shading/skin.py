"""Skin colour from its pigments, and where on a face they lie."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.heads.constants import constant, kept_by_first
from tuiface.heads.geometry.chart import Chart
from tuiface.heads.geometry.curves import bell, smoothstep
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.sampling.look import Look

_UNPIGMENTED = (0.745, 0.560, 0.455)
_MELANIN_LINEAR, _MELANIN_QUADRATIC = (1.20, 2.60, 3.40), (1.39, 0.25, -0.30)
"""Coefficients of each channel, fitted to the ten Monk tones: the darkest are nearly neutral."""
_BLOOD_ABSORPTION = (0.07, 0.46, 0.38)


def skin_colour(melanin: Tensor, blood: Tensor) -> Tensor:
    """Linear RGB [N, 3, ...] of skin by absorption of melanin (0..1, the Monk scale) and blood (0.2 at rest).

    Beer-Lambert through the pigments of Donner and Jensen 2006; `melanin` 0.02 .. 1 runs through the ten Monk tones.
    """
    shape = (1, 3, *[1] * (melanin.ndim - 1))
    base, linear, quadratic, haem = (
        constant(values, melanin.device).view(shape)
        for values in (_UNPIGMENTED, _MELANIN_LINEAR, _MELANIN_QUADRATIC, _BLOOD_ABSORPTION)
    )
    melanin, blood = melanin[:, None], blood[:, None]
    return base * torch.exp(-melanin * (linear + quadratic * melanin) - haem * blood)


@dataclass(frozen=True, eq=False)
class _PigmentShapes:
    """Where the pigments of every face lie, [1, H, W]."""

    cheeks: Tensor
    chin: Tensor
    sockets: Tensor
    nose: Tensor
    freckled: Tensor
    shine: Tensor


@kept_by_first
def _pigment_shapes(chart: Chart) -> _PigmentShapes:
    w = chart.whole
    x, y, a, front = w.x, w.y, w.a, w.front
    return _PigmentShapes(
        cheeks=bell((a - 0.43) / 0.19) * bell((y + 0.30) / 0.17) * front,
        chin=0.07 * (bell((y + 1.0) / 0.12) * bell(a / 0.2) * front),
        sockets=bell((a - 0.315) / 0.19) * bell((y + 0.05) / 0.09) * front,
        nose=0.15 * (bell(x / 0.16) * bell((y + 0.37) / 0.12) * front),
        freckled=bell((y + 0.17) / 0.24) * smoothstep(0.72, 0.25, a) * front,
        shine=0.12 * (bell(a / 0.2) * bell((y - 0.45) / 0.2) + bell(a / 0.08) * bell((y + 0.2) / 0.22)),
    )


def add_complexion(surface: Surface, look: Look) -> None:
    """Blood under thin skin, blush, freckles, spots and unevenness; young skin is nearly even."""
    shapes, front = _pigment_shapes(surface.chart), surface.chart.whole.front
    age, makeup = look["age"], look["makeup"]
    patchiness = 0.25 + 0.9 * age
    surface.blood += 0.25 + 0.09 * look["haemoglobin"] + 0.030 * patchiness * surface.mottle
    blush = 0.17 + 0.10 * makeup + 0.05 * look["haemoglobin"]
    surface.blood += blush * shapes.cheeks * (1 + 0.2 * surface.mottle)
    surface.blood += shapes.chin + shapes.nose + (0.08 + 0.10 * age) * shapes.sockets
    surface.melanin += 0.011 * patchiness * surface.mottle + (0.012 + 0.03 * age) * shapes.sockets
    spots = smoothstep(0.9, 2.0, surface.grain + 0.45 * surface.mottle)
    surface.melanin += 0.15 * look["freckles"] * spots * shapes.freckled
    age_spots = smoothstep(2.0, 2.7, surface.mottle + 0.4 * surface.grain) * front
    surface.melanin += 0.09 * (age - 0.5).clamp(min=0) * age_spots
    surface.gloss += 0.15 - 0.03 * look["melanin"] + shapes.shine


def add_pores(surface: Surface, look: Look) -> None:
    """Fine relief, so that highlights break up as on skin; coarser with age."""
    front = surface.chart.whole.front
    surface.outward += (0.0006 + 0.0012 * look["age"]) * surface.grain * (0.3 + 0.7 * front)
    surface.outward += 0.0014 * look["age"] * surface.mottle * front
