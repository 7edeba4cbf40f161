"""The light on a head: key, fill and surroundings; how skin, eyes, cloth and hair send it on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.heads.constants import constant
from tuiface.heads.geometry.curves import dot, mix, normalise
from tuiface.heads.hair.strands import Strands
from tuiface.heads.sampling.look import Look
from tuiface.heads.shading.raster import GBuffer
from tuiface.heads.shading.shadow import (
    ShadowMaps,
    crease_occlusion,
    diffuse_under_skin,
    strand_visibility,
    surface_visibility,
)


@dataclass(frozen=True, eq=False)
class Lights:
    """The illumination of a batch; colours are linear RGB radiance."""

    direction: Tensor
    """[N, 3], unit vector towards the key light."""
    key: Tensor
    """[N, 3]."""
    ambient: Tensor
    """[N, 3]."""
    rim: Tensor
    """[N, 1, 1]."""
    softness: Tensor
    """[N, 1, 1]."""


def place_lights(look: Look) -> Lights:
    """Key light by azimuth and elevation; what the key loses the surroundings gain."""
    azimuth, elevation = torch.deg2rad(look.column("light_azimuth")), torch.deg2rad(look.column("light_elevation"))
    direction = torch.stack(
        [torch.sin(azimuth) * torch.cos(elevation), torch.sin(elevation), torch.cos(azimuth) * torch.cos(elevation)], 1
    )
    share, warmth = look.column("light_key"), look.column("light_warmth")
    key_colour = torch.stack([1 + 0.09 * warmth, torch.ones_like(warmth), 1 - 0.13 * warmth], dim=1).clamp(min=0.3)
    sky_colour = torch.stack([1 - 0.03 * warmth, torch.ones_like(warmth), 1 + 0.05 * warmth], dim=1)
    key = key_colour * (0.7 + 1.5 * share)[:, None]
    ambient = sky_colour * (0.62 - 0.38 * share)[:, None]
    return Lights(direction, key, ambient, look["light_rim"], look["light_softness"])


def shade_surfaces(
    pixels: GBuffer, lights: Lights, maps: ShadowMaps, camera_distance: Tensor, dm_per_pixel: float
) -> Tensor:
    """Radiance [N, 3, S, S] of the visible surfaces."""
    normal, position = pixels.normal, pixels.position
    view = _view_directions(position, camera_distance.view(-1, 1, 1))
    towards = lights.direction[:, :, None, None]
    facing = dot(normal, towards)
    lit = surface_visibility(maps, position)
    occlusion = pixels.occlusion * crease_occlusion(pixels.depth, dm_per_pixel)
    irradiance = _irradiance(normal, facing, lit, occlusion, lights)
    scatter = pixels.scatter * pixels.covered
    irradiance = diffuse_under_skin(irradiance, scatter, dm_per_pixel)
    half = normalise(towards + view)
    towards_half = dot(normal, half).clamp(0, 1)
    fresnel = 0.028 + 0.972 * (1 - dot(view, half).clamp(0, 1)) ** 5
    lobes = 0.65 * 1.6 * towards_half**18 + 0.35 * 4.5 * towards_half**60
    specular = pixels.gloss * lobes * fresnel * 3.0 * facing.clamp(0, 1) * lit
    eye = (pixels.region == Region.EYES).float()
    specular = mix(specular, 0.012 * towards_half**120 * lit, eye)
    grazing = (1 - dot(normal, view).clamp(0, 1)) ** 4
    rim = grazing * (0.10 + 0.5 * lights.rim) * occlusion * pixels.gloss
    key, ambient = lights.key[:, :, None, None], lights.ambient[:, :, None, None]
    return pixels.albedo * irradiance + specular[:, None] * key + (rim[:, None] * ambient) + pixels.emission[:, None]


def _irradiance(normal: Tensor, facing: Tensor, lit: Tensor, occlusion: Tensor, lights: Lights) -> Tensor:
    """Diffuse light [N, 3, S, S]: wrapped key, sky over ground, and a fill from the other side."""
    key, ambient = lights.key, lights.ambient
    fill = torch.stack([-0.8 * lights.direction[:, 0], 0 * key[:, 0] + 0.1, 0 * key[:, 0] + 0.7], dim=1)
    filled = (0.5 + 0.5 * dot(normal, normalise(fill)[:, :, None, None])) ** 1.5
    sky = (0.55 + 0.45 * (normal[:, 1] * 0.5 + 0.5)) * (0.5 + 0.5 * normal[:, 2].clamp(min=0))
    direct_occlusion = 0.35 + 0.65 * occlusion**0.6
    channels = []
    # Skin bleeds red into the terminator and out of shadows and creases.
    for i, (wrap, shadow_power, crease_power) in enumerate(((0.30, 0.80, 0.75), (0.16, 1.0, 1.0), (0.10, 1.1, 1.12))):
        soft = wrap + 0.22 * lights.softness
        direct = ((facing + soft) / (1 + soft)).clamp(min=0) * lit**shadow_power * direct_occlusion
        around = (sky + 0.55 * filled) * occlusion**crease_power
        channels.append(direct * key[:, i, None, None] + around * ambient[:, i, None, None])
    return torch.stack(channels, dim=1)


_TILT, _SHARPNESS = 0.13, 0.12
"""Tilt of the cuticle's scales, and spread of the light that they mirror: 7.5 degrees each (Marschner et al. 2003)."""
_BACK_TILT, _BACK_SHARPNESS = -0.20, 0.25
"""Of light that went through the hair and came back: shifted the other way, broader, and coloured."""


