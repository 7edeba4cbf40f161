"""Visibility without triangles: dense lattices and strands splatted into depth buffers.

Parts lie in one atlas of texels. Their projections are interpolated to twice the density, the nearest lattice point
wins each pixel by an integer maximum over (depth, lattice index), and attributes are then read bilinearly from the
atlas. Strands are blended by weight instead, nearer ones first, in fixed point: integer sums do not depend on the
order of additions, so a picture is the same in any batch and on any run, on CUDA as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.heads.geometry.surface import Part

_INDEX_BITS = 24
_NEAREST_Z, _FARTHEST_Z = 4.0, -4.0
_DEPTH_LEVELS = 1 << 20
_FIXED = 4096.0
"""Fixed-point units in 1.0; 32-bit halves hold sums of a hundred thousand strands."""


_SPLAT_SPACING = 1.3
"""Supersampled pixels between splats on a strand."""
_MIN_REACH = 0.12
"""Pixels of line that a splat stands for at least: hair that points at the camera still covers."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """All parts of a batch in the world, row-concatenated."""

    fields: Tensor
    """[N, C, H, W]: position 3, normal 3, albedo 3, gloss, scatter, occlusion, emission."""
    region: Tensor
    """[N, H, W]."""
    rectangles: tuple[tuple[int, int, int, int], ...]
    """Separate surfaces as (first row, end row, first column, end column)."""
    two_sided: Tensor
    """[H] bool."""


@dataclass(frozen=True, eq=False)
class GBuffer:
    """What the surfaces show in each supersampled pixel, [N, ..., S, S]."""

    covered: Tensor
    """bool [N, S, S]."""
    position: Tensor
    normal: Tensor
    albedo: Tensor
    gloss: Tensor
    scatter: Tensor
    occlusion: Tensor
    emission: Tensor
    region: Tensor
    """int64 [N, S, S]; 0 where nothing is."""
    depth: Tensor
    """World z float32 [N, S, S]; -9 where nothing is."""


def build_atlas(parts: list[Part]) -> Atlas:
    """Concatenate parts whose positions and normals are already in the world."""
    stacks, rectangles, sides, row = [], [], [], 0
    for part in parts:
        scalars = torch.stack([part.gloss, part.scatter, part.occlusion, part.emission], dim=1)
        stacks.append(torch.cat([part.position, part.normal, part.albedo, scalars], dim=1))
        height, width = part.gloss.shape[1:]
        if part.visible:
            rectangles += [(row, row + height, low, high) for low, high in part.strips or ((0, width),)]
        sides.append(torch.full((height,), part.two_sided, device=part.gloss.device))
        row += height
    return Atlas(torch.cat(stacks, 2), torch.cat([p.region for p in parts], 1), tuple(rectangles), torch.cat(sides))


def rasterise(atlas: Atlas, screen: Tensor, camera_distance: Tensor, size: int) -> GBuffer:
    """Resolve visibility at `size` pixels; `screen` [N, 2, H, W] is the projection of the atlas, 0..1 inside."""
    position, normal = atlas.fields[:, :3], atlas.fields[:, 3:6]
    view = camera_distance.view(-1, 1, 1)
    facing = normal[:, 2] * (view - position[:, 2]) - normal[:, 0] * position[:, 0] - normal[:, 1] * position[:, 1]
    facing = torch.where(atlas.two_sided[:, None], torch.ones_like(facing), facing)
    lattice = torch.cat([screen * size, position[:, 2:3], facing[:, None]], dim=1)
    x, y, z, face = _densify(lattice, atlas.rectangles).unbind(1)
    column, row = x.floor().long(), y.floor().long()
    visible = (column >= 0) & (column < size) & (row >= 0) & (row < size) & (face > 0) & (z > _FARTHEST_Z)
    level = ((z - _FARTHEST_Z) * (_DEPTH_LEVELS / (_NEAREST_Z - _FARTHEST_Z))).long()
    key = (level << _INDEX_BITS) | torch.arange(x.shape[1], device=x.device)
    pixel = torch.where(visible, row * size + column, size * size)
    buffer = torch.full((len(x), size * size + 1), -1, dtype=torch.int64, device=x.device)
    buffer.scatter_reduce_(1, pixel, key, "amax")
    return _read_atlas(atlas, _close_pinholes(buffer[:, :-1].view(-1, size, size)))


def _densify(lattice: Tensor, rectangles: tuple[tuple[int, int, int, int], ...]) -> Tensor:
    """Bilinear values at twice the density within each rectangle: [N, C, L]."""
    parts = []
    for top, bottom, left, right in rectangles:
        piece = lattice[:, :, top:bottom, left:right]
        size = (2 * (bottom - top) - 1, 2 * (right - left) - 1)
        parts.append(F.interpolate(piece, size=size, mode="bilinear", align_corners=True).flatten(2))
    return torch.cat(parts, dim=2)


def _lattice_texels(atlas: Atlas) -> tuple[Tensor, Tensor]:
    """Fractional (row, column) in the atlas of every lattice point, [L] each."""
    device, rows, columns = atlas.region.device, [], []
    for top, bottom, left, right in atlas.rectangles:
        r = top + 0.5 * torch.arange(2 * (bottom - top) - 1, device=device)
        c = left + 0.5 * torch.arange(2 * (right - left) - 1, device=device)
        grid = torch.meshgrid(r, c, indexing="ij")
        rows.append(grid[0].flatten())
        columns.append(grid[1].flatten())
    return torch.cat(rows), torch.cat(columns)


def _close_pinholes(keys: Tensor) -> Tensor:
    """Give a pixel that lies behind both its left and right (or upper and lower) neighbours the farther of the two."""
    gap = 4000 << _INDEX_BITS
    p = F.pad(keys, (1, 1, 1, 1), value=-1)
    across = torch.minimum(p[:, 1:-1, :-2], p[:, 1:-1, 2:])
    along = torch.minimum(p[:, :-2, 1:-1], p[:, 2:, 1:-1])
    nearer = torch.maximum(across, along)
    return torch.where(nearer > keys + gap, nearer, keys)


def _read_atlas(atlas: Atlas, keys: Tensor) -> GBuffer:
    covered = keys >= 0
    index = torch.where(covered, keys & ((1 << _INDEX_BITS) - 1), 0)
    rows, columns = _lattice_texels(atlas)
    row, column = rows[index], columns[index]
    height, width = atlas.region.shape[1:]
    grid = torch.stack([column * (2 / (width - 1)) - 1, row * (2 / (height - 1)) - 1], dim=3)
    f = F.grid_sample(atlas.fields, grid, align_corners=True)
    texel = (row + 0.5).long() * width + (column + 0.5).long()
    region = atlas.region.flatten(1).gather(1, texel.flatten(1)).view_as(covered).long()
    position = f[:, :3]
    return GBuffer(
        covered,
        position,
        f[:, 3:6],
        f[:, 6:9],
        gloss=f[:, 9],
        scatter=f[:, 10],
        occlusion=f[:, 11],
        emission=f[:, 12],
        region=torch.where(covered, region, 0),
        depth=torch.where(covered, position[:, 2], -9.0),
    )


@dataclass(frozen=True, eq=False)
class Polylines:
    """Shaded strands on the screen, T of Q nodes."""

    owner: Tensor
    """int64 [T], the sample of each."""
    screen: Tensor
    """[T, 2, Q], supersampled pixels."""
    depth: Tensor
    """World z [T, Q]."""
    colour: Tensor
    """[T, 3, Q], radiance."""
    width: Tensor
    """[T, Q], supersampled pixels."""


@dataclass(frozen=True, eq=False)
class StrandLayer:
    """Blended strands of one kind."""

    colour: Tensor
    """[N, 3, S, S]."""
    opacity: Tensor
    """[N, S, S]."""


def blend_strands(lines: Polylines, depth: Tensor) -> StrandLayer:
    """Weighted blending (McGuire and Bavoil 2013): strands near the front dominate, all add to the coverage.

    Strands behind the surfaces at `depth` [N, S, S] do not show. Most points of a head of hair are hidden, so the
    visible ones are picked first and only they are coloured.
    """
    n, size = depth.shape[:2]
    node, fraction, reach = _subdivide(lines)
    x, y, z = (
        torch.lerp(*_segment_ends(f, node), fraction) for f in (lines.screen[:, 0], lines.screen[:, 1], lines.depth)
    )
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    owner = lines.owner[node // lines.depth.shape[1]]
    pixel = torch.where(inside, (owner * size + y.long()) * size + x.long(), 0)
    shown = (inside & (z > depth.flatten()[pixel] - 0.012)).nonzero()[:, 0]
    pixel, z, node, fraction = pixel[shown], z[shown], node[shown], fraction[shown]
    front = torch.full((n * size * size,), -9.0, device=z.device).scatter_reduce_(0, pixel, z, "amax")
    cover = torch.lerp(*_segment_ends(lines.width, node), fraction) * reach[shown]
    weight = (0.03 + torch.exp((z - front[pixel]) * 18)) * cover
    tinted = [torch.lerp(*_segment_ends(lines.colour[:, i], node), fraction).clamp(0, 6) * weight for i in range(3)]
    red, green = _sum_pair(pixel, n * size * size, tinted[0], tinted[1])
    blue, total = _sum_pair(pixel, n * size * size, tinted[2], weight)
    covered, _ = _sum_pair(pixel, n * size * size, cover, torch.zeros_like(cover))
    colour = torch.stack([red, green, blue]).view(3, n, size, size).transpose(0, 1)
    opacity = 1 - torch.exp(-covered.view(n, size, size))
    return StrandLayer(colour / (total.view(n, 1, size, size) + 1e-4), opacity)


def _subdivide(lines: Polylines) -> tuple[Tensor, Tensor, Tensor]:
    """Splats about a pixel apart along every strand, M in all.

    Returns for each the flat index of the node before it, the fraction of the node after it, and how many pixels of
    line it stands for.
    """
    strands, points = lines.depth.shape
    x, y = lines.screen.unbind(1)
    lengths = torch.hypot(x[:, 1:] - x[:, :-1], y[:, 1:] - y[:, :-1])
    longest = lengths.amax(1, keepdim=True)
    steps = (longest / _SPLAT_SPACING).ceil().clamp(1, 16).long().expand_as(lengths)
    nodes = torch.arange(strands * points, device=x.device).view(strands, points)[:, :-1].flatten()
    counts = steps.flatten()
    node = torch.repeat_interleave(nodes, counts)
    first = torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    per_segment = torch.repeat_interleave(counts, counts)
    fraction = (torch.arange(len(node), device=x.device) - first) / per_segment
    reach = (lengths.flatten() / counts).clamp(min=_MIN_REACH)
    return node, fraction, torch.repeat_interleave(reach, counts)


def _segment_ends(field: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
    flat = field.flatten()
    return flat[node], flat[node + 1]


def _sum_pair(pixel: Tensor, count: int, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of two non-negative quantities over `count` pixels, carried in the halves of one int64."""
    packed = ((a * _FIXED).round().long() << 32) | (b * _FIXED).round().long()
    sums = torch.zeros(count, dtype=torch.int64, device=pixel.device).scatter_add_(0, pixel, packed)
    return (sums >> 32).float() / _FIXED, (sums & 0xFFFFFFFF).float() / _FIXED
