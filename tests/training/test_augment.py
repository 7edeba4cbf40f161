"""ADA: the identity at p = 0, differentiable at p = 1, and a controller that pushes the right way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tuiface.engine.training.gan.augment import (
    AdaptiveAugmentation,
    _sample,
    augment,
    blit,
    colour_matrices,
    geometry_matrices,
    recolour,
    sample_in_any_order,
    warp,
)
from tuiface.engine.training.gan.settings import AugmentSettings
from tuiface.engine.training.rng import RandomGenerator

Transformation = Callable[[Tensor, Tensor, RandomGenerator], Tensor]

TRANSFORMATIONS: dict[str, Transformation] = {
    "blit": blit,
    "geometry": lambda x, p, rng: warp(x, geometry_matrices(len(x), p, rng)),
    "colour": lambda x, p, rng: recolour(x, colour_matrices(len(x), p, rng)),
    "all": augment,
}
names = pytest.mark.parametrize("name", TRANSFORMATIONS)


def probability(p: float) -> Tensor:
    return torch.tensor(p, dtype=torch.float64)


def pictures(count: int = 6, side: int = 12) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


@names
def test_nothing_changes_at_p_zero(name: str) -> None:
    x = pictures()
    assert torch.allclose(TRANSFORMATIONS[name](x, probability(0.0), RandomGenerator(0)), x, atol=1e-6)


@names
def test_most_pictures_change_at_p_one(name: str) -> None:
    x = pictures(32)
    changed = (TRANSFORMATIONS[name](x, probability(1.0), RandomGenerator(0)) - x).abs().flatten(1).amax(1) > 1e-3
    assert changed.float().mean() > 0.9


@names
def test_p_is_the_share_of_pictures_that_change(name: str) -> None:
    """A half-way p leaves some pictures exactly alone: transformations are drawn per picture."""
    x = pictures(64)
    changed = (TRANSFORMATIONS[name](x, probability(0.1), RandomGenerator(0)) - x).abs().flatten(1).amax(1) > 1e-6
    assert 0.05 < changed.float().mean() < 0.8


@names
def test_gradients_match_finite_differences(name: str) -> None:
    x = pictures(3, 8).double().requires_grad_()

    def run(images: Tensor) -> Tensor:
        return TRANSFORMATIONS[name](images.float(), probability(1.0), RandomGenerator(4)).double()

    direction = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    y = run(x)
    weights = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad((y * weights).sum(), x)
    step = 0.1  # every transformation is linear or affine in its pictures, so a wide step is exact
    with torch.no_grad():
        difference = ((run(x + step * direction) - run(x - step * direction)) * weights).sum() / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(difference.item(), rel=1e-3, abs=1e-3)


def test_quarter_turns_and_shifts_move_pixels_without_inventing_any() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4).expand(40, 3, 4, 4)
    assert set(blit(x, probability(1.0), RandomGenerator(0)).flatten().tolist()) <= set(range(16))


def test_an_identity_matrix_leaves_a_picture_bit_equal() -> None:
    x = pictures()
    matrices = geometry_matrices(6, probability(1.0), RandomGenerator(0))
    matrices[2] = torch.eye(3)
    assert torch.equal(warp(x, matrices)[2], x[2])


def sampling(side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, places in them and far beyond their border, and gradients of unlike size, in float32."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(2, 3, side, side, generator=generator)
    grid = 1.5 * torch.randn(2, side, side, 2, generator=generator)
    return images, grid, torch.randn(2, 3, side, side, generator=generator) ** 5


def gradient_of(sample: Callable[[Tensor, Tensor], Tensor], images: Tensor, grid: Tensor, grads: Tensor) -> Tensor:
    leaf = images.clone().requires_grad_()
    return torch.autograd.grad(sample(leaf, grid), leaf, grads)[0]


def test_sums_in_any_order_are_the_gradient() -> None:
    images, grid, grads = sampling(16)
    expected = gradient_of(_sample, images, grid, grads)
    found = gradient_of(sample_in_any_order, images, grid, grads)
    assert (found - expected).abs().max() < 1e-3 * expected.abs().max()
    assert torch.allclose(sample_in_any_order(images, grid), _sample(images, grid), atol=1e-2)


def test_sums_in_any_order_have_the_same_bits() -> None:
    """Places in another order are added in another order."""
    images, grid, grads = sampling(32)
    order = torch.randperm(32 * 32, generator=torch.Generator().manual_seed(6))
    shuffled = grid.flatten(1, 2)[:, order].view(grid.shape), grads.flatten(2)[:, :, order].view(grads.shape)
    for sample, has_same_bits in ((sample_in_any_order, True), (_sample, False)):
        first, second = gradient_of(sample, images, grid, grads), gradient_of(sample, images, *shuffled)
        assert torch.equal(first, second) == has_same_bits


def test_colour_rotations_keep_grey_grey() -> None:
    """Hue, saturation and luma act about the grey axis: a grey picture stays grey under all of them."""
    grey = torch.full((50, 3, 2, 2), 0.3)
    recoloured = recolour(grey, colour_matrices(50, probability(1.0), RandomGenerator(0)))
    assert (recoloured - recoloured.mean(dim=1, keepdim=True)).abs().max() < 1e-5


@pytest.mark.parametrize(("sign_sum", "p"), [(900, 0.502), (100, 0.498)])
def test_p_rises_while_the_discriminator_is_too_sure_and_falls_else(sign_sum: float, p: float) -> None:
    augmentation = AdaptiveAugmentation(AugmentSettings(target=0.6, ramp_kimg=500), torch.device("cpu"))
    augmentation.restore(0.5, sign_sum)
    augmentation.adjust(1000)
    assert augmentation.p.item() == pytest.approx(p)
    assert augmentation.sign_sum.item() == 0


@pytest.mark.parametrize(("p", "sign_sum", "then"), [(0.0, -1000, 0.0), (0.99, 1000, 1.0)])
def test_p_stays_between_zero_and_one(p: float, sign_sum: float, then: float) -> None:
    augmentation = AdaptiveAugmentation(AugmentSettings(ramp_kimg=10), torch.device("cpu"))
    augmentation.restore(p, sign_sum)
    augmentation.adjust(1000)
    assert augmentation.p.item() == then
    assert augmentation.may_act == (then > 0)
