"""Who may connect: connections are counted by user, and whoever has enough, or comes too often, is turned away.

Here rather than in the HTTP server, since a refusal must cost next to nothing: a thousand connections that say nothing
would else take every file that the process may open, and nobody could connect any more. After so many refusals in a row
the server accepts nobody for REFUSAL_PAUSE_S, so that whoever is turned away and comes back at once does not take the
event loop, and Python's lock, from those who are connected.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import weakref
from collections.abc import Callable
from functools import partial
from typing import Final

import uvicorn

from tuiface.core.errors import EngineError
from tuiface.engine_api import codec
from tuiface.service.allowances import Allowances
from tuiface.service.peercred import socket_uid

log = logging.getLogger(__name__)

REFUSALS_IN_A_ROW: Final = 32
REFUSAL_PAUSE_S: Final = 0.005
NO_FILES_PAUSE_S: Final = 0.2
"""Where the process, or the system, has no file left."""


class GuardedServer(uvicorn.Server):
    """uvicorn's server, behind listeners whose connections are counted by user."""

    def __init__(self, config: uvicorn.Config, allowances: Allowances) -> None:
        super().__init__(config)
        self._allowances = allowances
        self._accepting: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept at `sockets`."""
        await super().startup(sockets=[])  # it would accept whoever comes
        for listener in sockets or []:
            listener.setblocking(False)  # noqa: FBT003 - the standard library's
            self._accepting.append(asyncio.create_task(self._accept(listener)))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nobody more, and end."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        await super().shutdown(sockets)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        num_refused = 0
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                log.warning("a connection could not be accepted: %s", error.strerror)
                await asyncio.sleep(NO_FILES_PAUSE_S)
                continue
            admitted = admit(connection, self._allowances)
            if admitted is None:
                num_refused += 1
                if num_refused % REFUSALS_IN_A_ROW == 0:
                    await asyncio.sleep(REFUSAL_PAUSE_S)
            else:
                num_refused = 0
                await loop.connect_accepted_socket(self._create_protocol, admitted)

    def _create_protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def admit(connection: socket.socket, allowances: Allowances) -> CountedConnection | None:
    """`connection`, counted as its user's until it is closed; None where it was refused."""
    uid = socket_uid(connection)
    try:
        allowances.connect(uid)
    except EngineError as refusal:
        log.warning("user %d: connection refused: %s", uid, refusal.message)
        _refuse(connection, refusal)
        return None
    return CountedConnection(connection, partial(allowances.disconnect, uid))


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
