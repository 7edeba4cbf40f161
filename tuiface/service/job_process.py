"""The process that does long work for a resident engine's client, and tells the engine how far it is.

    python -m tuiface.service.job_process --socket PATH --label TEXT -- COMMAND...

It runs `tuiface COMMAND... --json` as the user who asked, in a session of its own, and reads the command's progress
from its standard error. The first line that it prints is the job's number, or why it could not begin. It goes on if
the engine ends: a command that needs the engine fails then by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tuiface.core import processes
from tuiface.core.console import print_line
from tuiface.core.errors import EXIT_DONE, EXIT_ENGINE, EXIT_INTERRUPTED, EngineError
from tuiface.core.log_text import OneLineFormatter
from tuiface.core.strict_json import parse_strict_json
from tuiface.core.values import Value
from tuiface.core.words import is_whole_number
from tuiface.engine_api import codec
from tuiface.service import messages
from tuiface.service.messages import JobReport

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

COMMAND = processes.python_command("tuiface.cli")
ANSWER_TIMEOUT_S = 30.0
CANCEL_GRACE_S = 15.0
"""What a cancelled command gets to end in its own way."""

log = logging.getLogger(__name__)


class Reporter:
    """The engine's end of the work; falls silent when the engine is gone."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.is_cancelled = False
        """The user wants it to end."""

    def open(self, label: str, total: int) -> str:
        """The number that the engine gives the job, or its reason not to."""
        self._send(messages.JobOpening(label=label, total=total))
        answer = self._connection.recv(ANSWER_TIMEOUT_S)
        with contextlib.suppress(EngineError):
            return str(codec.parse_answer(messages.JobTicket, answer, "ticket").id)
        return str(codec.decode_error(answer))

    def tell(self, report: JobReport) -> None:
        """How far it is."""
        self._send(report)

    def wait_for_cancel(self) -> bool:
        """Whether the user wants it to end; False when the engine is gone."""
        from websockets.exceptions import WebSocketException

        with contextlib.suppress(OSError, WebSocketException):
            self.is_cancelled = bool(self._connection.recv())
        return self.is_cancelled

    def _send(self, message: Value) -> None:
        from websockets.exceptions import WebSocketException

        with contextlib.suppress(OSError, WebSocketException):
            self._connection.send(codec.encode(message).decode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the work; returns the command's own exit code."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import unix_connect

    options = _parse(arguments)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` hands it down ignored: no cancelling then
    handler = logging.StreamHandler()
    handler.setFormatter(OneLineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    with contextlib.ExitStack() as stack:
        try:
            address = "ws://engine" + messages.JOB_PATH
            connection = unix_connect(options.socket, address, compression=None, ping_interval=None, close_timeout=1)
            reporter = Reporter(stack.enter_context(connection))
            answer = reporter.open(options.label, options.total)
        except (OSError, WebSocketException) as error:
            answer = f"the resident engine does not answer ({error})"
        print_line(answer)
        if not is_whole_number(answer):
            return EXIT_ENGINE
        log.info("job %s: %s", answer, " ".join(options.command))
        end, code = run_command(reporter, options.command, options.total, options.result)
        log.info("job %s: %s %s", answer, end.state, end.message)
        reporter.tell(end)
    return code


def run_command(reporter: Reporter, command: Sequence[str], total: int, result: str) -> tuple[JobReport, int]:
    """Run the command and report its progress; returns how it ended, with its exit code."""
    child = processes.start([*COMMAND, *command, "--json"], stderr=processes.PIPE)
    threading.Thread(target=_cancel_when_asked, args=(reporter, child), daemon=True).start()
    progress, last = JobReport(total=total), ""
    for line in _read_lines(child):
        told = _parse_progress(line)
        if told is None:
            last = line or last
        else:
            progress = told
            reporter.tell(progress)
    code = child.wait()
    if code == EXIT_DONE:
        done = progress.total
        return JobReport(state="done", done=done, total=done, message=result), code
    if reporter.is_cancelled:
        return progress.model_copy(update={"state": "cancelled"}), EXIT_INTERRUPTED
    message = last.removeprefix("tuiface: ") or f"exit code {code}"
    return progress.model_copy(update={"state": "failed", "message": message[:2000]}), code


def _cancel_when_asked(reporter: Reporter, child: subprocess.Popen[bytes]) -> None:
    if reporter.wait_for_cancel():
        child.send_signal(signal.SIGINT)
        try:
            child.wait(CANCEL_GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()


def _read_lines(child: subprocess.Popen[bytes]) -> Iterator[str]:
    assert child.stderr is not None
    for line in io.TextIOWrapper(child.stderr, "utf-8", errors="replace"):
        yield line.strip()


def _parse_progress(line: str) -> JobReport | None:
    """What `tuiface.commands.output.print_progress` writes; None for any other line."""
    try:
        values = parse_strict_json(line)
        return JobReport(done=values["done"], total=values["total"])
    except (ValueError, TypeError, KeyError):
        return None


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tuiface.service.job_process")
    parser.add_argument("--socket", required=True, help="where the engine listens")
    parser.add_argument("--label", required=True, help="what is done, for people")
    parser.add_argument("--total", type=int, default=0, help="steps in all, where known")
    parser.add_argument("--result", default="", help="message when it is done: where the result lies")
    parser.add_argument("command", nargs="+", help="command of tuiface with its arguments")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
