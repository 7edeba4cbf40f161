"""Interpolation whose gradient has one order of sums is PyTorch's, value and gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tuiface.engine.interpolation import double, double_by_halving, resize_bilinear, resize_by_matrix


@pytest.mark.parametrize(("before", "side"), [(8, 16), (8, 13), (16, 8), (15, 4), (7, 7), (1, 3)])
def test_matrices_resize_as_pytorch_does(before: int, side: int) -> None:
    maps = torch.randn(2, 3, before, before, requires_grad=True)
    probe = torch.randn(2, 3, side, side)
    expected, found = resize_bilinear(maps, side), resize_by_matrix(maps, side)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    slopes = [torch.autograd.grad((resized * probe).sum(), maps)[0] for resized in (found, expected)]
    torch.testing.assert_close(*slopes, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 4, 4), (2, 1, 1, 1), (1, 2, 5, 3)])
def test_doubling_is_bilinear_and_its_gradient_is_pytorchs(shape: tuple[int, ...]) -> None:
    img = torch.randn(shape, requires_grad=True)
    probe = torch.randn(*shape[:2], 2 * shape[2], 2 * shape[3])
    expected, found = double(img), double_by_halving(img)
    inner = F.interpolate(img, scale_factor=2, mode="bilinear", align_corners=False)[..., 1:-1, 1:-1]
    torch.testing.assert_close(found[..., 1:-1, 1:-1], inner)
    torch.testing.assert_close(found, expected)
    slopes = [torch.autograd.grad((doubled * probe).sum(), img)[0] for doubled in (found, expected)]
    torch.testing.assert_close(*slopes)


def test_doubling_has_gradients_of_gradients() -> None:
    img = torch.randn(1, 1, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(double_by_halving, img)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("side", [64, 200])
def test_gradients_have_the_same_bits_on_a_card_each_time(side: int) -> None:
    maps = torch.randn(1, 12, 128, 128, device="cuda", requires_grad=True)
    probes = torch.randn(1, 12, side, side, device="cuda"), torch.randn(1, 12, 256, 256, device="cuda")

    def slope() -> torch.Tensor:
        cost = (resize_bilinear(maps, side) * probes[0]).sum() + (double(maps) * probes[1]).sum()
        return torch.autograd.grad(cost, maps)[0]

    first = slope()
    assert all(torch.equal(slope(), first) for _ in range(5))
