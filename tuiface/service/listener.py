"""The socket that the engine listens on: it knows who connects, and turns away who has connections enough.

Here rather than in the HTTP server, since a refusal must cost next to nothing: a thousand connections that say nothing
would else take every file that the process may open, and nobody could connect any more.
"""

from __future__ import annotations

import logging
import socket
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from tuiface.core.errors import EngineError
from tuiface.engine_api import codec
from tuiface.service.allowances import Allowances
from tuiface.service.peercred import socket_uid

log = logging.getLogger(__name__)

MAX_REFUSED_IN_A_ROW: Final = 64
"""Then the event loop goes on with those who are connected."""


class GuardedListener(socket.socket):
    """A listening Unix socket whose connections are counted by user."""

    def __init__(self, allowances: Allowances) -> None:
        super().__init__(socket.AF_UNIX)
        self._allowances = allowances

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection of a user who may have one more; raises BlockingIOError where there is none."""
        for _ in range(MAX_REFUSED_IN_A_ROW):
            connection, address = super().accept()
            uid = socket_uid(connection)
            try:
                self._allowances.connect(uid)
            except EngineError as refusal:
                log.warning("user %d: connection refused: %s", uid, refusal.message)
                _refuse(connection, refusal)
            else:
                return CountedConnection(connection, partial(self._allowances.disconnect, uid)), address
        raise BlockingIOError


class CountedConnection(socket.socket):
    """A connection that says when it ends."""

    def __init__(self, connection: socket.socket, on_close: Callable[[], None]) -> None:
        """Take over `connection`; `on_close` is called once, also where nobody closed it."""
        super().__init__(fileno=connection.detach())
        self._tell = weakref.finalize(self, on_close)

    def close(self) -> None:
        """Close it."""
        super().close()
        self._tell()


def _refuse(connection: socket.socket, refusal: EngineError) -> None:
    """Answer without reading what is asked, and hang up."""
    body = codec.encode(codec.to_error_message(refusal))
    head = (
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    with connection:
        connection.setblocking(False)  # noqa: FBT003 - the standard library's
        try:
            connection.send(head.encode() + body)  # a new connection has room for it
        except OSError:
            return
