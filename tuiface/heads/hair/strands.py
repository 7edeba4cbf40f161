"""Strands: hair grown step by step around the head.

All strands of a batch lie in one list of T, sample by sample; `owner` [T] says whose each is. `lists` decides whether
the list holds those that grow or every root, of which some then have no width (`tuiface.heads.lists`).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from tuiface.heads.constants import constant, kept_by_first
from tuiface.heads.geometry.chart import Chart, scalp_weights
from tuiface.heads.geometry.curves import dot, normalise, smoothstep
from tuiface.heads.hair.clumps import Clumps, gather_clumps
from tuiface.heads.hair.growth import root_survival, strand_colours
from tuiface.heads.hair.styles import StyleColumns, style_columns
from tuiface.heads.lists import Lists, Selection
from tuiface.heads.sampling.look import Look
from tuiface.heads.sampling.rng import draw_normals, draw_uniforms

_STEPS = 16


@dataclass(frozen=True, eq=False)
class Strands:
    """T polylines of Q points."""

    owner: Tensor
    """int64 [T], the sample of each strand."""
    position: Tensor
    """[T, 3, Q], dm."""
    tangent: Tensor
    """[T, 3, Q], unit."""
    albedo: Tensor
    """[T, 3], linear RGB."""
    shade: Tensor
    """[T, Q], self-occlusion from root to tip."""
    width: Tensor
    """[T, Q], relative to a full strand; tips taper. 0: it does not grow."""
    tilt: Tensor
    """Tilt of the cuticle's scales beyond the usual, radians, [T]: it breaks up highlights."""


def join_strands(parts: list[Strands]) -> Strands:
    """One list of several, whose strands have equally many points."""
    return Strands(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Strands)))


@dataclass(frozen=True, eq=False)
class Roots:
    """Where strands leave the skin."""

    grown: Selection
    """Which of all roots [N * S] these are."""
    owner: Tensor
    """int64 [T]."""
    texel: Tensor
    """Flat index into the chart, int64 [T]."""
    position: Tensor
    """[T, 3]."""
    normal: Tensor
    """[T, 3]."""
    jitter: Tensor
    """Uniform [T, J], each strand's own."""
    stray: Tensor
    """Standard normal [T, 3], each strand's own."""


def cumulate(weights: Tensor) -> Tensor:
    """Running sums float64 of texel densities [H * W], for `draw_texels`; on a GPU they would vary with the run."""
    return weights.cpu().double().cumsum(0).to(weights.device)


def draw_texels(seeds: Tensor, stream: str, density: Tensor, count: int) -> Tensor:
    """Texel indices int64 [N, count] drawn by a cumulated `density` [H * W]."""
    at = draw_uniforms(seeds, stream, count).double() * density[-1]
    return torch.searchsorted(density, at).clamp(max=len(density) - 1)


def plant_roots(
    look: Look, chart: Chart, head: Tensor, stream: str, texels: Tensor, alive: Tensor, jitter: Tensor, lists: Lists
) -> Roots:
    """The roots among `texels` [N, S] that are `alive` [N, S], on the warped `head` [N, 3, H, W]."""
    samples, count = texels.shape
    grown = lists.select(alive.flatten())
    owner = grown.of(torch.arange(samples, device=look.device).repeat_interleave(count))
    texel = grown.of(texels.flatten())
    stray = draw_normals(look.seeds, f"{stream} stray", 3 * count).view(-1, 3)
    return Roots(
        grown,
        owner,
        texel,
        head.flatten(2)[owner, :, texel],
        chart.normal[0].flatten(1)[:, texel].t(),
        grown.of(jitter.flatten(0, 1)),
        grown.of(stray),
    )


@kept_by_first
def _scalp_density(chart: Chart) -> Tensor:
    return cumulate(scalp_weights(chart))


