"""Fuzz an engine over its socket: valid messages of every route, changed in structure, and bytes that are no messages.

    python -m tests.fuzz.fuzz_requests [--count 10000] [--seed 0]

starts a resident engine by your settings (TUIFACE_RUNTIME: its folder), sends it so many, and says what came back and
how its memory went. The same seed sends the same. What must hold: the engine lives, every refusal is named, memory does
not grow.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import http.client
import json
import logging
import random
import socket
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import unix_connect

from tuiface.core.errors import EngineError
from tuiface.directions.direction import Direction, DirectionHeader, DirectionOrigin, labels_of
from tuiface.engine_api import codec
from tuiface.engine_api.packed import ArrayMessage
from tuiface.engine_api.protocol import EngineInfo, RenderRequest
from tuiface.engine_api.requests import CrossRequest, ImportRequest, SearchRequest, StripRequest
from tuiface.faces.recipe import ChannelEdit, LatentSource, ModelRef, Recipe, RegionLock, SeedSource, StyleMix
from tuiface.service import messages

TIMEOUT_S = 20.0
"""For an answer; work that takes longer is given up by hanging up."""
NUM_REPORTS = 20
Messages = dict[str, list[dict[str, Any]]]

ATOMS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 1024, 1025, 65_536, 100_000, 2**31, 2**32, 2**53, 2**63, 2**64, -(2**63), 10**30,
    0.0, -0.0, 0.5, 1e-308, 1e38, 1e308, -1e308, "", " ", "0", "１６", "smile", "../../etc/passwd", "\0", "\n\r\x1b[2J",
    "\u202e", "e\u0301" * 50, "x" * 300, "x" * 5000, "A" * 70_000, "AAAA", "=", [], {}, [[]],
    [None], {"": 0}, {"kind": "seed"},
)  # fmt: skip


def valid_messages(info: EngineInfo) -> Messages:
    """By route, what an honest client of the engine sends; the cheap ones."""
    face = Recipe(model=info.model, source=SeedSource(seed=1))
    foreign = face.derive(model=ModelRef(sha256="f" * 64, name="another"))  # looking for a face takes half a minute
    layer, channels = next(iter(info.layers.items()))
    ws = np.zeros((info.num_ws, info.w_dim), np.float32)
    edited = face.derive(
        mixes=(StyleMix(source=LatentSource.from_array(ws), rows=(0, 2)),),
        edits=(ChannelEdit(channel=(layer, channels - 1), amount=2.0),),
    )
    origin = DirectionOrigin(method="import", settings={"n": 1, "x": 0.5, "s": "a", "b": True})
    header = DirectionHeader(
        name="d", labels=labels_of("d"), space="w", origin=origin, licence="CC0-1.0", model=info.model
    )
    direction = Direction(header, {"step": np.ones(info.w_dim, np.float32)})
    step = ArrayMessage.of(np.ones((1, info.w_dim), np.float32))
    found: dict[str, list[Any]] = {
        codec.RENDER_PATH: [
            codec.RenderMessage(job=RenderRequest(face, 8, "draft", threads=1, sequence=1)),
            codec.RenderMessage(job=RenderRequest(edited, 8, "final", threads=1, sequence=1)),
        ],
        codec.PREVIEW_PATH: [
            codec.RenderMessage(job=RenderRequest(recipe, 8, "preview", sequence=1))
            for recipe in (face, edited.derive(locks=(RegionLock(region="frame"),)))
        ],
        codec.MAP_PATH: [codec.MapMessage(z=ArrayMessage.of(np.zeros((2, info.z_dim))))],
        codec.WS_PATH: [codec.WsMessage(recipe=edited)],
        codec.FEATURES_PATH: [codec.FeaturesMessage(seeds=(1, 2))],
        codec.FACES_PATH: [codec.FaceRequestMessage(request=CrossRequest(contour=foreign, inner=edited))],
        codec.WORK_PATH: [
            codec.WorkMessage(request=request)
            for request in (
                SearchRequest(method="sefa", count=1),
                ImportRequest(name="d", step=step, file="d.npy"),
                StripRequest.of([direction], [1]),
            )
        ],
        messages.STOP_PATH: [messages.StopMessage(force=True)],
        messages.CANCEL_PATH: [messages.JobNumber(id=1)],
        messages.FORGET_PATH: [messages.JobNumber(id=1)],
        messages.JOB_PATH: [messages.JobOpening(label="a", total=3), messages.JobReport(done=1, total=3)],
        messages.JOBS_PATH: [messages.JobNumber(id=1)],
    }
    return {path: [json.loads(message.model_dump_json()) for message in texts] for path, texts in found.items()}


def mutate(value: Any, rng: random.Random) -> Any:
    """A copy of a JSON value with up to three places changed."""
    changed = copy.deepcopy(value)
    for _ in range(rng.randint(0, 3)):
        places = list(_places(changed))
        if not places:
            break
        parent, key = rng.choice(places)
        change = rng.choice(_CHANGES)
        change(parent, key, rng)
        if change is _repeat:
            break  # what is repeated is one object: a change in it would be repeated too, and fill the memory
    return changed


def _places(value: Any) -> list[tuple[Any, Any]]:
    own: list[tuple[Any, Any]] = []
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        own.append((value, key))
        own += _places(value[key])
    return own


def _replace(parent: Any, key: Any, rng: random.Random) -> None:
    parent[key] = copy.deepcopy(rng.choice(ATOMS))


def _nest(parent: Any, key: Any, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 3, 70, 300))):
        parent[key] = [parent[key]] if rng.random() < 0.5 else {"a": parent[key]}


def _repeat(parent: Any, key: Any, rng: random.Random) -> None:
    times = rng.choice((2, 30, 12_000))
    if len(str(parent[key])) * times < 300_000:
        parent[key] = parent[key] * times if isinstance(parent[key], list | str) else [parent[key]] * times


def _remove(parent: Any, key: Any, rng: random.Random) -> None:
    del parent[key]


def _add(parent: Any, key: Any, rng: random.Random) -> None:
    if isinstance(parent, dict):
        for number in range(rng.choice((1, 40, 5000))):
            parent[f"{key}{number}"] = copy.deepcopy(rng.choice(ATOMS))
    else:
        parent.insert(rng.randint(0, len(parent)), copy.deepcopy(rng.choice(ATOMS)))


def _step(parent: Any, key: Any, rng: random.Random) -> None:
    if isinstance(parent[key], int | float):
        parent[key] += rng.choice((-1, 1, 0.5, 2**31))
    elif isinstance(parent[key], str) and parent[key]:
        place = rng.randrange(len(parent[key]))
        parent[key] = parent[key][:place] + rng.choice("\0ä０\ud7ffzZ9=-") + parent[key][place + 1 :]


_CHANGES: tuple[Callable[[Any, Any, random.Random], None], ...] = (
    _replace,
    _replace,
    _nest,
    _repeat,
    _remove,
    _add,
    _step,
)


def damage(data: bytes, rng: random.Random) -> bytes:
    """Bytes with some of them changed, cut or repeated."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(damaged) + 1)
        kind = rng.randrange(4)
        if kind == 0 and place < len(damaged):
            damaged[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del damaged[place : place + rng.randint(1, 50)]
        elif kind == 2:
            damaged[place:place] = rng.choice((b"\xff", b"\0", b"\r\n\r\n", b"\xed\xa0\x80", b"[" * 500, b"9" * 500))
        else:
            damaged[place:place] = damaged[place : place + rng.randint(1, 200)]
    return bytes(damaged)


class RequestFuzzer:
    """Sends one changed message after the other, and counts what comes back."""

    def __init__(self, path: Path, info: EngineInfo, seed: int) -> None:
        self.outcomes: Counter[str] = Counter()
        """By route and answer."""
        self.unnamed: list[str] = []
        """Answers that are neither results nor refusals that say what is wrong, with what was sent."""
        self._path = path
        self._rng = random.Random(seed)
        self._messages = valid_messages(info)

    def run(self, count: int) -> None:
        """Send `count` of them; raises OSError where the engine is gone."""
        for _ in range(count):
            route = self._rng.choice(list(self._messages))
            value = mutate(self._rng.choice(self._messages[route]), self._rng)
            if route == messages.STOP_PATH:
                value["not"] = "now"  # without unknown keys it would do what it says
            text = json.dumps(value).encode()
            if self._rng.random() < 0.15:
                text = damage(text, self._rng)
            if route in (codec.PREVIEW_PATH, messages.JOB_PATH, messages.JOBS_PATH):
                self._send_message(route, text)
            elif self._rng.random() < 0.1:
                self._send_bytes(text, route)
            else:
                self._post(route, text)

    def _post(self, route: str, body: bytes) -> None:
        connection = http.client.HTTPConnection("engine")
        connection.sock = self._connect()
        with contextlib.closing(connection):
            try:
                connection.request("POST", route, body, {"Connection": "close"})
                answer = connection.getresponse()
                status, data = answer.status, answer.read()
            except TimeoutError:
                self.outcomes[f"{route} given up"] += 1
                return
            except BrokenPipeError:
                self.outcomes[f"{route} refused unread"] += 1
                return
        self._judge(route, status, data, body)

    def _send_message(self, route: str, text: bytes) -> None:
        try:
            with unix_connect(
                str(self._path), "ws://engine" + route, compression=None, max_size=None, close_timeout=1
            ) as stream:
                stream.send(text, text=self._rng.random() < 0.95)
                answer = stream.recv(0.2 if route != codec.PREVIEW_PATH else TIMEOUT_S)
        except TimeoutError:
            self.outcomes[f"{route} silent"] += 1
        except WebSocketException as error:
            self.outcomes[f"{route} {type(error).__name__}"] += 1
        else:
            is_error = isinstance(answer, str) and '"error"' in answer
            self._judge(route, 400 if is_error else 200, answer.encode() if isinstance(answer, str) else b"", text)

    def _send_bytes(self, body: bytes, route: str) -> None:
        head = b"POST %s HTTP/1.1\r\nhost: e\r\ncontent-length: %d\r\n\r\n" % (route.encode(), len(body))
        with self._connect() as stranger, contextlib.suppress(OSError):
            stranger.sendall(damage(head, self._rng) + body)
            stranger.shutdown(socket.SHUT_WR)
            while stranger.recv(65536):
                pass
        self.outcomes["bytes"] += 1

    def _judge(self, route: str, status: int, data: bytes, sent: bytes) -> None:
        self.outcomes[f"{route} {status}"] += 1
        if status in (400, 500, 503):
            error = codec.decode_error(data)
            is_named = not error.message.startswith(("the engine failed", "the engine's answer is not"))
            if is_named and (status == 400 or isinstance(error, EngineError)):
                return
            self.unnamed.append(f"{route}: {status}: {error}: {sent[:2000]!r}")
        elif status not in (200, 404, 405):
            self.unnamed.append(f"{route}: {status}: {sent[:2000]!r}")

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(self._path))
        return connection


