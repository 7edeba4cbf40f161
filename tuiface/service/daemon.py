"""A resident engine from the command line's side: started detached from its login, asked how it is, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path

from tuiface.core import processes
from tuiface.core.errors import EngineError
from tuiface.core.files import make_folder, translate_os_errors
from tuiface.core.own_files import open_own_file
from tuiface.core.settings import Settings
from tuiface.engine_api import codec
from tuiface.service import messages, runtime_folder
from tuiface.service.messages import Status, StopAnswer
from tuiface.service.private_process import (
    COMMAND,
    KILL_TIMEOUT_S,
    MAX_SOCKET_PATH_BYTES,
    read_report,
)
from tuiface.service.runtime_folder import SOCKET_NAME, EngineTakenError
from tuiface.service.unix_http import OK, UNREACHABLE, is_listening, request

LOG_NAME = "resident.log"
START_TIMEOUT_S = 300.0
"""A large checkpoint that is converted first takes a minute or two."""
ANSWER_TIMEOUT_S = 10.0
POLL_INTERVAL_S = 0.05
END_TIMEOUT_S = 5.0
"""What an engine that listens no more gets to leave its folder: it waits a moment for answers under way."""


def start(
    settings: Settings, *, idle_minutes: float, group: str | None = None, command: Sequence[str] = COMMAND
) -> Status:
    """Start this user's resident engine and return when it answers; it outlives this process and its login.

    `group` may use it too. Raises EngineTakenError where one runs, UsageError for an unknown group, OutputError for the
    folders, and what opening the network raises.
    """
    gid = None if group is None else runtime_folder.group_id(group)
    socket = settings.runtime / SOCKET_NAME
    if len(os.fsencode(socket)) > MAX_SOCKET_PATH_BYTES:
        raise EngineError(f"'{socket}' is longer than a socket's path may be", "set `runtime` to a shorter one")
    options = ["--socket", str(socket), "--idle-s", str(idle_minutes * 60)]
    options += [] if group is None else ["--group", group]
    with _claim_when_free(settings, socket, gid) as locks:
        _spawn(settings, [*command, *options], locks)
    found = query_status(settings)
    if found is None:
        raise EngineError("the engine stopped right after its start", f"its log is {settings.state / LOG_NAME}")
    return found


def query_status(settings: Settings) -> Status | None:
    """How the engine that the settings speak of is; None where none runs. Raises EngineError for one of another make.

    Raises as `runtime.find_socket` does for a folder that is not to be trusted.
    """
    socket = runtime_folder.find_socket(*runtime_folder.locate_engine(settings))
    if socket is None or not is_listening(socket):
        return None
    try:
        messages.decode_offer(_ask(socket, "GET", messages.OFFER_PATH))
        return codec.parse_answer(Status, _ask(socket, "GET", messages.STATUS_PATH), "status")
    except EngineError:
        if is_listening(socket):
            raise
        return None  # it ended meanwhile


def stop(settings: Settings, *, force: bool) -> StopAnswer | None:
    """End the engine after the saves that wait; returns when it is gone, or what keeps it. None where none runs.

    Raises UsageError where it is another user's.
    """
    socket = runtime_folder.find_socket(*runtime_folder.locate_engine(settings))
    if socket is None or not is_listening(socket):
        return None
    body = codec.encode(messages.StopMessage(force=force))
    answer = codec.parse_answer(StopAnswer, _ask(socket, "POST", messages.STOP_PATH, body), "stop")
    while answer.stops and is_listening(socket):
        time.sleep(POLL_INTERVAL_S)
    deadline = time.monotonic() + END_TIMEOUT_S
    while answer.stops and runtime_folder.is_claimed(socket.parent) and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)
    return answer


@contextlib.contextmanager
def _claim_when_free(settings: Settings, socket: Path, gid: int | None) -> Iterator[tuple[int, int]]:
    """`claim_folder`, once an engine that ends has left: killed or stopped a moment ago, it listens no more.

    Of several that wait, one gets it; the others are told of the engine that it starts.
    """
    deadline = time.monotonic() + END_TIMEOUT_S
    with contextlib.ExitStack() as stack:
        while True:
            try:
                locks = stack.enter_context(runtime_folder.claim_folder(settings.runtime, gid))
                break
            except EngineTakenError as taken:
                if is_listening(socket) or time.monotonic() > deadline:
                    raise _describe_taken(settings, taken) from None
            time.sleep(POLL_INTERVAL_S)
        yield locks


def _spawn(settings: Settings, command: Sequence[str], locks: tuple[int, int]) -> None:
    """Start the process and wait until it listens; raises what it reports, with the process ended."""
    log = settings.state / LOG_NAME
    make_folder(settings.state)
    ready, child_ready = os.pipe()
    try:
        with translate_os_errors(log), open(log, "ab", opener=open_own_file) as output:
            child = processes.start(
                [*command, "--log", str(log), "--ready", str(child_ready)],
                stdin=processes.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(child_ready, *locks),
                new_session=True,  # the end of the login and Ctrl+C reach this process alone
            )
    except BaseException:
        os.close(ready)
        raise
    finally:
        os.close(child_ready)
    try:
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
            pipe.write(settings.to_json())
        if not read_report(FileIO(ready), START_TIMEOUT_S, log):
            raise EngineError("the engine stopped while starting", f"its log is {log}")
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(KILL_TIMEOUT_S)
        raise


def _describe_taken(settings: Settings, taken: EngineTakenError) -> EngineTakenError:
    """The same with what is known of the engine that runs."""
    with contextlib.suppress(EngineError):
        found = query_status(settings)
        if found is not None:
            text = f"an engine of yours runs already: {found.model} on {found.device}, process {found.pid}"
            return EngineTakenError(text, "tuiface engine stop ends it")
    return taken


def _ask(socket: Path, method: str, path: str, body: bytes = b"") -> bytes:
    try:
        code, answer = request(socket, method, path, body, timeout_s=ANSWER_TIMEOUT_S)
    except UNREACHABLE as error:
        raise EngineError(f"the resident engine does not answer ({error})", "kill its process") from None
    if code != OK:
        raise codec.decode_error(answer)
    return answer
