"""Spectacles: frames as tubes that are rasterised like a head, lenses as a film over what is behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.heads.constants import constant
from tuiface.heads.geometry.body import glasses_colour
from tuiface.heads.geometry.chart import Chart
from tuiface.heads.geometry.curves import smoothstep
from tuiface.heads.geometry.eyes import eye_centre
from tuiface.heads.geometry.surface import Part
from tuiface.heads.lists import Lists
from tuiface.heads.sampling.look import Look
from tuiface.heads.shading.camera import Camera, rotate_about_neck

_ROUND = 12
"""Texels around a tube."""


def lens_outline(look: Look, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Outline (x, y) of a lens about its centre at `angle` [1, w], dm: [N, w] each; a superellipse."""
    shape, size = look["glasses_shape"][:, :, 0], look["glasses_size"][:, :, 0]
    power = 2 + 2.6 * shape
    cosine, sine = torch.cos(angle), torch.sin(angle)
    radius = (cosine.abs() ** power + sine.abs() ** power) ** (-1 / power)
    return (0.215 + 0.035 * size) * radius * cosine, (0.150 + 0.05 * size + 0.025 * (1 - shape)) * radius * sine


def _lens_z(x: Tensor) -> Tensor:
    """Depth of the lenses' plane, wrapped around the face."""
    return 0.985 - 0.24 * (x.abs() - 0.1).clamp(min=0) ** 1.5


def _lens_centre(look: Look) -> Tensor:
    """|x| of the lenses' centres [N, 1], dm."""
    return (eye_centre(look) + 0.012)[:, :, 0]


@dataclass(frozen=True, eq=False)
class LensLayer:
    """What the lenses do to each supersampled pixel, [N, S, S]."""

    absorption: Tensor
    """Share of the light from behind that is lost."""
    reflection: Tensor
    """Added radiance."""


def cover_lenses(look: Look, camera: Camera, depth: Tensor) -> LensLayer:
    """Splat both lenses before the surfaces at `depth` [N, S, S]: tint, and the mirrored light of a window."""
    n, size = depth.shape[:2]
    radial = torch.linspace(0, 1, size // 7, device=look.device).view(1, -1, 1)
    angle = torch.linspace(0, 2 * math.pi, size // 2, device=look.device)[None]
    dx, dy = (radial * outline[:, None] for outline in lens_outline(look, angle))
    light = torch.sin(torch.deg2rad(look["light_azimuth"]))
    slant = (dx - 0.8 * dy + 0.10 * light) / 0.10
    streak = smoothstep(-1.0, -0.8, slant) * smoothstep(0.35, 0.15, slant) * smoothstep(-0.12, 0.12, dy)
    own = look.draw("lens")[:, :, None]
    glare = (0.008 + 0.12 * own**2 * streak) * (0.3 + look["light_key"])
    worn = (look["glasses"] > 0.5)[..., None]
    sides = constant((-1.0, 1.0), look.device).view(1, 2, 1, 1)
    x = sides * _lens_centre(look)[..., None, None] + dx[:, None]
    points = rotate_about_neck(
        camera.head_rotation, torch.stack([x, (dy - 0.015)[:, None].expand_as(x), _lens_z(x)], 1)
    )
    column, row = (camera.project(points) * size).long().clamp(0, size - 1).unbind(1)
    pixel = (row * size + column).flatten(1)
    shown = worn & (points[:, 2] > depth.flatten(1).gather(1, pixel).view_as(x) - 0.03)
    light = torch.where(shown, (1 + glare)[:, None], 0.0).flatten(1)
    film = torch.zeros(n, size * size, device=look.device).scatter_reduce_(1, pixel, light, "amax")
    film = film.view(n, size, size)
    inside = (film > 0.5).float()
    return LensLayer((0.04 + 0.86 * look["tint"]) * inside, (film - 1).clamp(min=0))


def build_glasses(look: Look, chart: Chart, half_width: Tensor, lists: Lists) -> Part:
    """Rims, bridge and temples; `half_width` [N] of the head at the ears. Not worn: far behind the camera's reach."""
    device, columns = look.device, chart.width
    tube = torch.linspace(0, 2 * math.pi, _ROUND + 1, device=device).view(1, 1, -1, 1)
    thick = look["glasses"] > 1.5
    radius = torch.where(thick, 0.017, 0.0085)[..., None]
    centre = _lens_centre(look)
    positions, normals = [], []

    def add(x: Tensor, y: Tensor, z: Tensor, out_x: Tensor, out_y: Tensor) -> None:
        """A tube along the centre line [N, w] whose cross-section is spanned by (out_x, out_y, 0) and z."""
        axis = torch.stack([x, y.expand_as(x), z.expand_as(x)], dim=1)[:, :, None]
        out = torch.stack([out_x.expand_as(x), out_y.expand_as(x), torch.zeros_like(x)], dim=1)[:, :, None]
        forwards = constant((0.0, 0.0, 1.0), device).view(1, 3, 1, 1)
        normal = out * torch.cos(tube) + forwards * torch.sin(tube)
        positions.append(axis + normal * radius)
        normals.append(normal.expand_as(positions[-1]))

    angle = torch.linspace(0, 2 * math.pi, columns, device=device)[None]
    t = torch.linspace(0, 1, columns, device=device)[None]
    one, zero = torch.ones_like(t), torch.zeros_like(t)
    dx, dy = lens_outline(look, angle)
    for side in (-1.0, 1.0):
        x = side * centre + dx
        add(x, dy - 0.015, _lens_z(x), torch.cos(angle), torch.sin(angle))
        hinge = centre + dx.amax(1, keepdim=True)
        reach = (half_width[:, None] + 0.075 - hinge) * t**0.6
        add(side * (hinge + reach), 0.055 - 0.02 * t, 0.84 - 0.98 * t, zero, one)
    gap = (centre + dx.amin(1, keepdim=True)).clamp(min=0.04)
    across = 2 * t - 1
    add(gap * across, 0.035 + 0.028 * (1 - across**2), 0.975 + 0.02 * (1 - across**2), zero, one)
    position, normal = torch.cat(positions, dim=2), torch.cat(normals, dim=2)
    worn = look["glasses"][..., None] > 0.5
    position = torch.where(worn, position, -50.0)
    flat = torch.zeros_like(position[:, 0])
    return Part(
        position,
        normal,
        glasses_colour(look).expand_as(position),
        gloss=flat + 0.45,
        scatter=flat,
        occlusion=flat + 1,
        emission=flat,
        region=flat + float(Region.GLASSES),
        bands=tuple((first, first + _ROUND + 1) for first in range(0, position.shape[2], _ROUND + 1)),
        two_sided=True,
        visible=lists.any(worn),
    )
