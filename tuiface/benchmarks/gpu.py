"""What a card gives: whether the kernels are right and exact there, and how fast everything is.

Each section stands by itself, so that a failure of one says so in its place and costs no other. Times are medians;
pictures are timed from ws to bytes on the host, with the device at rest before and after. Run as a module it draws
faces and prints their digest, which is how digests of several processes are compared:
`python -m tuiface.benchmarks.gpu RESOLUTION GIGABYTES_TO_TAKE`.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tuiface.core.console import print_json
from tuiface.core.errors import EngineError
from tuiface.core.processes import PIPE, output_of, python_command, start
from tuiface.core.strict_json import parse_strict_json

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tuiface.core.settings import Settings
    from tuiface.engine.networks.generator import Generator
    from tuiface.engine.networks.inference import Plan

MODES = ("float32", "float16", "bfloat16")
"""float32 is the exact one."""
MAX_ERRORS = {"float32": 1e-3, "float16": 3e-2, "bfloat16": 1e-1}
"""Relative ones beyond which a kernel is wrong: rounding stays far below."""
SIZES = ((1024, 1), (1024, 8), (512, 1), (256, 1), (128, 1), (128, 8))
"""(resolution that a picture stops at, batch)."""
_SHORT_S = 1.0
"""About how long one figure is measured."""
_PROCESS_S = 120.0
"""A process that draws a digest ends before."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report."""

    section: str
    name: str
    figures: Mapping[str, float | str] = field(default_factory=dict)
    error: str = ""
    """What went wrong in place of figures."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing failed, and what is to be exact is."""
        is_exact = self.figures.get("different", 1) == 1 and self.figures.get("same_bits_in_a_batch") != "no"
        return is_exact and not self.error


def measure(settings: Settings) -> Iterator[Row]:
    """All sections in order of worth, on the CUDA device; raises EngineError where there is none."""
    from tuiface.engine.cuda.loaded import load_kernels
    from tuiface.engine.device import choose_device, device_name

    settings = settings.model_copy(update={"device": "cuda"})
    device = choose_device(settings.device)
    begun = time.perf_counter()
    build = load_kernels(device, settings.cache)
    figures: dict[str, float | str] = {
        "compiler": build.compiler,
        "architecture": build.architecture,
        "seconds": time.perf_counter() - begun,
    }
    yield Row("kernels", device_name(device), figures)
    network = build_config_f(1024, device)
    sections: tuple[tuple[str, Callable[[], Iterator[Row]]], ...] = (
        ("parity", lambda: check_parity(build_config_f(256, device))),
        ("digests", lambda: compare_digests(256)),
        ("synthesis", lambda: time_synthesis(network, SIZES)),
        ("ceilings", lambda: measure_ceilings(device)),
        ("faces", lambda: time_faces(settings)),
    )
    for name, section in sections:
        try:
            yield from section()
        except Exception as error:  # noqa: BLE001  the other sections are worth having
            yield Row(name, "failed", error=f"{type(error).__name__}: {error}")


