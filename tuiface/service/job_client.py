"""Long work that outlives its client: started, watched, cancelled and forgotten from the client's side.

A job is a command of tuiface, run by a process of this user (job_process.py) that tells the resident engine how far it
is. Neither the end of the client nor that of the SSH connection touches it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from tuiface.core import processes
from tuiface.core.errors import EngineError
from tuiface.core.files import make_folder, translate_os_errors
from tuiface.core.own_files import open_own_file
from tuiface.core.visible import escape_bytes
from tuiface.core.words import is_whole_number
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import JobProgress
from tuiface.service import messages
from tuiface.service.routes import max_answer_bytes
from tuiface.service.unix_http import OK, UNREACHABLE, request

COMMAND = processes.python_command("tuiface.service.job_process")
LOG_NAME = "jobs.log"
MAX_LOG_BYTES = 1024 * 1024
ANSWER_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 1.0
MIN_INTERVAL_S = 0.05
"""Between two lists; an engine tells changes no more often than this."""

OnJobs = Callable[[tuple[JobProgress, ...]], None]


class JobWatch:
    """Calls back on a thread of its own with all jobs of this user, at once and after every change."""

    def __init__(self, socket: Path, on_jobs: OnJobs) -> None:
        self._socket = socket
        self._on_jobs = on_jobs
        self._is_closed = False
        self._close: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="shared-jobs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No callback begins after this."""
        self._is_closed = True
        self._close()

    def _run(self) -> None:
        """Until closed, or the engine goes away: the preview stream tells of that."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import unix_connect

        try:
            with unix_connect(
                str(self._socket),
                "ws://engine" + messages.JOBS_PATH,
                compression=None,
                ping_interval=None,
                max_size=max_answer_bytes(messages.JOBS_PATH),
                close_timeout=CLOSE_TIMEOUT_S,
            ) as connection:
                self._close = connection.close
                for text in connection:
                    if self._is_closed:
                        return
                    self._on_jobs(codec.parse_answer(messages.JobList, text, "jobs").jobs)
                    time.sleep(MIN_INTERVAL_S)
        except (OSError, WebSocketException, EngineError):
            return


class SharedJobs:
    """The jobs of this user in the engine at `socket`; the log of their processes lies in `state`."""

    def __init__(self, socket: Path, state: Path) -> None:
        self._socket = socket
        self._state = state

    def watch(self, on_jobs: OnJobs) -> JobWatch:
        """Be told of every change."""
        return JobWatch(self._socket, on_jobs)

    def start(self, label: str, arguments: Sequence[str], *, total: int = 0, result: str = "") -> int:
        """Run `tuiface ARGUMENTS` detached from this process; returns the job's number in the engine.

        `result` is its message when it is done: where the result lies. Waits until the engine knows of it, so it is
        not for the app's thread. Raises EngineError where it could not begin, OutputError for the log.
        """
        label, result = escape_bytes(label), escape_bytes(result)
        options = ["--socket", str(self._socket), f"--label={label}", f"--total={total}", f"--result={result}"]
        with self._log() as log:
            child = processes.start(
                [*COMMAND, *options, "--", *arguments], stdout=processes.PIPE, stderr=log, new_session=True
            )
        assert child.stdout is not None
        with child.stdout as pipe:
            answer = pipe.readline().decode(errors="replace").strip()
        # The process goes on; when it ends, this thread fetches its exit status.
        threading.Thread(target=child.wait, name="job-ended", daemon=True).start()
        if not is_whole_number(answer):
            raise EngineError(answer or "the job did not begin", f"its log is {self._state / LOG_NAME}")
        return int(answer)

    def cancel(self, number: int) -> None:
        """Ask a job to end; raises UsageError for a number that is none of this user's."""
        self._post(messages.CANCEL_PATH, codec.encode(messages.JobNumber(id=number)))

    def forget(self) -> None:
        """Drop the jobs of this user that are over."""
        self._post(messages.FORGET_PATH)

    def _post(self, path: str, body: bytes = b"") -> None:
        try:
            status, answer = request(self._socket, "POST", path, body, timeout_s=ANSWER_TIMEOUT_S)
        except UNREACHABLE as error:
            raise EngineError(f"the resident engine does not answer ({error})") from None
        if status != OK:
            raise codec.decode_error(answer)

    def _log(self) -> BinaryIO:
        """The end of the log, which begins anew when it has grown large."""
        make_folder(self._state)
        path = self._state / LOG_NAME
        with translate_os_errors(path):
            is_large = path.exists() and path.stat().st_size > MAX_LOG_BYTES
            return open(path, "wb" if is_large else "ab", opener=open_own_file)
