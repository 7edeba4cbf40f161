"""The neutral head as a chart: a grid of half-widths and depths by height, on which every feature is painted.

World units are decimetres: x to the viewer's right, y up, z towards the viewer, the eyes near y = 0. Rows run from
the crown to below the chin at equal arc length (denser on the face), columns from ear to ear around the front.
Features are functions of the neutral coordinates `x`, `y`; identity and expression displace the surface afterwards.
Widths follow adult anthropometry (bizygomatic 13.5 cm, menton to sellion 11.5 cm, eyes 6.3 cm apart).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.heads.constants import constant, kept_by_first
from tuiface.heads.geometry.curves import bell, cross, interpolate_table, normalise, smoothstep

#  y, half-width, front z, back z, centre z, exponent of the cross-section
_FACE_PROFILE = (
    (0.28, 0.765, 0.900, -1.03, -0.06, 2.25),
    (0.15, 0.752, 0.885, -1.02, -0.05, 2.30),
    (0.00, 0.728, 0.870, -0.98, -0.03, 2.35),
    (-0.20, 0.695, 0.865, -0.90, 0.00, 2.30),
    (-0.45, 0.638, 0.880, -0.70, 0.05, 2.15),
    (-0.66, 0.560, 0.890, -0.50, 0.10, 2.05),
    (-0.85, 0.450, 0.872, -0.40, 0.19, 2.00),
    (-1.00, 0.340, 0.862, -0.30, 0.27, 2.00),
    (-1.10, 0.285, 0.815, -0.20, 0.32, 2.00),
    (-1.165, 0.210, 0.700, -0.10, 0.34, 2.00),
    (-1.19, 0.165, 0.550, 0.00, 0.30, 2.00),
    (-1.19, 0.100, 0.420, 0.10, 0.28, 2.00),
)
_NEUTRAL_HAIRLINE = (
    (0, 0.70), (22, 0.705), (34, 0.67), (44, 0.56), (54, 0.34), (62, 0.12), (68, -0.02),
    (76, -0.08), (84, 0.12), (96, 0.16), (106, -0.05), (118, -0.4), (132, -0.5),
)  # fmt: skip
"""Degrees around the head, height y."""
_HALF_TURN = 2.3
"""Radians from the middle of the face to the last column."""


@dataclass(frozen=True, eq=False)
class Window:
    """A rectangle of the chart in which a feature lives; arithmetic there costs a tenth of the whole head's."""

    rows: slice
    columns: slice
    x: Tensor
    """[1, h, w], and so the others."""
    y: Tensor
    z: Tensor
    a: Tensor
    """|x|: most features are symmetric."""
    theta: Tensor
    front: Tensor
    """0 behind the ears .. 1 on the face."""


@dataclass(frozen=True, eq=False)
class Chart:
    """The neutral head at one resolution."""

    whole: Window
    normal: Tensor
    """[1, 3, H, W], outward."""
    position: Tensor
    """[1, 3, H, W]."""
    area: Tensor
    """[H, W], surface of each texel in dm^2."""
    texel: float
    """Side of a texel on the face, in dm."""
    kept: dict[tuple[object, ...], object] = field(default_factory=dict, repr=False)
    """What follows from the chart alone (`kept_by_first`)."""

    @property
    def height(self) -> int:
        """Rows H."""
        return self.area.shape[0]

    @property
    def width(self) -> int:
        """Columns W."""
        return self.area.shape[1]

    def window(self, half_width: float, y_low: float, y_high: float, side: int = 0, inner: float = 0.0) -> Window:
        """Texels with |x| up to `half_width` and y in a range; side -1 or 1 keeps x on that side beyond `inner`."""
        return _window(self, half_width, y_low, y_high, side, inner)

    def nearest_texel(self, x: Tensor, y: Tensor) -> Tensor:
        """Flat texel index int64 [N] nearest to the neutral position (x, y) [N] each, on the eyes and mouth."""
        w = self.window(0.6, -0.85, 0.12)
        distance = (w.x - x.view(-1, 1, 1)) ** 2 + (w.y - y.view(-1, 1, 1)) ** 2
        best, columns = distance.flatten(1).argmin(1), w.x.shape[2]
        first: int = w.rows.start * self.width + w.columns.start
        return best // columns * self.width + best % columns + first


@kept_by_first
def _window(chart: Chart, half_width: float, y_low: float, y_high: float, side: int, inner: float) -> Window:
    whole = chart.whole
    inside = (whole.a[0] < half_width) & (whole.y[0] > y_low) & (whole.y[0] < y_high) & (whole.z[0] > 0)
    if side:
        inside &= side * whole.x[0] > inner
    rows = inside.any(1).nonzero()[:, 0]
    columns = inside.any(0).nonzero()[:, 0]
    r, c = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return Window(r, c, *(field[:, r, c].contiguous() for field in _window_fields(whole)))


def _window_fields(w: Window) -> tuple[Tensor, ...]:
    return w.x, w.y, w.z, w.a, w.theta, w.front


