"""Evening: a step that goes back on some faces is fitted until it goes back on fewer, and leaks less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.editing.fakes import PixelAttributes, QuarterRegions
from tests.editing.test_learning import PLAN, workshop  # noqa: F401  (a fixture)
from tuiface.engine.editing import making
from tuiface.engine.editing.evening import evened_step
from tuiface.engine.editing.learning import Bench, population_unit
from tuiface.engine.editing.making import learn_directions
from tuiface.engine.editing.verification import AMOUNTS, monotone_share
from tuiface.engine.editing.workshop import Workshop

TARGET, HELD = 0, [1, 2, 3]


def unevenness(bench: Bench, step: Tensor) -> tuple[float, float, float]:
    """Share of faces that are not monotone, mean step back as a share of the range, and leakage over effect."""
    curves = np.stack([bench.values(amount * step) for amount in AMOUNTS])
    own, span = curves[:, :, TARGET], np.abs(curves[-1, :, TARGET] - curves[0, :, TARGET]).clip(0.25)
    back = (np.maximum(0, -np.diff(own, axis=0)) / span).sum(axis=0).mean()
    change = (curves[-1] - curves[0]).mean(axis=0)
    return 1 - monotone_share(own), float(back), float(np.abs(change[HELD]).sum() / abs(change[TARGET]))


@pytest.fixture
def bench(workshop: Workshop) -> Bench:  # noqa: F811
    reader = PixelAttributes()
    deviation = Bench.of(workshop, reader, np.ones(4), 64, seed_offset=3).values(torch.zeros(1)).std(axis=0)
    return Bench.of(workshop, reader, deviation, 24, seed_offset=1)


def test_a_random_step_becomes_one_of_the_concept(workshop: Workshop, bench: Bench) -> None:  # noqa: F811
    chance = torch.Generator().manual_seed(2)
    shape = (workshop.generator.num_ws, workshop.generator.config.w_dim)
    step = population_unit(workshop, torch.randn(shape, generator=chance))
    before = unevenness(bench, step)
    deviation = torch.from_numpy(bench.deviation).float()
    evened = evened_step(workshop, PixelAttributes(), deviation, step, TARGET, HELD, turns=40)
    after = unevenness(bench, evened)
    assert after[0] < before[0]
    assert after[1] < 0.7 * before[1]
    assert after[2] < before[2]
    again = evened_step(workshop, PixelAttributes(), deviation, step, TARGET, HELD, turns=40)
    assert torch.equal(evened, again)


def test_only_what_is_uneven_is_evened_and_says_so(
    workshop: Workshop,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = replace(PLAN, names=("top_left",), even=True)
    notes: list[str] = []
    for least, expected in ((0.0, False), (101.0, True)):
        calls: list[int] = []

        def spy(
            shop: Workshop, reader: object, deviation: Tensor, step: Tensor, target: int, held: list[int]
        ) -> Tensor:
            calls.append(target)  # noqa: B023
            return step

        monkeypatch.setattr(making, "TRIAL_PERCENT", least)
        monkeypatch.setattr(making, "evened_step", spy)
        [one] = learn_directions(workshop, PixelAttributes(), QuarterRegions(), plan, notes.append)
        assert calls == ([TARGET] if expected else [])
        assert "evened" not in one.direction.header.origin.settings, "no better than before: not taken"
    assert notes.count("evening top_left out") == 1


def test_what_was_evened_says_so(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    percents = iter((10.0, 20.0, 10.0))
    monkeypatch.setattr(making, "_percent", lambda trial, step, target: next(percents))
    monkeypatch.setattr(making, "evened_step", lambda *given: 1.7 * population_unit(given[0], given[3]))
    plan = replace(PLAN, names=("top_left",), even=True)
    [one] = learn_directions(workshop, PixelAttributes(), QuarterRegions(), plan, lambda text: None)
    header = one.direction.header
    assert header.origin.settings["evened"] is True
    assert "1906.10112" in header.origin.paper
    assert header.unit == "range"
    assert header.sigma == pytest.approx(float(np.linalg.norm(one.direction.step)) / 1.7, rel=1e-4)
