"""Eight people at the keys, and a ninth who abuses the engine that they share: what is left of their previews.

    python -m tests.fuzz.abuse [--seconds 60]

starts a resident engine by your settings, measures the previews that eight clients get at 30 requests a second, once
alone and once beside an abuser, who is another Unix user where this is run by root. The eight should keep half.
"""

from __future__ import annotations

import argparse
import contextlib
import grp
import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tuiface.core.errors import TuifaceError
from tuiface.core.settings import Settings, load_settings
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import RenderRequest
from tuiface.engine_api.requests import SearchRequest
from tuiface.faces.recipe import ModelRef, Recipe, SeedSource
from tuiface.service import daemon
from tuiface.service.client import ResidentEngine
from tuiface.service.discovery import require_engine

NUM_CLIENTS = 8
RATE_HZ = 30
NOBODY = 65534


def measure_previews(engines: list[ResidentEngine], model: ModelRef, seconds: float) -> list[float]:
    """Previews a second that each client gets."""
    counts = [0] * len(engines)
    with contextlib.ExitStack() as stack:
        streams = [
            stack.enter_context(engine.stream(_counter(counts, number), _tell)) for number, engine in enumerate(engines)
        ]
        began, sequence = time.monotonic(), 0
        while time.monotonic() < began + seconds:
            sequence += 1
            for number, stream in enumerate(streams):
                face = Recipe(model=model, source=SeedSource(seed=sequence * NUM_CLIENTS + number))
                stream.submit(RenderRequest(face, quality="preview", sequence=sequence))
            time.sleep(max(0.0, began + sequence / RATE_HZ - time.monotonic()))
    return [count / seconds for count in counts]


def _counter(counts: list[int], number: int) -> Callable[[object], None]:
    def count(_: object) -> None:
        counts[number] += 1

    return count


def _tell(error: TuifaceError) -> None:
    print(f"a preview failed: {error}", file=sys.stderr)


def abuse(path: Path, model: ModelRef) -> None:
    """Everything at once, until this process is killed."""
    face = Recipe(model=model, source=SeedSource(seed=1))
    flood = b"{" + b",".join(b'"k%d":0' % number for number in range(1_000_000)) + b"}"
    bodies = [
        (codec.RENDER_PATH, flood),
        (codec.RENDER_PATH, codec.encode(codec.RenderMessage(job=RenderRequest(face)))),
        (codec.WORK_PATH, codec.encode(codec.WorkMessage(request=SearchRequest(method="sefa", count=64)))),
        (codec.FEATURES_PATH, codec.encode(codec.FeaturesMessage(seeds=tuple(range(2000))))),
        (codec.INFO_PATH, b""),
    ]
    for route, body in bodies * 4:
        threading.Thread(target=_ask_for_ever, args=(path, route, body), daemon=True).start()
    idle: list[socket.socket] = []
    while True:
        with contextlib.suppress(OSError):
            connection = socket.socket(socket.AF_UNIX)
            idle.append(connection)
            connection.connect(str(path))
        if len(idle) >= 300:
            for connection in idle:
                connection.close()
            idle.clear()


def _ask_for_ever(path: Path, route: str, body: bytes) -> None:
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("engine", timeout=5)
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(5)
            connection.sock.connect(str(path))
            with contextlib.closing(connection):
                connection.request("POST" if body else "GET", route, body)
                connection.getresponse().read()


def start_abuser(path: Path, model: ModelRef) -> int:
    """The process id of the ninth; it is forked before any thread of ours begins."""
    pid = os.fork()
    if pid:
        return pid
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(grp.getgrnam("nogroup").gr_gid)
        os.setuid(NOBODY)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.pause()
    abuse(path, model)
    return 0


def main() -> int:
    """Both measurements."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.abuse")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    seconds = parser.parse_args().seconds
    settings: Settings = load_settings()
    is_root = os.getuid() == 0
    daemon.start(settings, idle_minutes=0, group="nogroup" if is_root else None)
    abuser = 0
    try:
        engines = [ResidentEngine(settings, resident="required") for _ in range(NUM_CLIENTS)]
        for engine in engines:
            engine.start()
        model = engines[0].info().model
        abuser = start_abuser(require_engine(settings).socket, model)
        alone = measure_previews(engines, model, seconds)
        os.kill(abuser, signal.SIGUSR1)
        beside = measure_previews(engines, model, seconds)
        for name, rates in (("alone", alone), ("beside an abuser", beside)):
            print(f"{name}: {sum(rates):.1f} previews a second, of each client {min(rates):.1f} to {max(rates):.1f}")
        print(f"the abuser is {'another user' if is_root else 'the same user'}")
        return 0 if sum(beside) >= sum(alone) / 2 else 1
    finally:
        if abuser:
            os.kill(abuser, signal.SIGKILL)
            os.waitpid(abuser, 0)
        daemon.stop(settings, force=True)


if __name__ == "__main__":
    sys.exit(main())