def grow_hair(look: Look, chart: Chart, head: Tensor, line: Tensor, count: int, points: int, lists: Lists) -> Strands:
    """Grow up to `count` strands a sample, of `points` points, from the scalp of the warped `head` [N, 3, H, W]."""
    texels = draw_texels(look.seeds, "hair roots", _scalp_density(chart), count)
    jitter = draw_uniforms(look.seeds, "hair jitter", 7 * count).view(-1, count, 7)
    alive = root_survival(look, chart, line, texels, jitter[..., 0])
    roots = plant_roots(look, chart, head, "hair", texels, alive, jitter, lists)
    style = style_columns(look.choice("hair_style")[roots.owner])
    phases = (6.28 * look.draw("clumps"))[roots.owner]
    clumps = gather_clumps(roots.position, phases[:, 1], look.seeds[roots.owner])
    flying = (roots.jitter[:, 5] < 0.05).float()
    growth = _steer(look, chart, style, roots, _locks(roots, phases[:, 0]), clumps)
    position = _resample(_integrate(growth), points)
    t = torch.linspace(0, 1, points, device=look.device)
    phase = 6.28 * clumps.draw[:, 3] + 0.7 * roots.stray[:, 0]
    volume, wave = (look.column(name)[roots.owner] for name in ("hair_volume", "hair_wave"))
    position = position + _curls(style, wave, growth.length, phase, t)
    gathered = style.clumping * (0.35 + 0.65 * roots.jitter[:, 6]) * (1 - flying) * (1 - 0.45 * growth.fringe)
    beside = clumps.towards - dot(clumps.towards, roots.normal)[:, None] * roots.normal
    position = position + (gathered[:, None] * beside)[..., None] * smoothstep(0.15, 1.0, t)
    loose = 0.012 * volume + flying * (0.03 + 0.10 * growth.length.clamp(max=0.8))
    position = position + (loose[:, None] * roots.stray)[..., None] * t**1.5
    rising = 0.45 + 0.55 * smoothstep(0, 0.5, t)
    shade = torch.where(growth.length[:, None] < 0.35, 0.62 + 0.38 * t, rising)
    # Short hair shows as tufts rather than as single hairs.
    width = (1.2 + 0.55 * smoothstep(0.75, 0.35, growth.length) + 10 * style.curl) * (1 - 0.5 * flying)
    width = width * (1 + 0.35 * growth.fringe)
    # Straight hair ends in points; the ends of curls overlap.
    width = width[:, None] * (1 - torch.where(style.curl > 0.03, 0.5, 0.85)[:, None] * t**4)
    albedo = strand_colours(look, roots.owner, roots.jitter[:, 1:3], 2 * clumps.draw[:, 0] - 1)
    tilt = 0.10 * (roots.jitter[:, 6] - 0.5) + 0.10 * (clumps.draw[:, 1] - 0.5)
    return Strands(roots.owner, position, _tangents(position), albedo, shade, roots.grown.weigh(width), tilt)


@dataclass(frozen=True, eq=False)
class _Growth:
    """What steers the strands; [T] unless stated."""

    root: Tensor
    """[T, 3]."""
    flow: Tensor
    """Combing direction, tangent to the scalp, [T, 3]."""
    length: Tensor
    lift: Tensor
    gravity: Tensor
    layer: Tensor
    curtain: Tensor
    hold: Tensor
    away: Tensor
    """-1 .. 1: the side of the parting."""
    fringe: Tensor
    """1 for the strands of a fringe."""


def _locks(roots: Roots, phase: Tensor) -> Tensor:
    """A smooth random vector field on the scalp [T, 3], in -1..1: broad locks."""
    x, y, z = roots.position.unbind(1)
    broad = 7 * x + 5 * y + 6 * z
    locks = [torch.sin(broad * k + o + phase) for k, o in ((1.0, 0.0), (1.7, 2.0), (2.3, 4.0))]
    return torch.stack(locks, dim=1)


