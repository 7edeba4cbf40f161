"""`render_heads`: from parameters to pixels and region map."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.errors import UsageError
from tuiface.core.limits import HEAD_SIDES_PX
from tuiface.core.regions import Region
from tuiface.heads.constants import constant
from tuiface.heads.geometry.body import build_body, build_ears
from tuiface.heads.geometry.chart import Chart, build_chart
from tuiface.heads.geometry.curves import mix, over
from tuiface.heads.geometry.glasses import build_glasses, cover_lenses
from tuiface.heads.geometry.head import Head, build_head
from tuiface.heads.geometry.surface import Part
from tuiface.heads.hair.beard import grow_beard
from tuiface.heads.hair.brows import grow_brows, grow_lashes
from tuiface.heads.hair.strands import Strands, grow_hair, join_strands
from tuiface.heads.lists import Lists, Selection, ShortLists
from tuiface.heads.sampling.look import Look, resolve_look
from tuiface.heads.sampling.parameters import HeadParameters
from tuiface.heads.shading.background import paint_background
from tuiface.heads.shading.camera import Camera, aim_camera, develop, rotate, rotate_about_neck
from tuiface.heads.shading.fibres import Polylines, StrandLayer, blend_strands
from tuiface.heads.shading.light import Lights, place_lights, shade_strands, shade_surfaces
from tuiface.heads.shading.raster import GBuffer, build_atlas, rasterise
from tuiface.heads.shading.shadow import ShadowMaps, cast_shadows, hair_occlusion

RESOLUTIONS = HEAD_SIDES_PX
_SUPERSAMPLING = 2
_CHUNK_PIXELS = {"cpu": 4 * 128**2, "cuda": 32 * 128**2}
"""Pixels rendered together: more overflow the CPU's caches, fewer pay for each operator's start."""
_TYPICAL_CROSSINGS = {32: (0.6, 0.25), 64: (1.2, 0.5), 128: (2.4, 0.9), 256: (5.5, 2.0), 512: (20.0, 4.0)}
"""Crossings for each segment of hair and of the face's hairs, by resolution: what a batch of `capture` seldom exceeds.

Measured of single heads, hair: mean 1.1 at 128 px and 2.2 at 256, nine in ten below 3.1 and 5.9, at most 5.8 and 9.8.
Of a thousand batches of a GPU none had more than 1.6 and 4.1 of hair, 0.5 and 1.3 of the face's hairs.
"""
_HAIR_WIDTH_PX = 0.75
"""Width of a strand in supersampled pixels: thicker than life, as there are fewer."""
_FACIAL_POINTS = 5
"""Points of each hair of beard, brows and lids."""
_BEARD_ROW = 0.58
"""Where hairs of the face count as brows above and as beard below, in the height of the picture: FFHQ's alignment has
the eyes at 0.47 and the mouth at 0.72."""
_MIN_CHART_RESOLUTION = 96
"""Resolution of the chart of smaller pictures: with fewer texels lids and lips blur away."""
_VIEW_DM = 2.56
"""Side of the crop on a typical head, dm; sizes of screen-space effects follow from it."""


@dataclass(frozen=True, eq=False)
class HeadBatch:
    """Rendered heads with their ground truth."""

    pixels: Tensor
    """uint8 [N, R, R, 3], sRGB."""
    regions: Tensor
    """uint8 [N, R, R], ids of `Region`."""
    parameters: HeadParameters


def render_heads(parameters: HeadParameters, resolution: int) -> HeadBatch:
    """Render heads, FFHQ-aligned, on the device of `parameters`; raises UsageError for another resolution."""
    check_resolution(resolution)
    pixels = torch.empty(len(parameters), resolution, resolution, 3, dtype=torch.uint8, device=parameters.device)
    regions = torch.empty(pixels.shape[:3], dtype=torch.uint8, device=parameters.device)
    with torch.no_grad():
        samples = max(1, _CHUNK_PIXELS.get(parameters.device.type, 1) // resolution**2)
        for start in range(0, len(parameters), samples):
            chunk = slice(start, start + samples)
            pixels[chunk], regions[chunk] = draw_heads(parameters.select(chunk), resolution, ShortLists())
    return HeadBatch(pixels, regions, parameters)


def check_resolution(resolution: int) -> None:
    """Raise UsageError for a resolution that heads are not rendered at."""
    if resolution not in RESOLUTIONS:
        raise UsageError(f"resolution {resolution}: heads are rendered at one of {', '.join(map(str, RESOLUTIONS))} px")


def chart_of(resolution: int, device: torch.device) -> Chart:
    """The chart that heads of a resolution are built on."""
    return build_chart(max(resolution, _MIN_CHART_RESOLUTION), device)


def draw_heads(parameters: HeadParameters, resolution: int, lists: Lists) -> tuple[Tensor, Tensor]:
    """Pixels uint8 [N, R, R, 3] and regions uint8 [N, R, R] of heads that are drawn together.

    With `FixedLists` every shape follows from N and the resolution, no step waits for a device or depends on what is
    drawn, and so all of it can be captured.
    """
    look = resolve_look(parameters)
    chart = chart_of(resolution, look.device)
    head = build_head(look, chart)
    camera = aim_camera(look, head.landmarks)
    atlas = build_atlas(chart, _build_world_parts(look, chart, head, camera, lists))
    size = resolution * _SUPERSAMPLING
    surfaces = rasterise(atlas, camera.project(atlas.fields[:, :3]), camera.distance, size)
    strands = _grow_strands(look, chart, head, camera, resolution, lists)
    lights = place_lights(look)
    points = atlas.fields[:, :3].flatten(2)
    maps = cast_shadows(lights.direction, lights.softness, points, strands[0], 96 if resolution <= 128 else 160)
    radiance = shade_surfaces(surfaces, lights, maps, camera.distance, _VIEW_DM / size)
    hair, beard = (
        _draw_strands(kind, surfaces, lights, maps, camera, crossings, lists)
        for kind, crossings in zip(strands, _TYPICAL_CROSSINGS[resolution], strict=True)
    )
    film = cover_lenses(look, camera, surfaces.depth)
    before = hair.opacity * _before(hair, surfaces)
    radiance = radiance * hair_occlusion(before, _VIEW_DM / size)[:, None]
    image = _compose(surfaces, radiance, paint_background(look, size), hair, lists)
    image = over(image, beard.colour, beard.opacity)
    image = image * (1 - film.absorption)[:, None] + film.reflection[:, None]
    image = over(image, hair.colour, before)
    gain = _exposure_gain(image, surfaces, hair.opacity + beard.opacity, look)
    return develop(image, look, gain), _resolve_regions(surfaces, film.absorption, hair.opacity, beard.opacity)


def _before(hair: StrandLayer, surfaces: GBuffer) -> Tensor:
    """bool [N, S, S]: whether the hair of a pixel lies before its nearest surface, not behind that one's outline."""
    return hair.depth > surfaces.depth - 0.05


