"""How fast training goes here: pictures a second of each part of a step, in float32 and bfloat16.

The network is that of the figures in docs/performance.md: channel_base 2048, at most 128 channels. Run as a module it
measures one precision: `python -m tuiface.benchmarks.training PRECISION RESOLUTION THREADS BATCH`.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from tuiface.core.console import print_json
from tuiface.core.processes import output_of, python_command
from tuiface.core.strict_json import parse_strict_json

if TYPE_CHECKING:
    from torch import Tensor

    from tuiface.engine.training.gan.settings import TrainingSettings

PRECISIONS = ("float32", "bfloat16")


def measure(
    resolution: int = 128,
    threads: int = 2,
    *,
    batch: int = 16,
    rounds: int = 3,
    precisions: Sequence[str] = PRECISIONS,
) -> dict[str, dict[str, float]]:
    """By precision: images_per_s of the adversarial stage (regularisers included, at their intervals) and of the
    regression stage, and the milliseconds of each part of a step; medians over `rounds` processes taken in turn."""
    reports: dict[str, list[dict[str, float]]] = {precision: [] for precision in precisions}
    for _ in range(rounds):
        for precision in precisions:
            command = python_command(__name__, precision, str(resolution), str(threads), str(batch))
            reports[precision].append(parse_strict_json(output_of(command)))
    return {
        precision: {key: statistics.median(report[key] for report in runs) for key in runs[0]}
        for precision, runs in reports.items()
    }


def time_parts(settings: TrainingSettings, device: str = "cpu") -> dict[str, float]:
    """Median seconds of each pass of a step on random pictures, as the trainer runs them: on a GPU as graphs."""
    import torch

    from tuiface.engine.training.gan.adversarial import AdversarialStage
    from tuiface.engine.training.gan.paired import region_weights, regression_loss, synthesize_w
    from tuiface.engine.training.gan.state import TrainingState
    from tuiface.engine.training.passes import Passes
    from tuiface.engine.training.precision import use_precision

    state = TrainingState(settings, device)
    passes = Passes.on(state.rng, print)
    stage = AdversarialStage(state, RandomPictures(settings.resolution), 1, passes)
    num, side, w_dim = settings.batch, settings.resolution, settings.network.w_dim
    pictures = torch.rand(num, 3, side, side, device=device).contiguous(memory_format=torch.channels_last) * 2 - 1
    weights = region_weights(torch.zeros(num, side, side, dtype=torch.uint8, device=device))

    def regress() -> None:
        drawn = synthesize_w(state.generator, state.rng.normal(num, w_dim), side, state.dtype)
        regression_loss(drawn, pictures, weights).backward()  # type: ignore[no-untyped-call]

    parts: dict[str, Callable[[], object]] = {
        "generator": lambda: passes.run(stage.update_generator),
        "discriminator": lambda: passes.run(stage.update_discriminator, pictures, pictures),
        "path_length": lambda: passes.run(stage.regularise_path_length),
        "r1": lambda: passes.run(stage.regularise_gradient, pictures),
        "regression": lambda: passes.run(regress),
    }
    with use_precision(settings.precision), contextlib.closing(stage):
        return {name: _time_median(part, device) for name, part in parts.items()}


class RandomPictures:
    """Data that cost nothing."""

    fingerprint = "random"

    def __init__(self, resolution: int) -> None:
        import torch

        self._pixels = torch.randint(0, 256, (64, resolution, resolution, 3), dtype=torch.uint8)

    def count_available(self) -> int:
        """All of them."""
        return 64

    def pixels(self, indices: Tensor) -> Tensor:
        """uint8 [N, R, R, 3]."""
        return self._pixels[indices]

    def held_out(self) -> Tensor:
        """uint8 [8, R, R, 3]."""
        return self._pixels[:8]

    def close(self) -> None:
        """Nothing is open."""


def _time_median(part: Callable[[], object], device: str, rounds: int = 5) -> float:
    for _ in range(1 if device == "cpu" else 2):  # a GPU's second call captures
        part()
    seconds = []
    for _ in range(rounds):
        _synchronize(device)
        start = time.perf_counter()
        part()
        _synchronize(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _synchronize(device: str) -> None:
    import torch

    if device != "cpu":
        torch.cuda.synchronize(device)


def _main(precision: Literal["float32", "bfloat16"], resolution: int, threads: int, batch: int) -> None:
    from tuiface.engine.device import keep_freed_memory

    keep_freed_memory()
    import torch

    from tuiface.engine.training.gan.settings import TrainingSettings

    torch.set_num_threads(threads)
    values = {"data": "benchmark", "resolution": resolution, "batch": batch, "precision": precision}
    settings = TrainingSettings.model_validate(values)
    seconds = time_parts(settings)
    adversarial = settings.adversarial
    step = seconds["generator"] + seconds["discriminator"]
    step += seconds["path_length"] / adversarial.path_length_interval + seconds["r1"] / adversarial.r1_interval
    report = {f"{name}_ms": value * 1000 for name, value in seconds.items()}
    report["adversarial_images_per_s"] = batch / step
    report["unregularised_images_per_s"] = batch / (seconds["generator"] + seconds["discriminator"])
    report["regression_images_per_s"] = batch / seconds["regression"]
    print_json(report)


if __name__ == "__main__":
    _main("bfloat16" if sys.argv[1] == "bfloat16" else "float32", *map(int, sys.argv[2:5]))
