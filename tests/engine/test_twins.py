"""The fast twin, the differentiable twin and the textbook formulas agree: odd sizes, batches, clamps, labels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.engine.networks import small_discriminator, small_generator
from tuiface.benchmarks.textbook import textbook_synthesis
from tuiface.engine.networks import ops


def assert_close(a: Tensor, b: Tensor) -> None:
    assert a.shape == b.shape
    torch.testing.assert_close(a, b, rtol=0, atol=1e-4 * max(1.0, float(b.abs().max()) if b.numel() else 0.0))


@pytest.mark.parametrize("batch", [0, 1, 2, 8])
@pytest.mark.parametrize("clamp", [None, 0.8])
@pytest.mark.parametrize("noise", ["const", "none"])
def test_three_ways_to_synthesise_agree(batch: int, clamp: float | None, noise: str) -> None:
    generator = small_generator((7, 5, 6, 3), clamp=clamp)
    ws = torch.randn(batch, generator.num_ws, generator.config.w_dim)
    styles = generator.synthesis.styles(ws)
    maps = generator.noise_maps(noise, 32)  # type: ignore[arg-type]
    fast = generator.synthesize(ws, noise=noise)  # type: ignore[arg-type]
    assert_close(fast, generator.synthesis(styles, maps, 32))
    if batch:  # a grouped convolution cannot have no groups
        assert_close(fast, textbook_synthesis(generator, styles, maps))


def test_large_activations_take_the_folded_path_and_agree() -> None:
    """At 64 px with few channels the weights are the smaller operand, at 4 px the activations."""
    generator = small_generator((3, 3, 3, 2, 2))
    ws = torch.randn(1, generator.num_ws, generator.config.w_dim)
    styles, maps = generator.synthesis.styles(ws), generator.noise_maps("const", 64)
    assert_close(generator.synthesize(ws), textbook_synthesis(generator, styles, maps))


def test_given_noise_is_used_per_sample() -> None:
    generator = small_generator()
    ws = torch.randn(1, generator.num_ws, generator.config.w_dim).expand(2, -1, -1)
    noise = [torch.randn(2, 1, r, r) for r in (4, 8, 8, 16, 16)]
    both = generator.synthesize(ws, noise=noise)
    assert_close(both[1:], generator.synthesize(ws[:1], noise=[n[1:] for n in noise]))
    assert not torch.allclose(both[0], both[1])


def test_plan_follows_a_changed_parameter() -> None:
    """A prepared plan must not outlive the weights that it was made from."""
    generator = small_generator()
    ws = torch.randn(1, generator.num_ws, generator.config.w_dim)
    before = generator.synthesize(ws)
    generator.synthesis.get_submodule("b8.conv1").weight.mul_(-1)  # type: ignore[operator]
    assert not torch.allclose(before, generator.synthesize(ws))


def test_bfloat16_drafts_resemble_the_picture() -> None:
    generator = small_generator((16, 16, 8, 8))
    ws = torch.randn(1, generator.num_ws, generator.config.w_dim)
    styles, maps = generator.synthesis.styles(ws), generator.noise_maps("const", 32)
    exact = generator.plan(torch.float32).synthesize(styles, maps, 32)
    draft = generator.plan(torch.bfloat16).synthesize(styles, maps, 32)
    assert float((draft - exact).abs().mean()) < 0.02 * float(exact.std())


def test_upsample_is_zero_insertion_and_low_pass() -> None:
    img = torch.randn(2, 3, 5, 5)
    zeros = torch.zeros(2, 3, 10, 10)
    zeros[:, :, ::2, ::2] = img
    padded = torch.nn.functional.pad(zeros, (2, 1, 2, 1))
    expected = torch.nn.functional.conv2d(padded, (ops.resample_filter() * 4).expand(3, 1, 4, 4), groups=3)
    assert_close(ops.upsample_rgb(img), expected)


def test_upsample_keeps_a_constant_inside() -> None:
    up = ops.upsample_rgb(torch.ones(1, 1, 8, 8))
    assert torch.allclose(up[:, :, 2:-2, 2:-2], torch.ones(1, 1, 12, 12))


def test_demodulated_output_has_unit_variance() -> None:
    """Eq. 3: whatever the styles, unit-variance input gives unit-variance output."""
    torch.manual_seed(1)
    x, weight = torch.randn(4, 64, 32, 32), torch.randn(32, 64, 3, 3)
    out = ops.modulated_conv2d(x, weight, torch.rand(4, 64) * 5 + 0.1)
    assert abs(float(out[:, :, 1:-1, 1:-1].std()) - 1) < 0.02


def test_minibatch_std_sees_groups_that_are_apart() -> None:
    """Members of a group are N/G samples apart: equal halves of a batch of 8 have zero deviation in groups of 2."""
    half = torch.randn(4, 3, 4, 4)
    x = torch.cat([half, half])
    appended = ops.minibatch_std(x, group_size=2, num_channels=1)[:, 3:]
    assert appended.shape == (8, 1, 4, 4)
    assert float(appended.abs().max()) < 1e-3
    assert float(ops.minibatch_std(x, group_size=4, num_channels=1)[:, 3:].min()) > 0.1


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
@pytest.mark.parametrize("c_dim", [0, 3])
def test_discriminator_shapes(architecture: str, c_dim: int) -> None:
    discriminator = small_discriminator(c_dim=c_dim, architecture=architecture)
    c = torch.eye(3)[torch.tensor([0, 1, 2, 0, 1])] if c_dim else None
    logits = discriminator(torch.randn(5, 3, 16, 16), c)
    assert logits.shape == (5, 1)
    assert torch.isfinite(logits).all()


def test_label_changes_the_face_and_the_score() -> None:
    generator = small_generator(c_dim=3)
    z = torch.randn(1, generator.config.z_dim)
    first, second = (generator.map(z, torch.eye(3)[i : i + 1]) for i in (0, 1))
    assert not torch.allclose(first, second)
    discriminator = small_discriminator(c_dim=3)
    img = torch.randn(1, 3, 16, 16)
    assert not torch.allclose(discriminator(img, torch.eye(3)[:1]), discriminator(img, torch.eye(3)[1:2]))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu() -> None:
    generator = small_generator((16, 16, 8, 8))
    ws = torch.randn(2, generator.num_ws, generator.config.w_dim)
    expected = generator.synthesize(ws)
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        assert_close(generator.cuda().synthesize(ws.cuda()).cpu(), expected)
