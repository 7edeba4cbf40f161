"""A tiny run as a process of its own, to be killed: `python -m tests.training.run_tiny DATA OUT PAUSE`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.training.conftest import tiny_limits, tiny_settings
from tuiface.engine.training import SNAPSHOT_NAME, train
from tuiface.engine.training.gan.adversarial import AdversarialStage


def slow_down(pause: float) -> None:
    """Every step from now on takes `pause` seconds longer."""
    step = AdversarialStage.step

    def slow_step(self: AdversarialStage) -> object:
        time.sleep(pause)
        return step(self)

    AdversarialStage.step = slow_step  # type: ignore[assignment,method-assign]


def run(data: Path, out: Path) -> None:
    """Begin or resume; a snapshot after every step."""
    snapshot = out / SNAPSHOT_NAME
    limits = tiny_limits(out, snapshot_minutes=1e-6, tick_kimg=0.024)
    train(tiny_settings(data), limits, resume=snapshot if snapshot.exists() else None)


if __name__ == "__main__":
    slow_down(float(sys.argv[3]))
    run(Path(sys.argv[1]), Path(sys.argv[2]))
    assert "torch._dynamo" not in sys.modules, "a run must not wait for a compiler that it does not use"
