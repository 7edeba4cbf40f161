"""Faults of pictures: maps move with their pictures, every fault stays within bounds, most pictures get some."""

from __future__ import annotations

import pytest
import torch

from tuiface.engine.training.data.degradation import add_grain, compress, degrade, misalign, recast, soften
from tuiface.engine.training.rng import RandomGenerator


def pictures(count: int = 32, side: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_regions_move_with_their_picture() -> None:
    """A picture that shows its own region map still does so after it was moved."""
    regions = torch.zeros(16, 64, 64, dtype=torch.uint8)
    regions[:, 20:40, 12:50] = 1
    images = (regions.float() * 2 - 1)[:, None].expand(-1, 3, -1, -1)
    moved, moved_regions = misalign(images, regions, 1.0, RandomGenerator(0))
    agree = (moved[:, 0] > 0) == (moved_regions == 1)
    assert agree.float().mean() > 0.99
    assert (moved_regions != regions).float().mean() > 0.02
    assert moved_regions.max() == 1


def test_no_strength_changes_nothing() -> None:
    images, regions = pictures(), torch.zeros(32, 32, 32, dtype=torch.uint8)
    assert torch.allclose(misalign(images, regions, 0.0, RandomGenerator(0))[0], images, atol=1e-4)
    assert torch.allclose(recast(images, 0.0, RandomGenerator(0)), images, atol=1e-5)


def test_recasting_moves_the_mean_colour_as_far_as_its_strength() -> None:
    images = torch.zeros(512, 3, 8, 8)
    spreads = [float(recast(images, s, RandomGenerator(0)).mean((1, 2, 3)).std()) for s in (0.25, 1.0)]
    assert spreads[1] == pytest.approx(4 * spreads[0], rel=1e-3)
    assert 0.05 < spreads[1] < 0.2


@pytest.mark.parametrize(("fault", "share"), [(soften, 0.67), (add_grain, 0.5), (compress, 0.25)])
def test_a_fault_befalls_its_share_of_pictures(fault: object, share: float) -> None:
    assert callable(fault)
    images = pictures(512, 16)
    changed = (fault(images, RandomGenerator(1)) - images).abs().flatten(1).amax(1) > 1e-4
    assert float(changed.float().mean()) == pytest.approx(share, abs=0.07)


def test_softening_removes_detail_and_keeps_the_mean() -> None:
    images = pictures()
    soft = soften(images, RandomGenerator(3))
    assert soft.std() < 0.9 * images.std()
    assert torch.allclose(soft.mean((2, 3)), images.mean((2, 3)), atol=0.05)


def test_compression_keeps_a_flat_picture_flat() -> None:
    flat = torch.full((64, 3, 16, 16), 0.3)
    lossy = compress(flat, RandomGenerator(0))
    assert lossy.std(dim=(2, 3)).max() < 1e-5
    assert (lossy - flat).abs().max() < 0.02  # half of the coarsest step, over the block's 8


def test_pictures_stay_in_range_and_equal_chance_gives_equal_faults() -> None:
    images = pictures()
    degraded = degrade(images, RandomGenerator(5))
    assert degraded.abs().max() <= 1
    assert torch.equal(degraded, degrade(images, RandomGenerator(5)))
