"""What the discriminator sees at first: a Gaussian as wide as was asked for, which is gone at its end."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.conftest import tiny_limits, tiny_settings
from tuiface.engine.training import train
from tuiface.engine.training.gan.adversarial import AdversarialStage
from tuiface.engine.training.gan.blur import FadingBlur
from tuiface.engine.training.gan.settings import AdversarialSettings
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.gan.trainer import wake_noise

CPU = torch.device("cpu")


@pytest.mark.parametrize(("images", "sigma"), [(0, 2.0), (2_000, 1.0), (3_000, 0.5)])
def test_a_point_is_spread_as_a_gaussian_of_the_moments_width(images: int, sigma: float) -> None:
    blur = FadingBlur(2.0, 4.0, CPU)
    blur.set_progress(images)
    point = torch.zeros(1, 3, 33, 33)
    point[..., 16, 16] = 1
    spread = blur.apply(point)[0, 0]
    at = torch.arange(33.0) - 16
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    for axis in (0, 1):
        assert (spread.sum(axis) * at**2).sum() == pytest.approx(sigma**2, rel=0.03 if sigma >= 1 else 0.2)
    along = spread.sum(0)
    assert along[17] / along[16] == pytest.approx(float(torch.exp(torch.tensor(-0.5 / sigma**2))), rel=1e-4)


@pytest.mark.parametrize(("start_px", "kimg", "images"), [(0.0, 0.0, 0), (2.0, 0.0, 0), (2.0, 4.0, 4_000)])
def test_where_nothing_is_left_of_it_pictures_are_the_same(start_px: float, kimg: float, images: int) -> None:
    blur = FadingBlur(start_px, kimg, CPU)
    blur.set_progress(images)
    pictures = torch.randn(2, 3, 8, 8)
    assert not blur.is_active
    assert blur.apply(pictures) is pictures


def test_even_colours_stay_to_the_border_of_pictures_smaller_than_the_kernel() -> None:
    blur = FadingBlur(3.0, 1.0, CPU)
    blur.set_progress(0)
    assert torch.allclose(blur.apply(torch.full((1, 3, 6, 6), 0.7)), torch.tensor(0.7), atol=1e-5)
    wide = blur.apply(torch.full((1, 3, 32, 32), 0.7))
    assert torch.allclose(wide, torch.tensor(0.7), atol=1e-5)


def test_single_pixels_reach_the_generator_only_when_it_is_gone(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the gradient in a picture of alternating pixels nothing is left under the blur."""
    seen: list[tuple[int, bool]] = []
    original = AdversarialStage.update_discriminator

    def update(stage: AdversarialStage, reals: torch.Tensor, fakes: torch.Tensor) -> None:
        alternating = torch.ones(1, 3, 8, 8)
        alternating[..., ::2] *= -1
        passed = stage._augment(alternating).abs().mean() > 0.5
        seen.append((stage._state.progress.images, bool(passed)))
        original(stage, reals, fakes)

    monkeypatch.setattr(AdversarialStage, "update_discriminator", update)
    adversarial = AdversarialSettings(blur_px=2.0, blur_kimg=0.04, warmup_kimg=0.016, gamma=0.1)
    settings = tiny_settings(pictures, adversarial=adversarial)
    train(settings.model_copy(update={"augment": settings.augment.model_copy(update={"target": 0.0})}), tiny_limits(
        tmp_path / "run", kimg=0.064
    ))  # fmt: skip
    assert seen[:3] == [(0, False), (8, False), (0, False)], "also while the discriminator warms up"
    assert seen[-1] == (56, True)


def test_noise_wakes_where_all_of_it_sleeps(pictures: Path) -> None:
    state = TrainingState(tiny_settings(pictures, adversarial=AdversarialSettings(noise_start=0.05)))

    def strengths() -> list[float]:
        named = state.generator.synthesis.named_parameters()
        return [round(value.item(), 6) for name, value in named if name.endswith("noise_strength")]

    assert set(strengths()) == {0.0}
    wake_noise(state)
    assert set(strengths()) == {0.05}
    with torch.no_grad():
        dict(state.generator.synthesis.named_parameters())["b4.conv1.noise_strength"].fill_(0.3)
    before = strengths()
    wake_noise(state)
    assert strengths() == before
