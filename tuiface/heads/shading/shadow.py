"""Shadows: of surfaces by a blurred depth map from the light, of hair by its density, of creases from the screen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.heads.constants import constant
from tuiface.heads.geometry.curves import cross, dot, mix, normalise, smoothstep
from tuiface.heads.hair.strands import Strands
from tuiface.heads.shading.raster import SPARE_PLACES

_HALF_EXTENT = 1.75
"""Half the side of the square that the shadow maps cover, dm."""
_SHARPNESS = 14.0
"""Exponent of the depth map (Annen et al. 2008): larger leaks less light and needs more precision."""
_BIAS = 0.045


@dataclass(frozen=True, eq=False)
class ShadowMaps:
    """What the key light sees of a batch, [N, 1, M, M] each."""

    direction: Tensor
    """[N, 3], towards the light."""
    right: Tensor
    up: Tensor
    surface: Tensor
    """Blurred exp(sharpness * depth) of surfaces."""
    hair_density: Tensor
    hair_depth: Tensor
    """Mean depth of the hair."""

    def of(self, owner: Tensor) -> ShadowMaps:
        """The same maps with the axes of each of `owner` [T]."""
        return replace(self, direction=self.direction[owner], right=self.right[owner], up=self.up[owner])

    def project(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Points [N, 3, ...] as map coordinates in -1..1 and depth, each [N, ...]."""
        shape = (-1, 3, *[1] * (points.ndim - 2))
        u, v, w = (dot(points, axis.view(shape)) for axis in (self.right, self.up, self.direction))
        return u / _HALF_EXTENT, (v + 0.2) / _HALF_EXTENT, w


def cast_shadows(direction: Tensor, softness: Tensor, surfaces: Tensor, strands: Strands, size: int) -> ShadowMaps:
    """Render the maps from surface points [N, 3, P] and from every other strand point; softness [N, 1, 1]."""
    up = constant((0.0, 1.0, 0.0), direction.device).expand_as(direction)
    right = normalise(cross(up, direction))
    bare = ShadowMaps(direction, right, cross(direction, right), *[torch.empty(0)] * 3)

    def cells(axes: ShadowMaps, points: Tensor) -> tuple[Tensor, Tensor]:
        u, v, depth = axes.project(points)
        column, row = ((u * 0.5 + 0.5) * size).long(), ((v * 0.5 + 0.5) * size).long()
        inside = (column >= 0) & (column < size) & (row >= 0) & (row < size) & (points[:, 2] > -4)
        spare = torch.arange(points.shape[-1], device=points.device) % SPARE_PLACES
        return torch.where(inside, row * size + column, size * size + spare), depth

    def square(sums: Tensor) -> Tensor:
        return sums.view(len(direction), -1)[:, :-SPARE_PLACES].view(-1, 1, size, size)

    cell, depth = cells(bare, surfaces)
    empty = torch.full((len(direction), size * size + SPARE_PLACES), -2.0, device=depth.device)
    nearest = square(empty.scatter_reduce(1, cell, depth, "amax"))
    exponential = torch.exp(_SHARPNESS * (nearest.clamp(min=-2) - 1.5))
    sharp = _box_blur(_box_blur(exponential, 1), 1)
    blurred = mix(sharp, _box_blur(_box_blur(sharp, 3), 2), 0.35 + 0.65 * softness[:, None])

    cell, depth = cells(bare.of(strands.owner), strands.position[..., ::2])
    cell = (cell + strands.owner[:, None] * empty.shape[1]).flatten()
    fixed = 1024.0  # integer sums: the same picture in any batch
    weight = strands.width[..., ::2]
    count = torch.zeros(empty.numel(), dtype=torch.int64, device=depth.device)
    moment = count.scatter_add(0, cell, ((depth + 4).clamp(0, 8) * weight * fixed).long().flatten())
    count = count.scatter_add(0, cell, (weight * fixed).long().flatten())
    count, moment = square(count), square(moment)
    density, moments = _box_blur(_box_blur(count / fixed, 2), 1), _box_blur(_box_blur(moment / fixed, 2), 1)
    return ShadowMaps(direction, right, bare.up, blurred, density, moments / (density + 1e-3) - 4)


def surface_visibility(maps: ShadowMaps, points: Tensor) -> Tensor:
    """Share of the key light that reaches surface points [N, 3, h, w], past surfaces and through hair."""
    u, v, depth = maps.project(points)
    stack = torch.cat([maps.surface, maps.hair_density, maps.hair_depth], dim=1)
    surface, density, hair_depth = F.grid_sample(stack, torch.stack([u, v], dim=3), align_corners=False).unbind(1)
    return _surface_transmission(surface, depth) * _hair_transmission(density, hair_depth - depth, 0.13, 0.07)


