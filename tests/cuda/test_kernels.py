"""Every kernel, run on the CPU as a GPU would run it, against the reference twins: odd sizes, batches, all types."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.cuda.emulator import Emulator
from tests.engine.networks import small_discriminator, small_generator
from tuiface.core.errors import ModelError
from tuiface.engine.cuda import loaded
from tuiface.engine.cuda.filtering import filter_low_pass
from tuiface.engine.cuda.kernels import Activation, Argument, Kernels, RGBSum, Unit
from tuiface.engine.cuda.synthesis import CudaSynthesisPlan
from tuiface.engine.networks import ops
from tuiface.engine.networks.generator import Generator
from tuiface.engine.pixels import to_levels

ERRORS = {torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 2e-2}
"""Largest difference to the reference over its largest value."""

pytestmark = pytest.mark.usefixtures("one_thread")


def relative_error(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    found, expected = found.detach().float(), expected.detach().float()
    return float((found - expected).abs().max() / expected.abs().max())


# --- the low-pass filter


@pytest.mark.parametrize("dtype", ERRORS)
@pytest.mark.parametrize(("batch", "height", "width"), [(1, 2, 2), (2, 5, 9), (1, 19, 4), (0, 4, 4)])
@pytest.mark.parametrize("pad", [1, 2])
def test_filter_is_the_low_pass(
    kernels: Kernels, dtype: torch.dtype, batch: int, height: int, width: int, pad: int
) -> None:
    x = torch.randn(batch, 24, height, width).to(dtype)
    found = kernels.filter(x, pad, 4.0)
    expected = ops.filter_low_pass(x.float(), pad, gain=4.0)
    assert found.shape == expected.shape
    assert found.is_contiguous(memory_format=torch.channels_last)
    if batch:
        assert relative_error(found, expected) < ERRORS[dtype]


def test_threads_that_make_eight_rows_give_the_bits_of_those_that_make_two(
    kernels: Kernels, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.randn(1, 8, 21, 6)
    two = kernels.filter(x, 2, 1.0)
    monkeypatch.setattr("tuiface.engine.cuda.kernels._MANY_THREADS", 1)
    assert kernels.filter(x, 2, 1.0).equal(two)
    assert [name for name, _, _ in emulator.launched] == ["filter_2", "filter_8"]


@pytest.mark.parametrize("pad", [1, 2])
def test_filter_has_gradients_of_gradients(kernels: Kernels, pad: int) -> None:
    """As R1 and path length take them."""
    x = torch.randn(2, 8, 7, 7)

    def derivatives(ours: bool) -> list[Tensor]:
        at = x.clone().requires_grad_()
        y = filter_low_pass(kernels, at, pad, 4.0) if ours else ops.filter_low_pass(at, pad, gain=4.0)
        (first,) = torch.autograd.grad(y.tanh().square().sum(), at, create_graph=True)
        return [first, *torch.autograd.grad(first.square().sum(), at)]

    for found, expected in zip(derivatives(True), derivatives(False), strict=True):
        assert relative_error(found, expected) < 1e-5


# --- convolution


@pytest.mark.parametrize(
    ("batch", "side", "num_in", "num_out"), [(1, 4, 32, 32), (3, 5, 32, 64), (1, 11, 64, 96), (1, 4, 96, 128)]
)
def test_convolution_is_one(kernels: Kernels, batch: int, side: int, num_in: int, num_out: int) -> None:
    x, weight = torch.randn(batch, num_in, side, side), torch.randn(num_out, num_in, 3, 3)
    stored = weight.permute(2, 3, 1, 0).flatten(0, 1).contiguous()
    assert relative_error(kernels.convolve(x, stored, up=False), F.conv2d(x, weight, padding=1)) < 2e-6
    phases = kernels.convolve(x, stored, up=True).permute(0, 2, 3, 1)
    whole = (
        phases.reshape(batch, side + 1, side + 1, 2, 2, num_out).permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
    )
    expected = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    assert relative_error(whole[:, :, :-1, :-1], expected) < 2e-6


def test_a_sample_has_the_same_bits_alone_and_in_a_batch(kernels: Kernels) -> None:
    x, weight = torch.randn(8, 32, 6, 6), torch.randn(9, 32, 64)
    for up in (False, True):
        assert kernels.convolve(x, weight, up=up)[5:6].equal(kernels.convolve(x[5:6], weight, up=up))


# --- latents


def test_dense_layers_are_those_of_the_mapping(kernels: Kernels) -> None:
    x, weight, bias = torch.randn(3, 2, 45), torch.randn(17, 45), torch.randn(17)
    row_of, step = torch.tensor([0, 1] * 8 + [1], dtype=torch.int32), torch.randn(3, 17)
    plain = x[:, 0] @ weight.t() + bias
    assert relative_error(kernels.dense(x, weight, bias), plain) < 2e-6
    assert relative_error(kernels.dense(x, weight, bias, leaky=True), F.leaky_relu(plain, 0.2)) < 2e-6
    mixed = torch.stack([x[:, row] @ weight[o] for o, row in enumerate(row_of.tolist())], dim=1) + bias + step
    assert relative_error(kernels.dense(x, weight, bias, row_of=row_of, step=step), mixed) < 2e-6
    assert kernels.dense(x, weight, bias)[2:].equal(kernels.dense(x[2:], weight, bias))


def test_z_is_normalised(kernels: Kernels) -> None:
    z = torch.randn(3, 70)
    assert relative_error(kernels.normalize(z), ops.normalize_second_moment(z)) < 2e-6
    columns = torch.randn(70, 3).t()
    assert relative_error(kernels.normalize(columns), ops.normalize_second_moment(columns)) < 2e-6


# --- between convolutions


@pytest.mark.parametrize("dtype", ERRORS)
@pytest.mark.parametrize(("batch", "side", "channels"), [(2, 4, 32), (1, 8, 64), (1, 4, 288)])
@pytest.mark.parametrize("each", [1, 4])
def test_finish_activates_scales_and_adds_the_picture(
    kernels: Kernels,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    dtype: torch.dtype,
    batch: int,
    side: int,
    channels: int,
    each: int,
) -> None:
    monkeypatch.setattr("tuiface.engine.cuda.kernels._MANY_THREADS", 1 if each == 4 else 2**19)
    x = torch.randn(batch, channels, side, side).to(dtype)
    factor, scale, style = torch.randn(3, batch, channels + 8)[:, :, :channels].unbind()
    bias, noise, weight = torch.randn(channels), torch.randn(batch, side, side), torch.randn(3, channels)
    before, rgb_bias = torch.randn(batch, side // 2, side // 2, 3), torch.randn(3)
    levels = torch.zeros(batch, side, side, 3, dtype=torch.uint8)

    plain = x.float() * factor[:, :, None, None] + bias[:, None, None] + noise[:, None]
    active = F.leaky_relu(plain, 0.2).clamp(-0.9, 0.9)
    colours = torch.einsum("nchw,rc,nc->nrhw", active, weight, style) + rgb_bias[:, None, None]
    expected = colours.clamp(-20, 20) + ops.upsample_rgb(before.permute(0, 3, 1, 2))

    after = Activation(factor, bias, noise, scale, 0.9)
    kept, total = kernels.finish(x.clone(), after, RGBSum(weight, style, rgb_bias, 20.0, before, levels))
    assert kept is not None
    assert total is not None
    assert relative_error(kept, active * scale[:, :, None, None]) < ERRORS[dtype]
    assert relative_error(total.permute(0, 3, 1, 2), expected) < 1e-5
    assert levels.equal(to_levels(total))
    group = 32 // np.gcd(channels * x.element_size() // 16, 32)
    assert emulator.launched[-1][0] == ("finish_4" if each == 4 and side * side % (4 * group) == 0 else "finish_1")


def test_a_broken_picture_has_bytes_all_the_same(kernels: Kernels) -> None:
    """Infinity and NaN, which only a network of nonsense gives, end as 255 and 0."""
    x = torch.zeros(1, 32, 4, 4)
    bias = torch.tensor([float("inf"), float("nan"), float("-inf")])
    levels = torch.full((1, 4, 4, 3), 7, dtype=torch.uint8)
    none = Activation(None, None, None, None, None)
    kernels.finish(x, none, RGBSum(torch.zeros(3, 32), torch.zeros(1, 32), bias, None, None, levels), keep=False)
    assert levels[0, 0, 0].tolist() == [255, 0, 0]


def test_what_overflows_stays_infinite_without_a_clamp(kernels: Kernels) -> None:
    """So that a single pixel of it is found: two of opposite signs add up to nothing finite."""
    x = torch.zeros(1, 32, 4, 4)
    x[0, :2, 0, 0] = torch.tensor([1e38, -1e38])
    after = Activation(torch.full((1, 32), 100.0), torch.zeros(32), None, None, None)
    rgb = RGBSum(torch.eye(3, 32), torch.full((1, 32), 100.0), torch.zeros(3), None, None)
    features, total = kernels.finish(x, after, rgb)
    assert features is not None
    assert total is not None
    for found in (features[0, :2, 0, 0], total[0, 0, 0, :2]):
        assert not found.isfinite().any()
        assert not found.sum().isfinite()


# --- a whole network


def plan_inputs(generator: Generator, batch: int) -> tuple[Tensor, dict[str, Tensor], Mapping[str, Tensor | None]]:
    ws = torch.randn(batch, generator.num_ws, generator.config.w_dim)
    return ws, generator.synthesis.styles(ws), generator.noise_maps("const", generator.config.img_resolution)


@pytest.mark.parametrize("dtype", ERRORS)
@pytest.mark.parametrize("clamp", [None, 0.8])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_network_of_kernels_is_the_network(
    kernels: Kernels, dtype: torch.dtype, clamp: float | None, batch: int
) -> None:
    """Odd numbers of channels, whose padding shows nowhere, to the full and to a lower resolution."""
    generator = small_generator((37, 33, 6), clamp=clamp)
    _, styles, noise = plan_inputs(generator, batch)
    plan = CudaSynthesisPlan(generator.synthesis, dtype, kernels)
    for until in (16, 8):
        expected = generator.plan(torch.float32).synthesize(styles, noise, until)
        assert relative_error(plan.synthesize(styles, noise, until), expected) < 2 * ERRORS[dtype]


def test_noise_may_be_given_for_each_sample_or_left_out(kernels: Kernels) -> None:
    generator = small_generator((8, 8))
    _, styles, _ = plan_inputs(generator, 2)
    plan = CudaSynthesisPlan(generator.synthesis, torch.float32, kernels)
    given = [torch.randn(2, 1, r, r) for r in (4, 8, 8)]
    for noise in (given, [maps[:1] for maps in given], "none"):
        maps = generator.noise_maps(noise, 8)
        expected = generator.plan(torch.float32).synthesize(styles, maps, 8)
        assert relative_error(plan.synthesize(styles, maps, 8), expected) < 2e-6


@pytest.mark.parametrize("dtype", ERRORS)
def test_features_may_be_blended_on_the_way(kernels: Kernels, dtype: torch.dtype) -> None:
    generator = small_generator((37, 8))
    _, styles, noise = plan_inputs(generator, 2)
    seen: list[tuple[int, int]] = []

    def blend(x: Tensor, resolution: int) -> Tensor:
        seen.append((x.shape[1], resolution))
        return torch.lerp(x, x.flip(0), 0.3)

    found = CudaSynthesisPlan(generator.synthesis, dtype, kernels).synthesize(styles, noise, 8, blend)
    assert seen == [(37, 4), (3, 4), (8, 8), (3, 8)]
    expected = generator.plan(torch.float32).synthesize(styles, noise, 8, blend)
    assert relative_error(found, expected) < 2 * ERRORS[dtype]


def test_a_network_that_overflows_is_refused(kernels: Kernels) -> None:
    generator = small_generator((8, 8))
    generator.synthesis.get_submodule("b8.torgb").weight.fill_(3e38)  # type: ignore[operator]
    ws, _, noise = plan_inputs(generator, 1)
    with pytest.raises(ModelError, match="not finite"):
        CudaSynthesisPlan(generator.synthesis, torch.float32, kernels).draw(ws, {}, noise, 8)


def test_float16_holds_where_styles_are_large(kernels: Kernels) -> None:
    """Features times styles would leave the range of float16 by far; demodulation takes the styles' size out again."""
    generator = small_generator((32, 32))
    _, styles, noise = plan_inputs(generator, 1)
    large = {name: style * 3000 if "conv" in name else style for name, style in styles.items()}
    found = CudaSynthesisPlan(generator.synthesis, torch.float16, kernels).synthesize(large, noise, 8)
    expected = generator.plan(torch.float32).synthesize(large, noise, 8)
    assert relative_error(found, expected) < 5e-3


