"""What runs in the engine's process: watch the parent, open the engine, report, serve.

    python -m tuiface.service --socket PATH [--lifeline FD] [--ready FD] < settings.json
    python -m tuiface.service --socket PATH [--ready FD] --idle-s N --log FILE [--group G] < settings.json

The first is a private engine, the second one that clients share (daemon.py).

The order matters. The watch on the parent comes first, so imports stand inside functions here: opening the engine may
take a minute, and until then nothing but the watch would notice that nobody waits for it any more.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tuiface.core.errors import EXIT_DONE, EngineError, TuifaceError, quote
from tuiface.core.log_text import OneLineFormatter
from tuiface.core.processes import limit_spinning
from tuiface.service import lifeline

if TYPE_CHECKING:
    import uvicorn

    from tuiface.core.settings import Settings
    from tuiface.engine_api.codec import Report
    from tuiface.engine_api.protocol import Engine
    from tuiface.service.allowances import Allowances

    EngineFactory = Callable[[Settings], Engine]

GRACE_S = 1
"""How long a stopping server waits for answers that are under way."""

BACKLOG = 1024
"""Connections that wait to be accepted; the system may allow fewer."""
SWITCH_S = 0.0005
"""After so long a thread that runs Python lets another run. The one that renders needs Python hundreds of times a
picture, and by default it waits 5 ms for it each time that the event loop is busy."""

log = logging.getLogger(__name__)


def open_local_engine(settings: Settings) -> Engine:
    """The engine of this process: imports torch."""
    from tuiface.engine.loading import open_engine

    return open_engine(settings)


def main(arguments: Sequence[str] | None = None, *, engine_factory: EngineFactory = open_local_engine) -> int:
    """Serve the engine that `engine_factory` opens until a signal or the lifeline ends it; returns the exit code.

    A failure before the socket listens goes through the ready pipe as the error that it is, with its exit code.
    """
    options = _parse(arguments)
    limit_spinning()
    sys.setswitchinterval(SWITCH_S)
    is_private = options.lifeline is not None
    if is_private:
        lifeline.watch_parent(options.lifeline, options.socket)
    if options.ready is not None:
        os.set_inheritable(options.ready, False)  # noqa: FBT003
    _install_signal_handlers(options.socket, private=is_private)
    faulthandler.enable()
    _configure_logging(options.log)
    try:
        from tuiface.service.allowances import Allowances, raise_file_limit

        allowances = Allowances(raise_file_limit())
        server = _build_server(engine_factory, _read_settings(), options, allowances)
        listener = _listen(options.socket, options.group)
    except Exception as error:
        log.exception("the engine did not start")
        return _report_failure(options.ready, error)
    log.info("listening on %s", options.socket)
    _report_ready(options.ready)
    server.run(sockets=[listener])
    lifeline.remove_socket(options.socket, private=is_private)
    log.info("ended")
    return EXIT_DONE


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tuiface.service", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--socket", type=Path, required=True, help="path to listen on; its folder must exist")
    parser.add_argument("--lifeline", type=int, metavar="FD", help="pipe that ends when the parent ends")
    parser.add_argument("--ready", type=int, metavar="FD", help="pipe for one report: listening, or why not")
    parser.add_argument("--idle-s", type=float, metavar="N", help="serve several clients; end N seconds after the last")
    parser.add_argument("--group", metavar="G", help="Unix group that may use it too")
    parser.add_argument("--log", type=Path, metavar="FILE", help="log of limited size instead of standard error")
    return parser.parse_args(arguments)


def _install_signal_handlers(path: Path, *, private: bool) -> None:
    """Remove the socket before a signal ends the process, and end as by that signal, so that the exit status tells it.

    While serving, uvicorn's own handler stops the server first and then raises the signal again, for this one.
    """

    def terminate(number: int, _: FrameType | None) -> None:
        lifeline.remove_socket(path, private=private)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, terminate)
    if not private:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _configure_logging(path: Path | None) -> None:
    from tuiface.service.engine_log import RepetitionFilter, RotatingLog

    handler = logging.StreamHandler() if path is None else RotatingLog(path)
    handler.setFormatter(OneLineFormatter())
    handler.addFilter(RepetitionFilter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _read_settings() -> Settings:
    from tuiface.core.settings import Settings
    from tuiface.core.strict_json import parse_strict_json

    return Settings.model_validate(parse_strict_json(sys.stdin.buffer.read(), file_names=True))


def _build_server(
    engine_factory: EngineFactory, settings: Settings, options: argparse.Namespace, allowances: Allowances
) -> uvicorn.Server:
    """A server without keep-alive pings: a client stopped with Ctrl+Z must find its stream again hours later."""
    import uvicorn

    from tuiface.service.audit_log import AuditLog
    from tuiface.service.audited_engine import AuditedEngine
    from tuiface.service.listener import GuardedServer
    from tuiface.service.messages import Offer
    from tuiface.service.protocols import LimitedHTTP, LimitedWebSocket
    from tuiface.service.runtime_folder import group_id
    from tuiface.service.server import create_app
    from tuiface.service.sharing import SharedEngineState

    offer = Offer.of(settings) if options.idle_s is not None else None  # of the file as it is before it is read
    engine = engine_factory(settings)
    sharing = None
    if offer is not None:
        audit = AuditLog(settings.state, None if options.group is None else group_id(options.group))
        engine = AuditedEngine(engine, audit)
        sharing = SharedEngineState(engine.info(), offer, audit, idle_s=options.idle_s, group=options.group)
    server = GuardedServer(
        uvicorn.Config(
            create_app(engine, sharing, allowances),
            loop="asyncio",
            http=LimitedHTTP,
            ws=partial(LimitedWebSocket, allowances=allowances),  # type: ignore[arg-type]  # it is only called
            lifespan="on",
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=GRACE_S,
        ),
        allowances,
    )
    if sharing is not None:
        sharing.leave = partial(_request_exit, server)
    return server


def _request_exit(server: uvicorn.Server) -> None:
    server.should_exit = True


def _listen(path: Path, group: str | None) -> socket.socket:
    """A listening socket that is never, not even for a moment, open to others than its user and `group`."""
    from tuiface.service.runtime_folder import group_id

    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
        if group is not None:
            os.chown(path, -1, group_id(group))
            path.chmod(0o660)
    except OSError as error:
        listener.close()
        raise EngineError(f"cannot listen on {quote(path, 120)}: {error.strerror or error}") from None
    finally:
        os.umask(mask)
    listener.listen(BACKLOG)
    return listener


def _report_failure(descriptor: int | None, error: Exception) -> int:
    from tuiface.engine_api import codec

    if not isinstance(error, TuifaceError):
        error = EngineError(f"the engine did not start: {type(error).__name__}: {error}")
    _report(descriptor, codec.Report(error=codec.to_error_message(error)))
    return error.exit_code


def _report_ready(descriptor: int | None) -> None:
    from tuiface.engine_api import codec

    _report(descriptor, codec.Report())


def _report(descriptor: int | None, report: Report) -> None:
    """Write the one report and close the pipe; a parent that is gone is the lifeline's affair."""
    from tuiface.engine_api import codec

    if descriptor is not None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
            pipe.write(codec.encode(report))