def strand_visibility(maps: ShadowMaps, owner: Tensor, points: Tensor) -> Tensor:
    """The same for strand points [T, 3, Q] of samples `owner`; hair shades itself more gradually."""
    size = maps.surface.shape[-1]
    u, v, depth = maps.of(owner).project(points)
    column, row = (((c * 0.5 + 0.5) * size).long().clamp(0, size - 1) for c in (u, v))
    cell = (owner[:, None] * size + row) * size + column
    surface, density, hair_depth = (m.flatten()[cell] for m in (maps.surface, maps.hair_density, maps.hair_depth))
    return _surface_transmission(surface, depth) * _hair_transmission(density, hair_depth - depth, 0.055, 0.30)


def _surface_transmission(surface: Tensor, depth: Tensor) -> Tensor:
    lit = torch.exp(_SHARPNESS * (depth + _BIAS - 1.5)) / surface.clamp(min=1e-9)
    return 0.12 + 0.88 * smoothstep(0.05, 1, lit.clamp(0, 1))


def _hair_transmission(density: Tensor, behind: Tensor, opacity: float, depth_range: float) -> Tensor:
    """Transmission of hair; it shades in full `depth_range` dm behind its mean depth."""
    return 0.10 + 0.90 * torch.exp(-opacity * density * smoothstep(0.0, depth_range, behind))


def crease_occlusion(depth: Tensor, dm_per_pixel: float) -> Tensor:
    """Ambient occlusion [N, S, S] from a depth image [N, S, S]: darker where the surroundings lie nearer, 3 scales."""
    half = F.avg_pool2d(depth[:, None].clamp(min=-1.2), 2)
    darkness = torch.zeros_like(half)
    for radius, strength, drop in ((0.035, 0.50, 0.05), (0.10, 0.55, 0.14), (0.22, 0.45, 0.30)):
        reach = radius / (2 * dm_per_pixel)
        if reach > 8:
            small = F.avg_pool2d(half, 4)
            blurred = _box_blur(_box_blur(small, max(1, round(reach / 4))), max(1, round(reach / 4)))
            blurred = F.interpolate(blurred, size=half.shape[-2:], mode="bilinear", align_corners=False)
        else:
            blurred = _box_blur(_box_blur(half, max(1, round(reach))), max(1, round(reach)))
        darkness += strength * ((blurred - half) / drop).clamp(0, 1)
    full = F.interpolate(darkness, scale_factor=2, mode="bilinear", align_corners=False)
    return torch.exp(-1.2 * full[:, 0])


def hair_occlusion(opacity: Tensor, dm_per_pixel: float) -> Tensor:
    """Share of light [N, S, S] that reaches a surface in the pixels among and beside hairs of `opacity` [N, S, S].

    What shows between the hairs of a fringe lies in their shade; the maps are too coarse for single locks.
    """
    reach = max(1, round(0.045 / (2 * dm_per_pixel)))
    covered = _box_blur(_box_blur(F.avg_pool2d(opacity[:, None], 2), reach), max(1, reach // 2))
    return 1 - 0.62 * F.interpolate(covered, scale_factor=2, mode="bilinear", align_corners=False)[:, 0]


def diffuse_under_skin(irradiance: Tensor, scatter: Tensor, dm_per_pixel: float) -> Tensor:
    """Blur irradiance [N, 3, S, S] within skin (mask [N, S, S]): red travels farthest (d'Eon and Luebke 2007)."""
    mask = scatter[:, None]
    mask_half = F.avg_pool2d(mask, 2)
    light_half = F.avg_pool2d(irradiance * mask, 2)
    near, far = (max(1, round(reach / (2 * dm_per_pixel))) for reach in (0.014, 0.034))
    stack = torch.cat([light_half, mask_half], dim=1)
    narrow = _box_blur(_box_blur(stack, near), near)
    wide = _box_blur(_box_blur(stack[:, ::3], far), far)
    narrow = F.interpolate(narrow[:, :3] / (narrow[:, 3:] + 1e-3), scale_factor=2, mode="bilinear", align_corners=False)
    wide = F.interpolate(wide[:, :1] / (wide[:, 1:] + 1e-3), scale_factor=2, mode="bilinear", align_corners=False)
    red = 0.30 * irradiance[:, :1] + 0.35 * narrow[:, :1] + 0.35 * wide
    green = 0.55 * irradiance[:, 1:2] + 0.45 * narrow[:, 1:2]
    blue = 0.68 * irradiance[:, 2:] + 0.32 * narrow[:, 2:]
    return mix(irradiance, torch.cat([red, green, blue], dim=1), mask)


def _box_blur(image: Tensor, reach: int) -> Tensor:
    """Separable box blur of [N, C, h, w] over 2 * reach + 1 pixels; the border counts only what is inside."""
    side = 2 * reach + 1
    image = F.avg_pool2d(image, (side, 1), 1, (reach, 0), count_include_pad=False)
    return F.avg_pool2d(image, (1, side), 1, (0, reach), count_include_pad=False)
