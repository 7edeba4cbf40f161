"""Room in w for labels that a regression hardly notices.

The regression spends w on what moves many pixels: yaw gets a fifth of the styles' variance, an opening mouth a
two-thousandth. A mapping network that is taught to foretell styles learns nothing of so little, and the adversarial
stage does not bring back what w does not hold: after 257 kimg of it, known heads opened their mouths and turned their
eyes by a quarter and a seventh of what they should, though the synthesis could draw both. So the w that the mapping
network is to foretell is moved, by labels y in deviations:

    w' = w + V diag(c s) y
    s  = 1 - cov(reading of the drawn head, y) / cov(reading of its picture, y)         what is not drawn of each label
    V  = Q^-1 J^T (J Q^-1 J^T + ridge)^-1,     J = E[d readings / d w]                  d^T Q d: change of the styles

V is the Gauss-Newton step: the least change of styles that moves one reading by a deviation and no other. It is linear
where the synthesis is not, so the share c of it is taken: w then tells the label, and the adversarial stage learns how
far to go. Labels that are yes or no have jumps in place of slopes, and are left as they are.

Shape legend: N = heads, A = attributes, w = w_dim, R = resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.engine.networks.generator import Generator
from tuiface.engine.predictors.attributes import PROBABILITY, AttributePredictor
from tuiface.engine.training.gan.paired import synthesize_w
from tuiface.engine.training.predictors.attributes import TARGETS, target_values
from tuiface.heads import HeadParameters

_BATCH = 16
_NUM_SLOPES = 64
"""Heads over which the readings' gradients are averaged."""
_RIDGE = 0.02
"""Of the step, as a share of the mean squared answer of a reading."""
_FLOOR = 1e-3
"""Added to the metric, as a share of its mean: directions of w that no style sees are free, and useless."""
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
    reader: AttributePredictor,
    w: Tensor,
    pictures: Tensor,
    parameters: HeadParameters,
    metric: Tensor,
    share: float,
) -> LabelInjection:
    """Find what to add to the w [N, w] that `generator` draws the heads `parameters` from.

    pictures: float32 [N, 3, R, R] of these heads, in [-1, 1]; metric: Q [w, w]; share: c, 0 to 1.
    """
    names = [target.name for target in TARGETS]
    attributes = reader.attributes
    nothing = LabelInjection(
        torch.zeros(len(attributes), w.shape[1]),
        tuple(names.index(attribute.name) for attribute in attributes),
        torch.tensor([attribute.centre for attribute in attributes]),
        torch.tensor([attribute.spread for attribute in attributes]),
    )
    labels, side = nothing.deviations(parameters).to(w.device), generator.config.img_resolution
    with torch.no_grad():
        seen = torch.cat([_scores(reader, chunk) for chunk in torch.split(pictures, _BATCH)])
        drawn = torch.cat(
            [_scores(reader, synthesize_w(generator, chunk, side, torch.float32)) for chunk in torch.split(w, _BATCH)]
        )
    missing = (1 - _covariance(drawn, labels) / _covariance(seen, labels)).nan_to_num(0.0).clamp(0, 1)
    missing[torch.tensor([attribute.unit == PROBABILITY for attribute in attributes])] = 0
    steps = min_norm_steps(_slopes(generator, reader, w[:_NUM_SLOPES]), metric) * (share * missing[:, None])
    centred = w - w.mean(dim=0)
    shares = ((steps @ metric) * steps).sum(dim=1) / ((centred @ metric) * centred).sum(dim=1).mean()
    steps = steps * (_MAX_VARIANCE_FRACTION / shares.clamp(min=_MAX_VARIANCE_FRACTION)).sqrt()[:, None]
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


def _slopes(generator: Generator, reader: AttributePredictor, w: Tensor) -> Tensor:
    """Mean gradients of the readings at w [N, w]: [A, w]."""
    total, side = w.new_zeros(len(reader.attributes), w.shape[1]), generator.config.img_resolution
    for chunk in torch.split(w, _BATCH):
        leaf = chunk.detach().clone().requires_grad_()
        with torch.enable_grad():
            scores = _scores(reader, synthesize_w(generator, leaf, side, torch.float32))
            for row in range(scores.shape[1]):
                (gradient,) = torch.autograd.grad(scores[:, row].sum(), leaf, retain_graph=row + 1 < scores.shape[1])
                total[row] += gradient.sum(dim=0)
    return total / len(w)


def _scores(reader: AttributePredictor, images: Tensor) -> Tensor:
    return reader.scores(reader.features(images.clamp(-1, 1)))


def _covariance(readings: Tensor, labels: Tensor) -> Tensor:
    return ((readings - readings.mean(dim=0)) * labels).mean(dim=0)
