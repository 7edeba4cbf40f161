"""What a resident engine adds to the server: its state, its end, and the list of long work.

    GET  /offer          Offer: what must fit before a client renders here
    GET  /status         Status
    POST /stop           StopMessage in, StopAnswer out; for the user who started the engine
    WS   /job            JobOpening in, JobTicket out, then JobReports in and at most one JobCancel out
    WS   /jobs           a JobList at once and after every change
    POST /jobs/cancel    JobNumber in; one's own jobs alone
    POST /jobs/forget    drop one's own jobs that are over

Nothing here opens a file that a client names: what clients save, they write themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path

from fastapi import FastAPI, Request, Response, WebSocket
from starlette.requests import HTTPConnection
from starlette.status import HTTP_400_BAD_REQUEST, WS_1008_POLICY_VIOLATION
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from tuiface.core.errors import EngineError, InputFileError, OutputError, TuifaceError, UsageError
from tuiface.core.values import Value
from tuiface.core.version import __version__
from tuiface.core.visible import escape_bytes
from tuiface.engine.scheduler import stopping_error
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import EngineInfo
from tuiface.service.answers import error_response, json_response
from tuiface.service.audit_log import AuditLog, Event
from tuiface.service.job_board import Job, JobBoard
from tuiface.service.messages import (
    CANCEL_PATH,
    FORGET_PATH,
    JOB_PATH,
    JOBS_PATH,
    OFFER_PATH,
    STATUS_PATH,
    STOP_PATH,
    ClientLine,
    JobCancel,
    JobLine,
    JobList,
    JobNumber,
    JobOpening,
    JobReport,
    JobTicket,
    Offer,
    Status,
    StopAnswer,
    StopMessage,
)
from tuiface.service.peercred import peer_uid
from tuiface.service.runtime_folder import user_name

log = logging.getLogger(__name__)

UPDATE_INTERVAL_S = 0.2
"""Changes of jobs are told no more often."""
COMPUTED_PATHS = (
    *(codec.RENDER_PATH, codec.MAP_PATH, codec.WS_PATH),
    *(codec.FEATURES_PATH, codec.WORK_PATH, codec.FACES_PATH),
)
"""Requests that the engine computes for."""
JOBS_END_TIMEOUT_S = 20.0
"""What cancelled jobs get to say that they ended: more than `job_process.CANCEL_GRACE_S`."""


class SharedEngineState:
    """The state of an engine that several clients use; all methods are called on the server's event loop."""

    def __init__(self, info: EngineInfo, offer: Offer, audit: AuditLog, *, idle_s: float, group: str | None) -> None:
        """It ends after `idle_s` seconds without clients and work; 0 stands for never. `audit` is closed with it."""
        self.offer = offer
        self.board = JobBoard(self.record)
        self._audit = audit
        self._why_it_ends = "a signal"
        self.leave: Callable[[], None] = lambda: None
        """Ends the server; set by whoever runs it."""
        self._info = info
        self._idle_s = idle_s
        self._group = group
        self._began = self._last_used = time.monotonic()
        self._interfaces: Counter[int] = Counter()
        """Open preview streams by user."""
        self._requests = 0
        self._renders = 0
        self.is_stopping = False
        """What waits is still done, and nothing that comes now: else whoever goes on asking could keep it for ever."""
        self._nothing_renders = asyncio.Event()
        """Set whenever no save is under way."""
        self._nothing_renders.set()
        self._tasks: set[asyncio.Task[None]] = set()
        """The loop itself holds tasks by weak references."""

    @property
    def is_idle(self) -> bool:
        """Whether nobody needs the engine at this moment."""
        return not (self._requests or self._interfaces.total() or self.board.running_jobs())

    @contextlib.asynccontextmanager
    async def leave_when_idle(self) -> AsyncIterator[None]:
        """End the server when it was idle for long enough."""
        self.record("start", os.geteuid(), f"tuiface {__version__}, {self._info.model.name} on {self._info.device}")
        if self._idle_s:
            self._start_task(self._leave_when_idle())
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            self.record("stop", os.geteuid(), self._why_it_ends)
            self._audit.close()

    def record(self, event: Event, uid: int, what: str) -> None:
        """Write to the audit log. Raises OutputError where it cannot be written, and nothing begins then.

        What ends, or is refused, does so all the same.
        """
        try:
            self._audit.append(event, uid, user_name(uid), what)
        except OutputError:
            if event in ("start", "job"):
                raise
            log.exception("not in the audit log: %s of user %d", event, uid)

    @contextlib.contextmanager
    def count_connection(self, connection: HTTPConnection) -> Iterator[None]:
        """Note who is here for as long as a request or a stream lasts."""
        uid, path = peer_uid(connection), connection.url.path
        is_interface, is_render = path == codec.PREVIEW_PATH, path == codec.RENDER_PATH
        self._requests += not is_interface
        self._interfaces[uid] += is_interface
        self._renders += is_render
        if self._renders:
            self._nothing_renders.clear()
        try:
            yield
        finally:
            self._requests -= not is_interface
            self._interfaces[uid] -= is_interface
            self._renders -= is_render
            if not self._renders:
                self._nothing_renders.set()
            self._last_used = time.monotonic()

    def status(self, uid: int) -> Status:
        """How the engine is, as far as the user `uid` may know it."""
        info = self._info
        return Status(
            pid=os.getpid(),
            user=user_name(os.geteuid()),
            version=__version__,
            model=info.model.name,
            path=info.path,
            device=info.device,
            device_name=info.device_name,
            resolution=info.resolution,
            uptime_s=time.monotonic() - self._began,
            idle_minutes=self._idle_s / 60,
            group=self._group,
            memory_mb=_memory_mb(),
            device_memory_mb=_device_memory_mb(info.device),
            audit=escape_bytes(str(self._audit.path)),
            clients=tuple(
                ClientLine(user=user_name(user), interfaces=number)
                for user, number in sorted(self._interfaces.items())
                if number
            ),
            jobs=_to_job_lines(self.board.of(None if _is_host(uid) else uid)),
        )

    def stop(self, uid: int, *, force: bool) -> StopAnswer:
        """End as soon as the saves that wait are done; with `force` also if jobs run, which are cancelled.

        Raises UsageError for a user who did not start the engine.
        """
        if not _is_host(uid):
            raise UsageError(f"this engine is {user_name(os.geteuid())}'s, who alone may stop it")
        running = self.board.running_jobs()
        if running and not force:
            return StopAnswer(stops=False, jobs=_to_job_lines(running))
        self._why_it_ends = f"asked by {user_name(uid)}"
        self.board.cancel_all()  # at once: they are among those who ask for pictures
        if not self.is_stopping:
            self.is_stopping = True
            self._start_task(self._leave_when_saved())
        return StopAnswer(stops=True, jobs=_to_job_lines(running))

    def _start_task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _leave_when_saved(self) -> None:
        """A job that is told to end and loses its connection at the same moment may read of neither."""
        await self._nothing_renders.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._end_jobs(), JOBS_END_TIMEOUT_S)
        self.leave()

    async def _end_jobs(self) -> None:
        with self.board.watch() as changed:
            while self.board.running_jobs():
                self.board.cancel_all()
                changed.clear()
                await changed.wait()

    async def _leave_when_idle(self) -> None:
        while True:
            left_s = self._last_used + self._idle_s - time.monotonic()
            if left_s <= 0 and self.is_idle:
                self._why_it_ends = "not used"
                self.leave()
                return
            await asyncio.sleep(left_s if left_s > 0 else self._idle_s)


