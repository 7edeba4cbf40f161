"""Starting fake engines, and watching processes without sleeping for fixed times."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tuiface.core.errors import TuifaceError
from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import RenderResult
from tuiface.service.client import PreviewStream, ResidentEngine

PATIENCE_S = 30.0
"""For what must happen but may be slow on a busy machine; nothing waits this long where all is well."""


def command(behaviour: str) -> tuple[str, ...]:
    return (sys.executable, "-P", str(Path(__file__).with_name("fake_child.py")), behaviour)


def eventually(condition: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait until `condition` holds; fail if it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.005)


def is_gone(pid: int) -> bool:
    """Whether no process `pid` runs; a zombie that init has not fetched yet does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def socket_of(pid: int) -> Path:
    """Where an engine process was told to listen."""
    command_line = Path(f"/proc/{pid}/cmdline")
    eventually(command_line.read_bytes)  # empty for a moment after a program was started
    arguments = command_line.read_bytes().decode().split("\0")
    return Path(arguments[arguments.index("--socket") + 1])


def settings_in(folder: Path) -> Settings:
    """Of a resident engine whose files all lie in `folder`."""
    (folder / "state").mkdir()
    (folder / "model.bin").write_bytes(b"a network")
    return Settings(model=folder / "model.bin", state=folder / "state", runtime=folder / "run")


def rendered(settings: Settings) -> list[int]:
    """Sequences of what the fake engine rendered, in order."""
    diary = settings.state / "rendered"
    return [int(line) for line in diary.read_text().split()] if diary.exists() else []


def open_gate(settings: Settings) -> None:
    """Let the pictures of seed GATED end."""
    (settings.state / "gate").touch()


def forget_rendered(settings: Settings) -> None:
    """Empty the diary and close the gate."""
    for name in ("rendered", "gate"):
        (settings.state / name).unlink(missing_ok=True)


class Watcher:
    """Callbacks of a stream that keep what came."""

    def __init__(self) -> None:
        self.frames: list[RenderResult] = []
        self.errors: list[TuifaceError] = []

    def stream(self, engine: ResidentEngine) -> PreviewStream:
        """A stream of `engine` that calls this object."""
        return engine.stream(self.frames.append, self.errors.append)

    @property
    def sequences(self) -> list[int]:
        return [frame.sequence for frame in self.frames]
