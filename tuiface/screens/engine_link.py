"""The app's end of the engine: it is started, streamed from, asked to save and ended here, all in threads.

start     thread: opens the engine (seconds: torch), then EngineReady or EngineFailed
stream    thread of the engine's client: PreviewArrived, PreviewFailed
saves     thread: one face after the other, none dropped: FaceSaved or SaveFailed
tiles     thread: small pictures for a grid, those asked for last: TileArrived
work      threads: what a screen computes through the engine: WorkFinished or WorkFailed

All of these wait for an engine, and may wait long: for torch, for a device that hangs, behind another user's work. So
they are daemons (tuiface.screens.daemon_threads). What reads and writes files alone is done by Textual's workers.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tuiface.core.errors import EngineError, TuifaceError
from tuiface.core.latest import Latest
from tuiface.screens.daemon_threads import start_daemon
from tuiface.screens.messages import (
    EngineFailed,
    EngineReady,
    FaceSaved,
    PreviewArrived,
    PreviewFailed,
    SaveFailed,
    TileArrived,
    do_work,
)

if TYPE_CHECKING:
    from textual.message import Message

    from tuiface.core.settings import Settings
    from tuiface.engine_api.protocol import RenderRequest, RenderResult
    from tuiface.faces.studio import Face, Studio
    from tuiface.screens.interactive_engine import InteractiveEngine, Previews
    from tuiface.service.job_client import SharedJobs

log = logging.getLogger("tuiface")


EngineFactory = Callable[["Settings"], "InteractiveEngine"]


def resident_or_private_engine(settings: Settings) -> InteractiveEngine:
    """The resident engine where one runs and fits, else a process of this app alone.

    Imported late: its client's imports would come before the first paint.
    """
    from tuiface.service.client import ResidentEngine

    return ResidentEngine(settings, resident="never" if settings.engine == "private" else "preferred")


class EngineLink:
    """One engine, started as often as it takes, and everything that waits for it.

    Methods are called on the app's thread and return at once; answers are messages through `post`.
    """

    def __init__(self, settings: Settings, factory: EngineFactory, post: Callable[[Message], object]) -> None:
        self._settings = settings
        self._factory = factory
        self._post = post
        self._lock = threading.Lock()
        self._closed = False
        self._engine: InteractiveEngine | None = None
        self._previews: Previews | None = None
        self._saves: SimpleQueue[Face | None] = SimpleQueue()
        self._saver: threading.Thread | None = None
        self._tiles: Latest[Sequence[RenderRequest]] = Latest()
        self._tiler: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the engine runs and its stream is open."""
        engine, previews = self._engine, self._previews
        return engine is not None and engine.is_alive and previews is not None and previews.is_open

    @property
    def shared_jobs(self) -> SharedJobs | None:
        """Long work in a resident engine; None where there is none."""
        engine = self._engine
        return None if engine is None else engine.shared_jobs

    def start(self, studio: Studio | None = None) -> None:
        """Start the engine, again if it ran before; `studio` is the one to go on with, None makes a new one."""
        self._start_thread("engine-start", lambda: self._open(studio))

    def submit(self, request: RenderRequest) -> None:
        """Ask for a preview; PreviewArrived follows for this one or a newer one, or PreviewFailed."""
        assert self._previews is not None, "no engine has been ready yet"
        if self._previews.is_open:
            self._previews.submit(request)
        else:
            self._on_error(EngineError("the engine does not answer"))

    def save(self, face: Face) -> None:
        """Save `face` into the library after those that wait already."""
        self._saves.put(face)
        if self._saver is None:
            self._saver = self._start_thread("saves", self._save_all)

    def render_tiles(self, requests: Sequence[RenderRequest]) -> None:
        """Render small pictures in their order, in place of those that were asked for before and still wait."""
        self._tiles.put(requests)
        if self._tiler is None and requests:
            self._tiler = self._start_thread("tiles", self._render_tiles)

    def run(self, title: str, work: Callable[[], Callable[[], None]]) -> None:
        """Do `work` in a thread, then what it returns on the app's; `title` heads the toast of an error."""

        self._start_thread("work", lambda: self._post_unless_closed(do_work(title, work)))

    def change_model(self, settings: Settings) -> None:
        """End the engine and start one with other settings, and so with a new studio."""
        with self._lock:
            engine, self._engine = self._engine, None
        self._settings = settings

        def change() -> None:
            if engine is not None:
                engine.close()
            self._open(None)

        self.render_tiles([])
        self._start_thread("engine-start", change)

    def close(self) -> None:
        """End the engine and every thread that waits for it. Calling it again changes nothing."""
        with self._lock:
            self._closed = True
            engine = self._engine
        if engine is not None:
            engine.close()
        self._saves.put(None)
        self._tiles.close()

    def _open(self, studio: Studio | None) -> None:
        try:
            engine = self._start_engine()
            if engine is None:
                return
            previews = engine.stream(self._on_result, self._on_error)  # connects while the next lines import
            if studio is None:
                from tuiface.faces.studio import Studio

                studio = Studio(engine, self._settings)
        except TuifaceError as error:
            self._post_unless_closed(EngineFailed(error))
            return
        self._previews = previews
        self._post_unless_closed(EngineReady(studio, engine.remark))

    def _start_engine(self) -> InteractiveEngine | None:
        """The running engine; None where `close` came first."""
        engine = self._engine
        if engine is not None:
            engine.restart()
            return engine
        engine = self._factory(self._settings)
        with self._lock:
            if self._closed:
                return None
            self._engine = engine
        engine.start()
        return engine

    def _on_result(self, result: RenderResult) -> None:
        self._post(PreviewArrived(result))

    def _on_error(self, error: TuifaceError) -> None:
        self._post_unless_closed(PreviewFailed(error))

    def _render_tiles(self) -> None:
        while (requests := self._tiles.wait()) is not None:
            for request in requests:
                if self._closed or not self._tiles.is_empty:
                    break
                self._render_tile(request)

    def _render_tile(self, request: RenderRequest) -> None:
        engine = self._engine
        try:
            if engine is not None:
                self._post_unless_closed(TileArrived(engine.render(request)))
        except TuifaceError as error:
            # The stream tells of a dead engine, and every picture would say the same again.
            log.warning("tile not rendered: %s", error)

    def _save_all(self) -> None:
        while (face := self._saves.get()) is not None:
            self._post(self._save(face))

    def _save(self, face: Face) -> Message:
        path = self._settings.library / f"{face.file_stem()}.png"
        if path.exists() and path.with_suffix(".json").exists():  # without it, saving completes the face
            return FaceSaved(face, path, existed=True)
        try:
            return FaceSaved(face, face.save(self._settings.library), existed=False)
        except TuifaceError as error:
            return SaveFailed(face, error)

    def _post_unless_closed(self, message: Message) -> None:
        if not self._closed:
            self._post(message)

    def _start_thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        return start_daemon(name, work, self._post_unless_closed)
