"""HTTP over a Unix socket, a connection a request.

The standard library's client: an HTTP library of its own takes a third of a second to import, which is most of the time
to the first face where an engine runs already. A connection kept open might be closed by the server just as a save is
sent on it.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

UNREACHABLE = (OSError, http.client.HTTPException)
"""What `request` raises where nobody answers, or stops answering."""
OK = 200


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("engine", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def request(
    path: Path, method: str, target: str, body: bytes = b"", *, timeout_s: float | None = None
) -> tuple[int, bytes]:
    """Status and body of the answer; raises one of UNREACHABLE."""
    connection = _UnixConnection(path, timeout_s)
    try:
        connection.request(method, target, body, {"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextlib.contextmanager
def open_answer(path: Path, method: str, target: str, body: bytes = b"") -> Iterator[http.client.HTTPResponse]:
    """An answer that is read as it comes; leaving closes the connection. Raises one of UNREACHABLE."""
    connection = _UnixConnection(path, None)
    try:
        connection.request(method, target, body, {"Connection": "close"})
        yield connection.getresponse()
    finally:
        connection.close()


def is_listening(path: Path) -> bool:
    """Whether somebody listens at `path`."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)  # a full queue of connections makes even this wait
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
