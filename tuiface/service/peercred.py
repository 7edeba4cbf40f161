"""Who is at the other end of a connection: the kernel's word (SO_PEERCRED), which no client can forge."""

from __future__ import annotations

import asyncio
import socket
import struct

from starlette.requests import HTTPConnection
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_CREDENTIALS = struct.Struct("3i")
"""struct ucred: process, user, group."""
_KIND = "unix"


class PeerHTTP(H11Protocol):
    """HTTP whose ASGI scope has ("unix", user number) for a client."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel once a connection."""
        super().connection_made(transport)
        self.client = (_KIND, _peer_uid(transport))


class PeerWebSocket(WebSocketsSansIOProtocol):
    """The same for WebSockets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the kernel once a connection."""
        super().connection_made(transport)
        self.client = (_KIND, _peer_uid(transport))


def peer_uid(connection: HTTPConnection) -> int:
    """The Unix user at the other end of a request or a WebSocket."""
    client = connection.client
    assert client is not None, "served without PeerHTTP"
    assert client.host == _KIND, client
    return client.port


def _peer_uid(transport: asyncio.BaseTransport) -> int:
    connection = transport.get_extra_info("socket")
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    assert isinstance(uid, int)
    return uid