def surface_normals(position: Tensor) -> Tensor:
    """Outward unit normals [N, 3, H, W] of a grid of positions [N, 3, H, W], by central differences."""
    across = position[:, :, :, 2:] - position[:, :, :, :-2]
    across = torch.cat([across[..., :1], across, across[..., -1:]], dim=3)
    down = position[:, :, 2:] - position[:, :, :-2]
    down = torch.cat([down[:, :, :1], down, down[:, :, -1:]], dim=2)
    return normalise(cross(down, across))


def _profile(height: int) -> Tensor:
    """Profile [height, 6] from the crown to under the chin, at equal arc length weighted towards the face."""
    polar = torch.linspace(math.pi / 2, 0, 40)[:-1]
    rise, shrink = torch.sin(polar), torch.cos(polar).clamp(min=0.004) ** 0.9
    crown = torch.stack(
        [
            0.28 + 0.87 * rise**0.95,
            0.765 * shrink,
            -0.06 + 0.96 * shrink,
            -0.06 - 0.97 * shrink,
            torch.full_like(shrink, -0.06),
            2.0 + 0.25 * (1 - rise),
        ],
        dim=1,
    )
    knots = torch.cat([crown, torch.tensor(_FACE_PROFILE)])
    length = (knots[1:, [0, 2]] - knots[:-1, [0, 2]]).norm(dim=1)
    middle = (knots[1:, 0] + knots[:-1, 0]) / 2
    on_face = ((middle < 0.35) & (middle > -0.85)).float()
    arc = torch.cat([torch.zeros(1), (length * (1 + 0.45 * on_face)).cumsum(0)])
    v = torch.linspace(0, float(arc[-1]), height)
    table = torch.stack([interpolate_table(arc, knots[:, i], v) for i in range(6)], dim=1)
    return _smooth_profile(table, height)


def _smooth_profile(table: Tensor, height: int) -> Tensor:
    """Round the knots of the profile, except at the crown where the rows shrink to a point."""
    reach = max(1, round(height * 0.018))
    kernel = torch.exp(-(torch.linspace(-2, 2, 2 * reach + 1) ** 2))
    kernel /= kernel.sum()
    t = table.t()[:, None]
    before = 2 * t[:, :, :1] - t[:, :, 1 : reach + 1].flip(2)
    after = 2 * t[:, :, -1:] - t[:, :, -reach - 1 : -1].flip(2)
    smooth = F.conv1d(torch.cat([before, t, after], dim=2), kernel.view(1, 1, -1))[:, 0].t()
    weight = smoothstep(0, 0.25, torch.linspace(0, 1, height))[:, None]
    return table * (1 - weight) + smooth * weight


@lru_cache(maxsize=8)
def build_chart(resolution: int, device: torch.device) -> Chart:
    """The chart whose texels on the face are about half a pixel wide at `resolution`; cached, a few milliseconds."""
    height, width = 2 * resolution, 2 * round(0.95 * resolution)
    y, half_width, front, back, centre, exponent = (column[:, None] for column in _profile(height).unbind(1))
    u = torch.linspace(-1, 1, width)
    theta = (_HALF_TURN * (0.60 * u + 0.40 * u**3)).expand(height, width)
    sine, cosine = torch.sin(theta), torch.cos(theta)
    depth = torch.where(cosine > 0, (front - centre).clamp(min=1e-3), (centre - back).clamp(min=1e-3))
    power = torch.where(cosine > 0, exponent, 2.0)
    half_width = half_width.clamp(min=1e-3)
    radius = ((sine.abs() / half_width) ** power + (cosine.abs() / depth) ** power) ** (-1 / power)
    position = torch.stack([radius * sine, y.expand_as(sine), centre + radius * cosine])[None].to(device)
    x, y, z = position.unbind(1)
    whole = Window(
        slice(0, height), slice(0, width), x, y, z, x.abs(), theta.to(device)[None], smoothstep(0.1, 0.45, z)
    )
    area = torch.zeros(height, width, device=device)
    side = cross(position[:, :, 1:, :-1] - position[:, :, :-1, :-1], position[:, :, :-1, 1:] - position[:, :, :-1, :-1])
    area[:-1, :-1] = side.square().sum(1).sqrt()[0]
    return Chart(whole, surface_normals(position), position, area, texel=2.6 / height)


def neutral_hairline(theta: Tensor) -> Tensor:
    """Height y of the neutral hairline by angle around the head [radians]: forehead, temple, sideburn, ear, nape."""
    degrees, heights = (constant(row, theta.device) for row in zip(*_NEUTRAL_HAIRLINE, strict=True))
    return interpolate_table(degrees, heights, theta.abs() * (180 / math.pi))


def scalp_weights(chart: Chart) -> Tensor:
    """Density of hair roots [H * W]: uniform over the scalp, denser along the front hairline and on the crown."""
    w = chart.whole
    above = w.y - neutral_hairline(w.theta)
    front_edge = 3.6 * bell((above - 0.07) / 0.17) * (w.y > 0.3)
    crown = 0.5 * smoothstep(0.8, 1.1, w.y)
    return (chart.area * ((above > -0.16) * (1 + front_edge) * (1 + crown))[0]).flatten()
