"""Pictures: from ws to bytes by size, batch and mode; through the product; locked; and what memory they take."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tuiface.benchmarks.gpu.bench import Bench
from tuiface.benchmarks.gpu.card import NO_CUDA
from tuiface.benchmarks.gpu.costs import floor_ms, picture_work
from tuiface.benchmarks.gpu.rows import Case, Figures
from tuiface.benchmarks.gpu.timing import Times, time_calls, wall_ms
from tuiface.benchmarks.gpu.workload import MODES, Mode
from tuiface.benchmarks.networks import drawing, sample_ws
from tuiface.engine.renderer import exact_convolutions

if TYPE_CHECKING:
    from tuiface.engine.networks.generator import Generator
    from tuiface.engine.networks.inference import Plan
    from tuiface.faces.studio import Studio

_NO_SUCH_FACE = 2**20
"""Seeds of faces that nothing else here draws begin there."""


# ---- by themselves


def synthesis_cases(bench: Bench) -> Iterator[Case]:
    """From ws on the device to bytes on the host, each mode and size; and PyTorch's operators, for comparison."""
    for mode in MODES:
        for until, batch in bench.workload.sizes:
            yield Case(picture_name(mode, until, batch), partial(_time_pictures, bench, mode, until, batch))
    for mode in MODES[:2]:
        yield Case(f"{mode} embedded network", partial(_time_embedded, bench, mode), needs_s=2.0)
        name = f"{picture_name(mode, bench.workload.resolution, 1)}, PyTorch's operators"
        yield Case(name, partial(_time_torch, bench, mode), needs_s=3.0)


def picture_name(mode: Mode, until: int, batch: int) -> str:
    """As a row of this section is called."""
    return f"{mode} {until} px x {batch}"


def _time_pictures(bench: Bench, mode: Mode, until: int, batch: int) -> Figures:
    generator = bench.network(bench.workload.resolution)
    times = _time_plan(bench, generator, generator.plan(getattr(torch, mode)), until, batch)
    least = floor_ms(picture_work(generator.config, until, batch, mode), bench.ceilings)
    figures: dict[str, float | str] = {**times.figures(), "pictures_per_s": batch * 1000 / times.ms}
    return {**figures, "share_of_ceilings_percent": 100 * least / times.ms} if least else figures


def _time_embedded(bench: Bench, mode: Mode) -> Figures:
    generator = bench.embedded_network()
    plan = generator.plan(getattr(torch, mode))
    return _time_plan(bench, generator, plan, generator.config.img_resolution, 1).figures()


def _time_torch(bench: Bench, mode: Mode) -> Figures:
    from tuiface.engine.networks.inference import SynthesisPlan

    generator = bench.network(bench.workload.resolution)
    plan = SynthesisPlan(generator.synthesis, getattr(torch, mode))
    return _time_plan(bench, generator, plan, bench.workload.resolution, 1).figures()


def _time_plan(bench: Bench, generator: Generator, plan: Plan, until: int, batch: int) -> Times:
    ws = sample_ws(generator, batch)
    with torch.no_grad(), exact_convolutions():
        return time_calls(drawing(plan, ws, generator, until), bench.device, bench.figure_s)


# ---- memory


def memory_cases(bench: Bench) -> Iterator[Case]:
    """What torch's allocator holds at most, weights included, in a process that draws nothing else."""
    unfit = "" if bench.device.type == "cuda" else NO_CUDA
    until = bench.workload.resolution
    yield Case(f"float32 {until} px", partial(_peak_memory, bench, "float32"), 3.0, unfit=unfit)
    yield Case(f"float32 {until} px, then float16", partial(_peak_memory, bench, "float16"), 3.0, unfit=unfit)


