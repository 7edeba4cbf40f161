"""Training's kernels, emulated, against autograd of the reference operators: values, gradients, gradients of those."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.cuda.emulator import Emulator
from tests.engine.networks import small_generator
from tuiface.engine.cuda import loaded
from tuiface.engine.cuda.activation import activate, scale
from tuiface.engine.cuda.kernels import Kernels, Terms
from tuiface.engine.networks import ops
from tuiface.engine.networks.config import DiscriminatorConfig
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.training.gan.losses import path_lengths, r1_penalty

ERRORS = {torch.float32: 5e-6, torch.float16: 1e-2, torch.bfloat16: 1e-1}
"""Of the whole, to the reference in float32, besides what the reference operators in the same type are off by."""

SHAPES = [(2, 8, 3, 5), (1, 24, 7, 2), (3, 264, 4, 4), (2, 32, 40, 41)]
"""Among them three vectors to a block, two groups of columns, and more than one piece of a sample's pixels."""

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def draw_the_same() -> None:
    torch.manual_seed(0)


def assert_close(dtype: torch.dtype, found: list[Tensor], alike: list[Tensor], exact: list[Tensor]) -> None:
    """`found` is as near to `exact` as `alike`, what the reference operators make in the same type.

    Sums that cancel lose digits in half types, and where a value is rounded onto the clamp's limit, its slope is gone.
    """
    for ours, theirs, wanted in zip(found, alike, exact, strict=True):
        assert ours.shape == wanted.shape
        off, allowed = (float((one.float() - wanted).detach().norm()) for one in (ours, theirs))
        error = 4 * ERRORS[dtype] if wanted.dim() == 0 else ERRORS[dtype]  # one sum over everything cancels most
        assert off <= 3 * allowed + error * float(wanted.detach().norm()) + 1e-12


