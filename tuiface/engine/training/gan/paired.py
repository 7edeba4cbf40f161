"""The paired start: teach the synthesis from heads whose parameters are known, before any discriminator.

1. Regression. An encoder maps each head's parameters p to w, and the synthesis network draws that very head:
   min |S(E(p)) - x|, from 16 px up. It learns pose, parts, skin and hair in minutes, but paints the mean of whatever p
   does not determine (single hairs, bokeh): blurred.
2. Distillation (`distillation`). p is a function of draws z ~ N(0, I) (`head_latents`), so the mapping network can
   learn M(z) = E(p(z)) from as many pairs as one likes: nothing is rendered.
3. The adversarial stage goes on from there; its anchors (`adversarial`) keep M's meaning while textures sharpen.
4. In the model that is written w is stretched about its mean (`export`): what M cannot foretell it draws as such.

A picture costs the regression a third of what it costs the adversarial stage, and none is wasted on finding out what a
face is: at equal time, faces are far better than from the adversarial stage alone.

Shape legend: N = batch, r = resolution of the moment, w = w_dim.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.engine.networks.generator import Generator
from tuiface.engine.pixels import normalise
from tuiface.engine.training.data.feed import Batch, BatchFeed
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.gan.optimizers import capturable_adam, set_learning_rate
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.passes import Passes
from tuiface.engine.training.ranks import ALONE, Ranks
from tuiface.engine.training.rng import SampleOrder
from tuiface.heads import encode

_FIRST_RESOLUTION = 16
_COARSE_FRACTION = 0.15
"""Share of the regression spent on each resolution below the last."""
_FINAL_LR_FRACTION = 0.03
"""Of the learning rate, at the end of its cosine."""

_REGION_WEIGHT = {
    Region.BACKGROUND: 0.5,
    Region.HAIR: 1.0,
    Region.SKIN: 2.0,
    Region.BROWS: 4.0,
    Region.EYES: 6.0,
    Region.NOSE: 3.0,
    Region.MOUTH: 5.0,
    Region.EARS: 1.5,
    Region.NECK: 1.0,
    Region.CLOTHING: 0.7,
    Region.GLASSES: 3.0,
    Region.BEARD: 2.0,
}

_FEATURE_REGIONS = [int(r) for r in (Region.BROWS, Region.EYES, Region.NOSE, Region.MOUTH, Region.GLASSES)]


class RegressionStage:
    """min |S(E(p)) - x|."""

    cost = 1.0

    def __init__(self, state: TrainingState, data: HeadData, passes: Passes) -> None:
        assert state.encoder is not None
        self._state, self._data, self._encoder, self._passes = state, data, state.encoder, passes
        self._feed = BatchFeed(self._read_batch, state.device)
        self.length = round(state.settings.paired.regression_kimg * 1000)
        paired, generator = state.settings.paired, state.generator
        self._goes_through_mapping = paired.through_mapping
        if paired.through_mapping:
            parts = generator.synthesis.parameters(), generator.mapping.parameters()
            self._optimizer = capturable_adam(parts[0], paired.regression_lr, (0.9, 0.99), parts[1])
        else:
            parameters = [*generator.synthesis.parameters(), *state.encoder.parameters()]
            self._optimizer = capturable_adam(parameters, paired.regression_lr, (0.9, 0.99))
        self.optimizers = {"regression": self._optimizer}

    def step(self) -> None:
        """One step, whose loss goes into the statistics."""
        state, num = self._state, self._state.settings.batch
        rate = cosine(state.progress.images / self.length)
        lr = state.settings.paired.regression_lr * rate
        set_learning_rate(self._optimizer, lr)
        if self._goes_through_mapping:  # its parameters are stored times 1 / lr_multiplier
            set_learning_rate(self._optimizer, lr / state.generator.config.mapping_lr_multiplier, group=1)
        batch = self._feed.take(*state.next_places(self._data.count_available()))
        stands_still = state.progress.images < state.settings.paired.frozen_share * self.length
        state.generator.synthesis.requires_grad_(requires_grad=not stands_still)
        self._passes.run(self.regress, *batch, kind=(self.resolution, stands_still))
        state.count_step(num)
        state.update_average(num)

    @property
    def resolution(self) -> int:
        """Of the moment."""
        if self._goes_through_mapping:  # what comes trained is compared as it is
            return self._state.settings.resolution
        return resolution_at(self._state.progress.images / self.length, self._state.settings.resolution)

    def close(self) -> None:
        """Let the data and the graphs go."""
        self._state.generator.synthesis.requires_grad_()
        self._feed.close()
        self._passes.close()

    def _read_batch(self, place: SampleOrder) -> Batch:
        """Pixels, regions and encoded parameters of the next heads."""
        indices = self._state.indices_at(place)
        if self._goes_through_mapping:
            given = self._data.latents(indices, self._state.settings.network.z_dim)
        else:
            given = encode(self._data.parameters(indices))
        return self._data.pixels(indices), self._data.regions(indices), given

    def regress(self, pixels: Tensor, regions: Tensor, given: Tensor) -> None:
        """One Adam step; pixels uint8 [N, R, R, 3], regions uint8 [N, R, R], parameters [N, F] or z of these heads."""
        state, resolution = self._state, self.resolution
        shrink = state.settings.resolution // resolution
        w = state.generator.mapping(given) if self._goes_through_mapping else self._encoder(given)
        state.track_w_avg(w)
        drawn = synthesize_w(state.generator, w, resolution, state.dtype)
        heads, weights = normalise(pixels, state.device), region_weights(regions)
        loss = regression_loss(drawn, F.avg_pool2d(heads, shrink), F.avg_pool2d(weights, shrink))
        state.descend(loss, self._optimizer)
        state.note_losses({"regression": loss})


def cosine(done: float) -> float:
    """Share of its learning rate that a stage has after the share `done` of its length."""
    return max(0.5 + 0.5 * math.cos(math.pi * min(done, 1.0)), _FINAL_LR_FRACTION)


class Anchors(NamedTuple):
    """Known heads among the latents of an adversarial batch: what they mean must not change while textures sharpen."""

    latents: Tensor
    """[A, z_dim]."""
    heads: Tensor
    """[A, 3, R, R] in [-1, 1]."""
    features: Tensor
    """[A, 1, R, R]: 1 where brows, eyes, nose, mouth or glasses are, else 0."""

    @property
    def num_heads(self) -> int:
        """A."""
        return len(self.latents)

    def loss(self, drawn: Tensor, ranks: Ranks = ALONE) -> Tensor:
        """L1 of pictures [A, 3, R, R] at 16 and at 8 px, and of the features at half of R: finer detail is D's.

        The features' weights are summed over all ranks.
        """
        side = drawn.shape[2]
        total = drawn.new_zeros([])
        for coarse in (16, 8):
            shrink = max(side // coarse, 1)
            total = total + F.l1_loss(F.avg_pool2d(drawn, shrink), F.avg_pool2d(self.heads, shrink))
        weights = F.avg_pool2d(self.features, 2)
        distance = (F.avg_pool2d(drawn, 2) - F.avg_pool2d(self.heads, 2)).abs().mean(dim=1, keepdim=True)
        return total + (distance * weights).sum() / (ranks.mean(weights.sum()) + 1 / ranks.count)


def find_features(regions: Tensor) -> Tensor:
    """bool [A, 1, R, R] of region ids uint8 [A, R, R]: where brows, eyes, nose, mouth or glasses are."""
    return torch.isin(regions, torch.tensor(_FEATURE_REGIONS))[:, None]


def synthesize_w(generator: Generator, w: Tensor, resolution: int, dtype: torch.dtype) -> Tensor:
    """w [N, w_dim] -> float32 [N, 3, r, r], without noise: it could only spoil a regression."""
    ws = w.unsqueeze(1).expand(-1, generator.num_ws, -1)
    styles = generator.synthesis.styles(ws, resolution)
    return generator.synthesis(styles, generator.noise_maps("none", resolution), resolution, dtype)  # type: ignore[no-any-return]


def resolution_at(done: float, resolution: int) -> int:
    """Resolution of the regression after the share `done` of its length: 16 px first, doubling."""
    coarse: list[int] = []
    while _FIRST_RESOLUTION << len(coarse) < resolution:
        coarse.append(_FIRST_RESOLUTION << len(coarse))
    step = int(done / _COARSE_FRACTION)
    return coarse[step] if step < len(coarse) else resolution


def region_weights(regions: Tensor) -> Tensor:
    """How much each pixel counts, float32 [N, 1, R, R], from region ids uint8 [N, R, R]: the features most."""
    weights = _weight_table(regions.device)[regions.long()][:, None]
    return F.max_pool2d(weights, 3, stride=1, padding=1)  # contours belong to the finer part


@cache
def _weight_table(device: torch.device) -> Tensor:
    """float32 [regions], kept on each device: it may not be brought there while a graph is captured."""
    return torch.tensor([_REGION_WEIGHT[region] for region in Region], device=device)


def regression_loss(drawn: Tensor, heads: Tensor, weights: Tensor) -> Tensor:
    """Weighted L1 of pixels and of their differences, plus L1 at halves down to 8 px.

    drawn, heads [N, 3, r, r]; weights [N, 1, r, r].
    """
    loss = ((drawn - heads).abs() * weights).mean()
    for axis in (2, 3):
        edges = (drawn.diff(dim=axis) - heads.diff(dim=axis)).abs()
        loss = loss + (edges * weights.narrow(axis, 1, weights.shape[axis] - 1)).mean()
    while drawn.shape[2] > 8:
        drawn, heads = F.avg_pool2d(drawn, 2), F.avg_pool2d(heads, 2)
        loss = loss + (drawn - heads).abs().mean()
    return loss
