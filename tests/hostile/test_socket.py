"""One client against all others: what it sends, keeps open or never ends must cost the others nothing."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import resource
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, unix_connect

from tests.fake_engine import FakeEngine
from tests.service.in_process import serve
from tests.service.processes import PATIENCE_S, eventually
from tuiface.core.errors import EngineError
from tuiface.core.log_text import OneLineFormatter
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import RenderRequest, RenderResult
from tuiface.engine_api.requests import (
    CrossRequest,
    DirectionRequest,
    FaceRequest,
    MadeDirection,
    OnStep,
    OptimisedFace,
    SearchRequest,
    ignore_steps,
)
from tuiface.faces.recipe import ModelRef, Recipe, SeedSource
from tuiface.service import allowances, messages, protocols
from tuiface.service.allowances import Allowances
from tuiface.service.answers import to_tuiface_error
from tuiface.service.engine_log import MAX_IN_A_WINDOW, RepetitionFilter
from tuiface.service.listener import admit
from tuiface.service.long_work import WorkStream

RECIPE = Recipe(model=ModelRef(sha256="e" * 64, name="fake"), source=SeedSource(seed=1))
JOB = codec.encode(codec.RenderMessage(job=RenderRequest(RECIPE, 16)))


class SlowEngine(FakeEngine):
    """Pictures wait for `gate`."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def render(self, job: RenderRequest) -> RenderResult:
        self.gate.wait(PATIENCE_S)
        return super().render(job)


@pytest.fixture(scope="module")
def engine() -> SlowEngine:
    return SlowEngine()


@pytest.fixture(scope="module")
def limits() -> Allowances:
    return Allowances()


@pytest.fixture(scope="module")
def server(engine: SlowEngine, limits: Allowances, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with serve(engine, tmp_path_factory.mktemp("engine"), shared=True, allowances=limits) as path:
        yield path


@pytest.fixture
def path(server: Path, engine: SlowEngine, limits: Allowances) -> Iterator[Path]:
    """The socket; whatever a test does, the next client is served, and nothing is kept of the one before."""
    yield server
    engine.gate.set()
    with http(server) as client:
        assert client.get(codec.HEALTH_PATH).status_code == 200
    eventually(lambda: not limits._connections.total() and not limits._held.total())


def http(path: Path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://engine", timeout=PATIENCE_S)


def previews(path: Path, route: str = codec.PREVIEW_PATH) -> ClientConnection:
    return unix_connect(str(path), "ws://engine" + route, compression=None, ping_interval=None)


def connect(path: Path) -> socket.socket:
    stranger = socket.socket(socket.AF_UNIX)
    stranger.settimeout(PATIENCE_S)
    stranger.connect(str(path))
    return stranger


@contextlib.contextmanager
def impatience(monkeypatch: pytest.MonkeyPatch, *, head_s: float, body_s: float) -> Iterator[None]:
    """Deadlines for connections that begin in the block alone: the fixture's next client may be slower."""
    with monkeypatch.context() as patch:
        patch.setattr(protocols, "HEAD_TIMEOUT_S", head_s)
        patch.setattr(protocols, "BODY_TIMEOUT_S", body_s)
        yield


def read_to_end(stranger: socket.socket) -> bytes:
    found = b""
    try:
        while data := stranger.recv(65536):
            found += data
    except ConnectionResetError:
        pass
    return found


# --- connections -----------------------------------------------------------------------------------------------------


def test_a_user_with_enough_connections_is_told_so_in_one_line(path: Path) -> None:
    idle = [connect(path) for _ in range(allowances.MAX_CONNECTIONS)]
    try:
        with connect(path) as one_more:
            answer = read_to_end(one_more)
        assert answer.startswith(b"HTTP/1.1 503 ")
        error = codec.decode_error(answer.partition(b"\r\n\r\n")[2])
        assert isinstance(error, EngineError)
        assert error.message == "the engine has 128 connections of yours, the most that one user may have"
    finally:
        for connection in idle:
            connection.close()


def test_others_are_served_while_one_user_has_all_that_they_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = iter([7] * 1200 + [8])
    monkeypatch.setattr("tuiface.service.listener.socket_uid", lambda _: next(users))
    limits = Allowances()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(64)
        listener.setblocking(False)
        kept, strangers = [], []
        for _ in range(1201):
            strangers.append(connect(tmp_path / "s"))
            admitted = admit(listener.accept()[0], limits)
            if admitted is None:
                strangers.pop().close()
            else:
                kept.append(admitted)
        assert len(kept) == allowances.MAX_CONNECTIONS + 1
        for connection in (*kept, *strangers):
            connection.close()


def test_a_connection_that_nobody_closed_is_not_counted_for_ever() -> None:
    limits = Allowances()
    for _ in range(3 * allowances.MAX_CONNECTIONS):
        ours, theirs = socket.socketpair()
        admitted = admit(ours, limits)
        assert admitted is not None
        with pytest.warns(ResourceWarning, match="unclosed"):
            del admitted
        theirs.close()
    limits.connect(os.getuid())
    assert limits._connections.total() == 1


def test_all_users_together_have_no_more_connections_than_the_process_may() -> None:
    full = Allowances(max_connections_in_all=1)
    full.connect(1)
    with pytest.raises(EngineError, match="the engine has 1 connections, the most that it may have"):
        full.connect(2)


def test_whoever_connects_without_end_is_refused_until_they_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("tuiface.service.allowances.time", SimpleNamespace(monotonic=lambda: now))
    limits = Allowances()
    told: set[str] = set()

    def connect_often(uid: int) -> int:
        """How many connections, one after the other, are admitted."""
        for times in range(2 * allowances.CONNECTION_BURST):
            try:
                limits.connect(uid)
            except EngineError as refusal:
                told.add(refusal.message)
                return times
            limits.disconnect(uid)
        return 2 * allowances.CONNECTION_BURST

    assert connect_often(7) == pytest.approx(allowances.CONNECTION_BURST, abs=1)
    assert connect_often(7) == 0
    assert connect_often(8) > 0, "another user"
    now += 2
    assert connect_often(7) == pytest.approx(2 * allowances.CONNECTIONS_PER_S, abs=1)
    now += 1000
    assert connect_often(7) == pytest.approx(allowances.CONNECTION_BURST, abs=1)
    assert told == {"more than 50 new connections a second of yours, the most that one user may make"}


@pytest.mark.parametrize(
    ("soft", "hard", "raised_to", "num_connections"),
    [
        (256, 1 << 20, 1152, 1024),
        (256, 512, 512, 384),
        (256, resource.RLIM_INFINITY, 1152, 1024),
        (64, 64, 64, 8),
        (4096, 4096, None, 1024),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, 1024),
    ],
)
def test_connections_leave_the_process_files_for_itself(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised_to: int | None, num_connections: int
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: told.append(limits))
    assert allowances.raise_file_limit() == num_connections
    assert told == ([] if raised_to is None else [(raised_to, hard)])


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET /hea",
        b"POST /render HTTP/1.1\r\nhost: e\r\ncontent-length: 9\r\n\r\n{",
        b"GET /health HTTP/1.1\r\nx: ",
    ],
    ids=["nothing", "half a line", "half a body", "half a header"],
)
def test_a_request_that_does_not_come_to_its_end_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    with impatience(monkeypatch, head_s=0.05, body_s=0.05), connect(path) as slow:
        slow.sendall(beginning)
        assert read_to_end(slow) == b""


