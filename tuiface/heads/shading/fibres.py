"""Strands on the screen: lines narrower than a pixel, antialiased and blended, nearer ones first.

A strand is drawn as Wu drew lines (1991): it is cut where it crosses the middle of a column of pixels (of a row where
it is steep), and there it is shared out between the two pixels beside it. So every column of a hair gets the same of
it, wherever it lies between the pixels. Sums are of whole numbers: they do not depend on the order of additions, so a
picture is the same in any batch and on any run, on CUDA as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.heads.lists import Lists, Selection
from tuiface.heads.shading.raster import GBuffer

_FIXED = 4096.0
"""Fixed-point units in 1.0."""
_SHARES = 16
"""Steps in which a crossing is shared out between two pixels; with the units an int32 holds thousands of strands."""
_FIELD = 32
"""Two sums are held in one int64, this many bits apart: neither is ever negative."""
_MAX_CROSSINGS = 40
"""Crossings of a segment at most."""
_BIAS = 0.012
"""Strands may lie this much under a surface, dm: roots do."""
_HIDDEN = 0.08
"""What lies this much under a surface at both ends of a segment, dm, does not come out of it between them."""


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
    depth: Tensor
    """World z of the nearest strand, [N, S, S]; -9 where none is."""


def blend_strands(lines: Polylines, surfaces: GBuffer, crossings: float, lists: Lists) -> StrandLayer:
    """Weighted blending (McGuire and Bavoil 2013): strands near the front dominate, all add to the coverage.

    Strands behind everything that shows in a pixel do not show. Most points of a head of hair are hidden, so the
    visible ones are picked first and only they are coloured. `crossings`: typically so many on a segment.
    """
    n, size = surfaces.depth.shape[:2]
    behind = surfaces.behind.flatten()
    points = _cross(lines, behind, size, crossings, lists)
    z = points.between_nodes(lines.depth)
    x, y = (points.between_nodes(lines.screen[:, axis]) - 0.5 for axis in (0, 1))
    inside = (x > -0.5) & (x < size - 0.5) & (y > -0.5) & (y < size - 0.5) & points.exists
    # In floats, which hold every pixel of one sample exactly: whole numbers are slower to multiply.
    column, row = (along.clamp(0, size - 1.01) for along in (x, y))
    nearest = (row.round().mul_(size) + column.round()).long().add_(points.first_pixel)
    shown = lists.select(inside & (z > behind.take(nearest) - _BIAS))
    nearest, z, row, column, points = shown.of(nearest), shown.of(z), shown.of(row), shown.of(column), points.of(shown)
    front = torch.full((n * size * size,), -9.0, device=z.device)
    front.scatter_reduce_(0, nearest, shown.weigh(z, -9.0), "amax")
    cover = shown.weigh(points.between_nodes(lines.width) * points.slant)
    # A pixel whose nearest strand is only beside it may have none of its own.
    weight = (0.03 + torch.exp((z - front.take(nearest)).clamp_(max=0) * 18)) * cover
    red, green, blue = (points.between_nodes(channel).clamp_(0, 6) * weight for channel in lines.colour.unbind(1))
    whole = [(quantity * _FIXED).round_().long() for quantity in (red, green, blue, weight, cover)]
    packed = [(whole[0] << _FIELD) + whole[1], (whole[2] << _FIELD) + whole[3], whole[4]]
    steep = points.steep
    along = torch.where(steep, row, column).round_()
    beside = torch.where(steep, column, row)
    first = beside.floor()
    share = ((beside - first) * _SHARES).round_().long()
    pixel = torch.where(steep, along * size + first, first * size + along).long().add_(points.first_pixel)
    other = pixel + torch.where(steep, 1, size)
    sums = torch.zeros(3, n * size * size, dtype=torch.int64, device=z.device)
    for quantity, total in zip(packed, sums, strict=True):
        total.scatter_add_(0, pixel, quantity * (_SHARES - share))
        total.scatter_add_(0, other, quantity * share)
    return _unpack(sums.view(3, n, size, size), front.view(n, size, size))


def _unpack(sums: Tensor, front: Tensor) -> StrandLayer:
    """The layer of packed sums int64 [3, N, S, S]."""
    low = (1 << _FIELD) - 1
    units = 1 / (_FIXED * _SHARES)
    first, second, covered = sums
    red, green, blue, total = (
        (s.float() * units) for s in (first >> _FIELD, first & low, second >> _FIELD, second & low)
    )
    colour = torch.stack([red, green, blue], dim=1) / (total + 1e-4)[:, None]
    return StrandLayer(colour, 1 - torch.exp(covered.float() * -units), front)


@dataclass(frozen=True, eq=False)
class _Crossings:
    """Where strands cross the middles of columns or rows, [M] each."""

    node: Tensor
    """Flat index of the node before it, int64."""
    next_node: Tensor
    fraction: Tensor
    """Of the node after it."""
    slant: Tensor
    """Length of line in the column or row, pixels."""
    steep: Tensor
    """bool: it crosses a row."""
    first_pixel: Tensor
    """Of its sample, among all pixels of the batch, int64."""
    exists: Tensor
    """bool, broadcasts."""

    def between_nodes(self, field: Tensor) -> Tensor:
        """`field` [T, Q] of the nodes, interpolated: [M]."""
        flat = field.flatten()
        return torch.lerp(flat.take(self.node), flat.take(self.next_node), self.fraction)

    def of(self, shown: Selection) -> _Crossings:
        """Those of them that are shown."""
        return _Crossings(
            shown.of(self.node),
            shown.of(self.next_node),
            shown.of(self.fraction),
            shown.of(self.slant),
            shown.of(self.steep),
            shown.of(self.first_pixel),
            self.exists,
        )


def _cross(lines: Polylines, behind: Tensor, size: int, typical: float, lists: Lists) -> _Crossings:
    """Cut every strand; segments that lie under what shows at both ends are left out."""
    x, y = lines.screen.unbind(1)
    device = x.device
    dx, dy = x[:, 1:] - x[:, :-1], y[:, 1:] - y[:, :-1]
    wide, high = dx.abs(), dy.abs()
    steep = high > wide
    start = torch.where(steep, y[:, :-1], x[:, :-1]) - 0.5
    reach = torch.where(steep, dy, dx)
    end, length = start + reach, torch.where(steep, high, wide)
    floor, floor_end = start.floor(), end.floor()
    counts = (floor_end - floor).abs_().clamp_(max=_MAX_CROSSINGS)
    counts = torch.where(_seen(lines, behind, size) & (lines.width[:, :1] > 0), counts, 0.0)
    length = length.clamp(min=1e-6)
    to_first = torch.where(reach > 0, floor + 1 - start, start - floor) / length
    slant = torch.hypot(dx, dy) / length
    segments = torch.arange(counts.numel(), device=device)
    repeated = lists.repeat((segments,), counts.flatten().long(), typical)
    (segment,) = repeated.columns
    strand = torch.div(segment, counts.shape[1], rounding_mode="floor")
    fraction = to_first.flatten().take(segment) + repeated.place / length.flatten().take(segment)
    return _Crossings(
        node=segment + strand,
        next_node=segment + strand + 1,
        fraction=fraction.clamp_(0, 1),
        slant=slant.flatten().take(segment),
        steep=steep.flatten().take(segment),
        first_pixel=(lines.owner * size**2).take(strand),
        exists=repeated.exists,
    )


def _seen(lines: Polylines, behind: Tensor, size: int) -> Tensor:
    """Whether a segment may show, bool [T, Q - 1]: an end of it is on the screen and not deep under the surfaces."""
    x, y = lines.screen.unbind(1)
    margin = 0.1 * size
    inside = (x > -margin) & (x < size + margin) & (y > -margin) & (y < size + margin)
    pixel = (y.clamp(0, size - 1).floor().mul_(size) + x.clamp(0, size - 1).floor()).long()
    pixel += (lines.owner * size**2)[:, None]
    node = inside & (lines.depth > behind.take(pixel) - _HIDDEN)
    return node[:, 1:] | node[:, :-1]
