"""Assemble one head: features in order, then the warp of identity, then paint."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.heads.constants import kept_by_first
from tuiface.heads.geometry.chart import Chart, surface_normals
from tuiface.heads.geometry.expression import fold_face
from tuiface.heads.geometry.eyes import Eye, eye_centre, eyeball_normals, paint_eyes, shape_eyes
from tuiface.heads.geometry.face import Mouth, add_nose, paint_mouth, shape_mouth
from tuiface.heads.geometry.marks import add_marks
from tuiface.heads.geometry.skull import add_skull, warp
from tuiface.heads.geometry.surface import Part, Surface
from tuiface.heads.geometry.wrinkles import add_folds, add_wrinkles
from tuiface.heads.hair.beard import beard_growth, paint_stubble
from tuiface.heads.hair.brows import Brows, paint_brows, shape_brows
from tuiface.heads.hair.growth import hairline, paint_scalp
from tuiface.heads.sampling.look import Look
from tuiface.heads.shading.skin import add_complexion, add_pores, skin_colour


@dataclass(frozen=True, eq=False)
class Head:
    """A built head and what hair, glasses and camera need to know of it."""

    part: Part
    hairline: Tensor
    """Height of the hairline, [N, H, W]."""
    beard: Tensor
    """Where the beard's style grows, 0..1, [N, H, W]."""
    brows: Brows
    eyes: list[Eye]
    landmarks: Tensor
    """[N, 3, 4]: left and right eye (as the viewer sees them), left and right corner of the mouth."""
    ear_width: Tensor
    """Half-width of the head at the ears, dm, [N]."""


def build_head(look: Look, chart: Chart) -> Head:
    """Shape and paint the heads of a batch."""
    surface = Surface.bare(chart, look)
    add_skull(surface, look)
    add_nose(surface, look)
    add_folds(surface, look)
    mouth = shape_mouth(surface, look)
    add_wrinkles(surface, look)
    fold_face(surface, look)
    add_pores(surface, look)
    eyes = shape_eyes(surface, look)
    add_complexion(surface, look)
    add_marks(surface, look)
    position = warp(surface, look)

    albedo = skin_colour(surface.melanin, surface.blood * (1 - 0.35 * look["melanin"]))
    emission = torch.zeros_like(surface.melanin)
    growth = beard_growth(look, chart)
    paint_mouth(surface, albedo, look, mouth)
    paint_stubble(surface, albedo, look, growth)
    brows = shape_brows(surface, look)
    paint_brows(surface, albedo, look, brows)
    paint_eyes(surface, albedo, emission, look, eyes)
    line = hairline(look, chart.whole.theta)
    scalp = paint_scalp(surface, albedo, look, line)

    part = Part(
        position,
        eyeball_normals(surface_normals(position), surface, eyes),
        albedo.clamp(0.002, 1),
        gloss=surface.gloss,
        scatter=_scatter(surface, scalp, mouth, eyes),
        occlusion=surface.occlusion.clamp(0.1, 1),
        emission=emission,
        region=surface.region,
    )
    corner_y, corner_x = mouth.corner_y[:, 0, 0], mouth.half_width[:, 0, 0]
    eye_x = eye_centre(look)[:, 0, 0]
    eye_y = torch.zeros_like(eye_x)
    picks = [
        chart.nearest_texel(x, y)
        for x, y in ((-eye_x, eye_y), (eye_x, eye_y), (-corner_x, corner_y), (corner_x, corner_y))
    ]
    flat = position.flatten(2)
    landmarks = torch.stack([flat.gather(2, p[:, None, None].expand(-1, 3, 1))[..., 0] for p in picks], dim=2)
    return Head(part, line, growth, brows, eyes, landmarks, _ear_width(chart, position))


def _scatter(surface: Surface, scalp: Tensor, mouth: Mouth, eyes: list[Eye]) -> Tensor:
    """Where light diffuses under the surface: not in eyes, hair or the open mouth."""
    scatter = 1 - scalp
    surface.at(scatter, mouth.window).mul_(1 - 0.8 * mouth.inside)
    for eye in eyes:
        surface.at(scatter, eye.window).mul_(1 - eye.opening)
    return scatter


def _ear_width(chart: Chart, position: Tensor) -> Tensor:
    """Half-width of the warped head where the ears grow."""
    return position[:, 0].flatten(1)[:, _ear_texel(chart)].abs()


@kept_by_first
def _ear_texel(chart: Chart) -> int:
    whole = chart.whole
    return int(((whole.y + 0.165) ** 2 + (whole.z + 0.03) ** 2 + (whole.x < 0)).argmin())
