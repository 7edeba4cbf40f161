"""What only a card can show: the kernels as they run there, graphs, memory, several devices, training."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.conftest import MODEL
from tests.engine.networks import small_generator
from tests.training.conftest import tiny_limits, tiny_settings, write_pictures
from tests.training.test_resume import assert_same_run
from tuiface.benchmarks.gpu import digests
from tuiface.benchmarks.gpu.bench import Bench
from tuiface.benchmarks.gpu.parity import relative_error
from tuiface.benchmarks.gpu.rows import run_section
from tuiface.benchmarks.gpu.sections import SECTIONS
from tuiface.benchmarks.gpu.workload import FULL, SMALL, Workload
from tuiface.benchmarks.networks import CONFIG_F, NetworkShape, build_generator, sample_steps, sample_ws
from tuiface.benchmarks.opening import random_contents
from tuiface.cli import main
from tuiface.core.errors import EXIT_DONE, EngineError
from tuiface.core.settings import Settings
from tuiface.engine.checkpoints import write_native
from tuiface.engine.cuda import build, graphs, loaded
from tuiface.engine.cuda.driver import Driver
from tuiface.engine.cuda.kernels import Activation, Kernels
from tuiface.engine.loading import open_engine
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine.networks.generator import Generator
from tuiface.engine.networks.inference import SynthesisPlan
from tuiface.engine.renderer import exact_convolutions
from tuiface.engine.training import SNAPSHOT_NAME, train
from tuiface.engine_api.protocol import RenderRequest
from tuiface.faces.provenance import read_saved_face
from tuiface.faces.studio import Studio
from tuiface.faces.verification import verify

pytestmark = pytest.mark.gpu


# --- kernels


@pytest.mark.parametrize("workload", [SMALL, FULL], ids=["small", "full"])
def test_every_kernel_gives_what_pytorch_gives(card: torch.device, tmp_path: Path, workload: Workload) -> None:
    """In all modes, at odd and at real sizes; the sections of `tuiface bench gpu` say what is compared."""
    settings = Settings(device="cuda" if card.type == "cuda" else "cpu", cache=tmp_path)
    [parity] = [section for section in SECTIONS if section.name == "parity"]
    rows = list(run_section(parity, Bench(settings, card, workload, seconds=math.inf)))
    assert [(row.name, row.error or row.skipped) for row in rows if row.error or row.skipped] == []


def test_nvcc_and_nvrtc_give_the_same_bits(card: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compilers = build.find_compilers()
    if len(compilers) < 2:
        pytest.skip(f"one compiler alone is here: {[compiler.name for compiler in compilers]}")
    generator = small_generator((37, 33, 6)).to(card)
    ws, noise = sample_ws(generator, 2), generator.noise_maps("const", 16)
    drawn = []
    for compiler in compilers:
        monkeypatch.setattr(build, "find_compilers", lambda one=compiler: [one])
        loaded.load_kernels(card, tmp_path)
        generator._plans.clear()  # plans keep the kernels that they were prepared with
        drawn.append([_draw(generator, ws, noise, dtype) for dtype in (torch.float32, torch.float16, torch.bfloat16)])
    for first, second in zip(*drawn, strict=True):
        assert np.array_equal(first, second)


def test_a_build_that_the_driver_cannot_read_is_a_clear_error(card: torch.device, kernel_cache: Path) -> None:
    major, minor = torch.cuda.get_device_capability(card)
    made = build.load_or_build(f"sm_{major}{minor}", kernel_cache)
    broken = replace(made, images=dict.fromkeys(made.images, b"not a cubin"))
    with pytest.raises(build.KernelError, match="cuModuleLoadData"):
        Driver(broken, card)


def _draw(
    generator: Generator,
    ws: Tensor,
    noise: dict[str, Tensor | None],
    dtype: torch.dtype = torch.float32,
    until: int = 16,
) -> np.ndarray:
    with torch.no_grad(), exact_convolutions():
        return generator.plan(dtype).draw(ws, {}, noise, until)


# --- exactness


def test_pictures_have_one_digest_whatever_was_drawn_before_and_beside(card: torch.device, kernel_cache: Path) -> None:
    """Alone, in a batch, after other requests, and in two other processes at once."""
    order = digests.Order(card.type, "small", str(kernel_cache), seconds=200.0, requests=40)
    others = [digests._begin(replace(order, requests=0)) for _ in range(2)]
    found = [digests.take_digests(order), *(other() for other in others)]
    assert len({digest for one in found for digest in one.exact}) == 1
    assert len({digest for one in found for digest in one.faces}) == 1
    assert found[0].requests == 40


@pytest.mark.parametrize("resolution", [256, 1024])
def test_a_face_of_full_size_has_the_same_bytes_alone_and_among_eight(card: torch.device, resolution: int) -> None:
    generator = build_generator(CONFIG_F.config(resolution), card)
    ws, noise = sample_ws(generator, 8), generator.noise_maps("const", resolution)
    together = _draw(generator, ws, noise, until=resolution)
    for number in (0, 5):
        alone = _draw(generator, ws[number : number + 1], noise, until=resolution)
        assert np.array_equal(alone[0], together[number])


def test_a_saved_face_is_verified_exactly_here_and_within_two_levels_on_the_cpu(
    card: torch.device, tmp_path: Path, kernel_cache: Path
) -> None:
    settings = _settings(card, kernel_cache, MODEL)
    face = Studio(open_engine(settings), settings).face(3).edit("b8.conv1:1", 2.0)
    saved = read_saved_face(face.save(tmp_path / "out"))
    assert verify(saved, open_engine(settings)).status == "exact"
    on_cpu = settings.model_copy(update={"device": "cpu"})
    assert verify(saved, open_engine(on_cpu)).status in ("exact", "within tolerance")


# --- graphs


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_captured_network_follows_its_weights(card: torch.device, dtype: torch.dtype) -> None:
    """As training changes them: in place."""
    generator = small_generator((37, 33, 6)).to(card)
    ws, noise = sample_ws(generator, 2), generator.noise_maps("const", 16)
    state = generator.state_dict()
    before = _draw(generator, ws, noise, dtype)
    for name in ("b8.conv0.weight", "b4.conv1.noise_strength", "b16.conv1.noise_const", "b16.torgb.bias"):
        state[f"synthesis.{name}"].add_(0.5)
        after = _draw(generator, ws, noise, dtype)
        with torch.no_grad(), exact_convolutions():
            expected = SynthesisPlan(generator.synthesis, torch.float32).draw(ws, {}, noise, 16)
        assert not np.array_equal(after, before), name
        assert np.abs(after.astype(int) - expected).max() <= (1 if dtype == torch.float32 else 4), name
        before = after


def test_graphs_of_many_shapes_take_turns(card: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    """More shapes than are kept, twice over, with noise, edits and blends; each time the same bytes."""
    monkeypatch.setattr(graphs, "MAX_GRAPHS", 2)
    generator = small_generator((37, 33, 6)).to(card)
    plan = generator.plan(torch.float32)
    found: dict[tuple[int, int, str], np.ndarray] = {}
    with torch.no_grad(), exact_convolutions():
        for _ in range(2):
            for until, batch, noise in ((16, 1, "const"), (8, 3, "none"), (16, 2, "const"), (4, 1, "const")):
                ws, maps = sample_ws(generator, batch), generator.noise_maps(noise, until)  # type: ignore[arg-type]
                drawn = plan.draw(ws, sample_steps(generator, 0), maps, until)
                assert np.array_equal(found.setdefault((until, batch, noise), drawn), drawn)
                styles = generator.synthesis.styles(ws, until)
                halved = plan.synthesize(styles, maps, until, lambda x, _: x * 0.5)
                expected = SynthesisPlan(generator.synthesis, torch.float32).synthesize(
                    styles, maps, until, lambda x, _: x * 0.5
                )
                assert relative_error(halved, expected) < 1e-4


# --- devices and memory


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_a_second_device_draws_the_same_bytes(card: torch.device, kernel_cache: Path) -> None:
    other = torch.device("cuda:1")
    loaded.load_kernels(other, kernel_cache)
    current = torch.cuda.current_device()
    drawn = []
    for device in (card, other, card):
        generator = small_generator((37, 33, 6)).to(device)
        drawn.append(_draw(generator, sample_ws(generator, 2), generator.noise_maps("const", 16)))
        assert torch.cuda.current_device() == current
    if torch.cuda.get_device_capability(card) == torch.cuda.get_device_capability(other):
        assert np.array_equal(drawn[0], drawn[1])
    assert np.array_equal(drawn[0], drawn[2])


@contextmanager
def limited_memory(device: torch.device, num_bytes: float) -> Iterator[None]:
    """Torch may allocate so much and no more inside the block."""
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info(device)
    torch.cuda.set_per_process_memory_fraction(num_bytes / total, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        torch.cuda.empty_cache()


SLIM = NetworkShape(channel_base=32 * 1024, channel_max=32, width=32, mapping_layers=2)
"""Features of 128 MiB a picture at 1024 px in float32."""


def test_where_memory_is_short_a_batch_is_drawn_in_parts(card: torch.device) -> None:
    generator = build_generator(SLIM.config(1024), card)
    noise = generator.noise_maps("const", 1024)
    with torch.no_grad(), exact_convolutions():
        styles = generator.synthesis.styles(sample_ws(generator, 8))
        expected = generator.plan(torch.float32).synthesize(styles, noise, 1024).cpu()
        generator._plans.clear()
        with limited_memory(card, torch.cuda.memory_allocated(card) + 1.5e9):
            found = generator.plan(torch.float32).synthesize(styles, noise, 1024).cpu()
            generator._plans.clear()
    assert found.equal(expected)


def test_where_memory_runs_out_it_is_one_clear_line(card: torch.device, tmp_path: Path, kernel_cache: Path) -> None:
    write_native(random_contents(SLIM.config(1024)), tmp_path / "slim.safetensors")
    engine = open_engine(_settings(card, kernel_cache, tmp_path / "slim.safetensors"))
    face = Studio(engine, _settings(card, kernel_cache, tmp_path / "slim.safetensors")).face(3)
    with limited_memory(card, torch.cuda.memory_allocated(card) + 5e7), pytest.raises(EngineError, match="memory"):
        face.render()
    assert face.render().pixels.shape == (1024, 1024, 3), "and later there is room again"


# --- through the product


def _settings(card: torch.device, cache: Path, model: Path | None = None) -> Settings:
    return Settings(model=model, device="cuda" if card.type == "cuda" else "cpu", cache=cache)


def test_previews_are_float16_and_near_the_picture(card: torch.device, kernel_cache: Path) -> None:
    engine = open_engine(_settings(card, kernel_cache, MODEL))
    assert engine.info().kernels.startswith("cuda ")
    face = Studio(engine, Settings()).face(3)
    final = face.render()
    for quality in ("preview", "draft"):
        draft = engine.render(RenderRequest(face.recipe, quality=quality))
        assert draft.dtype == "float16"
        assert np.abs(draft.pixels.astype(int) - final.pixels).max() <= 4
    assert np.array_equal(face.render().pixels, final.pixels), "previews change no picture"


def test_pictures_of_many_threads_are_those_of_one(card: torch.device, kernel_cache: Path) -> None:
    engine = open_engine(_settings(card, kernel_cache, MODEL))
    studio = Studio(engine, Settings())
    requests = [
        RenderRequest(studio.face(seed).recipe, quality=quality)
        for seed in range(4)
        for quality in ("final", "preview")
    ]
    expected = [engine.render(request).pixels for request in requests]
    found: dict[int, np.ndarray] = {}

    def render(number: int) -> None:
        for _ in range(5):
            found[number] = engine.render(requests[number]).pixels

    threads = [threading.Thread(target=render, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, pixels in enumerate(expected):
        assert np.array_equal(found[number], pixels)


def _frame_variation(engine: LocalEngine) -> tuple[float, float, np.ndarray]:
    """Of a smile: free, locked, and the locked picture."""
    face = Studio(engine, Settings()).face(3).edit("smile", 2.0)
    free, locked = face.render(), face.lock("frame").render()
    name = "frame_variation_percent"
    return free.measures[name], locked.measures[name], locked.pixels


def test_a_lock_holds_as_on_the_cpu_and_has_the_same_bytes_again(card: torch.device, kernel_cache: Path) -> None:
    engine = open_engine(_settings(card, kernel_cache))
    free, locked, pixels = _frame_variation(engine)
    engine.faces.forget()
    assert np.array_equal(_frame_variation(engine)[2], pixels)
    free_there, locked_there, _ = _frame_variation(open_engine(Settings(device="cpu", cache=kernel_cache)))
    assert free == pytest.approx(free_there, rel=0.02)
    assert locked < 0.7 * free
    assert abs(locked - locked_there) < 0.1 * free


# --- training


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_is_the_same_again_and_when_it_was_interrupted(
    card: torch.device, tmp_path: Path, precision: str
) -> None:
    """With every pass captured where the trainer captures: bit by bit."""
    data = write_pictures(tmp_path / "pictures")
    settings = tiny_settings(data, precision=precision)
    for name in ("first", "second"):
        train(settings, tiny_limits(tmp_path / name, device=str(card)))
    assert_same_run(tmp_path / "first", tmp_path / "second")
    snapshot = tmp_path / "interrupted" / SNAPSHOT_NAME
    for kimg in (0.1, 0.2):
        limits = tiny_limits(tmp_path / "interrupted", device=str(card), kimg=kimg)
        train(settings, limits, resume=snapshot if snapshot.exists() else None)
    tensors = [load_file(tmp_path / name / SNAPSHOT_NAME) for name in ("first", "interrupted")]
    assert [name for name in tensors[0] if not tensors[0][name].equal(tensors[1][name])] == []


def test_gradients_are_those_of_the_cpu(card: torch.device) -> None:
    """Through the differentiable twin, to the latents."""
    gradients = []
    for device in (torch.device("cpu"), card):
        generator = small_generator((16, 16, 8)).to(device)
        ws = sample_ws(generator, 2).requires_grad_()
        with exact_convolutions():
            loss = generator.synthesize(ws).tanh().square().sum()
        gradients += [gradient.cpu() for gradient in torch.autograd.grad(loss, ws)]
    assert relative_error(gradients[1], gradients[0]) < 1e-3


# --- the measurement itself


def test_the_bench_measures_the_card(card: torch.device, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "gpu", "--only", "card,ceilings,memory", "--out", str(tmp_path / "out")]) == EXIT_DONE
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("memory") and "wanted mb at most 600" in line for line in lines)


def test_filters_of_many_threads_and_of_autograd_go_to_the_right_stream(card: torch.device) -> None:
    """Work on a stream of its own, and a backward pass in autograd's thread, keep their order."""
    kernels = loaded.loaded_kernels(card)
    assert isinstance(kernels, Kernels)
    x = torch.randn(4, 32, 64, 64, device=card)
    expected = kernels.filter(x, 2, 1.0)
    stream = torch.cuda.Stream(card)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(card))
    with torch.cuda.stream(stream):
        doubled = x
        for _ in range(50):
            doubled = doubled * 1.0
        found = kernels.filter(doubled, 2, 1.0)
        none = Activation(None, None, None, None, None)
        kept, _ = kernels.finish(found.clone(), none, None)
    torch.cuda.current_stream(card).wait_stream(stream)
    assert found.equal(expected)
    assert kept is not None
    assert kept.equal(expected)
