"""Every kernel's result beside PyTorch's operators': what is drawn, what is edited, what is trained.

Errors are the largest difference over the largest value. The reference of drawing is the papers' formulas
(`tuiface.benchmarks.textbook`) or the plan of PyTorch's operators, both in float32.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.benchmarks.gpu.bench import Bench
from tuiface.benchmarks.gpu.rows import Case, Figures
from tuiface.benchmarks.gpu.workload import MODES, Mode
from tuiface.benchmarks.networks import sample_steps, sample_ws, sample_z
from tuiface.benchmarks.textbook import textbook_synthesis
from tuiface.engine.cuda import loaded
from tuiface.engine.networks import ops
from tuiface.engine.networks.config import DiscriminatorConfig
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator
from tuiface.engine.networks.inference import SynthesisPlan, step_styles
from tuiface.engine.pixels import to_levels
from tuiface.engine.renderer import exact_convolutions

MAX_ERRORS: Mapping[Mode, float] = {"float32": 1e-3, "float16": 3e-2, "bfloat16": 1e-1}
"""Beyond these a kernel is wrong: rounding stays far below."""
_MAX_GRADIENT_ERRORS: Mapping[Mode, float] = {"float32": 1e-3, "bfloat16": 0.3}
"""Through both networks, of the largest value of each gradient: in bfloat16 both sides round."""
_MAX_LEVELS = 2
"""Of 255: what pictures of two stacks may differ by."""


def cases(bench: Bench) -> Iterator[Case]:
    """Drawing in each mode; what else is asked of a synthesis; training."""
    for mode in MODES:
        limits = {"relative_error": MAX_ERRORS[mode]}
        if mode == "float32":
            limits |= {"styles_error": MAX_ERRORS[mode], "batch_differs": 0.0}
        yield Case(f"textbook, {mode}", partial(_compare_textbook, bench, mode), 3.0, limits)
    for mode in MODES[1:]:
        name = f"exact, {mode}, {bench.workload.resolution} px"
        yield Case(name, partial(_compare_exact, bench, mode), 3.0, {"relative_error": MAX_ERRORS[mode]})
    exact = {"relative_error": MAX_ERRORS["float32"]}
    for name, compare in _VARIANTS.items():
        yield Case(name, partial(_compare_plans, bench, compare), 2.0, exact)
    yield Case("bytes", partial(_compare_bytes, bench), 2.0, {"levels": 1.0, "own_levels": 0.0})
    yield Case("embedded network, bytes", partial(_compare_embedded, bench), 5.0, {"levels": _MAX_LEVELS})
    for mode in MODES:
        limits = {"relative_error": MAX_ERRORS[mode], "second_error": MAX_ERRORS[mode]}
        yield Case(f"filter and its gradients, {mode}", partial(_compare_filter, bench, mode), 2.0, limits)
    for mode, limit in _MAX_GRADIENT_ERRORS.items():
        limits = {"relative_error": limit, "penalty_error": limit}
        yield Case(f"gradients of both networks, {mode}", partial(_compare_gradients, bench, mode), 5.0, limits)


def _compare_textbook(bench: Bench, mode: Mode) -> Figures:
    """Alone and in a batch of two; in float32 all styles too."""
    generator = bench.network(bench.workload.checked_resolution)
    network, z, until = generator.synthesis, sample_z(generator, 2), bench.workload.checked_resolution
    noise = generator.noise_maps("const", until)
    with exact_convolutions(), torch.enable_grad():  # where a gradient could be asked for, latents go by PyTorch
        styles = {name: style.detach() for name, style in network.styles(generator.map(z)).items()}
    with exact_convolutions(), torch.no_grad():
        expected = textbook_synthesis(generator, styles, noise)
        plan = generator.plan(getattr(torch, mode))
        both = plan.synthesize(styles, noise, until)
        alone = plan.synthesize({name: style[1:] for name, style in styles.items()}, noise, until)
        figures: dict[str, float | str] = {"relative_error": relative_error(both, expected)}
        if mode == "float32":
            found = network.styles(generator.map(z))
            figures["styles_error"] = max(relative_error(found[name], style) for name, style in styles.items())
            figures["batch_differs"] = float(not both[1:].equal(alone))
    return figures


def _compare_exact(bench: Bench, mode: Mode) -> Figures:
    """A reduced mode beside our own float32, at full size."""
    generator = bench.network(bench.workload.resolution)
    ws, until = sample_ws(generator, 1), bench.workload.resolution
    noise = generator.noise_maps("const", until)
    with exact_convolutions(), torch.no_grad():
        styles = generator.synthesis.styles(ws)
        pictures = [
            generator.plan(dtype).synthesize(styles, noise, until) for dtype in (torch.float32, getattr(torch, mode))
        ]
    levels = [to_levels(picture).int() for picture in pictures]
    differing = float((levels[0] != levels[1]).float().mean()) * 100
    return {"relative_error": relative_error(pictures[1], pictures[0]), "differing_bytes_percent": differing}


# ---- what else is asked of a synthesis: each from a plan, a generator and styles of three faces


def _lower_resolutions(plan: SynthesisPlan, generator: Generator, styles: Mapping[str, Tensor]) -> list[Tensor]:
    sides = generator.config.block_resolutions[:-1]
    return [plan.synthesize(styles, generator.noise_maps("const", side), side) for side in sides]


def _no_noise(plan: SynthesisPlan, generator: Generator, styles: Mapping[str, Tensor]) -> list[Tensor]:
    until = generator.config.img_resolution
    return [plan.synthesize(styles, generator.noise_maps("none", until), until)]


def _noise_of_each(plan: SynthesisPlan, generator: Generator, styles: Mapping[str, Tensor]) -> list[Tensor]:
    until, num = generator.config.img_resolution, len(styles["b4.conv1"])
    rng = torch.Generator().manual_seed(0)
    stored = generator.noise_maps("const", until).values()
    maps = [torch.randn(num, 1, *own.shape, generator=rng).to(own.device) for own in stored if own is not None]
    return [plan.synthesize(styles, generator.noise_maps(maps, until), until)]


def _edited_styles(plan: SynthesisPlan, generator: Generator, styles: Mapping[str, Tensor]) -> list[Tensor]:
    until = generator.config.img_resolution
    return [
        plan.synthesize(step_styles(styles, sample_steps(generator, seed)), generator.noise_maps("const", until), until)
        for seed in range(2)
    ]


def _blended(plan: SynthesisPlan, generator: Generator, styles: Mapping[str, Tensor]) -> list[Tensor]:
    """With a mask, as a lock blends; and features of one face in another."""
    until = generator.config.img_resolution

    def blend(x: Tensor, resolution: int) -> Tensor:
        mask = torch.linspace(0, 1, resolution, device=x.device).view(1, 1, 1, -1).to(x.dtype)
        return torch.lerp(x, x[:1].expand_as(x), mask)

    return [plan.synthesize(styles, generator.noise_maps("const", until), until, blend)]


_Compare = Callable[[SynthesisPlan, Generator, Mapping[str, Tensor]], list[Tensor]]
_VARIANTS: Mapping[str, _Compare] = {
    "lower resolutions": _lower_resolutions,
    "no noise": _no_noise,
    "noise of each sample's own": _noise_of_each,
    "edited styles": _edited_styles,
    "blended by a mask": _blended,
}


def _compare_plans(bench: Bench, synthesize: _Compare) -> Figures:
    generator = bench.network(bench.workload.checked_resolution)
    reference = SynthesisPlan(generator.synthesis, torch.float32)
    with exact_convolutions(), torch.no_grad():
        styles = generator.synthesis.styles(sample_ws(generator, 3))
        expected = synthesize(reference, generator, styles)
        found = synthesize(generator.plan(torch.float32), generator, styles)  # type: ignore[arg-type]
    return {"relative_error": max(map(relative_error, found, expected))}


def _compare_bytes(bench: Bench) -> Figures:
    """What is drawn beside PyTorch's picture, and beside our own picture in bytes."""
    generator = bench.network(bench.workload.checked_resolution)
    ws, until, steps = sample_ws(generator, 2), bench.workload.checked_resolution, sample_steps(generator, 0)
    noise = generator.noise_maps("const", until)
    plan = generator.plan(torch.float32)
    with exact_convolutions(), torch.no_grad():
        expected = SynthesisPlan(generator.synthesis, torch.float32).draw(ws, steps, noise, until)
        found = plan.draw(ws, steps, noise, until)
        own = plan.synthesize(step_styles(generator.synthesis.styles(ws), steps), noise, until)
    own_levels = to_levels(own).permute(0, 2, 3, 1).cpu().numpy()
    return {"levels": _largest_difference(found, expected), "own_levels": _largest_difference(found, own_levels)}


