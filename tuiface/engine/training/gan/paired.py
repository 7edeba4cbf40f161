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
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.engine.networks.generator import Generator
from tuiface.engine.pixels import normalise
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.ranks import ALONE, Ranks
from tuiface.heads import encode

_FIRST_RESOLUTION = 16
_COARSE_FRACTION = 0.15
"""Share of the regression spent on each resolution below the last."""
FINAL_LR_FRACTION = 0.03
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

    def __init__(self, state: TrainingState, data: HeadData) -> None:
        assert state.encoder is not None
        self._state, self._data, self._encoder = state, data, state.encoder
        self.length = round(state.settings.paired.regression_kimg * 1000)
        parameters = [*state.generator.synthesis.parameters(), *state.encoder.parameters()]
        self._optimizer = torch.optim.Adam(
            parameters, lr=state.settings.paired.regression_lr, betas=(0.9, 0.99), fused=True
        )
        self.optimizers = {"regression": self._optimizer}

    def step(self) -> Mapping[str, Tensor]:
        """One step; returns its losses."""
        state, batch = self._state, self._state.settings.batch
        done = state.progress.images / self.length
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(done, 1.0))
        self._optimizer.param_groups[0]["lr"] = state.settings.paired.regression_lr * max(cosine, FINAL_LR_FRACTION)
        resolution = resolution_at(done, state.settings.resolution)

        indices = state.take_indices(self._data.count_available())
        heads = normalise(self._data.pixels(indices), state.device)
        weights = region_weights(self._data.regions(indices).to(state.device))
        shrink = state.settings.resolution // resolution
        w = self._encoder(encode(self._data.parameters(indices)).to(state.device))
        state.track_w_avg(w)
        drawn = synthesize_w(state.generator, w, resolution, state.dtype)
        loss = regression_loss(drawn, F.avg_pool2d(heads, shrink), F.avg_pool2d(weights, shrink))
        state.descend(loss, self._optimizer)
        state.count_step(batch)
        state.update_average(batch)
        return {"regression": loss.detach()}


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Known heads among the latents of an adversarial batch: what they mean must not change while textures sharpen."""

    latents: Tensor
    """[A, z_dim]."""
    heads: Tensor
    """[A, 3, R, R] in [-1, 1]."""
    features: Tensor
    """[A, 1, R, R]: 1 where brows, eyes, nose, mouth or glasses are, else 0."""

    @classmethod
    def of(cls, data: HeadData, indices: Tensor, state: TrainingState) -> Anchors:
        """The training heads `indices` int64 [A]."""
        regions = data.regions(indices).to(state.device)[:, None]
        features = torch.isin(regions, torch.tensor(_FEATURE_REGIONS, device=state.device)).float()
        latents = data.latents(indices, state.settings.network.z_dim).to(state.device)
        return cls(latents, normalise(data.pixels(indices), state.device), features)

    def __len__(self) -> int:
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
    table = torch.tensor([_REGION_WEIGHT[region] for region in Region], device=regions.device)
    weights = table[regions.long()][:, None]
    return F.max_pool2d(weights, 3, stride=1, padding=1)  # contours belong to the finer part


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
