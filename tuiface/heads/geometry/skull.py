"""Broad shape: forehead, brow ridge, cheeks, jaw, chin, what sags of it with age; the warp of identity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.heads.constants import kept_by_first
from tuiface.heads.geometry.chart import Chart
from tuiface.heads.geometry.curves import bell, plateau, smoothstep
from tuiface.heads.geometry.expression import move_face
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
    aged_temple = bell((a - 0.66) / 0.12) * bell((y - 0.18) / 0.16)
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
        sag=0.052 * jowl - 0.030 * hollowed - 0.016 * aged_temple,
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
    position[:, 2] += surface.forward
    move_face(position, chart, look)
    x, y, z = position.unbind(1)
    stretch = 1 + 0.026 * look["face_width"] * shapes.cheeks
    stretch = (
        stretch
        + 0.10 * torch.tanh(0.55 * look["jaw_width"]) * shapes.jaw
        + 0.13 * torch.tanh(0.55 * look["chin_width"]) * shapes.chin
        - look["taper"] * (0.055 * shapes.jaw + 0.045 * shapes.chin)
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
