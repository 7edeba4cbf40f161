"""Visibility without triangles: dense lattices splatted into a depth buffer.

Parts lie in one atlas of texels. Their projections are interpolated to twice the density, the nearest lattice point
wins each cell by an integer maximum over (depth, lattice index), and attributes are then read bilinearly from the
atlas.

What is seen is resolved finer than it is shaded: each shaded pixel has 2 x 2 cells, and at an outline the share of
them that the nearest surface covers. At an outline surfaces are foreshortened, so that points lie closer there than
cells; a closing of the depth by one cell mends the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.heads.constants import kept_by_first
from tuiface.heads.geometry.chart import Chart
from tuiface.heads.geometry.surface import Part

_INDEX_BITS = 24
_NEAREST_Z, _FARTHEST_Z = 4.0, -4.0
_DEPTH_LEVELS = 1 << 20
CELLS = 2
"""Cells of visibility along the side of a shaded pixel."""
_DM_TO_LEVELS = _DEPTH_LEVELS / (_NEAREST_Z - _FARTHEST_Z)
_STEP, _THIN_STEP = 0.14 * _DM_TO_LEVELS, 0.035 * _DM_TO_LEVELS
"""Levels that part the nearest surface from what is behind its outline: a head's rim falls back steeply, wire does not.
"""


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
    near: Tensor
    """Share of each pixel that the surface covers of which the rest tells, 0..1 in quarters."""
    void: Tensor
    """Share of each pixel where no surface is; at an outline `near` and `void` may leave a rest to what is behind."""
    behind: Tensor
    """World z of the farthest thing that shows in the pixel; -9 where nothing is."""


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
            bands, strips = part.bands or ((0, height),), part.strips or ((0, width),)
            rectangles += [(row + top, row + end, low, high) for top, end in bands for low, high in strips]
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
    """Resolve visibility for `size` shaded pixels; `screen` [N, 2, H, W] projects the atlas, 0..1 inside."""
    cells = size * CELLS
    position, normal = atlas.fields[:, :3], atlas.fields[:, 3:6]
    view = camera_distance.view(-1, 1, 1)
    facing = normal[:, 2] * (view - position[:, 2]) - normal[:, 0] * position[:, 0] - normal[:, 1] * position[:, 1]
    lattice = atlas.lattice
    facing = torch.where(lattice.two_sided, 1.0, facing)
    texels = torch.cat([screen * cells, position[:, 2:3], facing[:, None]], dim=1)
    x, y, z, face = _densify(texels, lattice.rectangles).unbind(1)
    visible = (x >= 0) & (x < cells) & (y >= 0) & (y < cells) & (face > 0) & (z > _FARTHEST_Z)
    level = ((z - _FARTHEST_Z) * _DM_TO_LEVELS).long()
    key = (level << _INDEX_BITS) | lattice.number
    # In floats, which hold every cell exactly: whole numbers are slower to multiply.
    cell = torch.where(visible, y.floor_().mul_(cells).add_(x.floor_()), cells * cells + lattice.spare).long()
    buffer = torch.full((len(x), cells * cells + SPARE_PLACES), -1, dtype=torch.int64, device=x.device)
    buffer.scatter_reduce_(1, cell, key, "amax")
    fine = buffer[:, :-SPARE_PLACES].view(-1, cells, cells)
    keys = _close_pinholes(_nearest_of_cells(fine))
    surfaces = _read_atlas(atlas, keys)
    return _resolve_outlines(surfaces, keys >> _INDEX_BITS, fine >> _INDEX_BITS)


def _nearest_of_cells(fine: Tensor) -> Tensor:
    """The largest key of each shaded pixel's cells."""
    across = torch.maximum(fine[..., ::2], fine[..., 1::2])
    return torch.maximum(across[:, ::2], across[:, 1::2])


def _resolve_outlines(surfaces: GBuffer, nearest: Tensor, levels: Tensor) -> GBuffer:
    """Shares of the cells of every pixel, from depth levels int64 `nearest` [N, S, S] and `levels` [N, 2S, 2S]."""
    step = torch.where(surfaces.region == int(Region.GLASSES), _THIN_STEP, _STEP)
    threshold = nearest.float() - step
    cells = _close(levels.float())
    near, void = torch.zeros_like(threshold), torch.zeros_like(threshold)
    for row in range(CELLS):
        for column in range(CELLS):
            level = cells[:, row::CELLS, column::CELLS]
            near += level >= threshold
            void += level < 0
    near = torch.where(surfaces.covered, near / CELLS**2, 0.0)
    void = torch.where(surfaces.covered, (void / CELLS**2).minimum(1 - near), 1.0)
    return replace(surfaces, near=near, void=void, behind=_depth_behind(surfaces, near, void))


def _depth_behind(surfaces: GBuffer, near: Tensor, void: Tensor) -> Tensor:
    """Depth of the farthest thing that shows in each pixel: at an outline what a neighbour shows."""
    p = F.pad(surfaces.depth, (1, 1, 1, 1), value=_NEAREST_Z)
    across = torch.minimum(p[:, 1:-1, :-2], p[:, 1:-1, 2:])
    along = torch.minimum(p[:, :-2, 1:-1], p[:, 2:, 1:-1])
    farthest = torch.where(void > 0, -9.0, torch.minimum(across, along))
    return torch.where(near < 1, farthest, surfaces.depth)


def _close(levels: Tensor) -> Tensor:
    """Fill gaps of up to two cells between points of a surface: the maximum of 3 x 3, then the minimum of 3 x 3."""
    for extreme in (torch.maximum, torch.minimum):
        p = F.pad(levels[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
        p = extreme(extreme(p[:, :, :-2], p[:, :, 2:]), p[:, :, 1:-1])
        levels = extreme(extreme(p[:, :-2], p[:, 2:]), p[:, 1:-1])
    return levels


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
    depth = torch.where(covered, position[:, 2], -9.0)
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
        depth=depth,
        near=covered.float(),
        void=1 - covered.float(),
        behind=depth,
    )
