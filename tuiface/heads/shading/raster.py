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

from tuiface.heads.constants import kept_by_first
from tuiface.heads.geometry.chart import Chart
from tuiface.heads.geometry.surface import Part
from tuiface.heads.lists import Lists, Selection

_INDEX_BITS = 24
_NEAREST_Z, _FARTHEST_Z = 4.0, -4.0
_DEPTH_LEVELS = 1 << 20
_FIXED = 4096.0
"""Fixed-point units in 1.0; an int32 holds sums of a hundred thousand strands."""

_SPLAT_SPACING = 1.3
"""Supersampled pixels between splats on a strand."""
_MAX_STEPS = 16
"""Splats on a segment at most."""
_MIN_REACH = 0.12
"""Pixels of line that a splat stands for at least: hair that points at the camera still covers."""


Rectangle = tuple[int, int, int, int]
"""First row, end row, first column, end column."""

SPARE_PLACES = 256
"""Places after a buffer's own, for what falls outside: on a GPU, all that write to one place would queue."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """The L points that are splatted: those of an atlas at twice its density, within each of its surfaces."""

    rectangles: tuple[Rectangle, ...]
    two_sided: Tensor
    """bool [H, 1], of the atlas' rows."""
    across: Tensor
    """Place of each point in the atlas, float32 [L], -1..1 between the first and the last column."""
    down: Tensor
    """The same between the rows."""
    texel: Tensor
    """The nearest texel, int64 [L]."""
    number: Tensor
    """0 .. L - 1, int64."""
    spare: Tensor
    """A spare place of each point, float32 [L]."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """All parts of a batch in the world, row-concatenated."""

    fields: Tensor
    """[N, C, H, W]: position 3, normal 3, albedo 3, gloss, scatter, occlusion, emission."""
    region: Tensor
    """[N, H, W]."""
    lattice: Lattice


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
    """uint8 [N, S, S]; 0 where nothing is."""
    depth: Tensor
    """World z float32 [N, S, S]; -9 where nothing is."""


def build_atlas(chart: Chart, parts: list[Part]) -> Atlas:
    """Concatenate parts whose positions and normals are already in the world, all as wide as `chart`."""
    stacks, row = [], 0
    rectangles: list[Rectangle] = []
    two_sided: list[tuple[int, int]] = []
    for part in parts:
        scalars = torch.stack([part.gloss, part.scatter, part.occlusion, part.emission], dim=1)
        stacks.append(torch.cat([part.position, part.normal, part.albedo, scalars], dim=1))
        height, width = part.gloss.shape[1:]
        if part.visible:
            rectangles += [(row, row + height, low, high) for low, high in part.strips or ((0, width),)]
        if part.two_sided:
            two_sided.append((row, row + height))
        row += height
    lattice = _spread_lattice(chart, row, tuple(rectangles), tuple(two_sided))
    return Atlas(torch.cat(stacks, 2), torch.cat([part.region for part in parts], 1), lattice)


@kept_by_first
def _spread_lattice(
    chart: Chart, height: int, rectangles: tuple[Rectangle, ...], two_sided: tuple[tuple[int, int], ...]
) -> Lattice:
    """The lattice of an atlas of `height` rows, of which those of `two_sided` (first, end) are seen from behind too."""
    device, rows, columns = chart.area.device, [], []
    for top, bottom, left, right in rectangles:
        r = top + 0.5 * torch.arange(2 * (bottom - top) - 1, device=device)
        c = left + 0.5 * torch.arange(2 * (right - left) - 1, device=device)
        grid = torch.meshgrid(r, c, indexing="ij")
        rows.append(grid[0].flatten())
        columns.append(grid[1].flatten())
    row, column = torch.cat(rows), torch.cat(columns)
    sides = torch.zeros(height, 1, dtype=torch.bool, device=device)
    for first, end in two_sided:
        sides[first:end] = True
    number = torch.arange(len(row), device=device)
    return Lattice(
        rectangles,
        sides,
        across=column * (2 / (chart.width - 1)) - 1,
        down=row * (2 / (height - 1)) - 1,
        texel=(row + 0.5).long() * chart.width + (column + 0.5).long(),
        number=number,
        spare=(number % SPARE_PLACES).float(),
    )


def rasterise(atlas: Atlas, screen: Tensor, camera_distance: Tensor, size: int) -> GBuffer:
    """Resolve visibility at `size` pixels; `screen` [N, 2, H, W] is the projection of the atlas, 0..1 inside."""
    position, normal = atlas.fields[:, :3], atlas.fields[:, 3:6]
    view = camera_distance.view(-1, 1, 1)
    facing = normal[:, 2] * (view - position[:, 2]) - normal[:, 0] * position[:, 0] - normal[:, 1] * position[:, 1]
    lattice = atlas.lattice
    facing = torch.where(lattice.two_sided, 1.0, facing)
    texels = torch.cat([screen * size, position[:, 2:3], facing[:, None]], dim=1)
    x, y, z, face = _densify(texels, lattice.rectangles).unbind(1)
    visible = (x >= 0) & (x < size) & (y >= 0) & (y < size) & (face > 0) & (z > _FARTHEST_Z)
    level = ((z - _FARTHEST_Z) * (_DEPTH_LEVELS / (_NEAREST_Z - _FARTHEST_Z))).long()
    key = (level << _INDEX_BITS) | lattice.number
    # In floats, which hold every pixel exactly: whole numbers are slower to multiply.
    pixel = torch.where(visible, y.floor_().mul_(size).add_(x.floor_()), size * size + lattice.spare).long()
    buffer = torch.full((len(x), size * size + SPARE_PLACES), -1, dtype=torch.int64, device=x.device)
    buffer.scatter_reduce_(1, pixel, key, "amax")
    return _read_atlas(atlas, _close_pinholes(buffer[:, :-SPARE_PLACES].view(-1, size, size)))


def _densify(lattice: Tensor, rectangles: tuple[Rectangle, ...]) -> Tensor:
    """Bilinear values at twice the density within each rectangle: [N, C, L]."""
    parts = []
    for top, bottom, left, right in rectangles:
        piece = lattice[:, :, top:bottom, left:right]
        size = (2 * (bottom - top) - 1, 2 * (right - left) - 1)
        parts.append(F.interpolate(piece, size=size, mode="bilinear", align_corners=True).flatten(2))
    return torch.cat(parts, dim=2)


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
    index, lattice = torch.where(covered, keys & ((1 << _INDEX_BITS) - 1), 0), atlas.lattice
    grid = torch.stack([lattice.across[index], lattice.down[index]], dim=3)
    # Bilinear, zeros outside. Not F.grid_sample: on CUDA it asks cuDNN, which may round in another way.
    f = torch.grid_sampler_2d(atlas.fields, grid, 0, 0, align_corners=True)
    region = atlas.region.flatten(1).gather(1, lattice.texel[index].flatten(1)).view_as(covered).to(torch.uint8)
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


def blend_strands(lines: Polylines, depth: Tensor, splats: float, lists: Lists) -> StrandLayer:
    """Weighted blending (McGuire and Bavoil 2013): strands near the front dominate, all add to the coverage.

    Strands behind the surfaces at `depth` [N, S, S] do not show. Most points of a head of hair are hidden, so the
    visible ones are picked first and only they are coloured. `splats`: typically so many on a segment.
    """
    n, size = depth.shape[:2]
    splat = _subdivide(lines, size, splats, lists)
    x, y, z = (splat.between_nodes(f) for f in (lines.screen[:, 0], lines.screen[:, 1], lines.depth))
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size) & splat.exists
    # In floats, which hold every pixel of one sample exactly: whole numbers are slower to multiply.
    column, row = (along.clamp(0, size - 1).floor_() for along in (x, y))
    pixel = row.mul_(size).add_(column).long().add_(splat.first_pixel)
    shown = lists.select(inside & (z > depth.flatten().take(pixel) - 0.012))
    pixel, z, splat = shown.of(pixel), shown.of(z), splat.select(shown)
    front = torch.full((n * size * size,), -9.0, device=z.device)
    front.scatter_reduce_(0, pixel, shown.weigh(z, -9.0), "amax")
    cover = shown.weigh(splat.between_nodes(lines.width) * splat.reach)
    weight = shown.weigh((0.03 + torch.exp((z - front.take(pixel)) * 18)) * cover)
    tinted = (splat.between_nodes(channel).clamp_(0, 6) * weight for channel in lines.colour.unbind(1))
    red, green, blue, total, covered = (_sum(pixel, n * size * size, one) for one in (*tinted, weight, cover))
    colour = torch.stack([red, green, blue]).view(3, n, size, size).transpose(0, 1)
    opacity = 1 - torch.exp(-covered.view(n, size, size))
    return StrandLayer(colour / (total.view(n, 1, size, size) + 1e-4), opacity)


@dataclass(frozen=True, eq=False)
class _Splats:
    """Points about a pixel apart along every strand, [M] each."""

    node: Tensor
    """Flat index of the node before it, int64."""
    next_node: Tensor
    fraction: Tensor
    """Of the node after it."""
    reach: Tensor
    """How many pixels of line it stands for."""
    first_pixel: Tensor
    """Of its sample, among all pixels of the batch, int64."""
    exists: Tensor
    """bool, broadcasts."""

    def between_nodes(self, field: Tensor) -> Tensor:
        """`field` [T, Q] of the nodes, interpolated: [M]."""
        flat = field.flatten()
        return torch.lerp(flat.take(self.node), flat.take(self.next_node), self.fraction)

    def select(self, shown: Selection) -> _Splats:
        """Those of them that are shown, without what is not needed any more."""
        node, next_node, fraction, reach = map(shown.of, (self.node, self.next_node, self.fraction, self.reach))
        return _Splats(node, next_node, fraction, reach, self.first_pixel, self.exists)


def _subdivide(lines: Polylines, size: int, typical: float, lists: Lists) -> _Splats:
    """Splat every strand; at most `_MAX_STEPS` points a segment."""
    strands, points = lines.depth.shape
    x, y = lines.screen.unbind(1)
    lengths = torch.hypot(x[:, 1:] - x[:, :-1], y[:, 1:] - y[:, :-1])
    longest = lengths.amax(1, keepdim=True)
    nodes = torch.arange(strands * points, device=x.device).view(strands, points)[:, :-1].flatten()
    grown = lines.width[:, :1] > 0
    steps = (longest / _SPLAT_SPACING).ceil().clamp(1, _MAX_STEPS)
    counts = torch.where(grown, steps.long(), 0).expand_as(lengths).flatten()
    reach = (lengths / steps).clamp(min=_MIN_REACH).flatten()
    first_pixel = (lines.owner * size**2)[:, None].expand_as(lengths).flatten()
    columns = (nodes, steps.expand_as(lengths).flatten(), reach, first_pixel)
    splats = lists.repeat(columns, counts, typical)
    node, per_segment, reach, first_pixel = splats.columns
    return _Splats(node, node + 1, splats.place / per_segment, reach, first_pixel, splats.exists)


def _sum(pixel: Tensor, count: int, quantity: Tensor) -> Tensor:
    """Sum of a non-negative quantity over `count` pixels, in whole numbers: the same in any order."""
    units = (quantity * _FIXED).round_().int()
    sums = torch.zeros(count, dtype=torch.int32, device=pixel.device).scatter_add_(0, pixel, units)
    return sums.float().div_(_FIXED)
