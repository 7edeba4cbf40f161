"""Five minutes, shared among the sections: each runs in a process of its own, and is ended when its time is over."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from typing import IO

from tuiface.benchmarks.gpu.bench import Ceilings
from tuiface.benchmarks.gpu.ceilings import ceilings_of
from tuiface.benchmarks.gpu.rows import Row, Section
from tuiface.benchmarks.gpu.sections import SECTION_NAMES, SECTIONS, Order
from tuiface.core.processes import PIPE, python_command, start
from tuiface.core.settings import Settings
from tuiface.core.strict_json import parse_strict_json

TOTAL_S = 300.0
_GRACE_S = 5.0
"""Between the time at which a section should stop by itself and the one at which it is ended."""


def measure(
    settings: Settings,
    *,
    device: str = "cuda",
    workload: str = "full",
    only: Collection[str] = SECTION_NAMES,
    total_s: float = TOTAL_S,
) -> Iterator[Row]:
    """Rows of all sections, or of `only` those, as they are measured; raises EngineError without such a device."""
    from tuiface.engine.device import choose_device

    choose_device(device)
    ends = time.monotonic() + total_s
    chosen = [section for section in SECTIONS if section.name in only]
    ceilings = Ceilings()
    for number, section in enumerate(chosen):
        kept = sum(later.least_s for later in chosen[number + 1 :])
        seconds = min(section.limit_s, ends - time.monotonic() - kept)
        if seconds < section.least_s:
            yield Row(section.name, "left out", skipped=f"{max(seconds, 0):.0f} s left; it needs {section.least_s:.0f}")
            continue
        order = Order(
            section.name, device, workload, str(settings.cache), time.monotonic() + seconds - _GRACE_S, ceilings
        )
        rows = []
        for row in _run_in_process(section, order, seconds):
            rows.append(row)
            yield row
        ceilings = ceilings_of(rows) if ceilings_of(rows).copy_gb_per_s else ceilings


def _run_in_process(section: Section, order: Order, seconds: float) -> Iterator[Row]:
    ends = time.monotonic() + seconds
    command = python_command("tuiface.benchmarks.gpu.sections", json.dumps(order.to_json()))
    with tempfile.TemporaryFile() as said:
        process = start(command, stdout=PIPE, stderr=said, new_session=True)
        try:
            for line in _lines_until(ends, process):
                if not line.startswith(b"{"):
                    continue  # of a library
                yield Row.from_json(parse_strict_json(line))
            code = process.wait(max(ends - time.monotonic(), 0.1))
        except (TimeoutError, subprocess.TimeoutExpired):
            yield Row(section.name, "not finished", error=f"ended after {seconds:.0f} s")
            return
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it started
            process.wait()
        if code:
            yield Row(
                section.name, "not finished", error=f"its process ended with exit code {code}: {_last_line(said)}"
            )


def _lines_until(ends: float, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """What a process prints; raises TimeoutError at `ends` on the monotonic clock."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    output = process.stdout
    assert output is not None

    def read() -> None:
        for line in output:
            lines.put(line)
        lines.put(b"")

    threading.Thread(target=read, name="bench-gpu", daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=max(ends - time.monotonic(), 0.0))
        except queue.Empty:
            raise TimeoutError from None
        if not line:
            return
        yield line


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing was said"