def _compare_embedded(bench: Bench) -> Figures:
    """Seed 0, at psi 1."""
    generator = bench.embedded_network()
    until = generator.config.img_resolution
    noise = generator.noise_maps("const", until)
    with exact_convolutions(), torch.no_grad():
        found = generator.plan(torch.float32).draw(sample_ws(generator, 1), {}, noise, until)
        with torch_operators(bench.device):
            expected = SynthesisPlan(generator.synthesis, torch.float32).draw(sample_ws(generator, 1), {}, noise, until)
    return {"levels": _largest_difference(found, expected)}


# ---- training


def _compare_filter(bench: Bench, mode: Mode) -> Figures:
    """As up-sampling and as the discriminator pad it: result and gradient, and the gradient's gradient, of R1."""
    x = torch.randn(2, 32, 17, 17, device=bench.device).to(getattr(torch, mode))

    def derivatives(pad: int) -> list[Tensor]:
        at = x.detach().clone().requires_grad_()
        y = ops.filter_low_pass(at, pad, gain=4.0)
        (first,) = torch.autograd.grad(y.float().tanh().square().sum(), at, create_graph=True)
        (second,) = torch.autograd.grad(first.float().square().sum(), at)
        return [y, first, second]

    errors = [_beside_torch(bench, partial(derivatives, pad)) for pad in (1, 2)]
    return {"relative_error": max(max(pair[:2]) for pair in errors), "second_error": max(pair[2] for pair in errors)}