def two_orders(y: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    """y, its gradients at `inputs`, and the gradients of the size of those, as R1 and path length take them."""
    weights = torch.linspace(-1, 1, y.numel()).reshape(y.shape)
    first = torch.autograd.grad((y.float() * weights).sum(), inputs, create_graph=True)
    penalty = sum((one.float().square().sum() for one in first), torch.zeros([]))
    second = torch.autograd.grad(penalty, inputs, allow_unused=True)
    return [y, *first, *(one for one in second if one is not None)]


@pytest.mark.parametrize("dtype", ERRORS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("clamp", [None, 0.75])
@pytest.mark.parametrize("per_sample", [True, False])
def test_activation_is_the_reference_to_the_second_order(
    kernels: Kernels, dtype: torch.dtype, shape: tuple[int, ...], clamp: float | None, per_sample: bool
) -> None:
    n, c, height, width = shape
    x = torch.randn(shape)
    noise = torch.randn(n if per_sample else 1, 1, height, width)
    factor, bias, strength = torch.randn(n, c), torch.randn(c), torch.randn([])

    def derivatives(of: torch.dtype, *, ours: bool) -> list[Tensor]:
        inputs = [one.clone().requires_grad_() for one in (x.to(of), factor, bias, strength)]
        at, f, b, s = inputs
        if ours:
            return two_orders(activate(kernels, at, f, b, noise, s, clamp), inputs)
        plain = at * f.to(of)[:, :, None, None] + b.to(of).view(1, -1, 1, 1) + (noise * s).to(of)
        return two_orders(ops.leaky_relu(plain, clamp), inputs)

    found = derivatives(dtype, ours=True)
    assert found[0].dtype == found[1].dtype == dtype
    assert_close(dtype, found, derivatives(dtype, ours=False), derivatives(torch.float32, ours=False))


@pytest.mark.parametrize("dtype", ERRORS)
def test_activation_without_factor_and_noise(kernels: Kernels, dtype: torch.dtype) -> None:
    """As the discriminator's layers have it."""
    x, bias = torch.randn(2, 16, 5, 6), torch.randn(16)

    def derivatives(of: torch.dtype, *, ours: bool) -> list[Tensor]:
        at, b = x.to(of).requires_grad_(), bias.clone().requires_grad_()
        if ours:
            return two_orders(activate(kernels, at.square(), None, b, None, None, 0.5), [at, b])
        return two_orders(ops.leaky_relu(at.square() + b.to(of).view(1, -1, 1, 1), 0.5), [at, b])

    found = derivatives(dtype, ours=True)
    assert_close(dtype, found, derivatives(dtype, ours=False), derivatives(torch.float32, ours=False))


@pytest.mark.parametrize("dtype", ERRORS)
@pytest.mark.parametrize("shape", SHAPES)
def test_scaling_is_a_product(kernels: Kernels, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    x, factor = torch.randn(shape), torch.randn(shape[:2])

    def derivatives(of: torch.dtype, *, ours: bool) -> list[Tensor]:
        at, f = x.to(of).requires_grad_(), factor.clone().requires_grad_()
        return two_orders(scale(kernels, at, f) if ours else at * f.to(of)[:, :, None, None], [at, f])

    found = derivatives(dtype, ours=True)
    assert_close(dtype, found, derivatives(dtype, ours=False), derivatives(torch.float32, ours=False))


def test_slopes_at_the_corners_are_those_of_the_reference(kernels: Kernels) -> None:
    """0 has the slope of negative values, and what was clamped has none, also where the type rounds the limit."""
    values = torch.tensor([-9.0, -0.7, 0.0, 0.7, 9.0, float("inf"), float("-inf"), 1e-30])
    for dtype in ERRORS:
        x = values.to(dtype).view(1, 8, 1, 1).requires_grad_()
        y = activate(kernels, x, None, torch.zeros(8), None, None, 1.1)
        (slopes,) = torch.autograd.grad(y.sum(), x)
        expected = torch.tensor([0, 0.2, 0.2, 1, 0, 0, 0, 1])  # 1e-30 is 0 in float16
        if dtype == torch.float16:
            expected[7] = 0.2
        torch.testing.assert_close(slopes.flatten().float(), expected, rtol=4e-3, atol=0)


def test_what_is_no_number_stays_none(kernels: Kernels) -> None:
    x = torch.full((1, 8, 2, 2), float("nan"), requires_grad=True)
    y = activate(kernels, x, None, torch.zeros(8), None, None, 1.0)
    assert y.isnan().all()
    assert torch.autograd.grad(y, x, torch.full_like(y, float("nan")))[0].isnan().all()


def test_a_third_derivative_is_refused(kernels: Kernels) -> None:
    """Rather than taken to be zero."""
    x, factor = torch.randn(1, 8, 2, 2, requires_grad=True), torch.randn(1, 8, requires_grad=True)
    (first,) = torch.autograd.grad(scale(kernels, x, factor).square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), factor, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        second.square().sum().backward()  # type: ignore[no-untyped-call]


def test_a_batch_of_none_has_gradients(kernels: Kernels) -> None:
    x, bias = torch.empty(0, 8, 4, 4, requires_grad=True), torch.randn(8, requires_grad=True)
    for gradient in torch.autograd.grad(activate(kernels, x, None, bias, None, None, None).sum(), (x, bias)):
        assert not gradient.any()


def test_sums_repeat_in_every_bit_and_are_shared_out(kernels: Kernels, emulator: Emulator) -> None:
    grad = torch.randn(2, 264, 33, 40)
    first, again = (kernels.gradients(grad, Terms(), kept=None, x=grad) for _ in range(2))
    assert first.factor is not None
    assert again.factor is not None
    assert first.factor.equal(again.factor)
    torch.testing.assert_close(first.factor, grad.square().sum(dim=(2, 3)))
    _, (blocks, groups, _), threads = emulator.launched[-1]
    assert (blocks % 2, groups, threads) == (0, 3, 256)
    assert blocks > 2


# --- networks


def gradients_of_training(dtype: torch.dtype) -> list[Tensor]:
    """Of path length and R1 at every parameter, and at the latents."""
    torch.manual_seed(0)
    generator = small_generator((8, 16, 8), clamp=3.0).requires_grad_()
    config = DiscriminatorConfig(
        c_dim=0,
        img_resolution=16,
        img_channels=3,
        channels=(8, 8, 16),
        architecture="resnet",
        cmap_dim=0,
        mapping_features=(),
        embed_features=0,
    )
    torch.manual_seed(1)
    critic = Discriminator(config)
    for layer in [generator.synthesis.get_submodule(f"b{r}.conv1") for r in (4, 8, 16)]:
        layer.noise_strength.data.fill_(0.3)  # type: ignore[operator]
    ws = torch.randn(2, generator.num_ws, generator.config.w_dim, requires_grad=True)
    noise = generator.noise_maps([torch.randn(2, 1, r, r) for r in (4, 8, 8, 16, 16)], 16)

    def synthesize(ws: Tensor) -> Tensor:
        return generator.synthesis(generator.synthesis.styles(ws), noise, 16, dtype)  # type: ignore[no-any-return]

    drawn = synthesize(ws)
    lengths = path_lengths(synthesize, ws, torch.randn(2, 3, 16, 16))
    penalty = r1_penalty(lambda images: critic(images, None, dtype), torch.randn(2, 3, 16, 16))
    loss = lengths.square().sum() + penalty + F.softplus(critic(drawn, None, dtype)).sum()
    of = [ws, *generator.synthesis.parameters(), *critic.parameters()]
    return [drawn.detach(), lengths.detach(), penalty.detach(), *torch.autograd.grad(loss, of)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_networks_have_the_regularisers_gradients_by_kernels(
    kernels: Kernels, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    exact, alike = gradients_of_training(torch.float32), gradients_of_training(dtype)
    monkeypatch.setitem(loaded.LOADED, torch.device("cpu"), kernels)
    found = gradients_of_training(dtype)
    assert {"combine", "gradients"} <= {name for name, _, _ in emulator.launched}
    if dtype == torch.float32:
        for ours, theirs in zip(found, exact, strict=True):
            assert float((ours - theirs).norm()) <= 1e-4 * float(theirs.norm()) + 1e-9
    else:
        assert_close(dtype, found, alike, exact)
