"""The convolution of frozen weights, emulated: PyTorch's, in value and in gradient."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.cuda.emulator import Emulator
from tests.engine.networks import small_discriminator, small_generator
from tuiface.engine.cuda import frozen
from tuiface.engine.cuda.kernels import Kernels
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.renderer import exact_convolutions

pytestmark = pytest.mark.usefixtures("one_thread")


def expected(x: Tensor, weight: Tensor, *, up: bool) -> Tensor:
    return F.conv_transpose2d(x, weight.transpose(0, 1), stride=2) if up else F.conv2d(x, weight, padding=1)


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize(("batch", "side", "num_in", "num_out"), [(1, 4, 32, 64), (2, 5, 64, 32)])
def test_value_and_gradient_are_those_of_pytorch(
    kernels: Kernels, batch: int, side: int, num_in: int, num_out: int, up: bool
) -> None:
    x = torch.randn(batch, num_in, side, side, requires_grad=True)
    weight = torch.randn(num_out, num_in, 3, 3)
    y = frozen.convolve(kernels, x, weight, up=up)
    truth = expected(x, weight, up=up)
    torch.testing.assert_close(y, truth, atol=1e-4, rtol=1e-4)
    probe = torch.randn_like(truth)
    slopes = [torch.autograd.grad((found * probe).sum(), x)[0] for found in (y, truth)]
    torch.testing.assert_close(*slopes, atol=1e-4, rtol=1e-4)
    alone = frozen.convolve(kernels, x[-1:], weight, up=up)
    assert alone.equal(y[-1:]), "the bits do not depend on the batch"


def test_it_takes_frozen_weights_alone() -> None:
    x, weight = torch.zeros(1, 32, 4, 4), torch.zeros(64, 32, 3, 3)
    assert frozen.takes(x, weight)
    assert not frozen.takes(x, weight.clone().requires_grad_())
    assert not frozen.takes(x.half(), weight)
    assert not frozen.takes(x[:, :8], weight[:, :8])
    assert not frozen.takes(x, weight[..., :1, :1])


def test_networks_whose_weights_stay_use_it_where_bits_are_to_be_exact(on_kernels: Kernels, emulator: Emulator) -> None:
    generator = small_generator((32, 32, 64)).requires_grad_(requires_grad=False)
    config = replace(small_discriminator().config, channels=(32, 32, 64))
    discriminator = Discriminator(config).requires_grad_(requires_grad=False)
    ws = torch.randn(1, generator.num_ws, generator.config.w_dim, requires_grad=True)

    def slope() -> Tensor:
        emulator.launched.clear()
        image = generator.synthesis(generator.synthesis.styles(ws), generator.noise_maps("const", 16), 16)
        seen = discriminator.features(image)[-1]
        return torch.autograd.grad(image.square().mean() + seen.square().mean(), ws)[0]

    def uses_ours() -> bool:
        return any(name.startswith("convolve") for name, _, _ in emulator.launched)

    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=True):
        expected = slope()
    assert not uses_ours()
    with exact_convolutions():
        found = slope()
        assert uses_ours()
        generator.requires_grad_(requires_grad=True)
        discriminator.requires_grad_(requires_grad=True)
        slope()
    assert not uses_ours()
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