def _compare_gradients(bench: Bench, mode: Mode) -> Figures:
    """Of the adversarial losses, to all weights of both networks, and of R1's penalty, in the mode's activations."""
    workload = bench.workload
    config = workload.shape.config(workload.checked_resolution)
    generator = copy.deepcopy(bench.network(workload.checked_resolution)).requires_grad_()
    synthesis, dtype, until = generator.synthesis, getattr(torch, mode), workload.checked_resolution
    torch.manual_seed(1)
    critic = Discriminator(DiscriminatorConfig(0, workload.checked_resolution, 3, config.channels)).to(bench.device)
    z = sample_z(generator, 2)
    parameters = [parameter for parameter in critic.parameters() if parameter.dim() > 1]
    drawing = [parameter for parameter in synthesis.parameters() if parameter.dim() > 1]

    def gradients() -> list[Tensor]:
        at = z.clone().requires_grad_()
        drawn = synthesis(synthesis.styles(generator.map(at)), generator.noise_maps("const", until), until, dtype)
        return list(torch.autograd.grad(F.softplus(-critic(drawn, None, dtype)).mean(), [at, *drawing, *parameters]))

    def penalties() -> list[Tensor]:
        pictures = torch.linspace(-1, 1, 2 * 3 * workload.checked_resolution**2, device=bench.device)
        pictures = pictures.view(2, 3, workload.checked_resolution, -1).requires_grad_()
        (slope,) = torch.autograd.grad(critic(pictures, None, dtype).sum(), pictures, create_graph=True)
        found = torch.autograd.grad(slope.square().sum(), parameters, allow_unused=True)
        return [gradient for gradient in found if gradient is not None]

    with exact_convolutions():
        return {
            "relative_error": max(_beside_torch(bench, gradients)),
            "penalty_error": max(_beside_torch(bench, penalties)),
        }


def _beside_torch(bench: Bench, compute: Callable[[], list[Tensor]]) -> list[float]:
    """Relative errors of what is computed with our kernels, beside the same without."""
    found = compute()
    with torch_operators(bench.device):
        expected = compute()
    return list(map(relative_error, found, expected))


@contextlib.contextmanager
def torch_operators(device: torch.device) -> Iterator[None]:
    """Operators find no kernels of ours inside the block; plans that are prepared already keep theirs."""
    kernels = loaded.LOADED.pop(device, None)
    try:
        yield
    finally:
        if kernels is not None:
            loaded.LOADED[device] = kernels


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest value; NaN where either is."""
    found, expected = found.detach().float(), expected.detach().float()
    return float((found - expected).abs().max() / expected.abs().max())


def _largest_difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found.astype(int) - expected).max())