def test_an_interface_that_is_silent_keeps_its_previews(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with impatience(monkeypatch, head_s=0.3, body_s=0.2), previews(path) as stream:
        with connect(path) as slow:
            assert read_to_end(slow) == b""
        stream.send(JOB.decode())
        assert isinstance(stream.recv(PATIENCE_S), bytes)


# --- bodies and messages ---------------------------------------------------------------------------------------------

SMALL_ROUTES = [codec.FEATURES_PATH, messages.STOP_PATH, messages.CANCEL_PATH]


@pytest.mark.parametrize("route", SMALL_ROUTES)
def test_each_route_takes_no_more_than_it_needs(path: Path, route: str) -> None:
    with http(path) as client:
        answer = client.post(route, content=b" " * 300_000)
    assert answer.status_code == 400
    assert f"{route}: a request of more than " in answer.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"{" + b",".join(b'"k%d":0' % i for i in range(300_000)) + b"}",
        b'{"job":' * 100_000,
        b"[" + b"[]," * 400_000 + b"[]]",
        b'{"job": {"sequence": ' + b"9" * 1_000_000 + b"}}",
        b'{"job": "\xff\xfe"}',
        b'{"job": "\xed\xa0\x80"}',
    ],
    ids=["keys", "depth", "lists", "digits", "no UTF-8", "half a surrogate"],
)
def test_bodies_that_cost_more_than_they_weigh_are_refused(path: Path, body: bytes) -> None:
    with http(path) as client:
        for route in (codec.RENDER_PATH, codec.WORK_PATH):
            answer = client.post(route, content=body)
            assert answer.status_code == 400
            assert answer.json()["error"] == "InputFileError"
            assert len(answer.content) < 1000


