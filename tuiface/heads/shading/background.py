"""What is behind the head, out of focus: studio paper, lamps, rooms and leaves; muted, as photographers have it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.heads.geometry.body import hue_colour
from tuiface.heads.geometry.curves import mix, smoothstep, soft_step
from tuiface.heads.sampling.look import Look
from tuiface.heads.sampling.parameters import BACKDROPS

_BLOBS = 14
_MUTED = 0.62
"""Share of the named colourfulness that a backdrop shows: those of photographs are greyer than cloth."""


def paint_background(look: Look, size: int) -> Tensor:
    """Radiance [N, 3, size, size]; evaluated at a quarter of the size, as it is out of focus."""
    coarse = max(32, size // 4)
    axis = torch.linspace(-1, 1, coarse, device=look.device)
    y, x = axis[None, :, None], axis[None, None, :]
    image = _paper(look, x, y)
    for name, painted in (("foliage", _leaves(look, x, y)), ("interior", _room(look, x, y, image))):
        image = mix(image, painted, look.choice_mask("backdrop", BACKDROPS, (name,))[:, None])
    lights = look.choice_mask("backdrop", BACKDROPS, ("bokeh",))[:, None]
    haze = 0.60 + 0.55 * _cells(look, 6, coarse)[:, None]
    image = mix(image, image * 0.55 * haze + _discs(look, x, y, 1.0), lights)
    vignette = 1 - 0.10 * (x * x + y * y)
    image = (image * vignette[:, None]).clamp(0.004, 1.3)
    return F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False)


def _paper(look: Look, x: Tensor, y: Tensor) -> Tensor:
    """Radiance [N, 3, s, s] of a studio's paper, even or with the cone of a lamp, a little clouded."""
    draws = look.draw("backdrop")[:, :, None, None]
    colourfulness = _MUTED * look["backdrop_colourfulness"]
    base = hue_colour(look["backdrop_hue"], colourfulness, 0.12 + 0.75 * look["backdrop_lightness"])
    slope = 1 - 0.45 * (draws[:, 0] - 0.5) * y - 0.45 * (draws[:, 1] - 0.5) * x
    reach = (x - 0.9 * (draws[:, 3] - 0.5)) ** 2 + (y - 0.5 * (draws[:, 4] - 0.5)) ** 2
    cone = (0.45 + 0.35 * draws[:, 5]) * torch.exp(-(0.9 + 1.3 * draws[:, 6]) * reach) - 0.22
    gradient = look.choice_mask("backdrop", BACKDROPS, ("gradient",))
    slope = slope + gradient * (0.7 * (draws[:, 2] - 0.5) * y + cone)
    clouds = 0.10 * draws[:, 7] * (_cells(look, 6, x.shape[-1]) + 0.5 * _cells(look, 13, x.shape[-1]) - 0.75)
    return base * (slope + clouds)[:, None]


def _leaves(look: Look, x: Tensor, y: Tensor) -> Tensor:
    """Radiance [N, 3, s, s] of leaves: clumps and gaps, lighter above, with the sun between them."""
    coarse = x.shape[-1]
    hue, colourfulness = look["backdrop_hue"], look["backdrop_colourfulness"]
    lightness = 0.18 + 0.50 * look["backdrop_lightness"]
    clumps = 0.65 * _cells(look, 7, coarse) + 0.35 * _cells(look, 13, coarse)
    green = hue_colour(0.21 + 0.07 * hue, 0.18 + 0.35 * colourfulness, lightness)
    shade = hue_colour(0.30 + 0.06 * hue, 0.15 + 0.2 * colourfulness, 0.6 * lightness)
    image = mix(shade, green, (0.5 + 2.4 * (clumps - 0.5)).clamp(0, 1.4)[:, None])
    sky = smoothstep(0.55, 0.95, _cells(look, 6, coarse) - 0.35 * y)
    image = mix(image, hue_colour(0.55 + 0 * hue, 0.1 + 0 * hue, 0.4 + lightness), 0.75 * sky[:, None])
    return image + 0.30 * _discs(look, x, y, 0.5) * green / (green.amax(1, keepdim=True) + 0.05)


