"""The figures of an evaluation say what they claim to."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tuiface.engine.training.gan.evaluation import diversity, overfitting, patch_swd


def pictures(seed: int, count: int = 64, side: int = 32) -> torch.Tensor:
    """Smooth random pictures: noise at 8 px, enlarged."""
    noise = torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, size=side, mode="bilinear", align_corners=False) * 0.3


def test_a_set_has_no_distance_from_itself() -> None:
    x = pictures(0)
    assert all(value == pytest.approx(0, abs=1e-3) for value in patch_swd(x, x).values())


def test_another_sample_of_the_same_distribution_is_nearer_than_another_colour() -> None:
    near, far = patch_swd(pictures(0), pictures(1)), patch_swd(pictures(0), pictures(1) + 0.5)
    assert far[16] > 3 * near[16]


def test_blur_shows_at_the_finest_scale_alone() -> None:
    x = pictures(0) + 0.3 * torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(9))
    blurred = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="nearest")
    distances = patch_swd(blurred, x)
    assert list(distances) == [32, 16]
    assert distances[32] > 3 * distances[16]


def test_diversity_is_one_for_like_sets_and_zero_for_a_collapsed_one() -> None:
    assert diversity(pictures(0), pictures(1)) == pytest.approx(1, abs=0.1)
    assert diversity(pictures(0)[:1].expand(64, -1, -1, -1), pictures(1)) == pytest.approx(0, abs=1e-3)


def test_the_overfitting_ratio_goes_from_zero_to_one() -> None:
    train, fake = torch.full((8, 1), 2.0), torch.full((8, 1), -2.0)
    assert overfitting(train, train, fake) == 0
    assert overfitting(train, fake, fake) == 1
    assert overfitting(train, torch.zeros(8, 1), fake) == pytest.approx(0.5)