def test_a_user_may_not_have_the_engine_hold_everything(
    path: Path, engine: SlowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowances, "MAX_HELD_BYTES", 5 * len(JOB))
    engine.gate.clear()
    with ThreadPoolExecutor(9) as pool, http(path) as client:
        answers = [pool.submit(client.post, codec.RENDER_PATH, content=JOB) for _ in range(9)]
        eventually(lambda: any(answer.done() for answer in answers))
        engine.gate.set()
        statuses = [answer.result(PATIENCE_S).status_code for answer in answers]
    assert set(statuses) == {200, 500}
    refused = next(answer.result() for answer in answers if answer.result().status_code == 500)
    assert "the most that one user may have" in codec.decode_error(refused.content).message


def test_what_nobody_waits_for_any_more_is_not_rendered(path: Path, engine: SlowEngine, limits: Allowances) -> None:
    engine.gate.clear()
    engine.jobs.clear()
    head = b"POST /render HTTP/1.1\r\nhost: e\r\ncontent-length: %d\r\n\r\n" % len(JOB)
    strangers = [connect(path) for _ in range(20)]
    for stranger in strangers:
        stranger.sendall(head + JOB)
    eventually(lambda: limits._held.total() == 20 * len(JOB))
    for stranger in strangers:
        stranger.close()
    eventually(lambda: limits._held.total() <= len(JOB))  # one is rendered already
    with http(path) as client:
        engine.gate.set()
        assert client.post(codec.RENDER_PATH, content=JOB).status_code == 200
    assert len(engine.jobs) <= 2


@pytest.mark.parametrize(
    ("route", "message", "code"),
    [
        (messages.JOBS_PATH, "x" * 5000, 1009),
        (messages.JOB_PATH, "x" * 70_000, 1009),
        (messages.JOB_PATH, '{"label": 3}', 1008),
        (messages.JOB_PATH, json.dumps({"label": "a", "total": 10**30}), 1008),
        (codec.PREVIEW_PATH, json.dumps({"job": {}}), 1008),
    ],
)
def test_a_message_that_does_not_belong_there_ends_its_connection(
    path: Path, route: str, message: str, code: int
) -> None:
    with previews(path, route) as stream:
        stream.send(message)
        with contextlib.suppress(ConnectionClosed):
            for _ in stream:
                pass
    assert stream.close_code == code


