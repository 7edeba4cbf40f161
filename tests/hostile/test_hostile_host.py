"""An engine of another user that means harm (`engine = "mallory"`): clients take no more of it than they asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from websockets.sync.server import ServerConnection, unix_serve

from tests.service.fake_child import INFO, direction, frame, recipe
from tests.service.processes import PATIENCE_S, eventually
from tuiface.core.errors import EngineError, ModelError, TuifaceError
from tuiface.core.settings import Settings
from tuiface.engine_api import codec
from tuiface.engine_api.packed import ArrayMessage
from tuiface.engine_api.protocol import RenderRequest, RenderResult
from tuiface.engine_api.requests import ClusterSheetRequest, CrossRequest, MadeDirection, SearchRequest, StripRequest
from tuiface.service import unix_http
from tuiface.service.client import ResidentEngine
from tuiface.service.discovery import DiscoveredEngine

Answer = Iterable[bytes]
REQUEST = RenderRequest(recipe(1), 16, sequence=5)


@contextlib.contextmanager
def host(path: Path, answer: Answer) -> Iterator[None]:
    """Whatever connects to `path` is given `answer`, as far as it reads."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.recv(65536)
                for data in answer:
                    connection.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the client still listens"


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def client(path: Path) -> ResidentEngine:
    engine = ResidentEngine(Settings(state=path.parent))
    engine._process = DiscoveredEngine(path, "mallory")
    engine._info = INFO
    return engine


CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"
ENDLESS: dict[str, Answer] = {
    "a length of 10^15": [b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000000\r\n\r\n", b"x" * 4096],
    "chunks": itertools.chain(
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"], itertools.repeat(CHUNK, 1000)
    ),
    "no length": itertools.chain([b"HTTP/1.1 200 OK\r\n\r\n"], itertools.repeat(b"x" * 65536, 1000)),
    "an error": itertools.chain([b"HTTP/1.1 400 No\r\n\r\n"], itertools.repeat(b"x" * 65536, 1000)),
    "a headline": itertools.chain([b"HTTP/1.1 200 "], itertools.repeat(b"x" * 65536, 1000)),
    "headers": itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"a: b\r\n" * 1000, 1000)),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_an_answer_without_end_is_left(tmp_path: Path, case: str) -> None:
    with host(tmp_path / "s", ENDLESS[case]), pytest.raises((EngineError, http.client.HTTPException)):
        unix_http.request(tmp_path / "s", "GET", codec.INFO_PATH)


TRICKLES = {
    "a body": b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n",
    "headers": b"HTTP/1.1 200 OK\r\na:",
    "promises": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nx:",
}


@pytest.mark.parametrize("case", TRICKLES)
def test_an_answer_that_trickles_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setattr(unix_http, "MAX_TRANSFER_S", 0.1)
    pause = threading.Event()

    def trickle() -> Iterator[bytes]:
        yield TRICKLES[case]
        while not pause.wait(0.01):
            yield b"x"

    with host(tmp_path / "s", trickle()), pytest.raises(TimeoutError):
        unix_http.request(tmp_path / "s", "GET", codec.INFO_PATH)


def test_a_slow_honest_answer_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unix_http, "MAX_TRANSFER_S", 0.05)

    def render() -> Iterator[bytes]:
        threading.Event().wait(0.2)
        yield ok(codec.encode_render_result(frame(REQUEST)))

    with host(tmp_path / "s", render()):
        assert client(tmp_path / "s").render(REQUEST).pixels.shape == (16, 16, 3)


def _silence() -> Iterator[bytes]:
    threading.Event().wait(0.2)
    yield b""


def test_a_silent_engine_is_left_where_an_answer_costs_nothing(tmp_path: Path) -> None:
    with host(tmp_path / "s", _silence()), pytest.raises(TimeoutError):
        unix_http.request(tmp_path / "s", "GET", codec.INFO_PATH, timeout_s=0.05)


def test_an_answer_that_breaks_off_is_none(tmp_path: Path) -> None:
    with host(tmp_path / "s", [ok(b"{}")[:-1]]), pytest.raises(http.client.IncompleteRead):
        unix_http.request(tmp_path / "s", "GET", codec.INFO_PATH)


def test_why_a_request_was_refused_unread_is_told(tmp_path: Path) -> None:
    """The engine hangs up on the sixteenth megabyte, and says why."""
    refusal = codec.encode(codec.to_error_message(ModelError("too much of yours")))
    answer = b"HTTP/1.1 503 No\r\ncontent-length: %d\r\n\r\n" % len(refusal) + refusal
    with host(tmp_path / "s", [answer]):
        status, body = unix_http.request(tmp_path / "s", "POST", codec.RENDER_PATH, b" " * 2**23)
    assert (status, str(codec.decode_error(body))) == (503, "too much of yours")


