"""Evening a step: descent through the network until a concept grows at every amount, on face after face.

A boundary or a gradient knows what a step does on average. A concept at one end of which most faces already are, as
closed mouths are, answers late and with a jolt, now and then backwards; the average hides it. As GANalyze does
(Goetschalckx et al. 2019, arXiv 1906.10112), the step itself is fitted here to what is read of the faces that it makes:

    minimise    3 E[ sum_k max(0, m r - (c_k+1 - c_k)) / r  +  0.3 max(0, 1 - r) ]    steps back; faces left unmoved
              + 0.03 sum_j E[leak_j^2] / (E[r] / 6)^2                                 what is held
              + max(0, 1 - E[r] / r_0)                                                no less than at the start

with c_k the concept at the amounts -3..3 in standard deviations, r its range on a face, r_0 the mean range at the
start and m a margin. Every turn takes other faces, and disturbs their pictures before they are read (see
`augment_images`), all amounts of a face alike: what differs between them is not the disturbance.

Shape legend: N = faces, A = attributes, L = num_ws, w = w_dim, k = whitened components.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from tuiface.core.limits import DEFAULT_PSI
from tuiface.engine.latents import draw_w
from tuiface.engine.learning.batch_predict import (
    Precision,
    SupportsAttributePrediction,
    gradient_batch_size,
    read_images,
    synthesize_differentiable,
    synthesize_images,
)
from tuiface.engine.learning.fitting import LEARNING_SEED
from tuiface.engine.learning.verification import AMOUNTS
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.optimizers import EagerAdam
from tuiface.engine.predictors.attributes import augment_images
from tuiface.engine.scheduler import Pause, no_pause

NUM_ITERATIONS = 130
BATCH_SIZE = 8
"""New ones in every turn."""
_CHUNK_SIZE = 4
"""Faces that are drawn at once, at all amounts, where pictures are small."""
_LEARNING_RATE = 0.008
"""Of Adam at the beginning, in deviations of the population; it falls to nothing along a cosine."""
_MARGIN = 0.02
"""What a concept should grow by from amount to amount, as a share of its range on the face."""
_MIN_RANGE = 0.25
"""Deviations that a range is taken to be at least, where something is divided by it."""
_NOISE = 0.06
"""Standard deviation of the noise that pictures are disturbed by: more would hide open mouths."""
_SEED_OFFSET = 500_000
"""From the faces that are learned from to those of the first turn."""


def refine_step(
    network: OpenedNetwork,
    predictor: SupportsAttributePrediction,
    deviation: Tensor,
    step: Tensor,
    target: int,
    held: Sequence[int],
    precision: Precision,
    turns: int = NUM_ITERATIONS,
    pause: Pause = no_pause,
) -> Tensor:
    """float32 [L, w]: `step`, fitted so that attribute `target` grows evenly and those of `held` stay.

    deviation: float32 [A], one standard deviation of each attribute. Draws 7 x `BATCH_SIZE` pictures a turn, six in
    seven with gradients.
    """
    population = network.population
    white = (step @ population.axes / population.deviations).clone()  # [L, k]
    optimizer = EagerAdam([white], lr=_LEARNING_RATE, betas=(0.9, 0.99))
    precision = precision.for_gradients()
    read = partial(_predict_at_amounts, network, predictor, precision)
    with torch.no_grad():
        first = torch.cat([read(chunk, step, 0) for chunk in _draw_faces(network, 0, precision)], dim=1) / deviation
    first_range = float((first[-1] - first[0])[:, target].mean().clamp(min=_MIN_RANGE))
    mean = torch.zeros_like(white)
    for turn in range(turns):
        optimizer.param_groups[0]["lr"] = _LEARNING_RATE * (0.5 + 0.5 * math.cos(math.pi * turn / turns))
        moving = (white @ population.basis.t()).requires_grad_()
        gradient = torch.zeros_like(moving)
        for chunk in _draw_faces(network, turn, precision):
            readings = read(chunk, moving, turn) / deviation
            loss = _loss(readings, target, held, first_range)
            gradient += torch.autograd.grad(loss, moving)[0] * len(chunk) / BATCH_SIZE
            pause()
        white.grad = gradient @ population.basis
        optimizer.step()
        if turn >= turns // 2:
            mean += white / (turns - turns // 2)
    return mean @ population.basis.t()


def _draw_faces(network: OpenedNetwork, turn: int, precision: Precision) -> tuple[Tensor, ...]:
    """ws float32 [n, L, w] of this turn's faces, by those that are drawn at once."""
    generator = network.generator
    w = draw_w(generator, LEARNING_SEED + _SEED_OFFSET + turn, BATCH_SIZE)
    ws = generator.truncate(w[:, None].expand(-1, generator.num_ws, -1), DEFAULT_PSI)
    side = generator.check_resolution(precision.resolution)
    return torch.split(ws, gradient_batch_size(side, _CHUNK_SIZE, len(AMOUNTS)))


def _predict_at_amounts(
    network: OpenedNetwork,
    predictor: SupportsAttributePrediction,
    precision: Precision,
    ws: Tensor,
    step: Tensor,
    turn: int,
) -> Tensor:
    """float32 [7, N, A] at all amounts, differentiable in the step where gradients are enabled."""
    generator, dtype, until = network.generator, precision.dtype, precision.resolution
    middle = len(AMOUNTS) // 2
    moving = torch.tensor([amount for amount in AMOUNTS if amount]).to(ws)
    moved = (ws + moving[:, None, None, None] * step).flatten(0, 1)
    images = list(torch.split(synthesize_differentiable(generator, moved, dtype, until), len(ws)))
    images.insert(middle, synthesize_images(generator, ws, dtype, until))  # the same whatever the step
    alike = [augment_images(c, torch.Generator().manual_seed(turn), _NOISE) for c in images]
    return read_images(predictor, torch.cat(alike), precision.reader_dtype).reshape(len(AMOUNTS), len(ws), -1)


def _loss(readings: Tensor, target: int, held: Sequence[int], first_range: float) -> Tensor:
    """The module's criterion over a few faces, of readings [7, N, A] in standard deviations."""
    concept = readings[:, :, target]
    grown, spans = concept.diff(dim=0), concept[-1] - concept[0]
    scale = spans.detach().clamp(min=_MIN_RANGE)
    backwards = (torch.relu(_MARGIN * scale - grown) / scale).sum(dim=0).mean()
    unmoved = torch.relu(1.0 - spans).mean()
    least = torch.relu(1 - spans.mean() / first_range)
    uneven = 3 * (backwards + 0.3 * unmoved) + least
    if not held:
        return uneven
    middle = len(AMOUNTS) // 2
    leaks = [(readings[middle + far] - readings[middle - far])[:, list(held)] / (2 * far) for far in (1, 2)]
    leak = torch.stack([leak.square().sum(dim=1).mean() for leak in leaks]).sum()
    slope = float(spans.detach().mean().clamp(min=_MIN_RANGE)) / (AMOUNTS[-1] - AMOUNTS[0])
    return uneven + 0.03 * leak / slope**2