def _room(look: Look, x: Tensor, y: Tensor, paper: Tensor) -> Tensor:
    """Radiance [N, 3, s, s] of a room: a wall, edges of furniture, a window or a lamp."""
    draws = look.draw("room")[:, :, None, None]
    coarse = x.shape[-1]
    wall = paper * (0.75 + 0.4 * _cells(look, 6, coarse))[:, None] * _bars(look, x)[:, None]
    below = soft_step((y - 0.1 - 0.8 * draws[:, 0]) / (0.03 + 0.05 * draws[:, 1]), 1.0)
    wood = hue_colour(0.07 + 0.04 * draws[:, 2], 0.25 + 0 * draws[:, 2], 0.15 + 0.35 * draws[:, 3])
    wall = mix(wall, wood * (0.8 + 0.4 * _cells(look, 13, coarse))[:, None], (0.75 * below)[:, None])
    # A window to one side, soft as all else, that spills light over the wall.
    centre = torch.sign(draws[:, 4] - 0.5) * (0.55 + 0.4 * draws[:, 5])
    blur = 0.035 + 0.05 * draws[:, 6]
    wide, high = 0.18 + 0.22 * draws[:, 7], 0.35 + 0.4 * draws[:, 8]
    pane = torch.sigmoid((wide - (x - centre).abs()) / blur) * torch.sigmoid((high - (y + 0.35).abs()) / blur)
    cross = 1 - 0.45 * torch.exp(-(((x - centre) / (0.6 * blur)) ** 2))
    glow = 0.30 * torch.exp(-3.0 * ((x - centre) ** 2 + 0.6 * (y + 0.3) ** 2))
    bright = (0.35 + 0.65 * draws[:, 9]) * (draws[:, 10] < 0.6)
    daylight = hue_colour(0.10 + 0.48 * (draws[:, 11] < 0.6).float(), 0.16 + 0 * blur, 0.95 + 0 * blur)
    return wall * 0.9 + daylight * (bright * (pane * cross + glow))[:, None]


def _cells(look: Look, cells: int, size: int) -> Tensor:
    """Smooth noise in 0..1, [N, size, size], `cells` lumps across."""
    lattice = look.draw(f"backdrop cells {cells}").view(-1, 1, cells, cells)
    return F.interpolate(lattice, size=(size, size), mode="bicubic", align_corners=False)[:, 0].clamp(0, 1)


def _bars(look: Look, x: Tensor) -> Tensor:
    """Factor [N, size, size] of blurred upright edges: doors, shelves, window frames."""
    at, blur, wide, contrast, blur_far = look.draw("bars").view(-1, 3, 5, 1, 1).unbind(2)
    left = torch.sigmoid((x - 2 * at + 1) / (0.03 + 0.08 * blur))
    right = torch.sigmoid((x - 2 * at + 0.8 - 0.6 * wide) / (0.03 + 0.08 * blur_far))
    first, second, third = (1 + (1.1 * contrast - 0.55) * (left - right)).unbind(1)
    return first * second * third


def _discs(look: Look, x: Tensor, y: Tensor, size: float) -> Tensor:
    """Radiance [N, 3, size, size] of out-of-focus lamps: discs of about one aperture, a little brighter at the rim."""
    cx, cy, own, hue, power, tint = look.draw("bokeh").view(-1, _BLOBS, 6, 1, 1).unbind(2)
    aperture = look.draw("room")[:, None, 11:12, None]
    radius = size * (0.07 + 0.10 * aperture) * (0.75 + 0.5 * own)
    reach = torch.sqrt((x - 2 * cx + 1) ** 2 + (y - 2 * cy + 1) ** 2)
    inside = soft_step(radius - reach, 0.016)
    rim = 0.72 + 0.28 * smoothstep(0.55, 1.0, reach / radius)
    # Most lamps are dim, few bright; nearly all are warm.
    lamps = (inside * rim * (0.04 + 0.46 * power**2.5))[:, None] * hue_colour(
        torch.where(hue < 0.85, 0.05 + 0.09 * hue, 0.55), 0.5 * tint, 0.9 + 0 * tint
    )
    total = lamps[:, :, 0]
    for lamp in lamps.unbind(2)[1:]:  # in order: how a sum over an axis rounds may depend on the batch
        total = total + lamp
    return total
