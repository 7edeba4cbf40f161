"""Distillation: the mapping network learns to foretell the w that the regression gave to each head.

Parameters p are a function of draws z ~ N(0, I) (head_data.py): pairs of z and w are free, for nothing is rendered.
Distances are those in the styles, which is all that the synthesis sees of w. What w hardly tells of a head is given
room in it first (label_injection.py).

Shape legend: N = batch, w = w_dim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from tuiface.engine.networks.generator import Generator
from tuiface.engine.pixels import normalise
from tuiface.engine.predictors.attributes import AttributePredictor
from tuiface.engine.training.data.head_data import HeadData, head_latents
from tuiface.engine.training.gan.label_injection import LabelInjection, fit_label_injection
from tuiface.engine.training.gan.paired import FINAL_LR_FRACTION
from tuiface.engine.training.gan.state import TrainingState
from tuiface.heads import HeadParameters, encode, sample_parameters

_NUM_INJECTION_HEADS = 1024
"""By which one finds what w does not tell."""


class DistillationStage:
    """min |A M(z) - A w'(p(z))|, A the affine maps to all styles, w' = E(p) and what it is to carry besides."""

    cost = 0.01

    def __init__(self, state: TrainingState, data: HeadData) -> None:
        assert state.encoder is not None
        self._state, self._encoder = state, state.encoder
        paired = state.settings.paired
        self.length = round(paired.distillation_kimg * 1000)
        # The mapping network's parameters are stored times 1 / lr_multiplier; Adam's steps must be as much larger.
        self._lr = paired.distillation_lr / state.generator.config.mapping_lr_multiplier
        self._optimizer = torch.optim.Adam(
            state.generator.mapping.parameters(), lr=self._lr, betas=(0.9, 0.99), fused=True
        )
        self.optimizers = {"distillation": self._optimizer}
        self._metric = style_metric(state.generator)
        self._label_injection = self._fit_label_injection(data, paired.carried_share) if paired.carried_share else None

    def step(self) -> Mapping[str, Tensor]:
        """One step; returns its losses."""
        state, batch = self._state, self._state.settings.paired.distillation_batch
        done = state.progress.images / self.length
        self._optimizer.param_groups[0]["lr"] = self._lr * max(
            0.5 + 0.5 * math.cos(math.pi * min(done, 1.0)), FINAL_LR_FRACTION
        )
        # Another population than the pictures': the same heads would come back only after 2^32 latents.
        drawn = sample_parameters(batch, state.settings.population + 1, start=state.progress.images)
        w = state.generator.mapping(head_latents(drawn, state.settings.network.z_dim).to(state.device))
        state.track_w_avg(w, rate=0.01)
        wanted = self._compute_target_w(drawn)
        difference = w - wanted
        loss = ((difference @ self._metric) * difference).sum(dim=1).mean()
        centred = wanted - wanted.mean(dim=0)
        unexplained = loss.detach() / ((centred @ self._metric) * centred).sum(dim=1).mean()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        state.count_step(batch, drawn=False)
        state.update_average(batch)
        return {"distillation": loss.detach(), "distillation_unexplained": unexplained}

    @torch.no_grad()
    def _compute_target_w(self, parameters: HeadParameters) -> Tensor:
        """The w [N, w] of heads."""
        w: Tensor = self._encoder(encode(parameters).to(self._state.device))
        return w if self._label_injection is None else w + self._label_injection.compute_shifts(parameters).to(w)

    def _fit_label_injection(self, data: HeadData, share: float) -> LabelInjection:
        """Of the first training heads: a resumed run, whose synthesis is the same, finds the same."""
        state, step = self._state, 1 << self._state.settings.mirror  # the odd ones are mirror images
        indices = torch.arange(0, step * _NUM_INJECTION_HEADS, step)
        parameters = data.parameters(indices)
        with torch.no_grad():
            w = self._encoder(encode(parameters).to(state.device))
        reader = AttributePredictor.load(device=str(state.device))
        pictures = normalise(data.pixels(indices), state.device)
        return fit_label_injection(state.generator, reader, w, pictures, parameters, self._metric, share)


def style_metric(generator: Generator) -> Tensor:
    """Q [w, w] with d^T Q d the mean squared change of all style channels when w changes by d."""
    with torch.no_grad():
        affines = [layer.affine for _, layer, _ in generator.synthesis.style_layers()]
        stacked = torch.cat([affine.weight * affine.weight_gain for affine in affines])
        return stacked.t() @ stacked / len(stacked)
