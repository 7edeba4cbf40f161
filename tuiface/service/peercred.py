"""Who is at the other end of a connection: the kernel's word (SO_PEERCRED), which no client can forge."""

from __future__ import annotations

import asyncio
import socket
import struct

from starlette.requests import HTTPConnection

_CREDENTIALS = struct.Struct("3i")
"""struct ucred: process, user, group."""
CLIENT_KIND = "unix"
"""The ASGI scope has ("unix", user number) for a client."""


def peer_uid(connection: HTTPConnection) -> int:
    """The Unix user at the other end of a request or a WebSocket."""
    client = connection.client
    assert client is not None, "served without the protocols of ours"
    assert client.host == CLIENT_KIND, client
    return client.port


def transport_uid(transport: asyncio.BaseTransport) -> int:
    """The Unix user at the other end of an asyncio connection."""
    return socket_uid(transport.get_extra_info("socket"))


def socket_uid(connection: socket.socket) -> int:
    """The Unix user at the other end of a socket."""
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    assert isinstance(uid, int)
    return uid
