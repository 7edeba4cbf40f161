"""Distinctive marks of a head: a mole and a scar, each where its parameters say, in relief and pigment."""

from __future__ import annotations

import torch

from tuiface.heads.geometry.curves import bell, plateau, smoothstep
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.sampling.look import Look


def add_marks(surface: Surface, look: Look) -> None:
    """Raise and colour the mole and the scar of each head that has them."""
    _add_mole(surface, look)
    _add_scar(surface, look)


def _add_mole(surface: Surface, look: Look) -> None:
    """A raised brown spot of 3 to 8 mm, uneven at its rim."""
    w = surface.chart.window(0.66, -1.08, 0.66)
    size = look["mole"]
    radius = (0.016 + 0.022 * size).clamp(min=1.1 * surface.chart.texel)
    ragged = 1 + 0.10 * surface.at(surface.mottle, w)
    square = ((w.x - look["mole_across"]) ** 2 + (w.y - look["mole_height"]) ** 2) / (radius * ragged) ** 2
    present = (size > 0).float()
    spot = plateau(square.sqrt()) * present * w.front
    surface.at(surface.forward, w).add_(0.012 * size * torch.exp(-square) * present)
    # As dark beside its skin on every skin: the darker, the more pigment that takes.
    surface.at(surface.melanin, w).add_((0.30 + 0.12 * size + 0.14 * look["melanin"]) * spot)
    surface.at(surface.gloss, w).mul_(1 - 0.4 * spot)


def _add_scar(surface: Surface, look: Look) -> None:
    """A healed cut: a sunken, smooth line, paler or redder than its skin, with a raised rim."""
    w = surface.chart.window(0.66, -1.08, 0.66)
    strength, angle = look["scar"], torch.deg2rad(look["scar_angle"])
    dx, dy = w.x - look["scar_across"], w.y - look["scar_height"]
    half = 0.05 + 0.15 * look["scar_length"]
    along = (dx * torch.cos(angle) + dy * torch.sin(angle)) / half
    bend = 0.018 * along * along + 0.004 * surface.at(surface.mottle, w)
    beside = dy * torch.cos(angle) - dx * torch.sin(angle) + bend
    width = ((0.009 + 0.007 * strength) * (1 - 0.55 * along * along).clamp(min=0.3)).clamp(
        min=0.9 * surface.chart.texel
    )
    ends = smoothstep(1.0, 0.75, along.abs()) * w.front
    line, rim = bell(beside / width) * ends * strength, bell((beside.abs() - 2.0 * width) / width) * ends * strength
    surface.at(surface.outward, w).add_(0.006 * rim - 0.013 * line)
    # New tissue makes little melanin, and is pink where the skin is light.
    melanin = surface.at(surface.melanin, w)
    melanin.mul_(1 - 0.45 * line).add_(0.03 * rim)
    surface.at(surface.blood, w).add_((0.42 * (1 - look["melanin"])) * line + 0.16 * rim)
    surface.at(surface.gloss, w).add_(0.10 * line)
    surface.at(surface.occlusion, w).mul_(1 - 0.16 * line)