def shade_strands(strands: Strands, lights: Lights, maps: ShadowMaps, camera_distance: Tensor) -> Tensor:
    """Radiance [T, 3, Q] of strand points: two shifted highlights (Marschner et al. 2003) on Kajiya's diffuse term."""
    position, tangent, owner = strands.position, strands.tangent, strands.owner
    view = _view_directions(position, camera_distance[owner].view(-1, 1))
    towards = lights.direction[owner, :, None]
    along_light, along_view = dot(tangent, towards).clamp(-1, 1), dot(tangent, view).clamp(-1, 1)
    sine_light = torch.sqrt(1 - along_light**2)
    # Inclinations are small enough where highlights lie to take sines for them.
    inclination = 0.5 * (along_light + along_view) - strands.tilt[:, None]
    mirrored = torch.exp(-(((inclination + _TILT) / _SHARPNESS) ** 2))
    returned = torch.exp(-(((inclination + _BACK_TILT) / _BACK_SHARPNESS) ** 2))
    # Light that comes from behind the camera is mirrored by the whole width of a hair, from the side by less of it.
    around = torch.sqrt((0.5 + 0.5 * dot(towards.expand_as(view), view)).clamp(0, 1))
    body = normalise(position - constant((0.0, 0.1, -0.2), position.device).view(1, 3, 1))
    lit = strand_visibility(maps, owner, position) * (0.4 + 0.6 * dot(body, towards)).clamp(0, 1)
    albedo = strands.albedo[..., None]
    key, ambient = lights.key[owner, :, None], lights.ambient[owner, :, None]
    diffuse = ((sine_light * 0.75 + 0.25) * lit)[:, None] * key * 1.05
    diffuse = diffuse + (0.45 + 0.55 * (body[:, 1] * 0.5 + 0.5))[:, None] * ambient * 1.1
    gleam = (0.055 * mirrored * around)[:, None] + (0.30 * returned * around)[:, None] * albedo**0.7
    grazing = (1 - dot(body, view).clamp(0, 1)) ** 3
    rim = albedo**0.5 * (0.45 * grazing * lights.rim[owner, 0])[:, None]
    return (albedo * diffuse + gleam * key * lit[:, None]) * strands.shade[:, None] + rim


def _view_directions(position: Tensor, camera_distance: Tensor) -> Tensor:
    """Unit vectors [N, 3, ...] from points [N, 3, ...] to the camera on the z axis."""
    x, y, z = position.unbind(1)
    return normalise(torch.stack([-x, -y, camera_distance - z], dim=1))
