"""Broad shape: forehead, brow ridge, cheeks, jaw, chin; folds and sagging of age; the warp of identity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.heads.constants import kept_by_first
from tuiface.heads.geometry.chart import Chart
from tuiface.heads.geometry.curves import bell, plateau, smoothstep
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.sampling.look import Look


@dataclass(frozen=True, eq=False)
class _SkullShapes:
    """Where the bones and the fat of every head lie, [1, H, W]."""

    cheekbone: Tensor
    fat: Tensor
    hollow: Tensor
    temple: tuple[Tensor, Tensor]
    """Factors across and down, and so the others."""
    forehead: tuple[Tensor, Tensor]
    chin: tuple[Tensor, Tensor]
    ridge: Tensor
    muzzle: Tensor
    """Displacements in dm, from here on."""
    chin_groove: Tensor
    sag: Tensor
    socket: Tensor
    inner_socket: Tensor


@kept_by_first
def _skull_shapes(chart: Chart) -> _SkullShapes:
    w = chart.whole
    x, y, a, front = w.x, w.y, w.a, w.front
    jowl = bell((a - 0.37) / 0.10) * bell((y + 0.86) / 0.11) * front
    hollowed = bell((a - 0.45) / 0.14) * bell((y + 0.42) / 0.16) * front
    return _SkullShapes(
        cheekbone=bell((a - 0.49) / 0.17) * bell((y + 0.17) / 0.15) * front,
        fat=bell((a - 0.40) / 0.21) * bell((y + 0.55) / 0.26) * front,
        hollow=bell((a - 0.47) / 0.13) * bell((y + 0.46) / 0.16) * front,
        temple=(bell((a - 0.69) / 0.14), bell((y - 0.28) / 0.2)),
        forehead=(bell(x / 0.32), bell((y - 0.47) / 0.22)),
        chin=(bell(a / 0.17), bell((y + 1.0) / 0.115)),
        ridge=bell((y - 0.19 - 0.05 * a) / 0.080) * smoothstep(0.64, 0.34, a) * (1 - 0.35 * bell(x / 0.08)),
        muzzle=0.038 * bell(x / 0.28) * bell((y + 0.66) / 0.22),
        chin_groove=0.018 * bell(x / 0.22) * bell((y + 0.845) / 0.08),
        sag=0.042 * jowl - 0.022 * hollowed,
        socket=0.062 * bell((a - 0.315) / 0.19) * bell((y - 0.03) / 0.125) * front,
        inner_socket=0.052 * bell((a - 0.165) / 0.08) * bell((y - 0.04) / 0.10) * front,
    )


def add_skull(surface: Surface, look: Look) -> None:
    """Bones and fat under the skin."""
    shapes, age = _skull_shapes(surface.chart), look["age"]
    surface.outward += (0.034 + 0.016 * look["cheekbones"]) * shapes.cheekbone
    surface.outward += (0.014 + 0.022 * look["fullness"]) * shapes.fat
    surface.outward -= (0.003 + 0.010 * look["cheek_hollow"]) * shapes.hollow
    surface.outward += (-0.026 + 0.012 * look["temple_width"]) * shapes.temple[0] * shapes.temple[1]
    surface.forward += (0.022 + 0.012 * look["forehead_bulge"]) * shapes.forehead[0] * shapes.forehead[1]
    surface.forward += (0.018 + 0.015 * look["brow_ridge"]) * shapes.ridge
    surface.forward += shapes.muzzle
    surface.forward += (0.030 + 0.015 * look["chin_projection"]) * shapes.chin[0] * shapes.chin[1]
    surface.forward -= shapes.chin_groove
    surface.outward += age * age * shapes.sag
    surface.forward -= shapes.socket
    surface.forward -= shapes.inner_socket


def add_folds(surface: Surface, look: Look) -> None:
    """Nasolabial and marionette folds, raised cheeks of a smile, tear troughs."""
    w = surface.chart.window(0.62, -1.0, 0.0)
    y, a, front = w.y, w.a, w.front
    age, smile = look["age"], look["smile"]
    outward, occlusion = surface.at(surface.outward, w), surface.at(surface.occlusion, w)
    wing = 0.180 * (1 + 0.05 * look["nose_width"])
    fold_line = wing + 0.185 * ((-0.40 - y).clamp(min=0) / 0.32) ** 0.85 + 0.025 * smile
    distance = a - fold_line
    along = smoothstep(-0.37, -0.46, y) * smoothstep(-0.78, -0.54, y)
    depth = 0.05 + 0.42 * smile + 0.85 * look["wrinkled"] + 0.25 * smile * age
    pillow = smoothstep(-0.02, 0.06, distance) * torch.exp(-distance.clamp(min=0) / 0.17)
    outward += (0.021 * pillow - 0.010 * bell(distance / 0.026)) * depth * along * front
    occlusion *= 1 - (0.11 * depth * bell(distance / 0.020) * along).clamp(max=0.4)
    outward += 0.058 * smile * bell((a - 0.39) / 0.15) * bell((y + 0.28) / 0.13) * front
    marionette = a - 0.28 - 0.10 * (-0.70 - y)
    sag = age * age * smoothstep(-0.70, -0.78, y) * smoothstep(-1.0, -0.85, y)
    outward -= 0.012 * sag * bell(marionette / 0.024)
    trough = bell((a - 0.27 + (y + 0.13) * 0.6) / 0.1) * bell((y + 0.14) / 0.045)
    surface.at(surface.forward, w).sub_(0.010 * trough * (0.35 + 1.2 * age) * front)


def add_wrinkles(surface: Surface, look: Look) -> None:
    """Forehead lines, frown lines, crow's feet and lip lines, by age and expression."""
    w = surface.chart.window(0.75, -0.3, 0.8)
    y, a, front = w.y, w.a, w.front
    age, wrinkled = look["age"], look["wrinkled"]
    mottle, outward = surface.at(surface.mottle, w), surface.at(surface.outward, w)
    occlusion = surface.at(surface.occlusion, w)
    lines = torch.sin((y - 0.36 + 0.05 * a * a + 0.014 * mottle) * (2 * math.pi / 0.088)).clamp(min=0) ** 3
    strength = 0.9 * wrinkled + 0.5 * look["brow_raise"].clamp(min=0) * (0.2 + age)
    forehead = lines * bell((y - 0.48) / 0.13) * smoothstep(0.52, 0.2, a) * strength
    angle_x, angle_y = a - 0.455, y + 0.01
    angle, radius = torch.atan2(angle_y, angle_x), torch.sqrt(angle_x**2 + angle_y**2)
    rays = torch.sin(angle * 11 + mottle * 0.5).clamp(min=0) ** 2 * bell((radius - 0.11) / 0.05)
    crow = rays * smoothstep(1.25, 0.9, angle.abs()) * (0.85 * wrinkled + 0.4 * look["smile"] * age)
    frown = bell((a - 0.055 - 0.02 * mottle) / 0.014) * bell((y - 0.19) / 0.07)
    frown = frown * (0.7 * wrinkled + 0.6 * (-look["brow_raise"]).clamp(min=0))
    relief = forehead + 0.9 * crow * front + frown
    outward -= 0.009 * relief
    occlusion *= 1 - (0.16 * relief).clamp(max=0.3)


