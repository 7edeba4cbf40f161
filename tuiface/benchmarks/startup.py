"""How long a user waits: the command line's help, the interface's first paint and its first face."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from tuiface.benchmarks.tui import measure_start_ms


def measure(rounds: int = 5) -> dict[str, float]:
    """Medians in milliseconds."""
    runs = [measure_start_ms() for _ in range(rounds)]
    return {
        "python_ms": statistics.median(_time_process_ms(["-c", "pass"]) for _ in range(rounds)),
        "help_ms": statistics.median(_time_process_ms(["-m", "tuiface.cli", "--help"]) for _ in range(rounds)),
        "first_paint_ms": statistics.median(paint for paint, _ in runs),
        "first_face_ms": statistics.median(face for _, face in runs),
    }


def _time_process_ms(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000
