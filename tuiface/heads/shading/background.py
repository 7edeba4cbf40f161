"""What is behind the head: plain, graded, out-of-focus lights, rooms and leaves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.heads.geometry.body import hue_colour
from tuiface.heads.geometry.curves import mix, smoothstep, soft_step
from tuiface.heads.sampling.look import Look
from tuiface.heads.sampling.parameters import BACKDROPS

_BLOBS = 9


def paint_background(look: Look, size: int) -> Tensor:
    """Radiance [N, 3, size, size]; evaluated at a quarter of the size, as it is out of focus."""
    coarse = max(32, size // 4)
    axis = torch.linspace(-1, 1, coarse, device=look.device)
    y, x = axis[None, :, None], axis[None, None, :]
    draws = look.draw("backdrop")[:, :, None, None]
    hue, colourfulness, lightness = look["backdrop_hue"], look["backdrop_colourfulness"], look["backdrop_lightness"]
    base = hue_colour(hue, colourfulness, 0.12 + 0.75 * lightness)
    slope = 1 - 0.45 * (draws[:, 0] - 0.5) * y - 0.45 * (draws[:, 1] - 0.5) * x
    gradient = look.choice_mask("backdrop", BACKDROPS, ("gradient",))
    slope = slope + gradient * (0.7 * (draws[:, 2] - 0.5) * y + 0.5 * torch.exp(-1.2 * (x * x + y * y)) - 0.25)
    image = base * slope[:, None]
    cells = _cells(look, 6, coarse)
    foliage = look.choice_mask("backdrop", BACKDROPS, ("foliage",))
    green = hue_colour(0.24 + 0.1 * hue, 0.25 + 0.4 * colourfulness, 0.15 + 0.55 * lightness)
    leaves = green * (0.55 + 0.9 * (0.6 * _cells(look, 7, coarse) + 0.4 * _cells(look, 13, coarse)))[:, None]
    image = mix(image, leaves, foliage[:, None])
    room = look.choice_mask("backdrop", BACKDROPS, ("interior",))
    image = image * (1 + room * 0.5 * (cells - 0.5))[:, None] * _bars(look, x, room)[:, None]
    lights = look.choice_mask("backdrop", BACKDROPS, ("bokeh",))
    image = image * (1 - 0.4 * lights)[:, None] + _discs(look, x, y) * lights[:, None]
    vignette = 1 - 0.10 * (x * x + y * y)
    image = (image * vignette[:, None]).clamp(0.004, 1.3)
    return F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False)


def _cells(look: Look, cells: int, size: int) -> Tensor:
    """Smooth noise in 0..1, [N, size, size], `cells` lumps across."""
    lattice = look.draw(f"backdrop cells {cells}").view(-1, 1, cells, cells)
    return F.interpolate(lattice, size=(size, size), mode="bicubic", align_corners=False)[:, 0].clamp(0, 1)


def _bars(look: Look, x: Tensor, room: Tensor) -> Tensor:
    """Factor [N, size, size] of blurred upright edges: doors, shelves, window frames."""
    at, blur, wide, contrast, blur_far = look.draw("bars").view(-1, 3, 5, 1, 1).unbind(2)
    left = torch.sigmoid((x - 2 * at + 1) / (0.02 + 0.08 * blur))
    right = torch.sigmoid((x - 2 * at + 0.8 - 0.6 * wide) / (0.02 + 0.08 * blur_far))
    first, second, third = (1 + room[:, None] * (1.1 * contrast - 0.55) * (left - right)).unbind(1)
    return first * second * third


def _discs(look: Look, x: Tensor, y: Tensor) -> Tensor:
    """Radiance [N, 3, size, size] of out-of-focus lamps."""
    cx, cy, radius, hue, power, tint = look.draw("bokeh").view(-1, _BLOBS, 6, 1, 1).unbind(2)
    reach = torch.sqrt((x - 2 * cx + 1) ** 2 + (y - 2 * cy + 1) ** 2)
    disc = soft_step(0.06 + 0.14 * radius - reach, 0.012) * smoothstep(-0.6, 0.6, reach / (0.06 + 0.14 * radius))
    lamps = disc[:, None] * hue_colour(0.16 * hue - 0.02, 0.7 * tint, 0.9 * power**0.5) * 0.45
    total = lamps[:, :, 0]
    for lamp in lamps.unbind(2)[1:]:  # in order: how a sum over an axis rounds may depend on the batch
        total = total + lamp
    return total