def _peak_memory(bench: Bench, mode: Mode) -> Figures:
    generator = bench.network(bench.workload.resolution)
    with torch.no_grad(), exact_convolutions():
        drawing(generator.plan(getattr(torch, mode)), sample_ws(generator, 1), generator, bench.workload.resolution)()
    mb = 2**20
    return {
        "mb": torch.cuda.max_memory_reserved(bench.device) / mb,
        "allocated_mb": torch.cuda.max_memory_allocated(bench.device) / mb,
    }


# ---- through the product


def face_cases(bench: Bench) -> Iterator[Case]:
    """`Face.render` and previews of the embedded network and of one of FFHQ's shape; locks of the embedded one."""
    studios = lru_cache(maxsize=2)(partial(_open_studio, bench))
    preview = bench.workload.preview
    for network in ("embedded network", "config F"):
        yield Case(f"{network}, Face.render", partial(_time_faces, bench, studios, network), 4.0)
        yield Case(f"{network}, preview {preview} px", partial(_time_previews, bench, studios, network), 2.0)
    yield Case("frame lock", partial(_time_locks, bench, studios), 5.0)


def _open_studio(bench: Bench, network: str) -> Studio:
    """An engine of its own, as commands open one."""
    from tuiface.engine.loading import open_engine
    from tuiface.faces.studio import Studio

    settings = bench.settings.model_copy(update={"model": None, "device": bench.device.type})
    if network != "config F":
        return Studio(open_engine(settings), settings)
    from tuiface.benchmarks.opening import random_contents
    from tuiface.engine.checkpoints import write_native

    with tempfile.TemporaryDirectory(prefix="tuiface-bench-") as folder:
        path = Path(folder) / "network.safetensors"
        write_native(random_contents(bench.workload.shape.config(bench.workload.resolution)), path)
        return Studio(open_engine(settings.model_copy(update={"model": path})), settings)


Studios = Callable[[str], "Studio"]


def _time_faces(bench: Bench, studios: Studios, network: str) -> Figures:
    """Another face each time; and how much of it is not the picture itself."""
    from tuiface.engine.local_engine import LocalEngine

    studio = studios(network)
    faces = [studio.face(_NO_SUCH_FACE + number) for number in range(bench.workload.num_faces + 1)]
    faces[0].render()
    times = Times.of([wall_ms(face.render) for face in faces[1:]])
    engine = studio.engine
    assert isinstance(engine, LocalEngine)
    generator = engine.network.generator
    alone = _time_plan(bench, generator, generator.plan(torch.float32), generator.config.img_resolution, 1)
    return {**times.figures(), "over_the_picture_ms": times.ms - alone.ms}


def _time_previews(bench: Bench, studios: Studios, network: str) -> Figures:
    """As the interface asks for them while a key is held: the same face, further edited."""
    from tuiface.engine_api.protocol import RenderRequest

    studio = studios(network)
    size = studio.block_within(bench.workload.preview)
    layer, _ = next(iter(studio.engine.info().layers.items()))
    face = studio.face(_NO_SUCH_FACE)
    recipes = [face.edit(f"{layer}:0", 0.1 * step).recipe for step in range(1, bench.workload.num_faces + 2)]
    render = [partial(studio.engine.render, RenderRequest(one, size, quality="preview")) for one in recipes]
    render[0]()
    return Times.of([wall_ms(one) for one in render[1:]]).figures()


def _time_locks(bench: Bench, studios: Studios) -> Figures:
    """The first locked picture of a face, and the next of the same one; the very first of the process apart."""
    studio = studios("embedded network")
    first, following = [], []
    for seed in range(bench.workload.num_locks):
        face = studio.face(_NO_SUCH_FACE + seed)
        face.render()
        first.append(wall_ms(face.edit("smile", 1.0).lock("frame").render))
        following.append(wall_ms(face.edit("smile", 1.1).lock("frame").render))
        if bench.left_s() < 3 * (first[-1] + following[-1]) / 1000:
            break
    return {
        "cold_ms": first[0],
        "first_ms": statistics.median(first[1:] or first),
        "next_ms": statistics.median(following),
        "faces": float(len(first)),
    }
