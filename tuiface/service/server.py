"""The engine behind HTTP and WebSocket, for clients on this machine.

    GET  /health     {"status": "ok"}
    GET  /info       InfoMessage
    POST /render     RenderMessage in, a result out; rendered in the order of arrival, none is dropped
    POST /map        MapMessage in, ArrayMessage out: z to w
    POST /ws         WsMessage in, ArrayMessage out: a recipe's rows of W+
    POST /features   FeaturesMessage in, ArrayMessage out: seeds to what is known of their faces
    POST /work       WorkMessage in, parts out as they are done: directions, strips, means, regions (long_work.py)
    POST /faces      FaceRequestMessage in, OptimisedFaceMessage out: with another's frame, or two crossed
    WS   /preview    RenderMessage texts in; a result (binary) or an ErrorMessage (text) out for the newest each time;
                 none for one that was given up for a newer one

Everything that the engine computes goes by its scheduler (engine/scheduler.py), on whose threads it runs: one for
pictures and latents, one for each long work. Clients are told apart by their Unix user. The event loop only moves
bytes. An engine that several clients share answers more: sharing.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import numpy as np
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import StreamingResponse

from tuiface.core.errors import EngineError, InputFileError, TuifaceError
from tuiface.core.latest import Latest
from tuiface.engine.scheduler import Kind, Scheduler, scheduler_of, stopping_error
from tuiface.engine_api import codec
from tuiface.engine_api.packed import ArrayMessage
from tuiface.engine_api.protocol import Engine, InterruptibleEngine, RenderRequest, RenderResult, Superseded
from tuiface.service.long_work import WorkStream
from tuiface.service.peercred import peer_uid
from tuiface.service.sharing import SharedEngineState, add_shared_routes

log = logging.getLogger(__name__)

WS_POLICY_VIOLATION = 1008

Result = TypeVar("Result")


def create_app(engine: Engine, sharing: SharedEngineState | None = None) -> FastAPI:
    """The application that serves `engine`, which stays the caller's to close; `sharing` for several clients."""
    scheduler = scheduler_of(engine)
    info = codec.encode(codec.InfoMessage(info=engine.info()))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            async with contextlib.nullcontext() if sharing is None else sharing.leave_when_idle():
                yield
        finally:
            scheduler.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.add_exception_handler(TuifaceError, _error_response)
    app.add_exception_handler(Exception, _error_response)
    if sharing is not None:
        add_shared_routes(app, sharing, read_body)

    async def compute(kind: Kind, request: Request, work: Callable[..., Result], *arguments: object) -> Result:
        """Call `work` when the turn of whoever asks has come; EngineError where the server goes meanwhile."""
        try:
            return await asyncio.wrap_future(scheduler.submit(kind, peer_uid(request), partial(work, *arguments)))
        except asyncio.CancelledError:
            raise stopping_error() from None

    @app.get(codec.HEALTH_PATH)
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(codec.INFO_PATH)
    async def get_info() -> Response:
        return Response(info, media_type="application/json")

    @app.post(codec.RENDER_PATH)
    async def render(request: Request) -> Response:
        wanted = codec.decode_render_request(await read_body(request))
        result = await compute("save", request, engine.render, wanted)
        return Response(codec.encode_render_result(result), media_type=codec.RENDER_RESULT_TYPE)

    @app.post(codec.MAP_PATH)
    async def map_z(request: Request) -> Response:
        message = codec.decode_map(await read_body(request))
        return _array_response(await compute("save", request, engine.map, message.z.array(), message.label))

    @app.post(codec.WS_PATH)
    async def recipe_rows(request: Request) -> Response:
        recipe = codec.decode_ws(await read_body(request))
        return _array_response(await compute("save", request, engine.ws, recipe))

    @app.post(codec.FEATURES_PATH)
    async def face_features(request: Request) -> Response:
        seeds = codec.decode_seeds(await read_body(request))
        return _array_response(await compute("work", request, engine.features, seeds))

    @app.post(codec.WORK_PATH)
    async def work(request: Request) -> Response:
        stream = WorkStream(engine, codec.decode_work(await read_body(request)), _to_tuiface_error)
        done = scheduler.submit("work", peer_uid(request), stream.run)
        return StreamingResponse(stream.messages(done), media_type=codec.PARTS_TYPE)

    @app.post(codec.FACES_PATH)
    async def faces(request: Request) -> Response:
        wanted = codec.decode_face_request(await read_body(request))
        face = await compute("work", request, engine.find_face, wanted)
        return Response(codec.encode_optimised_face(face), media_type="application/json")

    @app.websocket(codec.PREVIEW_PATH)
    async def preview(socket: WebSocket) -> None:
        await socket.accept()
        previews = PreviewRenderer(engine, scheduler, peer_uid(socket))
        answers = asyncio.create_task(_answer_previews(socket, previews))
        try:
            await _collect_requests(socket, previews.newest)
        finally:
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)

    return app


def _array_response(array: np.ndarray) -> Response:
    return Response(codec.encode(ArrayMessage.of(array)), media_type="application/json")


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


async def _collect_requests(socket: WebSocket, newest: Latest[RenderRequest]) -> None:
    """Keep the newest request until the client leaves, or is sent away for a message that is none."""
    while (message := await socket.receive())["type"] == "websocket.receive":
        try:
            newest.put(_decode_preview_request(message.get("text")))
        except InputFileError as error:
            await socket.send_text(codec.encode(codec.to_error_message(error)).decode())
            await socket.close(WS_POLICY_VIOLATION)
            return


def _decode_preview_request(text: str | None) -> RenderRequest:
    if text is None:
        raise InputFileError("render job: a binary message; accepted is JSON text")
    return codec.decode_render_request(text)


async def _answer_previews(socket: WebSocket, previews: PreviewRenderer) -> None:
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
            await socket.send_text(
                codec.encode(codec.to_error_message(_to_tuiface_error(error), previews.sequence)).decode()
            )
        else:
            await socket.send_bytes(answer)


async def read_body(request: Request) -> bytes:
    """The request's body; raises InputFileError as soon as it is longer than a request can be."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > codec.MAX_REQUEST_BYTES:
            raise InputFileError(f"render job: more than {codec.MAX_REQUEST_BYTES} bytes, the most that is accepted")
    return bytes(body)


async def _error_response(_: Request, error: Exception) -> Response:
    explained = _to_tuiface_error(error)
    status = 500 if isinstance(explained, EngineError) else 400
    return Response(codec.encode(codec.to_error_message(explained)), status, media_type="application/json")


def _to_tuiface_error(error: Exception) -> TuifaceError:
    """What a client is told; of a failure that nobody foresaw the traceback is in the log."""
    if isinstance(error, TuifaceError):
        return error
    return EngineError(f"the engine failed: {type(error).__name__}: {error}", "the engine's log has the details")