def resident_mb(pid: int) -> float:
    """Memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def main() -> int:
    """The long run."""
    from tuiface.core.settings import load_settings
    from tuiface.service import daemon
    from tuiface.service.client import ResidentEngine
    from tuiface.service.discovery import require_engine

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.fuzz_requests")
    parser.add_argument("--count", type=int, default=10_000, help="messages to send")
    parser.add_argument("--seed", type=int, default=0, help="of the changes")
    options = parser.parse_args()
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # of the client, which is cut off now and then
    settings = load_settings()
    pid = daemon.start(settings, idle_minutes=0).pid
    try:
        with ResidentEngine(settings, resident="required") as engine:
            engine.start()
            fuzzer = RequestFuzzer(require_engine(settings).socket, engine.info(), options.seed)
            print(f"{resident_mb(pid):.0f} MB before", flush=True)
            for number in range(1, NUM_REPORTS + 1):
                fuzzer.run(options.count // NUM_REPORTS)
                sent = number * (options.count // NUM_REPORTS)
                print(f"{resident_mb(pid):.0f} MB after {sent}; unnamed: {len(fuzzer.unnamed)}", flush=True)
            is_well = engine.render(
                RenderRequest(Recipe(model=engine.info().model, source=SeedSource(seed=1)))
            ).pixels.any()
        for outcome, times in sorted(fuzzer.outcomes.items()):
            print(f"{times:6d} {outcome}")
        print("\n".join(line[:1500] for line in fuzzer.unnamed[:20]))
        return 1 if fuzzer.unnamed or not is_well else 0
    finally:
        daemon.stop(settings, force=True)


if __name__ == "__main__":
    sys.exit(main())
