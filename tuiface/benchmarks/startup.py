"""How long a user waits: the command line's help, the interface's first paint and its first face."""

from __future__ import annotations

import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import time

FIRST_FACE_MARK = b"\xe2\x96\x80"  # the half-block that faces are drawn with


def measure(rounds: int = 5) -> dict[str, float]:
    """Medians in milliseconds."""
    runs = [_interface_ms() for _ in range(rounds)]
    return {
        "python_ms": statistics.median(_help_ms(["-c", "pass"]) for _ in range(rounds)),
        "help_ms": statistics.median(_help_ms(["-m", "tuiface.cli", "--help"]) for _ in range(rounds)),
        "first_paint_ms": statistics.median(paint for paint, _ in runs),
        "first_face_ms": statistics.median(face for _, face in runs),
    }


def _help_ms(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def _interface_ms(timeout_s: float = 60) -> tuple[float, float]:
    """Start the interface under a pty of 120x40 cells: milliseconds to the painted screen, and to the first face."""
    start = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LINES": "40",
            "COLUMNS": "120",
        }
        os.execve(  # noqa: S606 - the measured program itself, under the pty
            sys.executable, [sys.executable, "-m", "tuiface.cli"], environment
        )
    paint = face = 0.0
    seen = b""
    try:
        while not face and time.perf_counter() - start < timeout_s:
            if select.select([terminal], [], [], 0.1)[0]:
                seen = seen[-4096:] + os.read(terminal, 65536)
                now = (time.perf_counter() - start) * 1000
                if not paint and b"seed" in seen.lower():
                    paint = now
                if FIRST_FACE_MARK * 4 in seen or seen.count(FIRST_FACE_MARK) > 100:
                    face = now
    except OSError:
        pass
    finally:
        os.kill(child, signal.SIGTERM)
        os.close(terminal)
        os.waitpid(child, 0)
    return paint, face