def test_operators_that_find_kernels_give_the_same_faces(
    on_kernels: Kernels, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mapping, affines, edits of styles and pictures, through the generator; and each face as it is in a batch."""
    generator = small_generator((37, 8, 6), c_dim=3)
    z, labels = torch.randn(2, 9), torch.eye(3)[:2]
    noise = generator.noise_maps("const", 16)
    steps = {"b8.conv0": torch.randn(1, 37), "b16.torgb": torch.randn(1, 6)}

    def draw(rows: slice) -> tuple[Tensor, np.ndarray]:
        with torch.no_grad():
            ws = generator.map(z[rows], labels[rows])
            return ws, generator.plan(torch.float32).draw(ws, steps, noise, 16)

    ws, pixels = draw(slice(None))
    names = {name for name, _, _ in emulator.launched}
    assert {"normalize", "dense", "demodulation", "convolve_32", "upsample_2", "finish_1", "sum_pieces"} <= names
    assert np.array_equal(draw(slice(1, 2))[1], pixels[1:])
    monkeypatch.delitem(loaded.LOADED, torch.device("cpu"))
    generator._plans.clear()  # plans are prepared for what was loaded
    expected_ws, expected = draw(slice(None))
    assert relative_error(ws, expected_ws) < 2e-6
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_a_network_that_has_drawn_is_copied_without_its_kernels(on_kernels: Kernels) -> None:
    """As `train` does when it writes the model."""
    generator = small_generator((8, 8))
    ws, _, _ = plan_inputs(generator, 1)
    expected = generator.synthesize(ws)
    copied = copy.deepcopy(generator)
    assert copied.synthesize(ws).equal(expected)
    with torch.no_grad():
        copied.synthesis.get_submodule("b8.torgb").bias.add_(1.0)  # type: ignore[operator]
    assert not copied.synthesize(ws).equal(expected)
    assert generator.synthesize(ws).equal(expected)


def test_networks_are_trained_through_the_kernels(on_kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients of both networks, the up-sampling filter and the two of down-sampling among them."""
    generator, critic = small_generator((8, 8, 8)), small_discriminator(16)
    for parameter in critic.parameters():
        parameter.requires_grad_(True)
    z = torch.randn(2, 9)

    def gradients() -> list[Tensor]:
        at = z.clone().requires_grad_()
        loss = F.softplus(-critic(generator.synthesize(generator.map(at)), None)).mean()
        return list(torch.autograd.grad(loss, [at, *critic.parameters()]))

    found = gradients()
    monkeypatch.delitem(loaded.LOADED, torch.device("cpu"))
    for ours, expected in zip(found, gradients(), strict=True):
        assert relative_error(ours, expected) < 1e-4


# --- geometry


class Geometry:
    """A launcher that only looks."""

    def __init__(self) -> None:
        self.launched: list[tuple[Unit, str, tuple[int, int, int], int]] = []

    def launch(
        self, unit: Unit, name: str, grid: tuple[int, int, int], threads: int, arguments: list[Argument]
    ) -> None:
        self.launched.append((unit, name, grid, threads))


def test_a_picture_of_1024_px_fits_the_limits_of_a_launch() -> None:
    """Blocks of at most 1,024 threads, 65,535 of them in y and z, shared memory aside; indices stay within 32 bits."""
    geometry = Geometry()
    kernels = Kernels(geometry)
    features = torch.empty(8, 1024, 1024, 32, device="meta").permute(0, 3, 1, 2)
    kernels.filter(features, 2, 1.0)
    kernels.convolve(features, torch.empty(9, 32, 32, device="meta"), up=False)
    kernels.finish(features, Activation(None, None, None, None, None), None)
    for _, _, grid, threads in geometry.launched:
        assert 0 < threads <= 1024
        assert max(grid[1:]) <= 65535
        assert grid[0] < 2**31
    assert geometry.launched[0][2][0] * 256 >= 8 * 129 * 1025 * 8, "every vector of every strip of eight rows"