def _steer(look: Look, chart: Chart, style: StyleColumns, roots: Roots, locks: Tensor, clumps: Clumps) -> _Growth:
    """Combing direction and length of every strand."""

    def amount(name: str) -> Tensor:
        return look.column(name)[roots.owner]

    root, normal, jitter = roots.position, roots.normal, roots.jitter
    y, theta = chart.whole.y.flatten()[roots.texel], chart.whole.theta.flatten()[roots.texel]
    length = style.shortest + (style.longest - style.shortest) * amount("hair_length")
    # Long hair is cut to a length, short hair in layers.
    spread = 0.14 + 0.24 * smoothstep(1.1, 0.5, length)
    length = length * (1 - spread * (1 - jitter[:, 3] ** 0.6)) * (0.90 + 0.14 * clumps.draw[:, 2])
    sides = smoothstep(0.62, 0.25, y) * smoothstep(0.5, 0.9, theta.abs())
    length = length * (1 - style.short_sides * sides)
    lift = style.lift * (0.6 + 0.8 * amount("hair_volume")) * (1 - 0.6 * style.short_sides * sides)
    lift = lift * (1 + 0.30 * locks[:, 2])
    parting = 0.42 * amount("parting")
    away = _side_of_parting(style, root, parting, locks)
    fringe = _fringe_share(style, amount("fringe"), amount("hairline_recession"), parting, theta, y, roots, clumps)
    cut = 0.36 + 0.16 * clumps.draw[:, 2] + 0.10 * jitter[:, 3] + 0.10 * theta.abs()
    length = torch.where(fringe > 0, cut, length)
    curtain = style.curtain * (1 - fringe)
    # Hair thins and shortens where the hairline recedes: long strands would hang over a bare forehead.
    receding = smoothstep(0.12, 0.45, amount("hairline_recession")) * smoothstep(1.0, 0.8, y)
    receding = receding * smoothstep(1.0, 0.7, theta.abs()) * smoothstep(0.5, 0.2, style.curtain)
    length = length * (1 - 0.55 * receding)
    # A bare crown over wide tufts is a clown's: what is left is cut short.
    bare = smoothstep(0.3, 0.6, amount("crown_thinning")) * smoothstep(0.5, 0.2, style.curtain)
    length, lift = length * (1 - 0.5 * bare), lift * (1 - 0.6 * bare)
    flow = _combing_flow(style, roots, fringe, curtain, away, parting)
    disorder = style.disorder * (1 - 0.6 * fringe)
    tufts = 2 * clumps.draw[:, :3] - 1
    flow = flow + disorder[:, None] * (0.60 * locks + 0.75 * tufts + 0.34 * roots.stray)
    flow = flow - dot(flow, normal)[:, None] * normal
    body = 0.012 + jitter[:, 4] ** 1.3 * (0.03 + 0.10 * amount("hair_volume")) * style.layer
    body = body + 0.065 * torch.maximum(fringe, 0.6 * style.forward * (style.forward > 0.4))  # clear of the forehead
    return _Growth(root, flow, length, lift, style.gravity, body, curtain, style.hold, away, fringe)


def _side_of_parting(style: StyleColumns, root: Tensor, parting: Tensor, locks: Tensor) -> Tensor:
    """-1 .. 1 [T]: to which side a strand is combed; hair that is not parted turns gradually, and more to one side."""
    line = parting * smoothstep(-0.9, 0.1, root[:, 2]) + 0.012 * locks[:, 1]
    aside = torch.tanh((root[:, 0] - line) / 0.03)
    gradual = 0.7 * torch.tanh(root[:, 0] / 0.45) - 0.75 * torch.tanh(4 * parting)
    return gradual + (aside - gradual) * style.parted


