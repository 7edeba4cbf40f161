"""The server as a stranger on the socket sees it: clients of other libraries, and of none."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, unix_connect

from tests.service.fake_child import BROKEN, GATED, REFUSAL, REFUSED, recipe
from tests.service.processes import PATIENCE_S, command, eventually, forget_rendered, open_gate, rendered
from tuiface.core.errors import EngineError, ModelError
from tuiface.core.settings import Settings
from tuiface.core.strict_json import MAX_JSON_BYTES
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import RenderRequest
from tuiface.service.private_process import EngineProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EngineProcess, Settings]]:
    """One server for the whole file: what a test does to it must leave it serving."""
    settings = Settings(state=tmp_path_factory.mktemp("state"))
    process = EngineProcess(settings, command("FakeEngine"))
    process.wait_ready(PATIENCE_S)
    yield process, settings
    process.stop()


@pytest.fixture
def path(server: tuple[EngineProcess, Settings]) -> Iterator[Path]:
    """The socket; the server must answer after the test as it did before."""
    process, settings = server
    forget_rendered(settings)
    yield process.socket
    with http(process.socket) as client:
        assert client.get(codec.HEALTH_PATH).json() == {"status": "ok"}


@pytest.fixture
def settings(server: tuple[EngineProcess, Settings]) -> Settings:
    return server[1]


def http(path: Path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://engine", timeout=PATIENCE_S)


def previews(path: Path) -> AbstractContextManager[ClientConnection]:
    return unix_connect(str(path), "ws://engine" + codec.PREVIEW_PATH, max_size=codec.MAX_RENDER_RESULT_BYTES)


def job(seed: int = 1, sequence: int = 0) -> bytes:
    return codec.encode(codec.RenderMessage(job=RenderRequest(recipe(seed), 16, quality="draft", sequence=sequence)))


def test_a_malformed_job_is_answered_with_what_is_wrong(path: Path) -> None:
    with http(path) as client:
        answer = client.post(codec.RENDER_PATH, content=job().replace(b'"quality"', b'"quantity"'))
    assert answer.status_code == 400
    assert answer.json()["error"] == "InputFileError"
    assert "job.quantity" in answer.json()["message"]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 100_000, b'{"job": {}}', b"null"])
def test_a_body_that_is_no_job_is_refused(path: Path, body: bytes) -> None:
    with http(path) as client:
        assert client.post(codec.RENDER_PATH, content=body).status_code == 400


def test_an_oversized_body_is_refused_whatever_length_it_claims(path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_JSON_BYTES // 2**20 + 1):
            yield b" " * 2**20

    with http(path) as client:
        answer = client.post(codec.RENDER_PATH, content=chunks())
    assert answer.status_code == 400
    assert "accepted" in answer.json()["message"]


@pytest.mark.parametrize("data", [b"\0" * 70_000, b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 200_000, b""])
def test_bytes_that_are_not_http_do_not_stop_the_server(path: Path, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(path))
        with contextlib.suppress(OSError):  # the server may hang up while we still send
            stranger.sendall(data)
            stranger.shutdown(socket.SHUT_WR)
            while stranger.recv(65536):
                pass


def test_nothing_else_is_served(path: Path) -> None:
    with http(path) as client:
        for unknown in ("/", "/docs", "/openapi.json", "/../etc/passwd"):
            assert client.get(unknown).status_code == 404
        assert client.get(codec.RENDER_PATH).status_code == 405


@pytest.mark.parametrize(
    ("seed", "status", "kind"), [(REFUSED, 400, ModelError), (BROKEN, 500, EngineError)], ids=["refused", "broken"]
)
def test_what_the_engine_raises_is_the_answer(path: Path, seed: int, status: int, kind: type[Exception]) -> None:
    with http(path) as client:
        answer = client.post(codec.RENDER_PATH, content=job(seed))
    assert answer.status_code == status
    assert type(codec.decode_error(answer.content)) is kind


def test_a_failed_preview_is_answered_with_its_sequence_and_the_stream_goes_on(path: Path) -> None:
    with previews(path) as stream:
        for sequence, seed in enumerate((REFUSED, BROKEN, 1), 1):
            stream.send(job(seed, sequence).decode())
            answer = stream.recv(PATIENCE_S)
            if isinstance(answer, bytes):
                assert codec.decode_render_result(answer).sequence == sequence == 3
            else:
                assert json.loads(answer)["sequence"] == sequence
                assert codec.decode_error(answer).message in (
                    REFUSAL.message,
                    "the engine failed: RuntimeError: CUDA error: device-side assert triggered",
                )


@pytest.mark.parametrize("message", ["", "{}", "[" * 50_000, b"binary", job()])
def test_a_preview_client_that_sends_no_job_is_told_and_sent_away(path: Path, message: str | bytes) -> None:
    with previews(path) as stream:
        stream.send(message)
        answer = stream.recv(PATIENCE_S)
        assert isinstance(answer, str)
        assert codec.decode_error(answer).message.startswith("render job: ")
        with pytest.raises(ConnectionClosed) as end:
            stream.recv(PATIENCE_S)
    assert end.value.rcvd is not None
    assert end.value.rcvd.code == 1008


def test_an_oversized_preview_message_ends_its_connection_alone(path: Path) -> None:
    with previews(path) as other, previews(path) as stream:
        with contextlib.suppress(ConnectionClosed):  # the server may hang up while we still send
            stream.send(" " * (MAX_JSON_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            stream.recv(PATIENCE_S)
        other.send(job(1, 5).decode())
        answer = other.recv(PATIENCE_S)
        assert isinstance(answer, bytes)
        assert codec.decode_render_result(answer).sequence == 5


def test_the_newest_of_many_jobs_wins(path: Path, settings: Settings) -> None:
    with previews(path) as stream:
        stream.send(job(GATED, 1).decode())
        eventually(lambda: rendered(settings) == [1])
        for sequence in range(2, 1001):
            stream.send(job(1, sequence).decode())
        assert stream.ping().wait(PATIENCE_S)  # the server has read what was sent before
        open_gate(settings)
        received: list[int] = []
        while 1000 not in received:
            answer = stream.recv(PATIENCE_S)
            assert isinstance(answer, bytes)
            received.append(codec.decode_render_result(answer).sequence)
    assert received == sorted(received)
    assert len(received) < 100
    assert rendered(settings) == received


def test_a_long_render_does_not_keep_the_server_from_answering(path: Path, settings: Settings) -> None:
    with previews(path) as stream, http(path) as client:
        stream.send(job(GATED, 1).decode())
        eventually(lambda: rendered(settings) == [1])
        assert client.get(codec.HEALTH_PATH).status_code == 200
        assert codec.decode_info(client.get(codec.INFO_PATH).content).resolution == 256
        open_gate(settings)
        assert isinstance(stream.recv(PATIENCE_S), bytes)


def test_a_client_that_leaves_takes_its_waiting_preview_along(path: Path, settings: Settings) -> None:
    with previews(path) as first:
        first.send(job(GATED, 1).decode())
        eventually(lambda: rendered(settings) == [1])
        with previews(path) as second:
            second.send(job(1, 2).decode())
            assert second.ping().wait(PATIENCE_S)
        with previews(path) as third:
            third.send(job(1, 3).decode())
            assert third.ping().wait(PATIENCE_S)
            open_gate(settings)
            assert isinstance(third.recv(PATIENCE_S), bytes)
    assert rendered(settings) == [1, 3]
