"""A process that opens files as users' commands do, under limits: `-m tests.hostile.worker`, one JSON line a file.

Lines `DOOR<TAB>PATH` come in on standard input. A file may take `MAX_CPU_S` of processor time and `MAX_MB` of memory,
the program's own included. What takes more of either, or raises another exception than TuifaceError, ends the process.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
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
MAX_DATA_MB = 1500
"""What the process may ask for; torch asks for much more than it touches."""


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


def open_predictor(path: Path) -> None:
    """What locks and measures do with the reader that a user taught, and training with the one that it begins from."""
    from tuiface.engine.predictors.files import load_predictor, read_predictor_card

    load_predictor(path, read_predictor_card(path).kind)


def open_network(path: Path) -> None:
    """The file's part of `render --model`: prepared, then built."""
    from tuiface.engine.checkpoint import prepare_checkpoint
    from tuiface.engine.networks.build import build_checkpoint

    with tempfile.TemporaryDirectory() as cache:
        build_checkpoint(prepare_checkpoint(path, Path(cache)), "cpu", Path(cache))


#: How a kind of file is opened; raises TuifaceError for one that is refused.
DOORS: Mapping[str, Callable[[Path], None]] = {
    "checkpoint": open_checkpoint,
    "arrays": open_arrays,
    "direction": open_direction,
    "predictor": open_predictor,
    "network": open_network,
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
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_MB << 20, MAX_DATA_MB << 20))
    for line in sys.stdin:
        door, _, name = line.rstrip("\n").partition("\t")
        _forget_peak()
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + MAX_CPU_S, resource.RLIM_INFINITY))
        verdict = judge(door, Path(name))
        if verdict["peak_mb"] > MAX_MB:
            raise MemoryError(f"{verdict['peak_mb']:.0f} MB")
        print(json.dumps(verdict), flush=True)


def _forget_peak() -> None:
    """Begin to count this process's largest resident size anew."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    """The largest resident size since then; ru_maxrss would count what the parent held when it forked."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