def _fringe_share(
    style: StyleColumns, share: Tensor, recession: Tensor, parting: Tensor, theta: Tensor, y: Tensor, roots: Roots,
    clumps: Clumps,
) -> Tensor:  # fmt: skip
    """1 [T] for strands of the fringe: from the front of the scalp, and where it is narrow, from beside the parting."""
    wanted = torch.maximum(style.fringe, share * (style.curtain > 0.5))
    wanted = wanted * (recession < 0.2)  # all or none: single strands would look wet
    middle = 0.45 * torch.tanh(6 * parting) * (1 - wanted)
    inside = (theta - middle).abs() + 0.16 * (clumps.draw[:, 4] - 0.5) + 0.05 * roots.jitter[
        :, 4
    ] < 0.16 + 0.62 * wanted
    return (inside & (wanted > 0.08) & (theta.abs() < 0.74) & (y < 0.93)).float()


def _combing_flow(
    style: StyleColumns, roots: Roots, fringe: Tensor, curtain: Tensor, away: Tensor, parting: Tensor
) -> Tensor:
    """Where the style pulls each strand: aside from the parting, backwards, onto the forehead; [T, 3]."""
    none = torch.zeros_like(away)
    top = smoothstep(0.35, 0.8, roots.normal[:, 1]) * smoothstep(-0.5, 0.3, roots.position[:, 2])
    aside = torch.stack([away, 0.22 * curtain - 0.30, -0.15 - 0.65 * curtain], dim=1)
    backwards = torch.stack([0.15 * away, none - 0.10, none - 1], dim=1)
    onto = torch.stack([none - 0.9 * parting, none - 0.25, none + 1], dim=1)
    flow = (style.sideways * (1 - 0.85 * fringe))[:, None] * aside + style.back[:, None] * backwards
    return flow + ((style.forward + 1.6 * fringe) * (0.25 + 0.75 * top))[:, None] * onto


_SKULL = ((0.0, 0.28, -0.06), (0.785, 0.905, 0.965))
_JAW = ((0.0, -0.42, 0.20), (0.66, 0.76, 0.66))
_NECK_Z, _NECK_RADIUS, _NECK_TOP = -0.16, 0.55, -0.75


def _integrate(growth: _Growth) -> Tensor:
    """March the strands out of the scalp, around skull, jaw and neck: nodes [_STEPS, T, 3]."""
    device = growth.root.device
    centre, radii = (constant(row, device) for row in _SKULL)
    squared_radii = radii**2
    step, plan = (growth.length / (_STEPS - 1))[:, None], _plan_steps(growth)
    parting = 0.45 * growth.away
    position, nodes = growth.root, [growth.root]
    for i in range(_STEPS - 1):
        outwards = normalise((position - centre) / squared_radii)
        direction = outwards * plan.lift[i] + growth.flow * plan.combed[i]
        # Near the middle the parting decides the side, or hair would fall straight over the face.
        beside = torch.sign(position[:, 0] + parting) * growth.curtain
        z, y, x = _beside_face(position).unbind(1)
        beside = beside * z * y * x
        aside = beside.abs()
        direction = direction + torch.stack([1.3 * beside, plan.fall[i] - 0.2 * aside, -aside], dim=1)
        direction = direction - dot(direction, outwards).clamp(max=0)[:, None] * outwards
        position = _keep_outside(position + step * normalise(direction), plan.layer[i], plan.above[i], growth.hold)
        nodes.append(position)
    return torch.stack(nodes)


@dataclass(frozen=True, eq=False)
class _Steps:
    """What acts on the strands in each step of their growth, [_STEPS - 1, T], and [..., T, 1] where stated."""

    lift: Tensor
    """[..., T, 1]."""
    combed: Tensor
    """[..., T, 1]."""
    fall: Tensor
    layer: Tensor
    above: Tensor
    """Distance from the centre of an ellipsoid, in its radii."""


