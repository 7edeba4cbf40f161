"""A process that opens files as users' commands do, under limits: `-m tests.hostile.worker`, one JSON line a file.

Lines `DOOR<TAB>PATH` come in on standard input. A file may take `MAX_CPU_S` of processor time and `MAX_MB` of memory,
the program's own included. What takes more ends the process, as does any exception that is no TuifaceError.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fuzz.oracle import check_any_file, check_contents
from tuiface.core.errors import TuifaceError
from tuiface.directions.direction import encode_direction, read_direction
from tuiface.directions.importing import read_array, to_step

ROOT = Path(__file__).parents[2]
MAX_CPU_S = 5
MAX_MB = 600


def open_checkpoint(path: Path) -> None:
    """`model inspect`, `model convert`, and what every command does first with a checkpoint."""
    check_any_file(path)
    check_contents(path)


def open_arrays(path: Path) -> None:
    """The file's part of `directions import`."""
    array = read_array(path, None)
    assert array.dtype.name == "float32"
    to_step(array, 4, array.shape[-1] if array.shape else 1, path.name)


def open_direction(path: Path) -> None:
    """What the catalogue does with each file in its folder."""
    direction = read_direction(path)
    assert direction.sha256
    assert encode_direction(direction)


#: How a kind of file is opened; raises TuifaceError for one that is refused.
DOORS: Mapping[str, Callable[[Path], None]] = {
    "checkpoint": open_checkpoint,
    "arrays": open_arrays,
    "direction": open_direction,
}


def judge(door: str, path: Path) -> dict[str, Any]:
    """What became of one file: its outcome, "opened" or "refused", with the refusal, time and memory."""
    start, outcome, message = time.process_time(), "opened", ""
    try:
        DOORS[door](path)
    except TuifaceError as error:
        outcome, message = "refused", str(error)
    seconds = time.process_time() - start
    return {"file": path.name, "outcome": outcome, "message": message, "cpu_s": seconds, "peak_mb": _peak_mb()}


def judge_in_worker(cases: Sequence[tuple[str, Path]], folder: Path) -> list[dict[str, Any]]:
    """What workers, working in `folder`, made of the cases, one after another.

    The outcome of a case that ended its worker is the signal's number or the exception's line.
    """
    verdicts: list[dict[str, Any]] = []
    while len(verdicts) < len(cases):
        lines = "".join(f"{door}\t{path}\n" for door, path in cases[len(verdicts) :])
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.hostile.worker"]
        done = subprocess.run(
            command, input=lines, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        verdicts += [json.loads(line) for line in done.stdout.splitlines()]
        if len(verdicts) < len(cases):
            last = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
            outcome = f"signal {-done.returncode}" if done.returncode < 0 else last[0]
            verdicts.append({"file": cases[len(verdicts)][1].name, "outcome": outcome, "message": done.stderr[-2000:]})
    return verdicts


def main() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MB << 20, MAX_MB << 20))
    for line in sys.stdin:
        door, _, name = line.rstrip("\n").partition("\t")
        _forget_peak()
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + MAX_CPU_S, resource.RLIM_INFINITY))
        print(json.dumps(judge(door, Path(name))), flush=True)


def _forget_peak() -> None:
    """Begin to count this process's largest resident size anew."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    """The largest resident size since then; ru_maxrss would count what the parent held when it forked."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