UPGRADE = (
    b"GET /preview HTTP/1.1\r\nhost: e\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A masked frame with the mask 0."""
    assert len(payload) < 126
    return bytes([opcode | (0x80 if final else 0), 0x80 | len(payload)]) + bytes(4) + payload


def opened_websocket(path: Path) -> socket.socket:
    stranger = connect(path)
    stranger.sendall(UPGRADE)
    assert stranger.recv(4096).startswith(b"HTTP/1.1 101 ")
    return stranger


@pytest.mark.parametrize(
    "frames",
    [
        frame(1, b"\xff\xfe"),
        frame(1, b"{", final=False) + frame(0, b"", final=False) * 3000,
        frame(0, b"x"),
        frame(3, b"x"),
        b"\xff" * 100,
    ],
    ids=["no UTF-8", "empty fragments", "no beginning", "an unknown kind", "noise"],
)
def test_frames_that_are_none_end_their_connection_with_one_line(
    path: Path, frames: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with opened_websocket(path) as stranger:
        stranger.sendall(frames)
        read_to_end(stranger)
    assert [record for record in caplog.records if record.exc_info] == []


def test_pings_of_a_client_that_does_not_read_are_not_answered_for_ever(path: Path, limits: Allowances) -> None:
    with opened_websocket(path) as stranger:
        pings = frame(9, b"x" * 100) * 2000
        for _ in range(20):
            stranger.sendall(pings)  # answers to a tenth of them would fill what the system keeps
        eventually(lambda: not limits._held.total())  # but while a piece is read


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /h\xc3\xa4 HTTP/1.1\r\nhost: e",
        b"GET /%ff%fe HTTP/1.1\r\nhost: e",
        b"GET /health HTTP/1.1\r\nhost: e\r\nx\xff: 1",
        b"GET /health HTTP/1.1\r\nhost: \xff\xfe",
        b"GET /health\x00 HTTP/1.1\r\nhost: e",
        b"\xff\xfe\xfd",
        UPGRADE[:-4].replace(b"/preview", b"/prev\xffiew"),
        UPGRADE[:-4] + b"\r\nx: \xff",
    ],
)
def test_a_head_that_is_no_text_is_answered_and_leaves_one_short_line(
    path: Path, request_line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(path) as stranger:
        stranger.sendall(request_line + b"\r\n\r\n")
        stranger.shutdown(socket.SHUT_WR)
        answer = read_to_end(stranger)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200 ", b"HTTP/1.1 101 ")) or answer == b""
    assert [record for record in caplog.records if record.exc_info or "\n" in record.getMessage()] == []
    assert len(caplog.records) <= 2


def test_whoever_asks_without_end_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("tuiface.service.allowances.asyncio", SimpleNamespace(sleep=sleep, Lock=asyncio.Lock))
    limits = Allowances()

    async def ask(uid: int, times: int) -> None:
        for _ in range(times):
            await limits.wait_for_turn(uid)

    asyncio.run(ask(1, allowances.BURST))
    assert waited == []
    asyncio.run(ask(1, 100))
    assert len(waited) == pytest.approx(100, abs=20)
    waited.clear()
    asyncio.run(ask(2, 10))
    assert waited == []


# --- the log ---------------------------------------------------------------------------------------------------------


def record(message: str, line: int = 1) -> logging.LogRecord:
    return logging.LogRecord("uvicorn.error", logging.ERROR, "server.py", line, message, None, None)


@pytest.mark.parametrize("text", ["a\n2026-01-01 INFO root: forged", "a\r\x1b[2Jb", "a\x85b\u2028c", "x" * 10**6])
def test_a_line_of_the_log_is_one_line(text: str) -> None:
    line = OneLineFormatter().format(record(text))
    assert line.isprintable()
    assert len(line) < 1100


def test_no_line_of_a_traceback_can_be_taken_for_another() -> None:
    try:
        raise ValueError("x\n2026-01-01 00:00:00,000 INFO root: forged\x1b[2J")
    except ValueError as error:
        failed = record("failed")
        failed.exc_info = (ValueError, error, error.__traceback__)
    first, *others = OneLineFormatter().format(failed).split("\n")
    assert first.endswith("failed")
    assert others
    assert all(line.startswith("    ") and line.isprintable() for line in others)


def test_what_is_said_over_and_over_does_not_fill_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("tuiface.service.engine_log.time", SimpleNamespace(monotonic=lambda: now))
    repetition = RepetitionFilter()
    written = [repetition.filter(record(f"no request {n}")) for n in range(10_000)]
    assert sum(written) == MAX_IN_A_WINDOW
    assert repetition.filter(record("another", line=2))
    now = 61.0
    again = record("no request")
    assert repetition.filter(again)
    assert again.getMessage() == f"no request (and {10_000 - MAX_IN_A_WINDOW} more like it before)"


# --- the end ---------------------------------------------------------------------------------------------------------


class UnendingEngine(SlowEngine):
    """Whatever is asked for waits for `gate`."""

    def find_face(self, request: FaceRequest) -> OptimisedFace:
        self.gate.wait(PATIENCE_S)
        return super().find_face(request)

    def make_directions(self, request: DirectionRequest, on_step: OnStep = ignore_steps) -> Iterator[MadeDirection]:
        on_step("begun")
        self.gate.wait(PATIENCE_S)
        yield from super().make_directions(request, on_step)


def test_an_engine_that_stops_tells_all_who_wait_in_one_line_and_logs_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = UnendingEngine()
    engine.gate.clear()
    cross = codec.encode(codec.FaceRequestMessage(request=CrossRequest(contour=RECIPE, inner=RECIPE)))
    request = SearchRequest(method="sefa", count=1)
    search = codec.encode(codec.WorkMessage(request=request))
    limits = Allowances()
    with ThreadPoolExecutor(4) as pool, contextlib.ExitStack() as stack:
        with serve(engine, tmp_path, shared=True, allowances=limits) as path:
            client = stack.enter_context(http(path))
            waiting = [
                pool.submit(client.post, route, content=body)
                for route, body in ((codec.FACES_PATH, cross), (codec.WORK_PATH, search), (codec.RENDER_PATH, JOB))
            ]
            uploading = stack.enter_context(connect(path))
            uploading.sendall(b"POST /work HTTP/1.1\r\nhost: e\r\ncontent-length: 9\r\n\r\n{")
            for route in (messages.JOBS_PATH, messages.JOB_PATH, codec.PREVIEW_PATH):
                stream = stack.enter_context(previews(path, route))
            stream.send(JOB.decode())
            eventually(lambda: limits._held.total() >= len(cross) + len(search) + 2 * len(JOB) + 1)
        engine.gate.set()
        face, work, picture = (answer.result(PATIENCE_S) for answer in waiting)
    for answer in (face, picture):
        assert answer.status_code == 500
        assert codec.decode_error(answer.content).message == "the engine is stopping; nothing more is rendered"
    *_, (end, _) = codec.read_parts(io.BytesIO(work.content).read, request)
    assert isinstance(end, codec.ErrorPart)
    assert end.error.message == "the engine is stopping; nothing more is rendered"
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def test_work_that_goes_on_when_its_server_has_ended_logs_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def begin() -> WorkStream:
        return WorkStream(FakeEngine(), SearchRequest(method="sefa", count=1), to_tuiface_error)

    asyncio.run(begin()).run()
    assert [record.getMessage() for record in caplog.records] == []
