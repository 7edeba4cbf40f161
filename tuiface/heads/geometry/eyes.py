"""The eyes: lids cut over an eyeball, iris and gaze, lashes, wet line, and the light mirrored in the cornea."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.heads.geometry.chart import Window
from tuiface.heads.geometry.curves import (
    bell,
    colour,
    mix,
    normalise,
    over,
    plateau,
    smooth_max,
    smoothstep,
    soft_step,
)
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.sampling.look import Look
from tuiface.heads.shading.skin import skin_colour

IRIS_RADIUS = 0.0625
_EYEBALL_RADIUS = 0.166
_EYEBALL_CENTRE_Z = 0.575
_CORNEA_RADIUS = 0.082
"""Of the mirror that the cornea is, dm: a little more than the 7.8 mm of life, as irises are."""


@dataclass(frozen=True, eq=False)
class Eye:
    """One eye's window and fields [N, h, w]; `along` runs from -1 at the inner corner to 1 at the outer."""

    window: Window
    side: int
    opening: Tensor
    """1 between the lids."""
    along: Tensor
    height: Tensor
    """y in the eye's tilted frame, dm."""
    upper: Tensor
    """Height of the upper lid's edge."""
    lower: Tensor
    crease: Tensor
    bag: Tensor
    centre_x: Tensor
    """[N, 1, 1], signed."""


def eye_centre(look: Look) -> Tensor:
    """|x| of the eyes' centres, dm, [N, 1, 1]."""
    return 0.315 + 0.007 * look["eye_spacing"]


def shape_eyes(surface: Surface, look: Look) -> list[Eye]:
    """Cut both eyes into the surface."""
    return [_shape_eye(surface, look, side) for side in (-1, 1)]


def _shape_eye(surface: Surface, look: Look, side: int) -> Eye:
    w = surface.chart.window(0.62, -0.26, 0.27, side=side, inner=0.06)
    a, front = w.a, w.front
    centre, opened, age, smile = eye_centre(look), look["eye_opening"], look["age"], look["smile"]
    half_length = 0.157 * (1 + 0.030 * look["eye_size"])
    along = (a - centre) / half_length
    height = w.y - (0.016 * look["eye_tilt"] + 0.010) * along * 0.6
    u = (1 - along * along).clamp(min=0)
    inner_drop = 0.010 * smoothstep(-0.7, -1.0, along)
    upper = 0.070 * (1 + 0.08 * look["eye_size"]) * opened * u**0.60 * (1 - 0.16 * along) - inner_drop
    lower_height = (
        0.046
        * (1 + 0.06 * look["eye_size"])
        * (0.4 + 0.6 * opened)
        * (1 - 0.28 * smile)
        * (1 - 0.40 * look["lid_tighten"])
    )
    lower = -lower_height * u**0.75 * (1 + 0.22 * along) - inner_drop
    edge = max(surface.chart.texel * 0.75, 0.0026)
    opening = (along.abs() < 1) * soft_step(upper - height - 0.002, edge) * soft_step(height - lower - 0.002, edge)
    opening = opening * front
    forward = surface.at(surface.forward, w)
    reach = (a - centre) ** 2 + height**2
    lid = _EYEBALL_CENTRE_Z + torch.sqrt((0.185**2 - reach).clamp(min=1e-4))
    z = w.z + forward
    # Faded out before the sphere's rim, which would show as a ring on the cheek.
    z = mix(z, smooth_max(z, lid, 0.024) - 0.004, smoothstep(0.185**2, 0.150**2, reach) * front)
    z, crease, bag = _lid_relief(z, look, along, height, upper, lower, front)
    ball = _EYEBALL_CENTRE_Z + torch.sqrt((_EYEBALL_RADIUS**2 - reach).clamp(min=1e-4))
    z = mix(z, torch.maximum(ball, z - 0.035), opening)
    forward.copy_(z - w.z)
    outward, occlusion = surface.at(surface.outward, w), surface.at(surface.occlusion, w)
    outward *= 1 - opening
    occlusion *= (1 - 0.42 * crease) * (1 - (0.03 + 0.13 * age) * bag)
    return Eye(w, side, opening, along, height, upper, lower, crease, bag, side * centre)


