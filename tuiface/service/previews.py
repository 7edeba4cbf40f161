"""Previews for one client: the newest request is rendered, those that it replaced never are."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future

from starlette.status import WS_1008_POLICY_VIOLATION
from starlette.websockets import WebSocket

from tuiface.core.errors import InputFileError, TuifaceError
from tuiface.core.latest import Latest
from tuiface.engine.scheduler import Scheduler
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import Engine, InterruptibleEngine, RenderRequest, RenderResult, Superseded
from tuiface.service.allowances import Allowances
from tuiface.service.answers import to_tuiface_error
from tuiface.service.peercred import peer_uid

log = logging.getLogger(__name__)


class PreviewRenderer:
    """The previews of one connection, of which the newest is rendered."""

    def __init__(self, engine: Engine, scheduler: Scheduler, client: int) -> None:
        self.newest: Latest[RenderRequest] = Latest()
        """What waits to be rendered."""
        self.sequence = 0
        """Of the request that was taken last."""
        self._engine = engine
        self._scheduler = scheduler
        self._client = client

    def submit(self) -> Future[RenderResult]:
        """Line up for whatever is the newest request when the turn comes; one must wait, and no other turn be awaited.

        The future raises Superseded where the picture was given up because a newer request came.
        """
        return self._scheduler.submit("preview", self._client, self._render)

    def _render(self) -> RenderResult:
        request = self.newest.take()
        assert request is not None, "two turns for one request"
        self.sequence = request.sequence
        if isinstance(self._engine, InterruptibleEngine):
            return self._engine.render_while(lambda: self.newest.is_empty, request)
        return self._engine.render(request)


async def serve_previews(socket: WebSocket, engine: Engine, scheduler: Scheduler, allowances: Allowances) -> None:
    """Answer until the client leaves, or is sent away for a message that is no request."""
    previews = PreviewRenderer(engine, scheduler, peer_uid(socket))
    answers = asyncio.create_task(_answer(socket, previews))
    try:
        await _collect_requests(socket, previews.newest, allowances)
    finally:
        answers.cancel()
        await asyncio.gather(answers, return_exceptions=True)


async def _collect_requests(socket: WebSocket, newest: Latest[RenderRequest], allowances: Allowances) -> None:
    uid = peer_uid(socket)
    try:
        while (message := await socket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text is None:
                raise InputFileError("render job: a binary message; accepted is JSON text")
            newest.put(await allowances.decode(uid, codec.decode_render_request, text.encode()))
    except TuifaceError as refusal:
        await socket.send_text(codec.encode(codec.to_error_message(refusal)).decode())
        await socket.close(WS_1008_POLICY_VIOLATION)


async def _answer(socket: WebSocket, previews: PreviewRenderer) -> None:
    """Render the newest request, over and over. A client that reads slowly delays its own next picture alone."""
    while await previews.newest.filled():
        try:
            result = await asyncio.wrap_future(previews.submit())
            answer = codec.encode_render_result(result)
        except Superseded:
            continue
        except Exception as error:
            if not isinstance(error, TuifaceError):
                log.exception("preview %d failed", previews.sequence)
            refusal = codec.to_error_message(to_tuiface_error(error), previews.sequence)
            await socket.send_text(codec.encode(refusal).decode())
        else:
            await socket.send_bytes(answer)
