"""Gradients in W+ against differences, and the discriminant against what it is to weigh."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from tests.conftest import MODEL
from tests.edits.fakes import PixelAttributes
from tuiface.core.settings import Settings
from tuiface.engine.learning import fisher_discriminant
from tuiface.engine.learning.batch_predict import EXACT, predict_attributes
from tuiface.engine.learning.fisher_discriminant import compute_attribute_gradients, solve_discriminant_step
from tuiface.engine.learning.fitting import EvaluationFaces
from tuiface.engine.loading import open_engine
from tuiface.engine.predictors import attributes

ROWS, COMPONENTS = 2, 6


def gradients(num: int = 5, attributes: int = 3, spread: float = 0.0) -> torch.Tensor:
    """The same on all faces, but for `spread`."""
    rng = torch.Generator().manual_seed(0)
    mean = torch.randn(1, attributes, ROWS, COMPONENTS, generator=rng)
    return mean + spread * torch.randn(num, attributes, ROWS, COMPONENTS, generator=rng)


def effects(g: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """[N, A]."""
    return torch.einsum("nalk,lk->na", g.double(), step)


def test_tangents_are_the_slopes_of_what_is_read(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "MAX_SHIFT", 0.0)
    monkeypatch.setattr(fisher_discriminant, "NOISE", 0.0)
    network = open_engine(Settings(model=MODEL, device="cpu", threads=1, cache=shared_cache)).network
    with torch.no_grad():
        for name, layer, _ in network.generator.synthesis.style_layers():
            if name.endswith("torgb"):
                layer.weight.mul_(0.1)  # pictures of random weights would be clipped
    reader, deviation = PixelAttributes(), torch.tensor([1.0, 2.0, 3.0, 4.0])
    ws = EvaluationFaces.of(network, reader, deviation.numpy(), 3).ws
    pause = Mock()
    found = compute_attribute_gradients(network, reader, ws, deviation, EXACT, pause)
    assert pause.call_count == 4, "between two attributes: each takes as long as a picture"
    assert found.shape == (3, 4, network.generator.num_ws, network.population.basis.shape[1])
    for row, component in ((0, 0), (3, 1)):
        step = torch.zeros_like(ws)
        step[:, row] = 0.01 * network.population.basis[:, component]
        sides = [predict_attributes(network.generator, reader, ws + sign * step) / deviation for sign in (1, -1)]
        slopes = (sides[0] - sides[1]) / 0.02
        assert torch.allclose(found[:, :, row, component], slopes, atol=0.05 * float(slopes.abs().max()))


def test_step_has_unit_effect_and_spares_what_is_held() -> None:
    g = gradients()
    free, held = (solve_discriminant_step(g, 0, others) for others in ([], [1, 2]))
    for step in (free, held):
        assert effects(g, step).mean(dim=0)[0].item() == pytest.approx(1)
    leaks = [effects(g, step)[:, 1:].abs().max().item() for step in (free, held)]
    assert leaks[1] < 0.3 * leaks[0]


def test_without_spread_or_constraint_the_step_is_the_gradient() -> None:
    g = gradients()
    own = g[0, 0].double()
    assert torch.allclose(solve_discriminant_step(g, 0, []), own / own.square().sum())


def test_strictness_trades_leakage_for_length() -> None:
    g = gradients(attributes=8)
    steps = [solve_discriminant_step(g, 0, list(range(1, 8)), strictness) for strictness in (1.0, 0.1, 0.01)]
    lengths = [step.norm().item() for step in steps]
    leaks = [effects(g, step)[:, 1:].norm().item() for step in steps]
    assert lengths == sorted(lengths, reverse=True)
    assert leaks == sorted(leaks)


def test_what_differs_from_face_to_face_is_avoided() -> None:
    """Two components move the concept alike on average; on the first, half of the faces go the other way."""
    g = torch.zeros(4, 1, 1, 2)
    g[:, 0, 0, 0] = torch.tensor([3.0, -1.0, 3.0, -1.0])
    g[:, 0, 0, 1] = 1.0
    step = solve_discriminant_step(g, 0, [])
    assert step[0, 1] > 5 * step[0, 0].abs()