def result(**changes: object) -> bytes:
    return codec.encode_render_result(dataclasses.replace(frame(REQUEST), **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        result(pixels=np.zeros((16, 32, 3), np.uint8)),
        result(pixels=np.zeros((512, 512, 3), np.uint8)),
        result(recipe=recipe(2)),
        result(sequence=6),
        b"\xff\xff\xff\xff" + b"x" * 100,
    ],
    ids=["another shape", "another size", "another face", "another sequence", "noise"],
)
def test_a_picture_of_something_else_is_refused(tmp_path: Path, body: bytes) -> None:
    with host(tmp_path / "s", [ok(body)]), pytest.raises(EngineError):
        client(tmp_path / "s").render(REQUEST)


def rows(*shape: int) -> bytes:
    return codec.encode(ArrayMessage.of(np.zeros(shape, np.float32)))


FACE = CrossRequest(contour=recipe(1), inner=recipe(2))
WRONG_ROWS: dict[str, tuple[bytes, Callable[[ResidentEngine], object]]] = {
    "map": (rows(3, 512), lambda engine: engine.map(np.zeros((2, 512)))),
    "ws": (rows(14, 511), lambda engine: engine.ws(recipe(1))),
    "features": (rows(4, 5), lambda engine: engine.features([1, 2, 3])),
    "face": (
        json.dumps({"ws": json.loads(rows(1, 512)), "measures": {}}).encode(),
        lambda engine: engine.find_face(FACE),
    ),
}


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_rows_that_were_not_asked_for_are_refused(tmp_path: Path, case: str) -> None:
    body, ask = WRONG_ROWS[case]
    with host(tmp_path / "s", [ok(body)]), pytest.raises(EngineError, match="in place of"):
        ask(client(tmp_path / "s"))


STEP = codec.encode_part(codec.StepPart(text="x"))
END = codec.encode_part(codec.EndPart())
MADE = codec.encode_result(MadeDirection(direction(0)))
PICTURE = codec.encode_part(codec.PicturePart(height=1, width=1), b"rgb")
LARGE_PICTURE = codec.encode_part(codec.PicturePart(height=1 << 14, width=1 << 14)) + b"x" * 100
BIG_STEP = b"\0\0\0\x21\x3f\0\0\0" + STEP[8:]
STRIP = StripRequest.of([direction(0)], [1])
SEARCH = SearchRequest(method="sefa", count=2)
SHEET = ClusterSheetRequest(clusters=2)
WRONG_PARTS: dict[str, tuple[Answer, Callable[[ResidentEngine], object]]] = {
    "steps without end": (itertools.repeat(STEP, 10_000), lambda engine: list(engine.make_directions(SEARCH))),
    "more directions": ([MADE] * 3, lambda engine: list(engine.make_directions(SEARCH))),
    "a picture for a direction": ([PICTURE, END], lambda engine: list(engine.make_directions(SEARCH))),
    "no picture": ([END], lambda engine: engine.draw_cluster_sheet(SHEET)),
    "two pictures": ([PICTURE, PICTURE, END], lambda engine: engine.draw_cluster_sheet(SHEET)),
    "a strip of gigabytes": ([LARGE_PICTURE.replace(b"\0\0\0\0", b"\x30\0\0\0", 1)], lambda e: e.draw_strip(STRIP)),
    "a step of gigabytes": ([BIG_STEP], lambda engine: engine.draw_strip(STRIP)),
}


@pytest.mark.parametrize("case", WRONG_PARTS)
def test_work_brings_no_more_than_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setattr(codec, "MAX_PARTS", 100)
    parts, ask = WRONG_PARTS[case]
    answer = itertools.chain([b"HTTP/1.1 200 OK\r\n\r\n"], parts)
    with host(tmp_path / "s", answer), pytest.raises(EngineError, match="not understood"):
        ask(client(tmp_path / "s"))


@pytest.mark.parametrize(
    "answers",
    [
        [result()] * 3,
        [result(sequence=4)],
        [codec.encode(codec.to_error_message(ModelError("no"), 5)).decode()] * 3,
        [result(pixels=np.zeros((64, 64, 3), np.uint8))],
        ["{}"],
        [b"noise"],
    ],
    ids=["again and again", "another sequence", "errors again and again", "another size", "no error", "noise"],
)
def test_previews_end_where_an_engine_says_what_nobody_asked(tmp_path: Path, answers: list[str | bytes]) -> None:
    def mallory(connection: ServerConnection) -> None:
        connection.recv(PATIENCE_S)
        for answer in answers:
            connection.send(answer)
        for _ in connection:
            pass

    results: list[RenderResult] = []
    errors: list[TuifaceError] = []
    with unix_serve(mallory, str(tmp_path / "s")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with client(tmp_path / "s").stream(results.append, errors.append) as stream:
            stream.submit(REQUEST)
            eventually(lambda: not stream.is_open)
        server.shutdown()
    assert len(results) + len(errors) <= 2
    assert str(errors[-1]).startswith(("the engine's answer is not understood", "frame: a header of"))
