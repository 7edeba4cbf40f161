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
from tuiface.heads.sampling.rng import noise_patch

_UNPIGMENTED = (0.745, 0.560, 0.455)
_MELANIN_LINEAR, _MELANIN_QUADRATIC = (1.20, 2.60, 3.40), (1.39, 0.25, -0.30)
"""Coefficients of each channel, fitted to the ten Monk tones: the darkest are nearly neutral."""
_BLOOD_ABSORPTION = (0.07, 0.46, 0.38)


def skin_colour(melanin: Tensor, blood: Tensor) -> Tensor:
    """Linear RGB [N, 3, ...] of skin by absorption of melanin (0..1, the Monk scale) and blood (0.2 at rest).

    Beer-Lambert through the pigments of Donner and Jensen 2006; `melanin` 0.02 .. 1 runs from the lightest of the ten
    Monk tones to between the ninth and the tenth, which is nearly black.
    """
    shape = (1, 3, *[1] * (melanin.ndim - 1))
    base, linear, quadratic, haem = (
        constant(values, melanin.device).view(shape)
        for values in (_UNPIGMENTED, _MELANIN_LINEAR, _MELANIN_QUADRATIC, _BLOOD_ABSORPTION)
    )
    melanin, blood = melanin.clamp(min=0.02)[:, None], blood[:, None]
    return base * torch.exp(-melanin * (linear + quadratic * melanin) - haem * blood)


@dataclass(frozen=True, eq=False)
class _PigmentShapes:
    """Where the pigments of every face lie, [1, H, W]."""

    flush: Tensor
    """Blood that every face has: nose, chin, edges of the lids; less on the forehead."""
    cheeks: Tensor
    sockets: Tensor
    freckled: Tensor
    shine: Tensor
    """Oil of the forehead, the nose and the chin."""
    pores: Tensor
    """How coarse the skin is: most on nose, cheeks and chin, least on lids."""


@kept_by_first
def _pigment_shapes(chart: Chart) -> _PigmentShapes:
    w = chart.whole
    x, y, a, front = w.x, w.y, w.a, w.front
    chin = bell((y + 1.0) / 0.12) * bell(a / 0.2)
    nose = bell(x / 0.13) * bell((y + 0.36) / 0.12)
    wings = bell((a - 0.15) / 0.05) * bell((y + 0.43) / 0.07)
    forehead = bell(a / 0.5) * smoothstep(0.24, 0.42, y)
    lids = bell((a - 0.315) / 0.19) * bell((y - 0.01) / 0.075)
    brows = bell((a - 0.32) / 0.22) * bell((y - 0.16) / 0.05)
    inner_cheeks = bell((a - 0.30) / 0.16) * bell((y + 0.32) / 0.17)
    return _PigmentShapes(
        flush=(0.07 * chin + 0.17 * nose + 0.10 * wings - 0.055 * forehead + 0.05 * lids + 0.03 * brows) * front,
        cheeks=bell((a - 0.43) / 0.19) * bell((y + 0.30) / 0.17) * front,
        sockets=bell((a - 0.315) / 0.19) * bell((y + 0.05) / 0.09) * front,
        freckled=bell((y + 0.17) / 0.26) * smoothstep(0.75, 0.25, a) * front,
        shine=0.12 * (bell(a / 0.2) * bell((y - 0.45) / 0.2) + bell(a / 0.08) * bell((y + 0.2) / 0.22)) + 0.05 * chin,
        pores=(0.35 + 0.65 * (nose + wings + inner_cheeks + 0.6 * chin + 0.35 * forehead).clamp(0, 1))
        * (1 - 0.85 * lids)
        * (0.3 + 0.7 * front),
    )


def add_complexion(surface: Surface, look: Look) -> None:
    """Blood under thin skin, blush, freckles, spots and unevenness at every scale; young skin is nearly even."""
    shapes, front = _pigment_shapes(surface.chart), surface.chart.whole.front
    age, makeup = look["age"], look["makeup"]
    bare = 1 - 0.45 * makeup  # foundation evens out
    patchiness = (0.45 + 0.9 * age) * bare
    flush, fine = _noise(surface, look, "blood", "mottle"), _noise(surface, look, "pores", "grain", fineness=2)
    blush = 0.17 + 0.10 * makeup + 0.05 * look["haemoglobin"]
    surface.blood += 0.25 + 0.09 * look["haemoglobin"] + (0.055 * patchiness) * flush + (0.045 * bare) * fine
    surface.blood += blush * shapes.cheeks * (1 + 0.35 * flush)
    surface.blood += shapes.flush * (1 + 0.25 * look["haemoglobin"]) + (0.08 + 0.10 * age) * shapes.sockets
    surface.melanin += (0.014 * patchiness) * surface.mottle + (0.012 + 0.03 * age) * shapes.sockets
    surface.melanin += (0.009 * bare) * surface.grain
    _add_spots(surface, look, front * bare)
    # Sebum lies in patches and not in pores: highlights break up as on skin, and old skin is drier.
    shine = (
        0.15 - 0.065 * look["melanin"] - 0.03 * age + shapes.shine * (1 - 0.5 * makeup) * (1 - 0.5 * look["melanin"])
    )
    surface.gloss += shine * (1 + 0.22 * flush + 0.30 * fine).clamp(min=0.2)


def _add_spots(surface: Surface, look: Look, shown: Tensor) -> None:
    """Freckles where they are a trait, a few small moles on everyone, spots of age after fifty."""
    shapes, freckles = _pigment_shapes(surface.chart), look["freckles"]
    draws = look.draw("spots")
    scale = _SCALE / surface.chart.height
    shape = surface.chart.height, surface.chart.width
    dots = noise_patch(draws[:, :2], "freckles", *shape, zoom=scale)
    freckled = ((dots - 1 + 0.9 * freckles * shapes.freckled) * 5).clamp(0, 1)
    surface.melanin += 0.13 * freckled * (0.5 + 0.5 * freckles)
    moles = noise_patch(draws[:, 2:], "moles", *shape, zoom=scale)
    some = 0.06 + 0.45 * draws[:, :1, None] ** 2
    surface.melanin += 0.20 * ((moles - 1 + some) * 5).clamp(0, 1) * shown
    age_spots = smoothstep(1.7, 2.6, surface.mottle + 0.5 * surface.grain)
    surface.melanin += 0.12 * (look["age"] - 0.45).clamp(min=0) * age_spots * shown


def add_pores(surface: Surface, look: Look) -> None:
    """Fine relief, so that highlights break up as on skin: pits of pores, and a net of lines that age coarsens."""
    shapes, front = _pigment_shapes(surface.chart), surface.chart.whole.front
    age = look["age"]
    pits = (_noise(surface, look, "pores", "grain", fineness=2) - 0.4).clamp(min=0)
    coarse = 0.0022 * (1 + 0.35 * look["masculinity"]) * (1 - 0.3 * look["makeup"]) + 0.0012 * age
    surface.outward += (0.0006 + 0.0016 * age) * surface.grain * (0.3 + 0.7 * front) - coarse * pits * shapes.pores
    surface.outward += 0.0026 * age * age * surface.mottle * front


_SCALE = 460
"""Rows of a chart at which a texel of the noise tiles is as large as one of the chart's: 0.6 mm on the face."""


def _noise(surface: Surface, look: Look, stream: str, kind: str, fineness: float = 1) -> Tensor:
    """Noise [N, H, W] that keeps its size on the head at any resolution."""
    chart = surface.chart
    return noise_patch(look.draw(stream), kind, chart.height, chart.width, zoom=fineness * _SCALE / chart.height)
