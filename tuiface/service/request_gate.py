"""What every request and every message passes on its way in: its size by its route, and its user's allowances."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tuiface.core.errors import InputFileError
from tuiface.service.allowances import Allowances
from tuiface.service.peercred import peer_uid
from tuiface.service.routes import max_body_bytes

log = logging.getLogger(__name__)


class RequestGate:
    """ASGI: what is refused here raises TuifaceError where the application reads."""

    def __init__(self, app: ASGIApp, allowances: Allowances) -> None:
        self._app = app
        self._allowances = allowances

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        uid, path = peer_uid(HTTPConnection(scope)), scope["path"]
        await self._allowances.wait_for_turn(uid)
        with _held_bytes(self._allowances, uid) as held:

            async def receive_bounded() -> Message:
                message = await receive()
                if message["type"] == "websocket.receive":
                    await self._allowances.wait_for_turn(uid)
                    held.replace(len(message.get("text") or message.get("bytes") or b""))
                elif message["type"] == "http.request":
                    await self._allowances.wait_for_turn(uid)
                    held.add(len(message.get("body", b"")), path)
                return message

            try:
                await self._app(scope, receive_bounded, send)
            except ClientDisconnect:  # in the middle of its request
                log.debug("%s: the client left", path)
            except asyncio.CancelledError:  # the server ends, and does not wait for this any longer
                log.info("%s: given up, since the engine ends", path)


class _HeldBytes:
    """What one connection's request, or its newest message, takes of its user's allowance."""

    def __init__(self, allowances: Allowances, uid: int) -> None:
        self._allowances = allowances
        self._uid = uid
        self._num_bytes = 0

    def add(self, num_bytes: int, path: str) -> None:
        """One more piece of a body; raises InputFileError or EngineError where it is too much."""
        limit = max_body_bytes(path)
        if self._num_bytes + num_bytes > limit:
            raise InputFileError(f"{path}: a request of more than {limit} bytes, the most that is accepted there")
        self._allowances.hold(self._uid, num_bytes)
        self._num_bytes += num_bytes

    def replace(self, num_bytes: int) -> None:
        """A message in place of the one before; raises EngineError where it is too much."""
        self._allowances.release(self._uid, self._num_bytes)
        self._num_bytes = 0
        self._allowances.hold(self._uid, num_bytes)
        self._num_bytes = num_bytes


@contextlib.contextmanager
def _held_bytes(allowances: Allowances, uid: int) -> Iterator[_HeldBytes]:
    held = _HeldBytes(allowances, uid)
    try:
        yield held
    finally:
        held.replace(0)
