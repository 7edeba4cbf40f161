"""What learning directions costs on a network: the time of each phase, and what it comes to for all that a reader sees.

On the embedded network three concepts in four take the first step that is tried, and half of the others are fitted
through the network when `--even` is asked for; the estimate counts so for any network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from tuiface.engine.learning.batch_predict import EXACT, predict_attributes
from tuiface.engine.learning.fisher_discriminant import compute_attribute_gradients
from tuiface.engine.learning.fitting import EvaluationFaces, population_deviation, read_population
from tuiface.engine.learning.monotone_refinement import BATCH_SIZE, NUM_ITERATIONS, refine_step
from tuiface.engine.learning.reading_precision import measure_precision
from tuiface.engine.learning.verification import AMOUNTS, verify_step

if TYPE_CHECKING:
    from pathlib import Path

    from tuiface.engine.networks.generator import Generator
    from tuiface.engine.opened_network import OpenedNetwork
    from tuiface.engine_api.requests import AttributesRequest

EASY_PICTURES, HARD_PICTURES = 240, 3350
"""On which the step of one concept is tried: where the first one does, and where none does (40 faces, measured)."""
HARD_SHARE, EVENED_SHARE = 1 / 4, 1 / 8
_TIMED_FACES, _GRADIENT_FACES = 64, 8


def open_random(generator: Generator, cache: Path) -> OpenedNetwork:
    """A generator as an engine holds it, for what no file holds. It has no regions of its own in `cache`."""
    from tuiface.engine.checkpoint import Checkpoint, CheckpointInfo
    from tuiface.engine.device import draft_dtype
    from tuiface.engine.opened_network import OpenedNetwork

    info = CheckpointInfo(cache, "random", "random", "0" * 64, "0" * 64, None, ())
    device = generator.mapping.w_avg.device
    return OpenedNetwork(Checkpoint(generator, None, info), draft_dtype(device), cache / "no-regions")


def time_learning(network: OpenedNetwork, plan: AttributesRequest) -> Mapping[str, float | str]:
    """Milliseconds and seconds by phase, and minutes for all attributes at the plan's settings, with `--even`.

    The direction along which things are timed is the network's first component: no phase asks what it shows.
    """
    predictor, device = network.attributes, network.device
    count, few = min(_TIMED_FACES, 4 * plan.seeds), min(_GRADIENT_FACES, plan.faces)
    drafts = measure_precision(network, predictor, full=False, faces=count)
    precision = drafts.precision
    final = EXACT if precision.resolution else precision
    _, read = read_population(network, predictor, count, precision)
    deviation = population_deviation(read)
    scale = torch.from_numpy(deviation).float().to(device)
    some = EvaluationFaces.of(network, predictor, deviation, count, precision=precision).ws
    evaluation = EvaluationFaces.of(network, predictor, deviation, plan.seeds, precision=final)
    assert len(evaluation.unmoved) == plan.seeds, "read once for all concepts"
    step = network.population.basis[:, 0].expand(network.generator.num_ws, -1).contiguous()

    read_s = _seconds(lambda: predict_attributes(network.generator, predictor, some, precision), device) / count
    gradients_s = _seconds(
        lambda: compute_attribute_gradients(network, predictor, some[:few], scale, precision), device
    )
    turn_s = _seconds(lambda: refine_step(network, predictor, scale, step, 0, [], precision, turns=1), device)
    turn_s = max(turn_s - len(AMOUNTS) * BATCH_SIZE * read_s, 0.0)  # the range at the start, which is read once
    verify_s = _seconds(lambda: verify_step(evaluation, step, 0, network.regions), device)
    gradients_s *= plan.faces / few
    num = len(predictor.names)
    trials = (1 - HARD_SHARE) * EASY_PICTURES + HARD_SHARE * HARD_PICTURES
    each_s = verify_s + trials * read_s + EVENED_SHARE * NUM_ITERATIONS * turn_s
    return {
        "read_ms": read_s * 1000,
        "gradients_s": gradients_s,
        "evening_turn_ms": turn_s * 1000,
        "verify_s": verify_s,
        "estimated_minutes": (plan.draws * read_s + gradients_s + num * each_s) / 60,
        "dtype": precision.dtype,
        "reader_dtype": precision.reader_dtype,
        "read_px": str(network.generator.check_resolution(precision.resolution)),
        "reading_error": drafts.error,
    }


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Of one call, with the device at rest before and after; on a GPU of the second, when all is captured."""
    if device.type == "cuda":
        work()
        torch.cuda.synchronize(device)
    begun = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begun