@dataclass(frozen=True, eq=False)
class _WarpShapes:
    """Where the proportions of a head act, [1, H, W]."""

    cheeks: Tensor
    jaw: Tensor
    chin: Tensor
    jaw_and_chin: tuple[Tensor, Tensor]
    """Stretch of every head."""
    full: Tensor
    lower: Tensor
    length: Tensor
    forehead: Tensor
    drop: Tensor
    drop_across: Tensor
    recede: Tensor
    wave: Tensor


@kept_by_first
def _warp_shapes(chart: Chart) -> _WarpShapes:
    y = chart.whole.y
    jaw = smoothstep(-0.30, -0.76, y) * smoothstep(-1.2, -0.95, y)
    return _WarpShapes(
        cheeks=smoothstep(0.8, 0.3, y),
        jaw=jaw,
        chin=bell((y + 1.08) / 0.15),
        jaw_and_chin=(0.045 * jaw, 0.07 * bell((y + 1.06) / 0.16)),
        full=plateau((y + 0.72) / 0.45),
        lower=0.010 * smoothstep(0.2, -0.9, y),
        length=smoothstep(-0.60, -1.1, y),
        forehead=smoothstep(0.3, 0.9, y),
        drop=smoothstep(-0.66, -0.82, y),
        drop_across=0.3 + 0.7 * chart.whole.front,
        recede=smoothstep(-0.7, -1.1, y),
        wave=y * 2.2,
    )


def warp(surface: Surface, look: Look) -> Tensor:
    """Displace the neutral head and stretch it to its owner's proportions: positions [N, 3, H, W]."""
    chart, shapes = surface.chart, _warp_shapes(surface.chart)
    position = chart.position + surface.outward[:, None] * chart.normal
    x, y, z = position.unbind(1)
    z = z + surface.forward
    stretch = 1 + 0.026 * look["face_width"] * shapes.cheeks
    stretch = (
        stretch
        + 0.10 * torch.tanh(0.55 * look["jaw_width"]) * shapes.jaw
        + 0.13 * torch.tanh(0.55 * look["chin_width"]) * shapes.chin
    )
    stretch = stretch + shapes.jaw_and_chin[0] + shapes.jaw_and_chin[1]
    stretch = stretch + 0.030 * look["fullness"] * shapes.full - shapes.lower
    x = x * stretch
    y = y + (0.045 - 0.038 * look["face_length"]) * shapes.length
    y = y + 0.030 * look["forehead_height"] * shapes.forehead
    drop = shapes.drop * (0.085 * look["mouth_open"] + 0.022 * look["teeth"]) * shapes.drop_across
    y, z = y - drop, z - 0.25 * drop * shapes.recede
    skew = look["asymmetry"]
    x = x + 0.010 * skew * torch.sin(shapes.wave + skew) * chart.whole.front
    y = y + 0.008 * skew * chart.whole.x * chart.whole.front
    return torch.stack([x, y, z], dim=1)
