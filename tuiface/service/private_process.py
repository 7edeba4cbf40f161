"""The engine's process as its parent sees it: started, waited for, and gone in the end.

settings    JSON on the child's standard input
ready       pipe, child to parent: one Report, or nothing where the child died
lifeline    pipe that the parent holds open and never writes to: the child leaves when it closes
log         the child's output, in settings.state, or beside the socket where that cannot be written: nothing ever
            reaches the terminal
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from tuiface.core.errors import EngineError
from tuiface.core.files import is_writable, make_folder, translate_os_errors
from tuiface.core.own_files import open_own_file
from tuiface.core.processes import PIPE, python_command, start
from tuiface.core.settings import Settings
from tuiface.engine_api import codec

COMMAND = python_command("tuiface.service")

LOG_NAME = "engine.log"
PREVIOUS_LOG_NAME = "engine.previous.log"

MAX_SOCKET_PATH_BYTES = 107
"""sun_path in Linux' sockaddr_un is 108 bytes, of which the last is zero."""
EXIT_TIMEOUT_S = 1.0
"""What a child gets between the end of its lifeline and SIGKILL; an idle one needs a few milliseconds."""
KILL_TIMEOUT_S = 5.0
"""How long SIGKILL is waited for: a process stuck in a device driver ends when the driver lets it."""


class EngineProcess:
    """A running child. `wait_ready` before the first request; `stop` in every case."""

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        """Start it; raises OutputError for a log that is no regular file of the user's own, EngineError where nothing
        can be started.
        """
        self._folder = _make_socket_folder()
        self.log = _log_folder(settings.state, self._folder) / LOG_NAME
        self.socket = self._folder / "engine.sock"
        child_lifeline, lifeline = os.pipe()
        ready, child_ready = os.pipe()
        self._lifeline = os.fdopen(lifeline, "wb", buffering=0)
        self._ready = os.fdopen(ready, "rb", buffering=0)
        arguments = ["--socket", str(self.socket), "--lifeline", str(child_lifeline), "--ready", str(child_ready)]
        try:
            with _open_new_log(self.log.parent) as log:
                self._child = start(
                    [*command, *arguments],
                    stdin=PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=(child_lifeline, child_ready),
                    new_session=True,  # Ctrl+C in the terminal is for the parent to decide about
                )
        except BaseException as error:
            self._ready.close()
            self._release()
            if isinstance(error, OSError):
                raise EngineError(f"cannot start {command[0]}: {error.strerror}") from None
            raise
        finally:
            os.close(child_lifeline)
            os.close(child_ready)
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._child.stdin as pipe:  # a dead child shows on the ready pipe
            pipe.write(settings.to_json())

    @property
    def pid(self) -> int:
        """Process id, of a child that may have ended."""
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether the child has not ended yet."""
        return self._child.poll() is None

    def wait_ready(self, timeout_s: float) -> None:
        """Return when the socket listens.

        Raises the error that the child reported, or EngineError where it died or took longer than `timeout_s`.
        """
        if not read_report(self._ready, timeout_s, self.log):
            raise self.stopped_error(" while starting")

    def stopped_error(self, when: str = "") -> EngineError:
        """How the child ended, as far as it has within a second: a socket closes shortly before its process is gone."""
        try:
            code = self._child.wait(1)
        except subprocess.TimeoutExpired:
            return EngineError(f"the engine does not answer{when}", f"its log is {self.log}")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        memory = "the system may have run out of memory; " if code == -signal.SIGKILL else ""
        return EngineError(f"the engine stopped{when} ({how})", f"{memory}its log is {self.log}")

    def stop(self) -> None:
        """End the child, wait for its end and remove its folder. Calling it again changes nothing."""
        self._lifeline.close()
        try:
            self._child.wait(EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(KILL_TIMEOUT_S)
        self._release()

    def _release(self) -> None:
        self._lifeline.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def read_report(ready: FileIO, timeout_s: float, log: Path) -> bool:
    """What a new engine says through its ready pipe, which is closed; False where it ended without a word.

    Raises the error that it reported, or EngineError where it took longer than `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    poll = select.poll()
    poll.register(ready, select.POLLIN)
    text = b""
    with ready:
        while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            chunk = ready.read(65536)
            if not chunk:
                break
            text += chunk
        else:
            raise EngineError(f"the engine did not start within {timeout_s:g} s", f"its log is {log}")
    if text:
        report = codec.decode_report(text)
        if report.error is not None:
            raise codec.to_error(report.error)
    return bool(text)


def _make_socket_folder() -> Path:
    """A new folder, mode 0700, in the first place where the socket's path is short enough for the system."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    places = [*([runtime] if runtime else []), tempfile.gettempdir(), "/tmp"]  # noqa: S108 - mkdtemp makes it private
    for place in places:
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix="tuiface-", dir=place))
            if len(os.fsencode(folder / "engine.sock")) <= MAX_SOCKET_PATH_BYTES:
                return folder
            folder.rmdir()
    raise EngineError(f"no folder for the engine's socket; tried {', '.join(places)}", "set XDG_RUNTIME_DIR to one")


def _log_folder(state: Path, own: Path) -> Path:
    """`state`, or where nothing can be written there, as on a home that is mounted read-only, the process' `own`."""
    return state if is_writable(state) else own


@contextlib.contextmanager
def _open_new_log(folder: Path) -> Iterator[BinaryIO]:
    """An empty log file; that of the start before is kept beside it."""
    make_folder(folder)
    path = folder / LOG_NAME
    with translate_os_errors(path):
        with contextlib.suppress(FileNotFoundError):
            path.replace(folder / PREVIOUS_LOG_NAME)
        file = open(path, "wb", opener=open_own_file)  # noqa: SIM115 - closed below
    with file:
        yield file
