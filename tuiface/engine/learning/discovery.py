"""Directions without labels: from the weights, from the population, and from what single pictures answer to.

    sefa        Shen & Zhou 2021 (arXiv 2007.06600): what the affines of some rows amplify most
    ganspace    Härkönen et al. 2020 (2004.02546): principal components of w
    regional    Zhu et al. 2022 (ReSeFa): what changes a region most for what it changes elsewhere
    channels    Wu et al. 2021, StyleSpace (2011.12799): the style channels that move one region

How a picture answers to small steps in W+ is measured by central differences over a few hundred of them, in place of
the one backward pass a pixel of LowRankGAN (Zhu et al. 2021, arXiv 2106.04488). Their basis is the population's own
(GANSpace), so a step of 1 is one standard deviation.

Shape legend: L = num_ws, w = w_dim, k = principal components, D = steps, P = numbers observed, I = channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.limits import DEFAULT_PSI
from tuiface.engine.edits.masks import RegionPredictor, build_lock_mask
from tuiface.engine.latents import LatentPopulation, draw_w, fix_signs
from tuiface.engine.learning.batch_predict import synthesize_images
from tuiface.engine.networks.generator import Generator
from tuiface.engine.pixels import LEVELS_PER_UNIT
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.faces.recipe import RegionLock

#: Half a standard deviation: large against rounding, small against the curvature of an edit.
STEP_SIGMA = 0.5
BATCH = 16

Observe = Callable[[Tensor], Tensor]
"""ws [N, L, w] -> what is observed of each picture, float32 [N, P]."""


def jacobian(observe: Observe, ws: Tensor, steps: Tensor, pause: Pause = no_pause) -> Tensor:
    """float32 [D, P]: the change of what is observed at ws [1, L, w], for one unit of each of steps [D, L, w]."""
    rows = []
    for chunk in torch.split(steps, BATCH // 2):
        both = torch.cat([ws + STEP_SIGMA * chunk, ws - STEP_SIGMA * chunk])
        plus, minus = observe(both).chunk(2)
        rows.append((plus - minus) / (2 * STEP_SIGMA))
        pause()
    return torch.cat(rows)


def gram(columns: Tensor, weights: Tensor) -> Tensor:
    """float32 [D, D]: M = J^T diag(weights) J of columns [D, P] and weights [P]."""
    return (columns * weights) @ columns.t()


DISCOVERY_SEED = 4_000_003
#: Regularisation of what a regional direction may not change, as a fraction of its trace (Zhu et al. 2022).
TAU = 1e-3
#: Random signs over the picture, a face, for the energy of channels in a region.
NUM_PROBES = 4
OBSERVED_SIDE = 64


@dataclass(frozen=True, slots=True, eq=False)
class DirectionCandidate:
    """A direction that was found, without a name yet."""

    step: Tensor
    """float32 [w]: one standard deviation of w along it."""
    weight: float
    """How strongly the method speaks for it; comparable within one run."""


def sefa(
    generator: Generator, population: LatentPopulation, rows: tuple[int, int], count: int
) -> list[DirectionCandidate]:
    """The `count` directions of w that the affines of `rows` amplify most.

    Eigenvectors of A^T A for the stacked affine weights A [sum I, w], each of whose columns has length 1.
    """
    start, stop = rows
    weights: list[Tensor] = [
        layer.affine.weight for _, layer, row in generator.synthesis.style_layers() if start <= row < stop
    ]
    stacked = torch.cat(weights).double()
    stacked = stacked / stacked.norm(dim=0, keepdim=True).clamp_min(1e-12)
    values, vectors = torch.linalg.eigh(stacked.t() @ stacked)
    return _select_largest(values, vectors, population, count)


def ganspace(population: LatentPopulation, count: int) -> list[DirectionCandidate]:
    """The first `count` principal components of w over the population."""
    chosen = zip(population.basis.t()[:count], population.deviations[:count], strict=True)
    return [DirectionCandidate(step, float(deviation)) for step, deviation in chosen]


def resefa(
    generator: Generator,
    population: LatentPopulation,
    predictor: RegionPredictor,
    region: RegionLock,
    rows: tuple[int, int],
    count: int,
    faces: int = 4,
    pause: Pause = no_pause,
) -> list[DirectionCandidate]:
    """The `count` directions of w on `rows` that change `region` most for what they change outside it.

    Maximises n^T M_f n / n^T (M_b + tau tr(M_b) / k I) n, with M averaged over a few faces: a generalised symmetric
    eigenproblem in whitened components.
    """
    steps = torch.zeros(population.basis.shape[1], generator.num_ws, population.basis.shape[0])
    steps = steps.to(population.basis.device)
    steps[:, rows[0] : rows[1]] = population.basis.t()[:, None]
    inside = outside = torch.zeros(len(steps), len(steps), device=steps.device)

    def observe(ws: Tensor) -> Tensor:
        return _pool(synthesize_images(generator, ws, pause=pause)).flatten(1)

    for ws in _draw_faces(generator, faces):
        image = synthesize_images(generator, ws)
        mask = build_lock_mask(predictor.probabilities(image), (region,), image.shape[-1])
        weights = _pool(mask).expand(1, 3, -1, -1).flatten()
        columns = jacobian(observe, ws, steps, pause)
        inside = inside + gram(columns, weights / weights.sum().clamp_min(1e-6))
        outside = outside + gram(columns, (1 - weights) / (1 - weights).sum().clamp_min(1e-6))
    return _solve_generalised_eigenproblem(inside.double(), outside.double(), population, count)


@dataclass(frozen=True, slots=True)
class ChannelRank:
    """A style channel and what it moves."""

    layer: str
    channel: int
    fraction: float
    """Fraction of its change that lies in the region, 0 to 1."""
    change: float
    """Root mean square change of the region for one standard deviation, in levels of 255."""


def rank_channels(
    generator: Generator,
    population: LatentPopulation,
    predictor: RegionPredictor,
    region: RegionLock,
    count: int,
    faces: int = 4,
    probes: int = NUM_PROBES,
    pause: Pause = no_pause,
) -> list[ChannelRank]:
    """The `count` channels of the convolutions that move `region` and little else, best first.

    For random signs v, E[(J^T m v)^2] is the energy of each channel's change under the mask m: one backward pass a
    probe gives it for all channels at once.
    """
    layers = [(name, layer) for name, layer, _ in generator.synthesis.style_layers() if not name.endswith("torgb")]
    sigma = torch.cat([population.channel_sigma(layer) for _, layer in layers])
    inside, total = torch.zeros_like(sigma), torch.zeros_like(sigma)
    area = 0.0
    rng = torch.Generator().manual_seed(DISCOVERY_SEED)
    for ws in _draw_faces(generator, faces):
        styles = {name: s.detach() for name, s in generator.synthesis.styles(ws).items()}
        for name, _ in layers:
            styles[name].requires_grad_()
        image = generator.synthesize_styles(styles)
        with torch.no_grad():
            mask = build_lock_mask(predictor.probabilities(image.clamp(-1, 1)), (region,), image.shape[-1])
        area += float(mask.sum()) * 3 / faces
        inputs = [styles[name] for name, _ in layers]
        for _ in range(probes):
            signs = (torch.randint(0, 2, image.shape, generator=rng) * 2 - 1).to(image)
            for energy, weights in ((inside, mask), (total, torch.ones_like(mask))):
                gradients = torch.autograd.grad((image * signs * weights).sum(), inputs, retain_graph=True)
                energy += (torch.cat([g[0] for g in gradients]) * sigma) ** 2 / (faces * probes)
            pause()
    fraction = (inside / total.clamp_min(1e-12)).clamp(0, 1)
    change = LEVELS_PER_UNIT * (inside / max(area, 1.0)).sqrt()
    best = (fraction * change).argsort(descending=True)[:count].tolist()
    places = [(name, channel) for name, layer in layers for channel in range(layer.affine.weight.shape[0])]
    return [
        ChannelRank(layer, channel, round(float(fraction[i]), 4), round(float(change[i]), 4))
        for i, (layer, channel) in ((i, places[i]) for i in best)
    ]


def _draw_faces(generator: Generator, count: int) -> list[Tensor]:
    """`count` faces [1, L, w] that people do not number."""
    w = draw_w(generator, DISCOVERY_SEED, count)[:, None].expand(-1, generator.num_ws, -1)
    return list(torch.split(generator.truncate(w, DEFAULT_PSI), 1))


def _select_largest(
    values: Tensor, vectors: Tensor, population: LatentPopulation, count: int
) -> list[DirectionCandidate]:
    chosen = zip(values.flip(0)[:count], fix_signs(vectors.flip(1)).t()[:count], strict=True)
    return [DirectionCandidate(_scale_to_sigma(vector.float(), population), float(value)) for value, vector in chosen]


def _solve_generalised_eigenproblem(
    inside: Tensor, outside: Tensor, population: LatentPopulation, count: int
) -> list[DirectionCandidate]:
    """Eigenvectors of inside n = lambda outside n, in whitened components, as steps of w."""
    k = len(outside)
    held = outside + TAU * outside.trace() / k * torch.eye(k, dtype=outside.dtype, device=outside.device)
    factor = torch.linalg.cholesky(held)
    reduced = torch.linalg.solve_triangular(factor, inside, upper=False)
    reduced = torch.linalg.solve_triangular(factor, reduced.t(), upper=False)
    values, vectors = torch.linalg.eigh((reduced + reduced.t()) / 2)
    white = torch.linalg.solve_triangular(factor.t(), vectors, upper=True)
    white = fix_signs(white / white.norm(dim=0, keepdim=True))
    steps = (population.basis.double() @ white).flip(1).t()
    return [
        DirectionCandidate(step.float(), float(value))
        for step, value in zip(steps[:count], values.flip(0), strict=False)
    ]


def _scale_to_sigma(vector: Tensor, population: LatentPopulation) -> Tensor:
    """The vector scaled to one standard deviation of w along it."""
    unit: Tensor = vector / vector.norm() * population.sigma_of(vector)
    return unit


def _pool(maps: Tensor) -> Tensor:
    if maps.shape[-1] <= OBSERVED_SIDE:
        return maps
    pooled: Tensor = F.adaptive_avg_pool2d(maps, OBSERVED_SIDE)
    return pooled
