"""The engine's server in this process, with its own listener, protocols and limits: no process is started."""

from __future__ import annotations

import argparse
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import Engine
from tuiface.service import engine_process
from tuiface.service.allowances import Allowances


@contextlib.contextmanager
def serve(
    engine: Engine, folder: Path, *, shared: bool = False, allowances: Allowances | None = None
) -> Iterator[Path]:
    """The socket at which `engine` is served until the block ends; `shared` by the routes of a resident one."""
    path, allowances = folder / "engine.sock", allowances or Allowances()
    options = argparse.Namespace(idle_s=0.0 if shared else None, group=None)
    settings = Settings(model=folder / "model.bin", state=folder)
    (folder / "model.bin").write_bytes(b"a network")
    server = engine_process._build_server(lambda _: engine, settings, options, allowances)
    listener = engine_process._listen(path, None)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
    thread.start()
    try:
        yield path
    finally:
        server.should_exit = True
        thread.join()
