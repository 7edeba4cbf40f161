"""How long a user waits: the command line's help, the interface's first paint and its first face."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from tuiface.benchmarks.tui import measure_start_ms
from tuiface.core import processes


def measure(rounds: int = 5) -> dict[str, float]:
    """Medians in milliseconds."""
    help_command = processes.python_command("tuiface.cli", "--help")
    runs = [measure_start_ms() for _ in range(rounds)]
    return {
        "python_ms": statistics.median(_time_process_ms([*processes.PYTHON, "-c", "pass"]) for _ in range(rounds)),
        "help_ms": statistics.median(_time_process_ms(help_command) for _ in range(rounds)),
        "first_paint_ms": statistics.median(paint for paint, _ in runs),
        "first_face_ms": statistics.median(face for _, face in runs),
    }


def _time_process_ms(command: Sequence[str]) -> float:
    start = time.perf_counter()
    processes.output_of(command)
    return (time.perf_counter() - start) * 1000