def _compose(surfaces: GBuffer, radiance: Tensor, backdrop: Tensor, hair: StrandLayer, lists: Lists) -> Tensor:
    """Radiance [N, 3, S, S] of the surfaces, at outlines mixed with what is behind them."""
    behind = 1 - surfaces.near
    void = (surfaces.void / behind.clamp(min=1e-3)).clamp(max=1)
    edge = lists.select((behind - surfaces.void > 0).flatten())
    far = _continue_behind(surfaces, radiance, backdrop, void, edge)
    far = over(far, hair.colour, torch.where(_before(hair, surfaces), 0.0, hair.opacity))
    return mix(far, radiance, surfaces.near[:, None])


def _continue_behind(surfaces: GBuffer, radiance: Tensor, backdrop: Tensor, void: Tensor, edge: Selection) -> Tensor:
    """Radiance [N, 3, S, S] behind the nearest surfaces: the backdrop, and where there is an `edge` before another
    surface, of that what the farthest of the four neighbours shows."""
    n, size = surfaces.depth.shape[:2]
    depth = torch.where(surfaces.covered, surfaces.depth, 9.0)
    padded = F.pad(depth, (1, 1, 1, 1), value=9.0)
    sides = [padded[:, 1:-1, :-2], padded[:, 1:-1, 2:], padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]]
    places = torch.arange(n * size * size, device=depth.device)
    place = edge.of(places)
    around = torch.stack([edge.of(side.flatten()) for side in sides])
    farthest = around.argmin(0)
    steps = constant((-1.0, 1.0, -float(size), float(size)), depth.device)
    there = (place + steps[farthest].long()).clamp(0, n * size * size - 1)
    seen = radiance.permute(0, 2, 3, 1).reshape(-1, 3)[there]
    behind = backdrop.permute(0, 2, 3, 1).reshape(-1, 3)
    mixed = seen + (edge.of(behind) - seen) * edge.of(void.flatten())[:, None]
    if edge.index is None:
        mixed = torch.where(edge.mask[:, None], mixed, behind)
        return mixed.view(n, size, size, 3).permute(0, 3, 1, 2)
    return behind.index_copy(0, edge.index, mixed).view(n, size, size, 3).permute(0, 3, 1, 2)


def _build_world_parts(look: Look, chart: Chart, head: Head, camera: Camera, lists: Lists) -> list[Part]:
    """All surfaces turned into the world."""
    ears, glasses = build_ears(look, chart, head.ear_width), build_glasses(look, chart, head.ear_width, lists)
    body = _rotate_part(build_body(look, chart), camera.body_rotation)
    head_part, ears, glasses = (_rotate_part(part, camera.head_rotation) for part in (head.part, ears, glasses))
    return [head_part, ears, body, glasses]


def _rotate_part(part: Part, rotation: Tensor) -> Part:
    position = rotate_about_neck(rotation, part.position)
    return replace(part, position=position, normal=rotate(rotation, part.normal))


