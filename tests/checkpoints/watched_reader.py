"""A process that reads checkpoints under watch, one JSON line each: `-m tests.checkpoints.watched_reader FILE...`

Limits: 3 GiB of address space, 20 s of processor time. An audit hook records everything that could run code, start a
process, use the network or write a file; Python raises these events below any trick that a pickle could play.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

from tuiface.core.errors import ModelError
from tuiface.engine.checkpoints import inspect_checkpoint, read_checkpoint

from .golden import golden

FORBIDDEN = (
    *("exec", "compile", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pty.spawn"),
    *("pickle.find_class", "marshal.loads", "ctypes.dlopen", "socket.connect", "socket.bind", "import", "os.remove"),
    *("os.rename", "os.mkdir", "os.putenv", "shutil.rmtree", "object.__setattr__", "code.__new__", "function.__new__"),
)


def watch(seen: list[str]) -> None:
    """Record forbidden events in `seen`, from now on."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in FORBIDDEN:
            seen.append(f"{event} {arguments[0]!r}"[:80])
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            seen.append(f"open for writing {arguments[0]!r}"[:80])

    sys.addaudithook(hook)


def peak_rss_mb() -> float:
    """The largest resident size of this program. ru_maxrss would count what the parent held when it forked."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def read(path: Path) -> dict[str, object]:
    """What became of one file: outcome, message, seconds, and what its report says."""
    start = time.perf_counter()
    message, outcome = "", "refused"
    try:
        message, outcome = str(read_checkpoint(path).format), "opened"
    except ModelError as error:
        message = str(error)
    seconds = time.perf_counter() - start
    report = inspect_checkpoint(path) if path.stat().st_size else None
    return {
        "file": path.name,
        "outcome": outcome,
        "message": message,
        "seconds": seconds,
        "globals": list(report.globals) if report else [],
        "report_agrees": report is None or (report.refused is None) == (outcome == "opened"),
        "report_is_json": report is None or bool(json.dumps(report.to_json())),
        "max_rss_mb": peak_rss_mb(),
    }


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    # Codecs that the digest of a sound file needs are imported once, before the watch.
    read(golden("a_ada_uncond32").path)
    seen: list[str] = []
    watch(seen)
    for name in sys.argv[1:]:
        print(json.dumps({**read(Path(name)), "forbidden_events": seen, "torch": "torch" in sys.modules}), flush=True)


if __name__ == "__main__":
    main()
