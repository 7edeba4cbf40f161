"""Distillation: the mapping network learns to foretell the w that the regression gave to each head.

Parameters p are a function of draws z ~ N(0, I) (`head_latents`): pairs of z and w are free, for nothing is rendered.
Distances are those in the styles, which is all that the synthesis sees of w. What w hardly tells of a head is given
room in it first, by label injection.

The regression spends w on what moves many pixels: yaw gets a fifth of the styles' variance, an opening mouth a
two-thousandth. A mapping network that is taught to foretell styles learns nothing of so little, and the adversarial
stage does not bring back what w does not hold: after 257 kimg of it, known heads opened their mouths and turned their
eyes by a quarter and a seventh of what they should, though the synthesis could draw both. So the w that the mapping
network is to foretell is moved, by labels y in deviations:

    w' = w + V diag(c s) y
    s  = 1 - cov(reading of the drawn head, y) / cov(reading of its picture, y)         what is not drawn of each label
    V  = Q^-1 J^T (J Q^-1 J^T + ridge)^-1,     J = E[d readings / d w]                  d^T Q d: change of the styles

V is the Gauss-Newton step: the least change of styles that moves one reading by a deviation and no other. It is linear
where the synthesis is not, so the fraction c of it is taken: w then tells the label, and the adversarial stage learns
how far to go. Labels that are yes or no have jumps in place of slopes, and are left as they are.

Of several ranks each takes the whole batch: a latent costs a hundredth of a picture.

Shape legend: N = batch or heads, A = attributes, w = w_dim, R = resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.engine.networks.generator import Generator
from tuiface.engine.pixels import normalise
from tuiface.engine.predictors.attributes import PROBABILITY, AttributePredictor
from tuiface.engine.training.data.feed import Batch, BatchFeed
from tuiface.engine.training.data.head_data import HeadData, head_latents
from tuiface.engine.training.gan.optimizers import capturable_adam, set_learning_rate
from tuiface.engine.training.gan.paired import cosine, synthesize_w
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.passes import Passes
from tuiface.engine.training.predictors.attributes import TARGETS, target_values
from tuiface.heads import HeadParameters, encode, sample_parameters

_NUM_INJECTION_HEADS = 1024
"""By which one finds what w does not tell."""


class DistillationStage:
    """min |A M(z) - A w'(p(z))|, A the affine maps to all styles, w' = E(p) and what it is to carry besides."""

    cost = 0.01

    def __init__(self, state: TrainingState, data: HeadData, passes: Passes) -> None:
        assert state.encoder is not None
        self._state, self._encoder, self._passes = state, state.encoder, passes
        self._feed = BatchFeed(self._read_batch, state.device)
        paired = state.settings.paired
        self.length = round(paired.distillation_kimg * 1000)
        # The mapping network's parameters are stored times 1 / lr_multiplier; Adam's steps must be as much larger.
        self._lr = paired.distillation_lr / state.generator.config.mapping_lr_multiplier
        self._optimizer = capturable_adam(state.generator.mapping.parameters(), self._lr, (0.9, 0.99))
        self.optimizers = {"distillation": self._optimizer}
        self._metric = style_metric(state.generator)
        self._label_injection = self._fit_label_injection(data, paired.carried_share) if paired.carried_share else None

    def step(self) -> None:
        """One step, whose losses go into the statistics."""
        state, batch = self._state, self._state.settings.paired.distillation_batch
        set_learning_rate(self._optimizer, self._lr * cosine(state.progress.images / self.length))
        start = state.progress.images
        self._passes.run(self.distil, *self._feed.take(start, start + batch))
        state.count_step(batch, drawn=False)
        state.update_average(batch)

    def close(self) -> None:
        """Let the data and the graphs go."""
        self._feed.close()
        self._passes.close()

    def _read_batch(self, start: int) -> Batch:
        """Latents, encoded parameters and what is added to the w of the heads from `start` on."""
        settings = self._state.settings
        # Another population than the pictures': the same heads would come back only after 2^32 latents.
        drawn = sample_parameters(settings.paired.distillation_batch, settings.population + 1, start=start)
        known = head_latents(drawn, settings.network.z_dim), encode(drawn)
        return known if self._label_injection is None else (*known, self._label_injection.compute_shifts(drawn))

    def distil(self, latents: Tensor, encoded: Tensor, *shifts: Tensor) -> None:
        """One Adam step; latents [N, z_dim], parameters [N, F] and, where labels are carried, [N, w] for the same."""
        state = self._state
        w = state.generator.mapping(latents)
        state.track_w_avg(w, rate=0.01)
        with torch.no_grad():
            wanted: Tensor = sum(shifts, self._encoder(encoded))
        difference = w - wanted
        loss = ((difference @ self._metric) * difference).sum(dim=1).mean()
        centred = wanted - wanted.mean(dim=0)
        unexplained = loss.detach() / ((centred @ self._metric) * centred).sum(dim=1).mean()
        state.descend(loss, self._optimizer)
        state.note_losses({"distillation": loss, "distillation_unexplained": unexplained})

    def _fit_label_injection(self, data: HeadData, fraction: float) -> LabelInjection:
        """Of the first training heads: a resumed run, whose synthesis is the same, finds the same."""
        state, step = self._state, 1 << self._state.settings.mirror  # the odd ones are mirror images
        indices = torch.arange(0, step * _NUM_INJECTION_HEADS, step)
        parameters = data.parameters(indices)
        with torch.no_grad():
            w = self._encoder(encode(parameters).to(state.device))
        predictor = AttributePredictor.load(device=str(state.device))
        pictures = normalise(data.pixels(indices), state.device)
        return fit_label_injection(state.generator, predictor, w, pictures, parameters, self._metric, fraction)


def style_metric(generator: Generator) -> Tensor:
    """Q [w, w] with d^T Q d the mean squared change of all style channels when w changes by d."""
    with torch.no_grad():
        affines = [layer.affine for _, layer, _ in generator.synthesis.style_layers()]
        stacked = torch.cat([affine.weight * affine.weight_gain for affine in affines])
        return stacked.t() @ stacked / len(stacked)


_BATCH = 16
_NUM_SLOPES = 64
"""Heads over which the readings' gradients are averaged."""
_RIDGE = 0.02
"""Of the step, as a fraction of the mean squared answer of a reading."""
_FLOOR = 1e-3
"""Added to the metric, as a fraction of its mean: directions of w that no style sees are free, and useless."""
_MAX_VARIANCE_FRACTION = 0.01
"""Of the styles' variance that one label may be given."""
_MAX_DEVIATIONS = 3.0
"""Labels beyond are taken as these: the step is no good so far out."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelInjection:
    """What is added to the w of each head."""

    steps: Tensor
    """float32 [A, w]: of one deviation of each label."""
    columns: tuple[int, ...]
    """Of each label among the targets."""
    centre: Tensor
    """float32 [A]."""
    spread: Tensor
    """float32 [A]."""

    def compute_shifts(self, parameters: HeadParameters) -> Tensor:
        """float32 [N, w] of heads, on the CPU; a label that does not show adds nothing."""
        return self.deviations(parameters) @ self.steps

    def deviations(self, parameters: HeadParameters) -> Tensor:
        """Labels float32 [N, A] in deviations from their mean; 0 where one does not show."""
        values = target_values(parameters)[:, self.columns]
        deviations = ((values - self.centre) / self.spread).clamp(-_MAX_DEVIATIONS, _MAX_DEVIATIONS)
        return deviations.nan_to_num(0.0)


def fit_label_injection(
    generator: Generator,
    predictor: AttributePredictor,
    w: Tensor,
    pictures: Tensor,
    parameters: HeadParameters,
    metric: Tensor,
    fraction: float,
) -> LabelInjection:
    """Find what to add to the w [N, w] that `generator` draws the heads `parameters` from.

    pictures: float32 [N, 3, R, R] of these heads, in [-1, 1]; metric: Q [w, w]; fraction: c, 0 to 1.
    """
    names = [target.name for target in TARGETS]
    attributes = predictor.attributes
    nothing = LabelInjection(
        torch.zeros(len(attributes), w.shape[1]),
        tuple(names.index(attribute.name) for attribute in attributes),
        torch.tensor([attribute.centre for attribute in attributes]),
        torch.tensor([attribute.spread for attribute in attributes]),
    )
    labels, side = nothing.deviations(parameters).to(w.device), generator.config.img_resolution
    with torch.no_grad():
        seen = torch.cat([_scores(predictor, chunk) for chunk in torch.split(pictures, _BATCH)])
        drawn = torch.cat(
            [
                _scores(predictor, synthesize_w(generator, chunk, side, torch.float32))
                for chunk in torch.split(w, _BATCH)
            ]
        )
    missing = (1 - _covariance(drawn, labels) / _covariance(seen, labels)).nan_to_num(0.0).clamp(0, 1)
    missing[torch.tensor([attribute.unit == PROBABILITY for attribute in attributes])] = 0
    steps = min_norm_steps(_slopes(generator, predictor, w[:_NUM_SLOPES]), metric) * (fraction * missing[:, None])
    centred = w - w.mean(dim=0)
    fractions = ((steps @ metric) * steps).sum(dim=1) / ((centred @ metric) * centred).sum(dim=1).mean()
    steps = steps * (_MAX_VARIANCE_FRACTION / fractions.clamp(min=_MAX_VARIANCE_FRACTION)).sqrt()[:, None]
    return LabelInjection(steps.cpu(), nothing.columns, nothing.centre, nothing.spread)


def min_norm_steps(slopes: Tensor, metric: Tensor) -> Tensor:
    """[A, w]: for each of the readings with slopes J [A, w] the shortest step that moves it by one and no other.

    Short by `metric` [w, w], semidefinite.
    """
    floored = metric.double() + _FLOOR * metric.trace().double() / len(metric) * torch.eye(len(metric)).to(metric)
    raised = torch.linalg.solve(floored, slopes.double().t())  # Q^-1 J^T [w, A]
    answers = slopes.double() @ raised
    answers.diagonal().add_(_RIDGE * answers.trace() / len(answers))
    steps: Tensor = torch.linalg.solve(answers, raised.t())
    return steps.float()


def _slopes(generator: Generator, predictor: AttributePredictor, w: Tensor) -> Tensor:
    """Mean gradients of the readings at w [N, w]: [A, w]."""
    total, side = w.new_zeros(len(predictor.attributes), w.shape[1]), generator.config.img_resolution
    for chunk in torch.split(w, _BATCH):
        leaf = chunk.detach().clone().requires_grad_()
        with torch.enable_grad():
            scores = _scores(predictor, synthesize_w(generator, leaf, side, torch.float32))
            for row in range(scores.shape[1]):
                (gradient,) = torch.autograd.grad(scores[:, row].sum(), leaf, retain_graph=row + 1 < scores.shape[1])
                total[row] += gradient.sum(dim=0)
    return total / len(w)


def _scores(predictor: AttributePredictor, images: Tensor) -> Tensor:
    return predictor.scores(predictor.features(images.clamp(-1, 1)))


def _covariance(readings: Tensor, labels: Tensor) -> Tensor:
    return ((readings - readings.mean(dim=0)) * labels).mean(dim=0)