def _grow_strands(
    look: Look, chart: Chart, head: Head, camera: Camera, resolution: int, lists: Lists
) -> tuple[Strands, Strands]:
    """Hair, and the hairs of beard, brows and lids, in the world; finer pictures get more and finer strands."""
    detail = min(resolution, 256) / 128
    position = head.part.position
    hair = grow_hair(look, chart, position, head.hairline, round(3300 * detail**0.8), 36, lists)
    beard = join_strands(
        [
            grow_beard(look, chart, position, head.beard, round(3600 * detail**1.2), _FACIAL_POINTS, lists),
            grow_brows(look, chart, position, head.brows, round(1500 * detail), _FACIAL_POINTS, lists),
            grow_lashes(look, position, head.eyes, _FACIAL_POINTS),
        ]
    )

    def turned(strands: Strands) -> Strands:
        rotation = camera.head_rotation[strands.owner]
        position = rotate_about_neck(rotation, strands.position)
        return replace(strands, position=position, tangent=rotate(rotation, strands.tangent))

    return turned(hair), turned(beard)


def _draw_strands(
    strands: Strands,
    surfaces: GBuffer,
    lights: Lights,
    maps: ShadowMaps,
    camera: Camera,
    crossings: float,
    lists: Lists,
) -> StrandLayer:
    """Shade strands and blend those that are in front of the surfaces."""
    screen = camera.of(strands.owner).project(strands.position) * surfaces.depth.shape[-1]
    radiance = _shade_every_other(strands, lights, maps, camera)
    width = strands.width * _HAIR_WIDTH_PX
    lines = Polylines(strands.owner, screen, strands.position[:, 2], radiance, width)
    return blend_strands(lines, surfaces, crossings, lists)


def _shade_every_other(strands: Strands, lights: Lights, maps: ShadowMaps, camera: Camera) -> Tensor:
    """Radiance [T, 3, Q] of strands: shaded at every other point, between which light hardly changes."""
    points = strands.width.shape[1]
    some = replace(
        strands,
        position=strands.position[..., ::2],
        tangent=strands.tangent[..., ::2],
        shade=strands.shade[:, ::2],
        width=strands.width[:, ::2],
    )
    radiance = shade_strands(some, lights, maps, camera.distance)
    between = torch.cat([0.5 * (radiance[..., 1:] + radiance[..., :-1]), radiance[..., -1:]], dim=2)
    return torch.stack([radiance, between], dim=3).flatten(2)[..., :points]


def _exposure_gain(image: Tensor, surfaces: GBuffer, opacity: Tensor, look: Look) -> Tensor:
    """Camera gain [N] that meets the face half-way, as a photographer would; darker skin is left darker.

    The mean is taken in integers: a float sum's rounding may depend on the batch.
    """
    skin = (surfaces.region == Region.SKIN) & (opacity < 0.5)
    luminance = (0.25 * image[:, 0] + 0.65 * image[:, 1] + 0.10 * image[:, 2]).clamp(0, 4) * 65536
    total = torch.where(skin, luminance.long(), 0).sum((1, 2)).float() / 65536
    mean = total / (skin.sum((1, 2)).float() + 1)
    wanted = 0.285 * torch.exp(-1.20 * look.column("melanin"))
    return ((wanted / mean.clamp(min=0.01)) ** 0.65).clamp(0.5, 1.9)


def _resolve_regions(surfaces: GBuffer, lenses: Tensor, hair: Tensor, beard: Tensor) -> Tensor:
    """Region ids uint8 [N, R, R]: the most frequent surface of each pixel's samples, unless strands cover half.

    Lenses count as glasses where they hide more than they show.
    """
    n, size = surfaces.region.shape[:2]
    samples = (
        surfaces.region.masked_fill(lenses > 0.5, int(Region.GLASSES))
        .view(n, size // 2, 2, size // 2, 2)
        .permute(0, 1, 3, 2, 4)
        .flatten(3)
    )
    # Equal samples of each, then the lowest id: what `mode` gives, which on CUDA would sort each pixel by a block.
    agreeing = (samples[..., None] == samples[..., None, :]).sum(4, dtype=torch.int16)
    chosen = 255 - (agreeing * 256 + (255 - samples.short())).amax(3) % 256
    hair, beard = F.avg_pool2d(torch.stack([hair, beard], dim=1), 2).unbind(1)
    first_row = round(_BEARD_ROW * beard.shape[1])
    above = torch.arange(beard.shape[1], device=beard.device)[:, None] < first_row
    bare = (chosen == int(Region.EYES)) & above  # lashes leave eyes what they are
    growing = torch.where(above, int(Region.BROWS), int(Region.BEARD))
    chosen = torch.where((beard > 0.5) & ~bare, growing, chosen)
    chosen = torch.where((hair > 0.5) & (hair >= beard), int(Region.HAIR), chosen)
    return chosen.to(torch.uint8)
