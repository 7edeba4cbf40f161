"""Evening: a step that goes back on some faces is fitted until it goes back on fewer, and leaks less."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.edits.fakes import PixelAttributes, QuarterRegions
from tuiface.engine.learning import candidate_steps, learn, monotone_refinement
from tuiface.engine.learning.batch_predict import Precision
from tuiface.engine.learning.fitting import EvaluationFaces, scale_to_population
from tuiface.engine.learning.learn import learn_directions
from tuiface.engine.learning.monotone_refinement import refine_step
from tuiface.engine.learning.verification import AMOUNTS, monotone_fraction
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine_api.requests import AttributesRequest

TARGET, HELD = 0, [1, 2, 3]
PLAN = AttributesRequest(names=("top_left",), draws=240, faces=4, seeds=20, even=True)


def unevenness(bench: EvaluationFaces, step: Tensor) -> tuple[float, float, float]:
    """Share of faces that are not monotone, mean step back as a share of the range, and leakage over effect."""
    curves = np.stack([bench.values(amount * step) for amount in AMOUNTS])
    own, span = curves[:, :, TARGET], np.abs(curves[-1, :, TARGET] - curves[0, :, TARGET]).clip(0.25)
    back = (np.maximum(0, -np.diff(own, axis=0)) / span).sum(axis=0).mean()
    change = (curves[-1] - curves[0]).mean(axis=0)
    return 1 - monotone_fraction(own), float(back), float(np.abs(change[HELD]).sum() / abs(change[TARGET]))


@pytest.fixture(scope="module")
def bench(network: OpenedNetwork) -> EvaluationFaces:
    reader = PixelAttributes()
    deviation = EvaluationFaces.of(network, reader, np.ones(4), 64, seed_offset=3).values(torch.zeros(1)).std(axis=0)
    return EvaluationFaces.of(network, reader, deviation, 24, seed_offset=1)


def random_step(network: OpenedNetwork) -> Tensor:
    """One that takes the concept back on every face."""
    shape = (network.generator.num_ws, network.generator.config.w_dim)
    return scale_to_population(network.population, torch.randn(shape, generator=torch.Generator().manual_seed(3)))


def evened(network: OpenedNetwork, bench: EvaluationFaces, held: list[int], turns: int = 24) -> Tensor:
    deviation = torch.from_numpy(bench.deviation).float()
    return refine_step(
        network, PixelAttributes(), deviation, random_step(network), TARGET, held, Precision(), turns=turns
    )


@pytest.fixture(scope="module")
def evened_held(network: OpenedNetwork, bench: EvaluationFaces) -> Tensor:
    return evened(network, bench, HELD)


def test_a_step_that_goes_back_on_every_face_is_turned_round(
    network: OpenedNetwork, bench: EvaluationFaces, evened_held: Tensor
) -> None:
    before, after = unevenness(bench, random_step(network)), unevenness(bench, evened_held)
    assert before[0] == 1.0
    assert after[0] < 0.1
    assert after[1] < 0.1 * before[1]


def test_going_back_between_two_amounts_costs_although_the_ends_are_as_far_apart() -> None:
    even = torch.linspace(-3, 3, len(AMOUNTS))[:, None, None].expand(-1, 2, 1)  # [7, N, A]
    back = even[[0, 1, 3, 2, 4, 5, 6]]
    assert monotone_refinement._loss(even, 0, [], 6.0) == 0
    assert monotone_refinement._loss(back, 0, [], 6.0) > 0.1


def test_evening_again_gives_the_same_step(network: OpenedNetwork, bench: EvaluationFaces) -> None:
    one, again = (evened(network, bench, HELD, turns=5) for _ in range(2))
    assert not torch.equal(one, random_step(network))
    assert torch.equal(one, again)


def test_what_is_held_leaks_less(network: OpenedNetwork, bench: EvaluationFaces, evened_held: Tensor) -> None:
    free = evened(network, bench, [])
    assert unevenness(bench, evened_held)[2] < 0.95 * unevenness(bench, free)[2]


@pytest.mark.parametrize(("wanted", "tried"), [(0.0, False), (101.0, True)])
def test_only_what_is_uneven_is_evened_and_only_what_helps_is_taken(
    network: OpenedNetwork, monkeypatch: pytest.MonkeyPatch, wanted: float, *, tried: bool
) -> None:
    targets: list[object] = []
    notes: list[str] = []

    def same_step(*given: object, pause: object) -> object:
        targets.append(given[4])
        return given[3]

    monkeypatch.setattr(learn, "TRIAL_PERCENT", wanted)
    monkeypatch.setattr(candidate_steps, "TRIAL_PERCENT", wanted)
    monkeypatch.setattr(candidate_steps, "refine_step", same_step)
    [one] = learn_directions(network, PixelAttributes(), QuarterRegions(), PLAN, notes.append)
    assert targets == ([TARGET] if tried else [])
    assert notes.count("evening top_left out") == len(targets)
    assert "evened" not in one.direction.header.origin.settings, "no better than before: not taken"


def test_what_was_evened_says_so(network: OpenedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best step found is spoilt to begin with, so that the fitted one is better."""
    monkeypatch.setattr(learn, "select_strictest", lambda candidates, *rest: next(candidates(*rest[1:])))
    monkeypatch.setattr(candidate_steps, "refine_step", lambda *given, pause: 1.7 * given[3])
    [one] = learn_directions(network, PixelAttributes(), QuarterRegions(), PLAN, lambda text: None)
    header = one.direction.header
    assert header.origin.settings["evened"] is True
    assert "1906.10112" in header.origin.paper
    assert header.unit == "range"
    assert header.sigma == pytest.approx(float(np.linalg.norm(one.direction.step)) / 1.7, rel=1e-4)
