"""What shows between the lips: single teeth of two rows, gums, tongue and the dark behind them.

Widths and lengths are those of adult teeth (Wheeler), seen from the front: the arch turns the further ones away.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.heads.constants import constant
from tuiface.heads.geometry.chart import Window
from tuiface.heads.geometry.curves import bell, colour, mix, over, smoothstep, soft_step
from tuiface.heads.sampling.look import Look

_UPPER_CONTACTS = (0.0, 0.086, 0.150, 0.216, 0.266, 0.304, 0.330, 0.345)
"""|x| where neighbours touch, dm: central and lateral incisor, canine, premolars, molars."""
_UPPER_LENGTHS = (0.104, 0.090, 0.101, 0.086, 0.080, 0.074, 0.070)
_LOWER_CONTACTS = (0.0, 0.052, 0.108, 0.170, 0.226, 0.270, 0.305, 0.330)
_LOWER_LENGTHS = (0.090, 0.091, 0.096, 0.086, 0.078, 0.070, 0.066)
_EYE_TOOTH = (0.0, 0.35, 1.0, 0.55, 0.6, 0.6, 0.6)
"""How much yellower than a central incisor."""


@dataclass(frozen=True, eq=False)
class Opening:
    """Where one looks into a mouth, [N, h, w] over its window unless stated."""

    window: Window
    across: Tensor
    """|x| over the half-width of the mouth."""
    below_upper_lip: Tensor
    """Distance below the edge of the upper lip, dm."""
    above_lower_lip: Tensor
    rest_y: Tensor
    """[N, 1, 1], height of the mouth line at rest."""
    gap: Tensor
    """[N, 1, 1], how far the lips are apart in the middle, dm."""


@dataclass(frozen=True, eq=False)
class _Row:
    """One row of teeth, [N, h, w]."""

    cover: Tensor
    shade: Tensor
    yellow: Tensor
    gum: Tensor


def paint_opening(look: Look, opening: Opening, texel: float) -> tuple[Tensor, Tensor, Tensor]:
    """(linear RGB [N, 3, h, w], gloss [N, h, w], teeth 0..1 [N, h, w]) behind the lips; `texel` of the chart, dm."""
    w, device = opening.window, look.device
    draws = look.draw("teeth")[:, :, None, None]
    melanin, age = look["melanin"], look["age"]
    upper = _upper_row(look, opening, draws, texel)
    lower = _lower_row(look, opening, draws, texel)
    # A tongue lies low, with a furrow along its middle; behind it nothing is lit.
    back = 0.035 + 0.045 * look["mouth_open"]
    tongue = smoothstep(0, -0.045, opening.above_lower_lip - back) * smoothstep(0.86, 0.45, opening.across)
    tongue = tongue * (1 - 0.25 * bell(w.x / 0.02))
    dark, red = colour(0.030, 0.008, 0.007, device=device), colour(0.27, 0.080, 0.070, device=device)
    picture = over(dark + 0 * upper.cover[:, None], red * (1 - 0.45 * melanin)[:, None], 0.7 * tongue)
    gums = colour(0.40, 0.135, 0.120, device=device) * (1 - 0.40 * melanin)[:, None]
    white = colour(0.66, 0.63, 0.565, device=device) * (1 - 0.52 * melanin - 0.10 * age)[:, None]
    yellowness = 0.30 + 0.55 * draws[:, 1] + 0.7 * age
    for row, light in ((lower, 0.50), (upper, 1.0)):
        yellow = (row.yellow * 0.5 + yellowness)[:, None] * colour(0.02, 0.06, 0.17, device=device)
        picture = over(picture, gums * light * (0.55 + 0.45 * row.shade)[:, None], row.gum)
        picture = over(picture, white * light * row.shade[:, None] * (1 - yellow), row.cover)
    under_lip = 0.58 + 0.42 * smoothstep(-0.004, 0.030, opening.below_upper_lip)
    in_corner = 0.38 + 0.62 * smoothstep(1.0, 0.62, opening.across)
    teeth = (upper.cover + lower.cover).clamp(0, 1)
    return picture * (under_lip * in_corner)[:, None], mix(0.35 * tongue, 0 * teeth + 0.5, teeth), teeth


def _upper_row(look: Look, opening: Opening, draws: Tensor, texel: float) -> _Row:
    """The upper teeth, which stay where they are: lips bare them from the edge upwards, smiles down to the gums."""
    w = opening.window
    place, q, lengths, yellow, seam = _teeth_along(w, _UPPER_CONTACTS, _UPPER_LENGTHS, draws, texel)
    arc = 0.26 * w.a * w.a * (1 + look["smile"])
    # A jaw that drops stretches what is painted below the mouth line; teeth keep their size.
    kept = 1 - 0.22 * look["mouth_open"]
    biting = opening.rest_y - (0.030 + 0.040 * look["teeth"]) * kept + arc
    neck = biting + 0.099 * kept * (1 + 0.10 * (draws[:, 2] - 0.5))
    uneven = 0.006 * (draws[:, 3] - 0.5) * torch.sin(2.1 * place + 6.3 * draws[:, 4])
    end = neck - lengths * kept * (1 + 0.10 * (draws[:, 2] - 0.5)) * (1 - 0.10 * q**6) + uneven
    margin = neck - 0.020 * q * q - 0.006 * yellow
    edge = max(texel * 0.7, 0.0025)
    cover = soft_step(w.y - end, edge) * soft_step(margin - w.y, edge)
    gum = soft_step(w.y - margin, edge)
    down = ((margin - w.y) / 0.1).clamp(0, 1)
    round_off = 1 - 0.16 * q**4 - 0.10 * down**6 - 0.10 * (1 - down) ** 4
    open_seam = seam * (0.20 + 0.24 * draws[:, 5] + 0.26 * down * down)
    turned = 0.52 + 0.48 * smoothstep(0.36, 0.10, w.a)
    return _Row(cover, round_off * (1 - open_seam) * turned, yellow, gum)


def _lower_row(look: Look, opening: Opening, draws: Tensor, texel: float) -> _Row:
    """The lower teeth, which go with the jaw and its lip: their ends show above it where the mouth is open."""
    w = opening.window
    place, q, lengths, yellow, seam = _teeth_along(w, _LOWER_CONTACTS, _LOWER_LENGTHS, draws, texel)
    shown = 0.006 + 0.010 * look["mouth_open"] + 0.022 * look["lip_stretch"]
    uneven = 0.005 * (draws[:, 3] - 0.5) * torch.sin(2.9 * place + 6.3 * draws[:, 2])
    top = shown - 0.30 * w.a * w.a + uneven + 0.15 * (lengths - 0.09) - 0.006 * q**6
    edge = max(texel * 0.7, 0.0025)
    apart = smoothstep(0.035, 0.075, opening.gap)
    cover = soft_step(top - opening.above_lower_lip, edge) * apart * smoothstep(0.95, 0.70, opening.across)
    shade = (1 - 0.16 * q**4) * (1 - seam * (0.35 + 0.3 * draws[:, 5])) * (0.45 + 0.55 * smoothstep(0.30, 0.06, w.a))
    return _Row(cover, shade, yellow, 0 * cover)


def _teeth_along(
    w: Window, contacts: tuple[float, ...], lengths: tuple[float, ...], draws: Tensor, texel: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """(number, place -1..1 across, length, yellowness, shade of the gap) of the tooth at each texel, [N, h, w]."""
    device = draws.device
    knots, widths = constant(contacts, device), constant(tuple(b - a for a, b in itertools.pairwise(contacts)), device)
    size = 1 + 0.10 * (draws[:, 0] - 0.5)
    # The middle of the teeth is seldom that of the face.
    a = (w.x - 0.012 * (draws[:, 4] - 0.5)).abs() / size
    number = torch.bucketize(a, knots[1:-1])
    share = ((a - knots[number]) / widths[number]).clamp(0, 1)
    apart = torch.minimum(share, 1 - share) * widths[number] * size
    # A gap finer than a texel is as much fainter as it is drawn wider.
    drawn = max(0.0055, 0.62 * texel)
    seam = bell(apart / drawn) * (0.0055 / drawn) ** 0.7
    yellow = constant(_EYE_TOOTH, device)[number]
    signed = number * torch.sign(w.x) + 0.5 * torch.sign(w.x)
    return signed, 2 * share - 1, constant(lengths, device)[number], yellow, seam