def build_config_f(resolution: int, device: torch.device) -> Generator:
    """A network of FFHQ's shape with random weights, noise of 0.1 and random biases."""
    import torch

    from tuiface.engine.networks.config import GeneratorConfig, block_resolutions
    from tuiface.engine.networks.generator import Generator

    torch.manual_seed(0)
    channels = tuple(min(32768 // r, 512) for r in block_resolutions(resolution))
    generator = Generator(GeneratorConfig(512, 0, 512, resolution, 3, channels, (512,) * 8)).eval()
    for name, parameter in generator.synthesis.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.1)
        elif name.endswith(".bias") and "affine" not in name:
            parameter.data.normal_(std=0.1)
    return generator.requires_grad_(requires_grad=False).to(device)


def check_parity(generator: Generator) -> Iterator[Row]:
    """Each mode against the papers' formulas by PyTorch's operators in float32, alone and in a batch of two.

    The largest relative error of each, and of all styles.
    """
    import torch

    from tuiface.benchmarks.textbook import textbook_synthesis
    from tuiface.engine.renderer import exact_convolutions

    network, z = generator.synthesis, sample_z(generator, 2)
    until = generator.config.img_resolution
    noise = generator.noise_maps("const", until)
    with exact_convolutions(), torch.enable_grad():  # where a gradient could be asked for, latents go by PyTorch
        styles = {name: style.detach() for name, style in network.styles(generator.map(z)).items()}
    with exact_convolutions(), torch.no_grad():
        expected = textbook_synthesis(generator, styles, noise)
        found = network.styles(generator.map(z))
        latents = max(_relative_error(found[name], style) for name, style in styles.items())
        for mode in MODES:
            plan = generator.plan(getattr(torch, mode))
            both = plan.synthesize(styles, noise, until)
            alone = plan.synthesize({name: style[1:] for name, style in styles.items()}, noise, until)
            figures: dict[str, float | str] = {"relative_error": _relative_error(both, expected)}
            if mode == "float32":
                figures |= {"styles_error": latents, "same_bits_in_a_batch": "yes" if both[1:].equal(alone) else "no"}
            wrong = [name for name, value in figures.items() if "error" in name and not float(value) < MAX_ERRORS[mode]]
            told = f"wrong: {', '.join(f'{name} {figures[name]:.3g}' for name in wrong)}" if wrong else ""
            yield Row("parity", mode, figures, told)


def _relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def compare_digests(resolution: int) -> Iterator[Row]:
    """The exact picture in five processes: one, two at once, and two of which one takes 90 % of the memory first."""
    alone = [_digest_of(resolution, 0.0)]
    pair = [_start_digest(resolution, 0.0) for _ in range(2)]
    at_once = [one() for one in pair]
    pair = [_start_digest(resolution, 0.9), _start_digest(resolution, 0.0)]
    crowded = [one() for one in pair]
    digests = {*alone, *at_once, *crowded}
    yield Row("digests", "float32, five processes", {"different": len(digests), "digest": alone[0][:12]})


def time_synthesis(generator: Generator, sizes: Sequence[tuple[int, int]]) -> Iterator[Row]:
    """Milliseconds from ws to bytes on the host by size, batch and mode, and the peak of the device's memory."""
    import torch

    from tuiface.engine.renderer import exact_convolutions

    for mode in MODES:
        plan = generator.plan(getattr(torch, mode))
        for until, batch in sizes:
            ws = sample_ws(generator, batch)
            _reset_peak(ws.device)
            with torch.no_grad(), exact_convolutions():
                work = _drawing(plan, ws, generator, until)
                milliseconds, spread = time_ms(work, ws.device)
            figures = {"ms": milliseconds, "spread_ms": spread, "peak_mb": _peak_mb(ws.device)}
            yield Row("synthesis", f"{mode} {until} px x {batch}", figures)


def measure_ceilings(device: torch.device) -> Iterator[Row]:
    """What the device can do at best: copying, products of matrices, a convolution of the network's."""
    import torch
    import torch.nn.functional as F

    from tuiface.engine.renderer import exact_convolutions

    is_cuda = device.type == "cuda"
    size, side = (2**28, 8192) if is_cuda else (2**20, 256)
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    milliseconds, _ = time_ms(lambda: target.copy_(source), device)
    yield Row("ceilings", "copy", {"gigabytes_per_s": 2 * size / milliseconds / 1e6})
    for mode in MODES:
        dtype = getattr(torch, mode)
        a = torch.randn(side, side, device=device).to(dtype)
        milliseconds, _ = time_ms(lambda a=a: a @ a, device)  # type: ignore[misc]
        product = 2 * side**3 / milliseconds / 1e9
        x = torch.randn(1, 64, side // 16, side // 16, device=device).to(dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        weight = torch.randn(64, 64, 3, 3, device=device).to(dtype).contiguous(memory_format=torch.channels_last)
        with exact_convolutions():
            milliseconds, _ = time_ms(lambda x=x, w=weight: F.conv2d(x, w, padding=1), device)  # type: ignore[misc]
        convolution = 2 * 9 * 64 * 64 * (side // 16) ** 2 / milliseconds / 1e9
        yield Row("ceilings", mode, {"gemm_tflops": product, "convolution_tflops": convolution})


def time_faces(settings: Settings) -> Iterator[Row]:
    """Through the engine, as users meet it: a picture, a preview, and a face whose frame is locked."""
    from tuiface.engine.loading import open_engine
    from tuiface.engine_api.protocol import Quality, RenderRequest
    from tuiface.faces.studio import Studio

    engine = open_engine(settings)
    with Studio(engine, settings) as studio:
        face = studio.face(3)
        info = engine.info()
        for name, size in (("full picture", None), ("preview", min(128, info.resolution))):
            quality: Quality = "preview" if size else "final"
            request = RenderRequest(face.recipe, resolution=size, quality=quality)
            times = _wall_ms(lambda request=request: engine.render(request), 20)  # type: ignore[misc]
            yield Row("faces", f"{name} {size or info.resolution} px", {"ms": statistics.median(times)})
        locked = [studio.face(seed).edit("smile", 1.5).lock("frame").recipe for seed in (3, 4, 5, 6)]
        times = [t for recipe in locked for t in _wall_ms(lambda r=recipe: engine.render(RenderRequest(r)), 1)]  # type: ignore[misc]
        yield Row("faces", "frame lock", {"first_ms": times[0], "next_ms": statistics.median(times[1:])})


def sample_z(generator: Generator, batch: int) -> Tensor:
    """float32 [batch, z_dim] of seeds 0 and on."""
    import numpy as np
    import torch

    z = np.concatenate([np.random.RandomState(seed).randn(1, generator.config.z_dim) for seed in range(batch)])
    return torch.from_numpy(z).float().to(generator.mapping.w_avg.device)


def sample_ws(generator: Generator, batch: int) -> Tensor:
    """float32 [batch, num_ws, w_dim] of seeds 0 and on, the same on every device but for rounding."""
    import torch

    with torch.no_grad():
        return generator.map(sample_z(generator, batch))


def time_ms(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """(median, difference of the quartiles) of about a second of calls, each to its end on the device."""
    import torch

    def run() -> float:
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (time.perf_counter() - start) * 1000

    run()
    first = max(run(), 1e-3)
    times = sorted(run() for _ in range(max(3, min(200, int(_SHORT_S * 1000 / first)))))
    return statistics.median(times), times[3 * len(times) // 4] - times[len(times) // 4]


def _drawing(plan: Plan, ws: Tensor, generator: Generator, until: int) -> Callable[[], object]:
    noise = generator.noise_maps("const", until)
    return lambda: plan.draw(ws, {}, noise, until)


def _wall_ms(work: Callable[[], object], count: int) -> list[float]:
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        work()
        times.append((time.perf_counter() - begun) * 1000)
    return times


def _reset_peak(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak_mb(device: torch.device) -> float:
    import torch

    return torch.cuda.max_memory_reserved(device) / 2**20 if device.type == "cuda" else 0.0


def _digest_of(resolution: int, taken: float) -> str:
    return str(parse_strict_json(output_of(_digest_command(resolution, taken)))["digest"])


def _start_digest(resolution: int, taken: float) -> Callable[[], str]:
    """Begin the process; the function waits for its digest."""
    process = start(_digest_command(resolution, taken), stdout=PIPE)

    def wait() -> str:
        try:
            out, _ = process.communicate(timeout=_PROCESS_S)
        finally:
            process.kill()
        if process.returncode:
            raise EngineError(f"a process that draws a digest ended with exit code {process.returncode}")
        return str(parse_strict_json(out)["digest"])

    return wait


def _digest_command(resolution: int, taken: float) -> Sequence[str]:
    return python_command(__name__, str(resolution), str(taken))


def draw_digest(generator: Generator) -> str:
    """SHA-256 of four exact pictures, each drawn alone and again after the others."""
    import torch

    from tuiface.engine.renderer import exact_convolutions

    plan, until = generator.plan(torch.float32), generator.config.img_resolution
    with torch.no_grad(), exact_convolutions():
        ws = sample_ws(generator, 4)
        draw = [_drawing(plan, ws[i : i + 1], generator, until) for i in (0, 1, 2, 3, 0, 2)]
        pixels = [work() for work in draw]
        together = _drawing(plan, ws, generator, until)()
    digest = hashlib.sha256()
    for picture in (*pixels, together):
        digest.update(picture.tobytes())  # type: ignore[attr-defined]
    return digest.hexdigest()


def _main(resolution: int, taken: float) -> None:
    import torch

    from tuiface.core.settings import load_settings
    from tuiface.engine.cuda.loaded import load_kernels
    from tuiface.engine.device import choose_device

    device = choose_device("cuda")
    load_kernels(device, load_settings({}).cache)
    kept = torch.empty(int(torch.cuda.mem_get_info(device)[0] * taken), dtype=torch.uint8, device=device)
    print_json({"digest": draw_digest(build_config_f(resolution, device)), "taken": kept.numel()})


if __name__ == "__main__":
    _main(int(sys.argv[1]), float(sys.argv[2]))
