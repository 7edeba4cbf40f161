"""What learning is said to cost: every phase is measured, and the estimate adds them up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.edits.fakes import PixelAttributes, QuarterRegions
from tuiface.benchmarks import learning
from tuiface.benchmarks.networks import NetworkShape, build_generator
from tuiface.engine.learning.monotone_refinement import BATCH_SIZE, NUM_ITERATIONS
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine_api.requests import AttributesRequest

PLAN = AttributesRequest(draws=64, faces=2, seeds=3)


@pytest.fixture
def network(tmp_path: Path) -> OpenedNetwork:
    generator = build_generator(NetworkShape(64, 16, 16, 2).config(16), torch.device("cpu"))
    opened = learning.open_random(generator, tmp_path)
    opened.__dict__ |= {"attributes": PixelAttributes(), "regions": QuarterRegions()}
    return opened


def test_every_phase_takes_time(network: OpenedNetwork) -> None:
    figures = learning.time_learning(network, PLAN)
    assert all(float(figures[name]) > 0 for name in ("read_ms", "gradients_s", "verify_s", "estimated_minutes"))
    assert figures["read_px"] == "16"
    assert 0 <= float(figures["reading_error"]) <= 0.05


def test_the_estimate_adds_all_concepts_up(network: OpenedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "_seconds", lambda work, device: 12.0)
    figures = learning.time_learning(network, PLAN)
    read_s = 12.0 / 12  # four faces for each that is verified
    trials = read_s * (0.75 * learning.EASY_PICTURES + 0.25 * learning.HARD_PICTURES)
    evening = max(12.0 - 7 * BATCH_SIZE * read_s, 0) * NUM_ITERATIONS / 8
    expected_s = 64 * read_s + 12.0 + 4 * (12.0 + trials + evening)
    assert float(figures["estimated_minutes"]) == pytest.approx(expected_s / 60)
