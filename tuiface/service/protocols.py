"""HTTP and WebSocket as the engine speaks them: uvicorn's protocols, which trust their clients, with limits.

A request's head must come within HEAD_TIMEOUT_S, its body within BODY_TIMEOUT_S. A WebSocket may be silent for hours:
an interface that was stopped with Ctrl+Z finds its previews again. What is not HTTP, or no text, is answered in one
line and leaves one line in the log.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from tuiface.core.errors import EngineError
from tuiface.service.allowances import Allowances
from tuiface.service.peercred import CLIENT_KIND, transport_uid
from tuiface.service.routes import max_body_bytes

log = logging.getLogger(__name__)

HEAD_TIMEOUT_S: Final = 10.0
"""From the connection, or the answer before, until a request's head is whole."""
BODY_TIMEOUT_S: Final = 60.0
"""Until its body is."""
MAX_FRAGMENTS: Final = 1024
"""Frames of one message: empty ones would cost memory that no limit of bytes counts."""


class LimitedHTTP(H11Protocol):
    """HTTP whose ASGI scope tells the client's user."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._awaited: object = None
        """What of a request must come next: h11.IDLE for its head, h11.SEND_BODY, anything else for nothing."""
        self._deadline: asyncio.TimerHandle | None = None
        self._is_handed_over = False
        """The connection has become a WebSocket, of the other protocol."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel once a connection, and expect a request."""
        super().connection_made(transport)
        self.client = (CLIENT_KIND, transport_uid(transport))
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        super().data_received(data)
        self._watch()

    def handle_events(self) -> None:
        """Refuse what is no request, to the last byte of its head."""
        try:
            super().handle_events()
        except (UnicodeError, h11.ProtocolError):
            # uvicorn reads targets and names of headers as ASCII, and finds out too late that they are not.
            log.warning("a request refused: its head is not ASCII, or out of order")
            self._refuse()

    def on_response_complete(self) -> None:
        """Expect the next request."""
        super().on_response_complete()
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand over to the other protocol, which counts its own time."""
        self._is_handed_over = True
        self._stop_watching()
        super().handle_websocket_upgrade(event)

    def _refuse(self) -> None:
        try:
            self.send_400_response("Invalid HTTP request received.")
        except h11.LocalProtocolError:  # an answer is under way already
            self.transport.close()

    def _watch(self) -> None:
        """Begin to wait for what must come next, unless that is waited for already."""
        awaited: object = self.conn.their_state
        if self._is_handed_over:
            return
        if awaited == self._awaited and self._deadline is not None:
            return
        self._stop_watching()
        self._awaited = awaited
        if awaited in (h11.IDLE, h11.SEND_BODY) and not self.transport.is_closing():
            seconds = HEAD_TIMEOUT_S if awaited is h11.IDLE else BODY_TIMEOUT_S
            self._deadline = self.loop.call_later(seconds, self._hang_up, seconds)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self, seconds: float) -> None:
        log.warning("a request that did not come within %g s is given up", seconds)
        self.transport.abort()


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """The same for WebSockets."""

    def __init__(self, *arguments: Any, allowances: Allowances, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._allowances = allowances
        self._uid = -1
        self._unread = 0
        """Bytes of a message that is not whole yet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the kernel once a connection."""
        super().connection_made(transport)
        self._uid = transport_uid(transport)
        self.client = (CLIENT_KIND, self._uid)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is kept for it."""
        self._keep(0)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as far as the user may have bytes that wait."""
        try:
            self._allowances.hold(self._uid, len(data))
        except EngineError as refusal:
            log.warning("user %d: a message refused: %s", self._uid, refusal.message)
            self._fail(CloseCode.MESSAGE_TOO_BIG, "too much at once")
            return
        self._unread += len(data)
        try:
            super().data_received(data)
        except UnicodeError:
            log.warning("a WebSocket refused: its head is not ASCII")
            self.transport.close()
        self._keep(len(self.conn.reader.buffer) + sum(map(len, self.frames)))

    def handle_connect(self, event: Request) -> None:
        """The size of messages depends on the route."""
        self.conn.max_message_size = max_body_bytes(event.path.partition("?")[0])
        super().handle_connect(event)

    def handle_cont(self, event: Frame) -> None:
        """One more piece of a message."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Pass a whole message on."""
        if self.curr_msg_data_type == "text" and not _is_text(self.frames):
            log.warning("user %d: a message refused: it is no UTF-8", self._uid)
            self._fail(CloseCode.INVALID_DATA, "not UTF-8")
            return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer, unless whoever asks does not read: answers would pile up."""
        answer = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(answer)

    def _keep(self, unread: int) -> None:
        """So many bytes are still no message."""
        self._allowances.release(self._uid, self._unread - unread)
        self._unread = unread

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.frames = []
        self.conn.fail(code, reason)
        if self.conn.close_sent is None:  # before the handshake was answered
            self.transport.close()
        else:
            self.handle_parser_exception()


def _is_text(frames: list[bytes]) -> bool:
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True
