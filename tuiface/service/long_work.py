"""Long work for clients: done in a thread of the scheduler, told part by part, given up when the client goes away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future

from tuiface.core.errors import TuifaceError
from tuiface.engine.scheduler import stopping_error
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import Engine, Superseded
from tuiface.engine_api.requests import (
    ClusterSheetRequest,
    ConditionalMeanRequest,
    LongRequest,
    LongResult,
    OnStep,
    RegionsRequest,
    StripRequest,
)

log = logging.getLogger(__name__)

STEP_INTERVAL_S = 0.2
"""Steps without a word are told no more often."""


def do_work(engine: Engine, request: LongRequest, on_step: OnStep) -> Iterator[LongResult]:
    """What `engine` makes of `request`, part by part; raises its errors."""
    if isinstance(request, StripRequest):
        yield engine.draw_strip(request)
    elif isinstance(request, ConditionalMeanRequest):
        yield engine.estimate_conditional_mean(request, on_step)
    elif isinstance(request, ClusterSheetRequest):
        yield engine.draw_cluster_sheet(request)
    elif isinstance(request, RegionsRequest):
        yield engine.learn_regions(request, on_step)
    else:
        yield from engine.make_directions(request, on_step)


class WorkStream:
    """One piece of work: `run` in a thread, `messages` on the event loop that made this."""

    def __init__(
        self, engine: Engine, request: LongRequest, to_tuiface_error: Callable[[Exception], TuifaceError]
    ) -> None:
        """`to_tuiface_error`: what a client is told of any failure."""
        self._engine = engine
        self._request = request
        self._to_tuiface_error = to_tuiface_error
        self._loop = asyncio.get_running_loop()
        self._messages: asyncio.Queue[bytes] = asyncio.Queue()
        self._is_given_up = threading.Event()
        self._last_step = 0.0

    def run(self) -> None:
        """Do the work and tell of it, to its end or its error."""
        end: codec.WorkPart = codec.EndPart()
        try:
            for result in do_work(self._engine, self._request, self._step):
                self._tell(codec.encode_result(result))
        except Superseded:
            return
        except Exception as error:  # noqa: BLE001 - it is told to the client
            end = self._to_part(error)
        self._tell(codec.encode_part(end))

    async def messages(self, running: Future[None]) -> AsyncIterator[bytes]:
        """The messages of the answer, while `run` is `running`; closing it gives the work up at its next step."""
        done = asyncio.wrap_future(running)
        done.add_done_callback(lambda _: self._messages.put_nowait(b""))
        try:
            while message := await self._messages.get():
                yield message
            if (error := done.exception()) is not None:  # its turn never came
                assert isinstance(error, Exception)
                yield codec.encode_part(self._to_part(error))
        except asyncio.CancelledError:  # the server ends, or nobody reads this
            yield codec.encode_part(self._to_part(stopping_error()))
        finally:
            self._is_given_up.set()
            done.cancel()

    def _step(self, text: str) -> None:
        if self._is_given_up.is_set():
            raise Superseded
        now = time.monotonic()
        if text or now - self._last_step > STEP_INTERVAL_S:
            self._last_step = now
            self._tell(codec.encode_part(codec.StepPart(text=text)))

    def _tell(self, message: bytes) -> None:
        with contextlib.suppress(RuntimeError):  # the server's loop has ended, and nobody reads it
            self._loop.call_soon_threadsafe(self._messages.put_nowait, message)

    def _to_part(self, error: Exception) -> codec.ErrorPart:
        if not isinstance(error, TuifaceError):
            log.error("work of kind %s failed", self._request.kind, exc_info=error)
        return codec.ErrorPart(error=codec.to_error_message(self._to_tuiface_error(error)))
