"""The engine behind HTTP and WebSocket, for clients on this machine.

    GET  /health     {"status": "ok"}
    GET  /info       InfoMessage
    POST /render     RenderMessage in, a result out; none is dropped but of a client who left
    POST /map        MapMessage in, ArrayMessage out: z to w
    POST /ws         WsMessage in, ArrayMessage out: a recipe's rows of W+
    POST /features   FeaturesMessage in, ArrayMessage out: seeds to what is known of their faces
    POST /work       WorkMessage in, parts out as they are done: directions, strips, means, regions (long_work.py)
    POST /faces      FaceRequestMessage in, OptimisedFaceMessage out: with another's frame, or two crossed
    WS   /preview    RenderMessage texts in; a result (binary) or an ErrorMessage (text) out for the newest each time;
                 none for one that was given up for a newer one

Everything that the engine computes goes by its scheduler (engine/scheduler.py), on whose threads it runs: one for
pictures and latents, one for each long work. Clients are told apart by their Unix user, each of whom may take so much
and no more (allowances.py). The event loop only moves bytes. An engine that several clients share answers more:
sharing.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TypeVar

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import StreamingResponse

from tuiface.core.errors import TuifaceError
from tuiface.engine.scheduler import Kind, scheduler_of, stopping_error
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import Engine
from tuiface.service.allowances import Allowances
from tuiface.service.answers import array_response, error_response, to_tuiface_error
from tuiface.service.long_work import WorkStream
from tuiface.service.peercred import peer_uid
from tuiface.service.previews import serve_previews
from tuiface.service.request_gate import RequestGate
from tuiface.service.sharing import SharedEngineState, add_shared_routes

Result = TypeVar("Result")


def create_app(
    engine: Engine, sharing: SharedEngineState | None = None, allowances: Allowances | None = None
) -> FastAPI:
    """The application that serves `engine`, which stays the caller's to close; `sharing` for several clients.

    `allowances` are those of the listener that the application stands behind, if that has some.
    """
    desk = _Desk(engine, allowances or Allowances())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            async with contextlib.nullcontext() if sharing is None else sharing.leave_when_idle():
                yield
        finally:
            desk.scheduler.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.add_exception_handler(TuifaceError, error_response)
    app.add_exception_handler(Exception, error_response)
    if sharing is not None:
        add_shared_routes(app, sharing)
    app.add_middleware(RequestGate, allowances=desk.allowances)
    _add_pictures(app, desk)
    _add_long_work(app, desk)
    return app


class _Desk:
    """Where requests are read, and line up for the engine."""

    def __init__(self, engine: Engine, allowances: Allowances) -> None:
        self.engine = engine
        self.scheduler = scheduler_of(engine)
        self.allowances = allowances

    async def read(self, request: Request, decode: Callable[[bytes], Result]) -> Result:
        """What the body says; raises InputFileError for a wrong one, EngineError for too much at once."""
        return await self.allowances.decode(peer_uid(request), decode, await request.body())

    async def compute(self, kind: Kind, request: Request, work: Callable[..., Result], *arguments: object) -> Result:
        """Call `work` when the turn of whoever asks has come; given up if they go away before.

        Raises EngineError where the server goes meanwhile.
        """
        result = asyncio.wrap_future(self.scheduler.submit(kind, peer_uid(request), partial(work, *arguments)))
        gone = asyncio.create_task(_wait_until_gone(request))
        gone.add_done_callback(lambda _: result.cancel())
        try:
            return await result
        except asyncio.CancelledError:  # of this task, or of what nobody waits for any more
            raise stopping_error() from None
        finally:
            gone.cancel()


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _add_pictures(app: FastAPI, desk: _Desk) -> None:
    """Serve what takes a moment."""
    engine = desk.engine
    info = codec.encode(codec.InfoMessage(info=engine.info()))

    @app.get(codec.HEALTH_PATH)
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(codec.INFO_PATH)
    async def get_info() -> Response:
        return Response(info, media_type="application/json")

    @app.post(codec.RENDER_PATH)
    async def render(request: Request) -> Response:
        wanted = await desk.read(request, codec.decode_render_request)
        result = await desk.compute("save", request, engine.render, wanted)
        return Response(codec.encode_render_result(result), media_type=codec.RENDER_RESULT_TYPE)

    @app.post(codec.MAP_PATH)
    async def map_z(request: Request) -> Response:
        message = await desk.read(request, codec.decode_map)
        return array_response(await desk.compute("save", request, engine.map, message.z.array(), message.label))

    @app.post(codec.WS_PATH)
    async def recipe_rows(request: Request) -> Response:
        recipe = await desk.read(request, codec.decode_ws)
        return array_response(await desk.compute("save", request, engine.ws, recipe))

    @app.websocket(codec.PREVIEW_PATH)
    async def preview(socket: WebSocket) -> None:
        await socket.accept()
        await serve_previews(socket, engine, desk.scheduler, desk.allowances)


def _add_long_work(app: FastAPI, desk: _Desk) -> None:
    """Serve what pictures come in between of."""
    engine = desk.engine

    @app.post(codec.FEATURES_PATH)
    async def face_features(request: Request) -> Response:
        seeds = await desk.read(request, codec.decode_seeds)
        return array_response(await desk.compute("work", request, engine.features, seeds))

    @app.post(codec.WORK_PATH)
    async def work(request: Request) -> Response:
        stream = WorkStream(engine, await desk.read(request, codec.decode_work), to_tuiface_error)
        done = desk.scheduler.submit("work", peer_uid(request), stream.run)
        return StreamingResponse(stream.messages(done), media_type=codec.PARTS_TYPE)

    @app.post(codec.FACES_PATH)
    async def faces(request: Request) -> Response:
        wanted = await desk.read(request, codec.decode_face_request)
        face = await desk.compute("work", request, engine.find_face, wanted)
        return Response(codec.encode_optimised_face(face), media_type="application/json")
