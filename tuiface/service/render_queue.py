"""One thread that renders for everybody: one engine, one device, one picture at a time.

Saves wait in line and are never dropped. A preview client holds at most one place in line, and which job it stands for
is settled when its turn comes. Saves and previews alternate: a save waits for at most one preview, and a long line of
saves leaves previews moving. A preview that takes long is given up for a newer one of the same client.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from tuiface.core.errors import EngineError
from tuiface.engine_api.protocol import InterruptibleEngine, RenderRequest, RenderResult


@dataclass(frozen=True, slots=True, eq=False)
class QueueEntry:
    """A place in line."""

    take: Callable[[], RenderRequest]
    """The job, when the turn has come."""
    is_wanted: Callable[[], bool]
    """Whether its picture is still waited for, while it is rendered."""
    future: Future[RenderResult] = field(default_factory=Future)


class Mailbox:
    """The newest job of one preview client: filled on the event loop, emptied by the render thread."""

    def __init__(self) -> None:
        self._slot: deque[RenderRequest] = deque(maxlen=1)  # appending to a full deque drops the older job, atomically
        self._filled = asyncio.Event()
        self.sequence = 0
        """Of the job that was taken last."""

    def put(self, job: RenderRequest) -> None:
        """Replace the waiting job, if there is one."""
        self._slot.append(job)
        self._filled.set()

    @property
    def is_empty(self) -> bool:
        """Whether no job waits; from any thread."""
        return not self._slot

    async def wait_for_job(self) -> None:
        """Wait for a job. While a turn is being waited for nobody may call this: the job could be gone on return."""
        while not self._slot:
            self._filled.clear()
            await self._filled.wait()

    def take(self) -> RenderRequest:
        """The newest job; the mailbox is empty afterwards."""
        job = self._slot.popleft()
        self.sequence = job.sequence
        return job


class RenderBackend(Protocol):
    """The part of an Engine that the queue stands in front of."""

    def render(self, job: RenderRequest) -> RenderResult:
        """Render `job` and wait for it."""


class RenderQueue:
    """The line in front of an engine; as a context manager it owns the render thread."""

    def __init__(self, engine: RenderBackend) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._saves: deque[QueueEntry] = deque()
        self._previews: deque[QueueEntry] = deque()
        self._closed = False
        # A daemon: a picture that takes minutes must not keep a stopped process alive.
        self._thread = threading.Thread(target=self._run, name="render", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Fail whatever still waits with EngineError; the picture in progress is left to itself."""
        with self._changed:
            self._closed = True
            waiting = [*self._saves, *self._previews]
            self._saves.clear()
            self._previews.clear()
            self._changed.notify()
        for turn in waiting:
            if turn.future.set_running_or_notify_cancel():
                turn.future.set_exception(_stopping_error())

    def save(self, job: RenderRequest) -> Future[RenderResult]:
        """Line up `job` behind the saves that came before."""
        return self._enqueue(self._saves, QueueEntry(lambda: job, lambda: True))

    def enqueue_preview(self, mailbox: Mailbox) -> Future[RenderResult]:
        """Line up for whatever lies in `mailbox` when the turn comes; it must be filled, with no other turn awaited.

        The future raises Superseded where the picture was given up because the mailbox was filled again.
        """
        return self._enqueue(self._previews, QueueEntry(mailbox.take, lambda: mailbox.is_empty))

    def _enqueue(self, line: deque[QueueEntry], turn: QueueEntry) -> Future[RenderResult]:
        with self._changed:
            if self._closed:
                raise _stopping_error()
            line.append(turn)
            self._changed.notify()
        return turn.future

    def _run(self) -> None:
        preview_next = False
        while True:
            with self._changed:
                while not (self._saves or self._previews or self._closed):
                    self._changed.wait()
                if self._closed:
                    return
                preview_next = bool(self._previews) and (preview_next or not self._saves)
                turn = (self._previews if preview_next else self._saves).popleft()
                preview_next = not preview_next
            if turn.future.set_running_or_notify_cancel():
                self._render(turn)

    def _render(self, turn: QueueEntry) -> None:
        job = turn.take()
        try:
            if isinstance(self._engine, InterruptibleEngine):
                frame = self._engine.render_while(turn.is_wanted, job)
            else:
                frame = self._engine.render(job)
        except Exception as error:  # noqa: BLE001 - it is raised again where the future is awaited
            turn.future.set_exception(error)
        else:
            turn.future.set_result(frame)


def _stopping_error() -> EngineError:
    return EngineError("the engine is stopping; nothing more is rendered")
