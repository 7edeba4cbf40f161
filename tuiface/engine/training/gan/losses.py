"""The adversarial losses and their two regularisers, as the papers write them.

Shape legend: N = batch, R = resolution, L = num_ws.
Sources: non-saturating logistic loss, Goodfellow et al. 2014 (arXiv 1406.2661); R1, Mescheder et al. 2018 (1801.04406);
path length regularisation, Karras et al. 2020 (1912.04958), section 3.2; feature matching of pairs, Wang et al. 2018
(1711.11585), eq. 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.engine.predictors.attributes import AttributePredictor, disturb_images, max_shift
from tuiface.engine.training.ranks import ALONE, Ranks
from tuiface.engine.training.rng import RandomGenerator

_PREDICTION_NOISE = 0.06
"""Standard deviation of the noise on pictures that are read."""
_PREDICTION_BETA = 3.0
"""Up to so many deviations the loss is a square: what no latent determines is then drawn as its mean. The median of an
open mouth, which few have, is a closed one."""


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Mean of -log sigmoid(D(G(z))); logits [N, 1]."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of -log sigmoid(D(x)) - log(1 - sigmoid(D(G(z)))); logits [N, 1]."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def r1_penalty(discriminate: Callable[[Tensor], Tensor], reals: Tensor) -> Tensor:
    """Mean squared gradient norm of the discriminator at real pictures [N, 3, R, R], differentiable once more.

    Taken at what the discriminator sees, that is after augmentation. The loss is gamma / 2 times this.
    """
    reals = reals.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminate(reals).sum(), reals, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def feature_distance(drawn: Sequence[Tensor], wanted: Sequence[Tensor], ranks: Ranks = ALONE) -> Tensor:
    """Mean over layers of |drawn - wanted|_1 / |wanted|_1: features of pictures against those they are to show.

    drawn, wanted: as many layers [N, C, r, r], of equal shapes. Wang et al. divide by the number of elements; the
    share of the wanted features' own size, which is taken over all ranks, makes layers of unlike size count alike.
    Gradients reach `drawn` alone.
    """
    sizes = ranks.mean(torch.stack([b.detach().float().abs().mean() for b in wanted]))
    ratios = [
        (a.float() - b.detach().float()).abs().mean() / (size + 1e-8)
        for a, b, size in zip(drawn, wanted, sizes, strict=True)
    ]
    return torch.stack(ratios).mean()


def prediction_distance(predictor: AttributePredictor, drawn: Tensor, wanted: Tensor, rng: RandomGenerator) -> Tensor:
    """Mean smooth L1 of what `predictor` sees in pictures against what it sees in those that they are to show.

    drawn, wanted: [N, 3, R, R] in [-1, 1], disturbed alike before they are read. Of the features, in standard
    deviations, and of what they say, in deviations or log-odds: pixels alone leave half of a smile undrawn, for it is a
    few of them. Gradients reach `drawn` alone.
    """
    pairs = torch.cat([drawn.clamp(-1, 1), wanted], dim=1)
    reach = max_shift(pairs)
    shifts = rng.integers(-reach, reach + 1, len(pairs), 2)
    pairs = disturb_images(pairs, shifts, _PREDICTION_NOISE * rng.normal(*pairs.shape))
    with torch.no_grad():
        aim = predictor.features(pairs[:, 3:])
    seen = predictor.features(pairs[:, :3])
    said = F.smooth_l1_loss(predictor.scores(seen), predictor.scores(aim), beta=_PREDICTION_BETA)
    return said + F.smooth_l1_loss(seen, aim, beta=_PREDICTION_BETA)


def path_lengths(synthesize: Callable[[Tensor], Tensor], ws: Tensor, directions: Tensor) -> Tensor:
    """|J_w^T y| for each sample, [N], differentiable once more.

    ws [N, L, w_dim], requiring gradients; directions: standard normal pictures [N, 3, R, R], divided here by the side
    so that lengths do not depend on the resolution. The square is summed over w and averaged over rows.
    """
    images = synthesize(ws)
    projected = (images * directions).sum() / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad(projected, ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def path_length_penalty(lengths: Tensor, mean: Tensor, decay: float, ranks: Ranks = ALONE) -> tuple[Tensor, Tensor]:
    """Mean squared deviation of lengths [N] from their moving average over all ranks, and the average moved on.

    No gradient goes through the average.
    """
    moved = torch.lerp(mean, ranks.mean(lengths.detach().mean()), decay)
    return (lengths - moved).square().mean(), moved
