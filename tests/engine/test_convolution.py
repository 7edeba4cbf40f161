"""Convolution and its gradients of every order: right, of the libraries' fast kinds, and channels-last throughout."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from tests.engine.networks import small_discriminator, small_generator
from tuiface.engine.networks.convolution import Geometry, convolve, every_second, pad_inputs, to_channels_last
from tuiface.engine.training.gan.losses import path_lengths, r1_penalty

GEOMETRIES = {
    "plain": (Geometry(padding=1), (4, 3, 3, 3)),
    "down": (Geometry(stride=2), (4, 3, 3, 3)),
    "up": (Geometry(stride=2, transposed=True), (3, 4, 3, 3)),
    "depthwise": (Geometry(padding=2, groups=3), (3, 1, 4, 4)),
    "pointwise": (Geometry(), (2, 3, 1, 1)),
}


check_first = partial(gradcheck, fast_mode=True)
check_second = partial(gradgradcheck, fast_mode=True)

pytestmark = pytest.mark.usefixtures("one_thread")


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return to_channels_last(torch.randn(shape, dtype=dtype)).requires_grad_()


@pytest.mark.parametrize("name", GEOMETRIES)
def test_gradients_of_both_orders_are_those_of_finite_differences(name: str) -> None:
    geometry, shape = GEOMETRIES[name]
    x, weight = draw(2, 3, 5, 5), draw(*shape)
    bias = torch.randn(shape[1 if geometry.transposed else 0], dtype=torch.float64, requires_grad=True)

    def biased(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return convolve(x, weight, bias, geometry)

    assert check_first(biased, (x, weight, bias))
    assert check_second(biased, (x, weight, bias))
    for one in (
        lambda x: convolve(x, weight.detach(), None, geometry),
        lambda x: convolve(x.square(), weight.detach(), bias, geometry),
    ):
        assert check_first(one, (x,))
        assert check_second(one, (x,))
    assert check_second(lambda weight: convolve(x.detach(), weight, None, geometry), (weight,))
    assert check_first(lambda bias: convolve(x.detach(), weight.detach(), bias, geometry), (bias,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_first_gradients_have_the_bits_of_pytorchs(name: str, dtype: torch.dtype) -> None:
    geometry, shape = GEOMETRIES[name]
    x, weight = draw(2, 3, 9, 9, dtype=dtype), draw(*shape, dtype=dtype)
    theirs = F.conv_transpose2d if geometry.transposed else F.conv2d
    options: dict[str, Any] = {"stride": geometry.stride, "padding": geometry.padding, "groups": geometry.groups}
    y, expected = convolve(x, weight, None, geometry), theirs(x, weight, None, **options)
    assert y.equal(expected)
    with torch.no_grad():
        assert convolve(x, weight, None, geometry).equal(expected)
    dy = to_channels_last(torch.randn_like(y))
    for found, wanted in zip(
        torch.autograd.grad(y, (x, weight), dy), torch.autograd.grad(expected, (x, weight), dy), strict=True
    ):
        assert found.equal(wanted)


def test_what_a_convolution_gave_may_be_overwritten() -> None:
    """As the leaky ReLU does that follows it."""
    x, weight = draw(1, 3, 4, 4), draw(2, 3, 3, 3)
    y = F.leaky_relu_(convolve(x, weight, None, Geometry(padding=1)), 0.2)
    expected = F.leaky_relu(F.conv2d(x, weight, padding=1), 0.2)
    for found, wanted in zip(
        torch.autograd.grad(y.sum(), (x, weight)), torch.autograd.grad(expected.sum(), (x, weight)), strict=True
    ):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("side", [6, 7])
def test_every_second_pixel_and_back(side: int) -> None:
    x = draw(2, 3, side, side)
    assert every_second(x).equal(x[:, :, ::2, ::2])
    assert check_first(every_second, (x,))
    assert check_second(every_second, (x,))


def test_channels_of_zeros_weigh_nothing() -> None:
    x, weight = draw(2, 3, 5, 5), draw(4, 3, 3, 3)
    wide, padded = pad_inputs(x, weight)
    assert wide.shape[1] == padded.shape[1] == 8
    torch.testing.assert_close(F.conv2d(wide, padded), F.conv2d(x, weight))
    assert pad_inputs(wide, padded) == (wide, padded)


# --- what a step of training asks the libraries for


class Convolutions(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every call of a convolution or of its gradients."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if "convolution" in function._schema.name:
            self.calls.append((function._schema.name.partition("::")[2], args))
        return function(*args, **(kwargs or {}))


def learn_to_draw(dtype: torch.dtype) -> tuple[int, ...]:
    """A step on the path lengths; the shape of weights that stay float32."""
    generator = small_generator((8, 8, 8)).requires_grad_()
    ws = generator.map(torch.randn(2, generator.config.z_dim))
    noise = {
        name: torch.randn(2, 1, *stored.shape)
        for name, stored in generator.noise_maps("const", 16).items()
        if stored is not None
    }

    def synthesize(ws: Tensor) -> Tensor:
        return generator.synthesis(generator.synthesis.styles(ws), noise, 16, dtype)  # type: ignore[no-any-return]

    path_lengths(synthesize, ws, torch.randn(2, 3, 16, 16)).sum().backward()  # type: ignore[no-untyped-call]
    return ()


def learn_to_judge(dtype: torch.dtype) -> tuple[int, ...]:
    """A step on R1, likewise."""
    critic = small_discriminator(16).requires_grad_()
    r1_penalty(lambda images: critic(images, None, dtype), torch.randn(2, 3, 16, 16)).backward()  # type: ignore[no-untyped-call]
    return tuple(critic.b4.conv.weight.shape)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("learn", [learn_to_draw, learn_to_judge])
def test_every_convolution_of_a_step_is_of_a_fast_kind(
    learn: Callable[[torch.dtype], tuple[int, ...]], dtype: torch.dtype
) -> None:
    """Of path length and R1, which hold the passes of the other steps as well: channels-last operands of the
    precision asked for, kernels of networks' sizes, no dilation, and no gradient of the low-pass filter itself."""
    with Convolutions() as made:
        in_float32 = learn(dtype)
    names = {name for name, _ in made.calls}
    assert names == {"convolution", "convolution_backward"}
    for name, args in made.calls:
        is_forward = name == "convolution"
        maps = args[:2] if is_forward else args[:3]
        weight, dilation = maps[-1], args[5 if is_forward else 6]
        is_filter = weight.shape[1:] == (1, 4, 4)
        for operand in maps[:-1] if is_filter else maps:
            assert operand.is_contiguous(memory_format=torch.channels_last), (name, operand.shape, operand.stride())
        assert {operand.dtype for operand in maps} == {torch.float32 if weight.shape == in_float32 else dtype}
        assert weight.shape[-1] <= 4
        assert dilation == [1, 1]
        assert not is_filter or is_forward or args[-1] == [True, False, False]


def test_r1_asks_first_for_gradients_of_the_picture_alone() -> None:
    """Those of the weights come once, with the penalty's own."""
    critic = small_discriminator(8).requires_grad_()
    images = torch.randn(2, 3, 8, 8, requires_grad=True)
    with Convolutions() as made:
        torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    masks = [args[-1] for name, args in made.calls if name == "convolution_backward"]
    assert masks
    assert all(mask == [True, False, False] for mask in masks)