class ConnectionCounter:
    """ASGI: counts who is here, and records who was refused what."""

    def __init__(self, app: ASGIApp, sharing: SharedEngineState) -> None:
        self._app = app
        self._sharing = sharing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        status = 0

        async def send_and_watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if status >= HTTP_400_BAD_REQUEST and message["type"] == "http.response.body":
                reason = _reason_of(status, message.get("body", b""))
                self._sharing.record("refusal", peer_uid(connection), f"{connection.url.path}: {reason}")
            await send(message)

        if self._sharing.is_stopping and connection.url.path in COMPUTED_PATHS:
            refusal = await error_response(Request(scope), stopping_error())
            await refusal(scope, receive, send_and_watch)
            return
        with self._sharing.count_connection(connection):
            await self._app(scope, receive, send_and_watch)


def _reason_of(status: int, body: bytes) -> str:
    """What an answer says that is an error of ours; else its HTTP status."""
    try:
        return codec.parse_answer(codec.ErrorMessage, body, "error").message
    except EngineError:
        return f"status {status}"


def add_shared_routes(app: FastAPI, sharing: SharedEngineState) -> None:
    """Serve what this module's docstring lists."""
    app.add_middleware(ConnectionCounter, sharing=sharing)
    board = sharing.board

    @app.get(OFFER_PATH)
    async def offer() -> Response:
        return json_response(sharing.offer)

    @app.get(STATUS_PATH)
    async def status(request: Request) -> Response:
        return json_response(sharing.status(peer_uid(request)))

    @app.post(STOP_PATH)
    async def stop(request: Request) -> Response:
        message = codec.parse_request(StopMessage, await request.body(), "stop")
        return json_response(sharing.stop(peer_uid(request), force=message.force))

    @app.post(CANCEL_PATH)
    async def cancel(request: Request) -> Response:
        message = codec.parse_request(JobNumber, await request.body(), "cancel")
        board.cancel(peer_uid(request), message.id)
        return json_response(message)

    @app.post(FORGET_PATH)
    async def forget(request: Request) -> Response:
        board.forget(peer_uid(request))
        return json_response(_job_list(board, peer_uid(request)))

    @app.websocket(JOBS_PATH)
    async def watch(socket: WebSocket) -> None:
        await socket.accept()
        telling = asyncio.create_task(_tell_jobs(socket, board))
        try:
            while (await socket.receive())["type"] == "websocket.receive":
                pass
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    @app.websocket(JOB_PATH)
    async def work(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await _follow_job(socket, board)
        except WebSocketDisconnect:
            pass
        except TuifaceError as error:
            await socket.send_text(_encode_text(codec.to_error_message(error)))
            await socket.close(WS_1008_POLICY_VIOLATION)


async def _follow_job(socket: WebSocket, board: JobBoard) -> None:
    """Keep a job's line on the board while the process that does it talks; raises what a wrong message deserves."""
    opening = codec.parse_request(JobOpening, await _receive_text(socket), "job")
    job = board.open(peer_uid(socket), opening.label, opening.total)
    cancelling = asyncio.create_task(_pass_cancel(socket, job))
    try:
        await socket.send_text(_encode_text(JobTicket(id=job.progress.id)))
        while not job.progress.is_over:
            board.report(job, codec.parse_request(JobReport, await _receive_text(socket), "job report"))
    finally:
        cancelling.cancel()
        await asyncio.gather(cancelling, return_exceptions=True)
        board.mark_lost(job)


async def _pass_cancel(socket: WebSocket, job: Job) -> None:
    await job.cancelled.wait()
    await socket.send_text(_encode_text(JobCancel()))


async def _tell_jobs(socket: WebSocket, board: JobBoard) -> None:
    uid = peer_uid(socket)
    with board.watch() as changed:
        while True:
            changed.clear()
            await socket.send_text(_encode_text(_job_list(board, uid)))
            await changed.wait()
            await asyncio.sleep(UPDATE_INTERVAL_S)


async def _receive_text(socket: WebSocket) -> str:
    message = await socket.receive()
    if message["type"] != "websocket.receive":
        raise WebSocketDisconnect
    text = message.get("text")
    if text is None:
        raise InputFileError("job: a binary message; accepted is JSON text")
    assert isinstance(text, str)
    return text


def _job_list(board: JobBoard, uid: int) -> JobList:
    return JobList(jobs=tuple(job.progress for job in board.of(uid)))


def _to_job_lines(jobs: Sequence[Job]) -> tuple[JobLine, ...]:
    return tuple(JobLine(user=user_name(job.uid), job=job.progress) for job in jobs)


def _is_host(uid: int) -> bool:
    """Whether `uid` started this engine, or rules the machine."""
    return uid in (os.geteuid(), 0)


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _device_memory_mb(device: str) -> float | None:
    """What PyTorch holds on the GPU; None for a CPU."""
    if not device.startswith("cuda"):
        return None
    import torch

    return float(torch.cuda.memory_reserved(device)) / 2**20


def _encode_text(message: Value) -> str:
    return codec.encode(message).decode()