def _plan_steps(growth: _Growth) -> _Steps:
    times = [i / (_STEPS - 1) for i in range(1, _STEPS)]

    def each(values: list[float]) -> Tensor:
        return constant(tuple(values), growth.root.device)[:, None]

    combed = torch.where(growth.gravity > 0.3, each([1 - 0.85 * min(1.0, 1.6 * t) for t in times]), 1.0)
    layer = growth.layer * each([min(1.0, i / 4) for i in range(1, _STEPS)])
    return _Steps(
        lift=(growth.lift * each([(1 - t) ** 1.5 for t in times]))[..., None],
        combed=combed[..., None],
        fall=-growth.gravity * (each([1.6 * t + 0.15 for t in times]) - 0.13 * growth.curtain),
        layer=layer,
        above=1 + 1.1 * layer,
    )


def _beside_face(position: Tensor) -> Tensor:
    """Factors [T, 3] of points [T, 3]: in front of the ears, below the crown, near the face."""
    device = position.device
    zyx = position.flip(1)
    zyx[:, 2].abs_()
    t = ((zyx - constant((0.1, 1.0, 0.78), device)) / constant((0.4 - 0.1, 0.6 - 1.0, 0.55 - 0.78), device)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _keep_outside(position: Tensor, layer: Tensor, above: Tensor, hold: Tensor) -> Tensor:
    """Push points [T, 3] out of head and neck, to `layer` [T] above them; `hold` draws them back in."""
    for (centre, radii), held in ((_SKULL, hold), (_JAW, 0.0)):
        c, r = constant(centre, position.device), constant(radii, position.device)
        q = (position - c) / r
        distance = dot(q, q).sqrt()
        pull = torch.where(distance < above, 1.0, held)
        position = c + r * q * (1 + pull * (above / (distance + 1e-6) - 1))[:, None]
    x, y, z = position.unbind(1)
    z = z - _NECK_Z
    distance, radius = torch.sqrt(x * x + z**2), _NECK_RADIUS + layer
    push = torch.where((y < _NECK_TOP) & (distance < radius), radius / (distance + 1e-6), 1.0)
    return torch.stack([x * push, y, z * push + _NECK_Z], dim=1)


def _resample(nodes: Tensor, points: int) -> Tensor:
    """Catmull-Rom interpolation of nodes [K, T, 3] at `points` equal steps: [T, 3, points]."""
    places, weights = _spline(len(nodes), points, nodes.device)
    a, b, c, d = (nodes[place] * weight[:, None, None] for place, weight in zip(places, weights, strict=True))
    resampled: Tensor = a.add_(b).add_(c).add_(d)
    return resampled.permute(1, 2, 0).contiguous()


@functools.cache
def _spline(count: int, points: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Which four of `count` nodes each of the points lies between, int64 [4, points], and their weights."""
    last = count - 1
    at = torch.linspace(0, last, points)
    i = at.floor().clamp(max=last - 1).long()
    t = at - i
    places = torch.stack([(i - 1).clamp(min=0), i, i + 1, (i + 2).clamp(max=last)])
    weights = torch.stack([2 * t**2 - t - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2])
    return places.to(device), (0.5 * weights).to(device)


def _curls(style: StyleColumns, wave: Tensor, length: Tensor, phase: Tensor, t: Tensor) -> Tensor:
    """Helical offset [T, 3, Q] that grows away from the root; `t` [Q] runs along the strand."""
    radius = (style.curl * (0.5 + wave))[:, None] * smoothstep(0, 0.25, t)
    frequency = style.curls_per_dm * (0.7 + 0.6 * wave)
    angle = 2 * math.pi * (frequency * length)[:, None] * t + phase[:, None]
    across = 0.4 * radius * torch.sin(1.1 * angle + 1)
    return torch.stack([radius * torch.cos(angle), across, radius * torch.sin(angle)], dim=1)


def _tangents(position: Tensor) -> Tensor:
    """Unit directions [T, 3, Q] along polylines [T, 3, Q]."""
    ahead = torch.cat([position[..., 1:], position[..., -1:]], dim=2)
    behind = torch.cat([position[..., :1], position[..., :-1]], dim=2)
    return normalise(ahead - behind)
