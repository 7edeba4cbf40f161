"""HTTP over a Unix socket, a connection a request.

The standard library's client: an HTTP library of its own takes a third of a second to import, which is most of the time
to the first face where an engine runs already. A connection kept open might be closed by the server just as a save is
sent on it.

The engine may be another user's, so its answers are bounded too: it may take long to begin one, since saves wait in
line, but not to end it, and no answer is longer than its route's (routes.py).
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tuiface.core.errors import EngineError
from tuiface.service.routes import max_answer_bytes

UNREACHABLE = (OSError, http.client.HTTPException)
"""What `request` raises where nobody answers, or stops answering."""
OK = 200
MAX_SILENCE_S: Final = 24 * 3600.0
"""Until an answer begins, where the caller sets no limit: an engine may have a day's saves in line."""
MAX_TRANSFER_S: Final = 120.0
"""From the first byte of an answer, or of a part of one, to its last."""
_LINE_FULL_PAUSE_S: Final = 0.005
MAX_ERROR_BYTES: Final = 64 * 1024


class _PatientSocket(socket.socket):
    """Waits `silence_s` for the first byte of a message, and MAX_TRANSFER_S for the rest of it."""

    silence_s = MAX_SILENCE_S
    _deadline: float | None = None
    """Of the message that is under way."""

    def expect_message(self) -> None:
        """Another message begins with the next byte."""
        self._deadline = None

    def recv_into(self, *arguments: Any, **named: Any) -> int:
        """As `socket.recv_into`; raises TimeoutError."""
        left_s = self.silence_s if self._deadline is None else self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("its answer does not come to an end")
        self.settimeout(left_s)
        count = super().recv_into(*arguments, **named)
        if self._deadline is None:
            self._deadline = time.monotonic() + MAX_TRANSFER_S
        return count


class _UnixConnection(http.client.HTTPConnection):
    patient: _PatientSocket
    """The socket, also when http.client has handed it over to the answer."""

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("engine")
        self._path = path
        self._connect_s = MAX_TRANSFER_S if timeout_s is None else timeout_s
        self._silence_s = MAX_SILENCE_S if timeout_s is None else timeout_s

    def connect(self) -> None:
        self.sock = self.patient = _PatientSocket(socket.AF_UNIX)
        self.patient.silence_s = self._silence_s
        self.sock.settimeout(self._connect_s)
        _connect_patiently(self.sock, self._path, self._connect_s)

    def ask(self, method: str, target: str, body: bytes) -> http.client.HTTPResponse:
        """Send a request; its answer's status and headers. An engine that refuses unread what is asked says why."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.request(method, target, body, {"Connection": "close"})
        return self.getresponse()


def _connect_patiently(connection: socket.socket, path: Path, timeout_s: float) -> None:
    """Connect, also where many others do: a socket with a time limit is turned away at once while the line is full."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection.connect(str(path))
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError("too many others connect") from None
            time.sleep(_LINE_FULL_PAUSE_S)
        else:
            return


class PartedAnswer:
    """An answer that is read as it comes."""

    def __init__(self, answer: http.client.HTTPResponse, connection: _PatientSocket) -> None:
        self._answer = answer
        self._connection = connection

    @property
    def is_ok(self) -> bool:
        """Whether parts follow; else it is an error."""
        return self._answer.status == OK

    def read_error(self) -> bytes:
        """The whole of an error."""
        return _read_bounded(self._answer, MAX_ERROR_BYTES)

    def read(self, size: int) -> bytes:
        """So many bytes, or fewer at the end; the engine may be silent after `expect_part`, not within a part."""
        return self._answer.read(size)

    def expect_part(self) -> None:
        """What comes next may take long to begin."""
        self._connection.expect_message()


def request(
    path: Path, method: str, target: str, body: bytes = b"", *, timeout_s: float | None = None
) -> tuple[int, bytes]:
    """Status and body of the answer; raises one of UNREACHABLE, or EngineError for an answer that is too long.

    `timeout_s` is how long the engine may be silent.
    """
    connection = _UnixConnection(path, timeout_s)
    try:
        answer = connection.ask(method, target, body)
        limit = max_answer_bytes(target) if answer.status == OK else MAX_ERROR_BYTES
        return answer.status, _read_bounded(answer, limit)
    finally:
        connection.close()


@contextlib.contextmanager
def open_answer(path: Path, method: str, target: str, body: bytes = b"") -> Iterator[PartedAnswer]:
    """An answer that is read as it comes; leaving closes the connection. Raises one of UNREACHABLE."""
    connection = _UnixConnection(path, None)
    try:
        answer = connection.ask(method, target, body)
        yield PartedAnswer(answer, connection.patient)
    finally:
        connection.close()


def _read_bounded(answer: http.client.HTTPResponse, limit: int) -> bytes:
    data = b"" if (answer.length or 0) > limit else answer.read(limit + 1)
    if (answer.length or 0) > limit or len(data) > limit:
        raise EngineError(f"the engine's answer is not understood: more than {limit} bytes")
    if answer.length:  # what was claimed and did not come: reading by pieces does not raise it
        raise http.client.IncompleteRead(data, answer.length)
    return data


def is_listening(path: Path) -> bool:
    """Whether somebody listens at `path`."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)  # a full queue of connections makes even this wait
        try:
            probe.connect(str(path))
        except BlockingIOError:  # so many wait to be accepted that the line is full
            return True
        except OSError:
            return False
    return True
