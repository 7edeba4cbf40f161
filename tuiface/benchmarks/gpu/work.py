"""Work that takes hours: training, its heads, learning directions; how much of it a second does here."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import torch

from tuiface.benchmarks.gpu.bench import Bench
from tuiface.benchmarks.gpu.rows import Case, Figures
from tuiface.benchmarks.gpu.timing import synchronize, time_calls, wall_ms
from tuiface.benchmarks.gpu.workload import TrainedNetwork
from tuiface.benchmarks.learning import open_random, time_learning

if TYPE_CHECKING:
    from tuiface.engine.local_engine import LocalEngine
    from tuiface.engine.opened_network import OpenedNetwork
    from tuiface.engine.training.gan.adversarial import AdversarialStage
    from tuiface.engine.training.gan.settings import TrainingSettings
    from tuiface.engine.training.gan.state import TrainingState
    from tuiface.engine_api.requests import AttributesRequest


# ---- training

_MOST_IN_A_ROW = 8


def training_cases(bench: Bench) -> Iterator[Case]:
    """Whole adversarial steps in bfloat16, with R1, path length and augmentation at their intervals."""
    for network in bench.workload.training:
        yield Case(network.name, partial(_time_training, bench, network), network.needs_s)


def _time_training(bench: Bench, network: TrainedNetwork) -> Figures:
    from tuiface.benchmarks.training import RandomPictures
    from tuiface.engine.training.gan.adversarial import AdversarialStage
    from tuiface.engine.training.gan.state import TrainingState
    from tuiface.engine.training.passes import Passes
    from tuiface.engine.training.precision import use_precision

    settings = _training_settings(network)
    state = TrainingState(settings, str(bench.device))
    state.advance(stage="adversarial")
    notices: list[str] = []
    passes = Passes.on(state.rng, notices.append)
    stage = AdversarialStage(state, RandomPictures(network.resolution), 1, passes)
    if bench.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(bench.device)
    begun = time.perf_counter()
    kinds = _step_kinds(settings)
    found: dict[int, list[float]] = {number: [] for number in kinds}
    with use_precision(settings.precision), contextlib.closing(stage):
        for number in (*kinds, 0):  # the second of each pass captures it
            last_ms = _time_steps(stage, state, number, 1)
        row = max(1, min(_MOST_IN_A_ROW, round(bench.figure_s * 1000 / last_ms)))
        warm_s = time.perf_counter() - begun
        ends = time.perf_counter() + max(4 * bench.figure_s, 0.0)
        while not found[0] or (time.perf_counter() < ends and bench.left_s() > warm_s):
            for number in kinds:
                found[number].append(_time_steps(stage, state, number, row))
    ms = sum(share * statistics.median(found[number]) for number, share in kinds.items())
    figures: dict[str, float | str] = {
        "images_per_s": settings.batch / ms * 1000,
        "s_per_kimg": ms / settings.batch,
        "step_ms": ms,
        "first_steps_s": warm_s,
        "notice": "; ".join(notices),
    }
    if bench.device.type == "cuda":
        figures["peak_mb"] = torch.cuda.max_memory_reserved(bench.device) / 2**20
    return figures


def _training_settings(network: TrainedNetwork) -> TrainingSettings:
    from tuiface.engine.training.gan.settings import TrainingSettings

    shape = network.shape
    values = {
        "data": "benchmark",
        "resolution": network.resolution,
        "batch": network.batch,
        "precision": "bfloat16",
        "network": {
            "channel_base": shape.channel_base,
            "channel_max": shape.channel_max,
            "z_dim": shape.width,
            "w_dim": shape.width,
            "mapping_layers": shape.mapping_layers,
            "mapping_width": shape.width,
        },
    }
    return TrainingSettings.model_validate(values)


def _step_kinds(settings: TrainingSettings) -> dict[int, float]:
    """Numbers of steps that stand for all, with the share of each: with both regularisers, with one, with none."""
    path, r1 = settings.adversarial.path_length_interval, settings.adversarial.r1_interval
    assert r1 % path == 0, "a step with R1 has path length too"
    return {0: 1 / r1, path: 1 / path - 1 / r1, 1: 1 - 1 / path}


def _time_steps(stage: AdversarialStage, state: TrainingState, number: int, count: int) -> float:
    """Milliseconds of a step that is the run's `number`-th, of `count` in a row: the host goes ahead of a GPU."""

    def step() -> None:
        for _ in range(count):
            state.advance(steps=number)
            stage.step()
        synchronize(state.device)

    synchronize(state.device)
    return wall_ms(step) / count


# ---- heads


def head_cases(bench: Bench) -> Iterator[Case]:
    """Rendered on the device, as training data."""
    for resolution, count in bench.workload.heads:
        yield Case(f"heads {resolution} px", partial(_time_heads, bench, resolution, count), 3.0)


def _time_heads(bench: Bench, resolution: int, count: int) -> Figures:
    from tuiface.engine.training.data.head_shards import prepare_renderer
    from tuiface.heads import sample_parameters

    parameters, renderer = sample_parameters(count, 0), prepare_renderer(resolution, bench.device)
    times = time_calls(lambda: renderer.render(parameters), bench.device, 2 * bench.figure_s)
    how: Figures = {"batch": renderer.batch_size, "rendered_again": renderer.rendered_again, "notice": renderer.notice}
    return {"heads_per_s": count / times.ms * 1000, **times.figures(), **how}


# ---- learning


def learning_cases(bench: Bench) -> Iterator[Case]:
    """One concept of the embedded network, verified; then each phase, and what all concepts would take."""
    yield Case("smile, embedded network", partial(_time_concept, bench), 15.0)
    yield Case("phases, embedded network", partial(_time_phases, bench, lambda: _open_embedded(bench).network), 15.0)
    resolution = bench.workload.resolution
    yield Case(
        f"phases, config F, {resolution} px",
        partial(_time_phases, bench, lambda: open_random(bench.network(resolution), bench.settings.cache)),
        20.0,
    )


def _time_concept(bench: Bench) -> Figures:
    from tuiface.engine.learning.direction_requests import make_requested_directions

    network = _open_embedded(bench).network
    # Not by the engine, which may have kept the direction of an earlier run.
    return {"s": wall_ms(lambda: list(make_requested_directions(network, _plan(bench)))) / 1000}


def _time_phases(bench: Bench, open_network: Callable[[], OpenedNetwork]) -> Figures:
    return time_learning(open_network(), _plan(bench))


def _open_embedded(bench: Bench) -> LocalEngine:
    from tuiface.engine.loading import open_engine

    return open_engine(bench.settings.model_copy(update={"model": None, "device": bench.device.type}))


def _plan(bench: Bench) -> AttributesRequest:
    from tuiface.engine_api.requests import AttributesRequest

    load = bench.workload
    return AttributesRequest(names=("smile",), draws=load.draws, faces=load.faces, seeds=load.seeds)