def _lid_relief(
    z: Tensor, look: Look, along: Tensor, height: Tensor, upper: Tensor, lower: Tensor, front: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Fold of the upper lid, hood above it, bag under the eye: (z, crease mask, bag mask)."""
    age, fold = look["age"], look["eyelid_crease"]
    u = (1 - along * along).clamp(min=0)
    fold_y = upper * 0.94 + (0.026 + 0.026 * fold) * (0.50 + 0.50 * u**0.5) - 0.02 * smoothstep(0.6, 1.2, along)
    crease = bell((height - fold_y) / 0.0115) * torch.exp(-((along / 1.12) ** 6)) * fold * (0.5 + 0.5 * front)
    z = z - 0.017 * crease * front
    z = z + 0.011 * bell((height - fold_y - 0.036) / 0.027) * plateau(along / 1.2) * front * (0.35 + 1.1 * age)
    bag = bell((height - lower + 0.058 + 0.02 * age) / 0.016) * plateau((along + 0.1) / 0.95)
    z = z - (0.002 + 0.012 * age) * bag * front
    pouch = bell((height - lower + 0.03) / 0.021) * plateau(along / 0.9)
    z = z + (0.004 + 0.011 * age + 0.009 * look["smile"]) * pouch * front
    return z, crease, bag


def eyeball_normals(normal: Tensor, surface: Surface, eyes: list[Eye]) -> Tensor:
    """`normal` [N, 3, H, W] with the eyeballs' own between the lids: the relief is too coarse for a mirror."""
    for eye in eyes:
        view = surface.at(normal, eye.window)
        dx, dy = (eye.window.x - eye.centre_x).expand_as(eye.height), eye.height
        dz = torch.sqrt((_EYEBALL_RADIUS**2 - dx * dx - dy * dy).clamp(min=1e-3))
        view.copy_(normalise(over(view, normalise(torch.stack([dx, dy, dz], dim=1)), eye.opening)))
    return normal


def paint_eyes(surface: Surface, albedo: Tensor, emission: Tensor, look: Look, eyes: list[Eye]) -> None:
    """Colour lids, lashes, eyeballs and their reflections into `albedo` [N, 3, H, W] and `emission` [N, H, W]."""
    for eye in eyes:
        _paint_lids(surface, albedo, look, eye)
        _paint_eyeball(surface, albedo, emission, look, eye)
        _paint_lashes(surface, albedo, look, eye)
        surface.mark(eye.window, eye.opening > 0.5, Region.EYES)


def _paint_lids(surface: Surface, albedo: Tensor, look: Look, eye: Eye) -> None:
    view, front = surface.at(albedo, eye.window), eye.window.front
    makeup = look["makeup"]
    shadow = 0.34 * makeup * bell((eye.height - eye.upper - 0.02) / 0.036) * plateau(eye.along / 1.05) * front
    tint = colour(0.60, 0.86, 0.80, device=look.device)
    view.mul_(1 - shadow[:, None] * tint)
    crease_blood = 0.10 * eye.crease + 0.06 * eye.bag * (0.4 + look["age"])
    view.mul_(torch.exp(-crease_blood[:, None] * colour(0.3, 1.0, 0.8, device=look.device)))


def _paint_eyeball(surface: Surface, albedo: Tensor, emission: Tensor, look: Look, eye: Eye) -> None:
    w = eye.window
    view = surface.at(albedo, w)
    mottle = surface.at(surface.mottle, w)
    edge = surface.chart.texel * 0.75
    looked_x, looked_y = 0.030 * look["gaze_x"], 0.005 + 0.020 * look["gaze_y"]
    dx, dy = w.x - eye.centre_x - looked_x, eye.height - looked_y
    radius = torch.sqrt(dx * dx + dy * dy) / IRIS_RADIUS
    iris = soft_step(1 - radius, max(0.05, edge / IRIS_RADIUS))
    pupil = soft_step(0.40 - radius, max(0.04, edge / IRIS_RADIUS * 0.8))
    below_lid, above_lid = (eye.upper - eye.height).clamp(min=0), (eye.height - eye.lower).clamp(min=0)
    ball = over(_sclera(look, eye, mottle), _iris(look, dx * eye.side, dy, radius), iris)
    ball = ball * (1 - 0.97 * pupil)[:, None]
    # Lids shade the eye more the closer they are, and lashes more than lids.
    shade = (1 - 0.55 * torch.exp(-below_lid / 0.020) - 0.08 * torch.exp(-below_lid / 0.055)) * (
        1 - 0.20 * torch.exp(-above_lid / 0.010)
    )
    ball = ball * shade[:, None]
    caruncle = soft_step(-0.80 - eye.along, 0.045) * 0.85
    flesh = skin_colour(look["melanin"] * 0.65 + 0.02 + 0 * iris, 0.95 + 0 * iris) * (0.75 + 0.12 * shade)[:, None]
    view.copy_(over(view, over(ball, flesh, caruncle), eye.opening))
    gloss = surface.at(surface.gloss, w)
    gloss.copy_(mix(gloss, torch.full_like(gloss, 0.9), eye.opening))
    tears = bell((above_lid - 0.004) / max(0.0055, 0.6 * edge)) * smoothstep(-1.0, -0.7, eye.along)
    tears = tears * smoothstep(1.0, 0.8, eye.along) * (0.015 + 0.040 * look["light_key"])
    mirrored = _mirrored_lights(look, dx + 0.44 * looked_x, dy + 0.44 * (looked_y - 0.005), edge)
    visible = eye.opening * soft_step(below_lid - 0.004, 0.004)
    # Dark skin is exposed longer: what eyes reflect would glow.
    reflected = (mirrored + tears) * (1 - 0.65 * look["melanin"])
    surface.at(emission, w).add_(reflected * visible)


def _sclera(look: Look, eye: Eye, mottle: Tensor) -> Tensor:
    """The white, which is none: greyish, yellower with age, redder towards the corners, round."""
    device, age = look.device, look["age"]
    u = (1 - eye.along**2).clamp(min=0)
    white = colour(0.57, 0.54, 0.515, device=device) * (1 - 0.62 * look["melanin"])[:, None]
    vein = 0.30 * bell((eye.along + 1) / 0.28) + 0.14 * bell((eye.along - 1) / 0.22) + 0.12 * age + 0.03 * mottle.abs()
    red = torch.exp(-vein[:, None] * colour(0.1, 1.0, 1.0, device=device))
    return white * (0.66 + 0.34 * u**0.5)[:, None] * red


def _iris(look: Look, dx: Tensor, dy: Tensor, radius: Tensor) -> Tensor:
    """Fibres that run to the pupil, a brighter collar about it, a dark ring at the rim; `dx` grows outwards.

    Both eyes of a head have one iris, mirrored.
    """
    own = 6.3 * look.draw("iris")[:, :, None, None]
    angle = torch.atan2(dy, dx)
    fibres = 0.16 * torch.sin(17 * angle + own[:, 0]) + 0.12 * torch.sin(29 * angle + own[:, 1] + 3 * radius)
    fibres = fibres + 0.10 * torch.sin(43 * angle + own[:, 2] - 4 * radius) + 0.08 * torch.sin(5 * angle + own[:, 3])
    collar = 0.36 * bell((radius - 0.56 - 0.03 * torch.sin(9 * angle + own[:, 1])) / 0.15)
    ring = 1 - 0.85 * smoothstep(0.70, 0.95, radius)
    # Light that enters from above leaves at the opposite side.
    opposite = 1 - 0.30 * (dy / IRIS_RADIUS).clamp(-1, 1)
    pattern = (0.62 + fibres + collar) * ring * opposite
    warm = collar[:, None] * colour(0.24, 0.10, -0.10, device=look.device)
    return _iris_colour(look) * pattern[:, None] * (1 + warm)


def _mirrored_lights(look: Look, dx: Tensor, dy: Tensor, edge: float) -> Tensor:
    """Radiance [N, h, w] that the cornea mirrors: the key light where its normal halves the way to the camera, and
    the fill of the other side. (dx, dy) from the middle of the cornea, dm: lights are far, so both eyes have one place.
    """
    azimuth, elevation, yaw, pitch = (
        torch.deg2rad(look[name]) for name in ("light_azimuth", "light_elevation", "yaw", "pitch")
    )

    def place(azimuth: Tensor, elevation: Tensor) -> tuple[Tensor, Tensor]:
        """Normal (x, y) of the head's frame that mirrors a light."""
        x = torch.sin(azimuth) * torch.cos(elevation)
        y, z = torch.sin(elevation), 1 + torch.cos(azimuth) * torch.cos(elevation)
        length = torch.sqrt(x * x + y * y + z * z)
        x, y, z = x / length, y / length, z / length
        y, z = y * torch.cos(pitch) + z * torch.sin(pitch), z * torch.cos(pitch) - y * torch.sin(pitch)
        return x * torch.cos(yaw) - z * torch.sin(yaw), y

    x, y = place(azimuth, elevation)
    side = 0.0070 + 0.0060 * look["light_softness"]
    soft = edge + 0.15 * side
    away = torch.maximum((dx - _CORNEA_RADIUS * x).abs(), (dy - _CORNEA_RADIUS * y).abs() * 0.9)
    key = soft_step((side - away) / (0.35 * soft), 1.0) * (0.30 + 0.45 * look["light_key"])
    x, y = place(-0.9 * azimuth, 0 * elevation + 0.25)
    fill = bell((dx - _CORNEA_RADIUS * x) / 0.014) * bell((dy - _CORNEA_RADIUS * y) / 0.010)
    return key + (0.016 - 0.010 * look["light_key"]) * fill


def _paint_lashes(surface: Surface, albedo: Tensor, look: Look, eye: Eye) -> None:
    """Upper lashes as a line that thickens and lifts outwards, lower ones faint, and the moist rim of the lid."""
    view, front = surface.at(albedo, eye.window), eye.window.front
    makeup, along, height = look["makeup"], eye.along, eye.height
    wet = bell((height - eye.lower + 0.007) / 0.006) * (along.abs() < 0.95) * front * (1 - eye.opening) * 0.5
    view.copy_(over(view, skin_colour(look["melanin"] * 0.8 + 0 * wet, 0.55 + 0 * wet) * 1.08, wet))
    fair = 1 - 0.55 * smoothstep(0.5, 0.1, look["hair_eumelanin"]) * (1 - makeup)
    # Never thinner than a texel: small pictures would lose the line that draws the eye.
    thinnest = 0.75 * surface.chart.texel
    thickness = (0.0090 + 0.0050 * makeup + 0.004 * smoothstep(0.2, 1.0, along)).clamp(min=thinnest)
    upper = bell((height - eye.upper - 0.004) / thickness) * (along.abs() < 1.03)
    upper = upper * (0.80 + 0.20 * makeup) * (0.55 + 0.45 * smoothstep(-1.0, 0.3, along)) * fair
    wing_y = eye.upper + 0.10 * (along - 0.92).clamp(min=0) + 0.006
    wing = bell((height - wing_y) / 0.009) * smoothstep(0.85, 1.0, along) * smoothstep(1.22, 1.05, along)
    wing = wing * (0.25 + 0.65 * makeup)
    lower = bell((height - eye.lower + 0.002) / 0.0065) * (along.abs() < 0.98) * (0.20 + 0.42 * makeup) * fair
    ink = 1 - (1 - 0.93 * upper.clamp(0, 1)) * (1 - 0.8 * wing) * (1 - 0.8 * lower * smoothstep(-0.9, 0.5, along))
    view.copy_(over(view, colour(0.012, 0.009, 0.008, device=look.device), ink * front))


def _iris_colour(look: Look) -> Tensor:
    """Linear RGB [N, 3, 1, 1]: brown, or hazel, green, grey, blue by `iris_hue`."""
    device = look.device
    hue = look["iris_hue"][:, None]
    hazel, green = colour(0.115, 0.065, 0.022, device=device), colour(0.075, 0.10, 0.052, device=device)
    grey, blue = colour(0.10, 0.125, 0.14, device=device), colour(0.06, 0.115, 0.21, device=device)
    light = torch.where(hue < 0.3, hazel, torch.where(hue < 0.5, green, torch.where(hue < 0.65, grey, blue)))
    return over(colour(0.040, 0.017, 0.008, device=device), light, look["iris_lightness"])
