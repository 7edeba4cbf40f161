"""The losses against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tuiface.engine.predictors.attributes import AttributePredictor
from tuiface.engine.training.gan.losses import (
    discriminator_loss,
    feature_distance,
    generator_loss,
    path_length_penalty,
    path_lengths,
    prediction_distance,
    r1_penalty,
)
from tuiface.engine.training.rng import RandomGenerator


class ToyDiscriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, padding=1).double()
        self.out = nn.Linear(4 * 16, 1).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.conv(x)).flatten(1))  # type: ignore[no-any-return]


def test_losses_are_those_of_the_sigmoid_cross_entropy() -> None:
    real, fake = torch.tensor([[2.0], [-1.0]]), torch.tensor([[0.5], [-3.0]])
    probability = torch.sigmoid
    assert generator_loss(fake).item() == pytest.approx(-probability(fake).log().mean().item())
    expected = -probability(real).log().mean() - (1 - probability(fake)).log().mean()
    assert discriminator_loss(real, fake).item() == pytest.approx(expected.item())


def test_feature_distance_is_a_share_of_each_layers_own_size() -> None:
    wanted = [torch.full((2, 3, 4, 4), 10.0), torch.full((2, 5, 2, 2), -0.1)]
    drawn = [wanted[0] * 1.5, wanted[1] * 0.9]
    assert feature_distance(wanted, wanted) == 0
    assert feature_distance(drawn, wanted).item() == pytest.approx((0.5 + 0.1) / 2)


def test_feature_distance_pulls_what_is_drawn_and_not_what_is_wanted() -> None:
    drawn, wanted = (torch.randn(1, 2, 4, 4, requires_grad=True) for _ in range(2))
    feature_distance([drawn], [wanted]).backward()  # type: ignore[no-untyped-call]
    assert drawn.grad is not None
    assert wanted.grad is None


def test_r1_equals_finite_differences_of_a_toy_discriminator() -> None:
    network = ToyDiscriminator()
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    step, total = 1e-5, 0.0
    for sample in range(2):
        for i in range(x[0].numel()):
            offset = torch.zeros_like(x)
            offset[sample].view(-1)[i] = step
            slope = (network(x + offset)[sample] - network(x - offset)[sample]) / (2 * step)
            total += slope.item() ** 2
    assert r1_penalty(network, x).item() == pytest.approx(total / 2, rel=1e-6)


def test_r1_reaches_the_discriminators_weights() -> None:
    network = ToyDiscriminator()
    r1_penalty(network, torch.randn(2, 3, 4, 4, dtype=torch.float64)).backward()  # type: ignore[no-untyped-call]
    assert network.conv.weight.grad is not None
    assert network.conv.weight.grad.abs().sum() > 0


def test_path_lengths_of_a_linear_generator_are_the_norms_of_its_projections() -> None:
    torch.manual_seed(0)
    n, rows, w_dim, side = 3, 2, 5, 4
    matrix = torch.randn(rows, w_dim, 3 * side * side, dtype=torch.float64)

    def synthesize(ws: Tensor) -> Tensor:
        return torch.einsum("nlw,lwp->np", ws, matrix).view(n, 3, side, side)

    ws = torch.randn(n, rows, w_dim, dtype=torch.float64, requires_grad=True)
    directions = torch.randn(n, 3, side, side, dtype=torch.float64)
    gradient = torch.einsum("lwp,np->nlw", matrix, directions.flatten(1)) / side  # sqrt(side * side)
    expected = gradient.square().sum(2).mean(1).sqrt()
    assert torch.allclose(path_lengths(synthesize, ws, directions), expected)


def test_path_length_penalty_is_zero_at_its_mean_and_moves_the_mean() -> None:
    penalty, mean = path_length_penalty(torch.full((4,), 2.0), torch.tensor(2.0), decay=0.01)
    assert (penalty.item(), mean.item()) == (0.0, 2.0)
    penalty, mean = path_length_penalty(torch.full((4,), 3.0), torch.tensor(2.0), decay=0.5)
    assert mean.item() == pytest.approx(2.5)
    assert penalty.item() == pytest.approx(0.25)
    assert math.isfinite(mean.item())


def test_readings_of_the_same_picture_differ_by_nothing_and_teach_the_drawn_one() -> None:
    reader = AttributePredictor.load()
    wanted = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    drawn = (wanted * 0.5).requires_grad_()

    def distance(images: torch.Tensor) -> torch.Tensor:
        return prediction_distance(reader, images, wanted, RandomGenerator(1))

    before = distance(drawn)
    before.backward()  # type: ignore[no-untyped-call]
    assert drawn.grad is not None
    step = 0.001 * drawn.grad / drawn.grad.abs().mean()
    assert distance(drawn.detach() - step) < before
    assert distance(wanted) < 0.5 * before


def test_scores_do_not_saturate_where_readings_do() -> None:
    reader = AttributePredictor.load()
    features = torch.randn(3, reader.card.feature_width, generator=torch.Generator().manual_seed(0))
    scores, values = reader.scores(features), reader.predict_from_features(features)
    for i, attribute in enumerate(reader.attributes):
        yes_or_no = attribute.unit == "probability"
        expected = scores[:, i].sigmoid() if yes_or_no else scores[:, i] * attribute.spread + attribute.centre
        assert torch.allclose(values[:, i], expected)
