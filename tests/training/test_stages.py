"""What one stage leaves to the next: the discriminator's moments, and a generator that begins slowly."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.conftest import tiny_settings
from tuiface.engine.training.gan.adversarial import generator_ramp
from tuiface.engine.training.gan.settings import AdversarialSettings
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.gan.trainer import _transfer_optimizers


def stepped(parameter: torch.nn.Parameter, steps: int) -> torch.optim.Adam:
    optimizer = torch.optim.Adam([parameter], lr=0.1)
    for _ in range(steps):
        parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    return optimizer


def test_a_shared_optimizer_keeps_its_moments() -> None:
    parameter = torch.nn.Parameter(torch.zeros(3))
    before, after = stepped(parameter, steps=5), torch.optim.Adam([parameter], lr=0.1)
    _transfer_optimizers({"discriminator": before}, {"discriminator": after, "generator": stepped(parameter, 0)})
    assert after.state[parameter]["step"] == 5
    assert torch.equal(after.state[parameter]["exp_avg_sq"], before.state[parameter]["exp_avg_sq"])


@pytest.mark.parametrize(
    ("ramp_kimg", "images", "share"), [(0.0, 0, 1.0), (0.08, 0, 0.1), (0.08, 32, 0.5), (0.08, 800, 1)]
)
def test_the_generator_begins_slowly(ramp_kimg: float, images: int, share: float, tmp_path: Path) -> None:
    adversarial = AdversarialSettings(generator_ramp_kimg=ramp_kimg)
    state = TrainingState(tiny_settings(tmp_path, adversarial=adversarial))
    state.advance(images=images)
    assert generator_ramp(state) == pytest.approx(share)
