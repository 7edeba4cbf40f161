"""A stream of previews: submit as often as you like, the newest request is rendered next.

One thread with an event loop of its own holds the WebSocket, so that the end of the engine is noticed while nothing is
asked of it. One request is under way at a time; those submitted meanwhile replace each other. Results of those that
were replaced while being rendered are still shown: with a key held down they are the progress. A locked face at rest
takes long: a newer request does not wait for its answer, and the engine may give it up without one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tuiface.core.errors import EngineError, TuifaceError
from tuiface.core.latest import Latest
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import RenderRequest, RenderResult

if TYPE_CHECKING:
    import asyncio

    from websockets.asyncio.client import ClientConnection

MAX_UNANSWERED = 64
"""Requests that are remembered; of those that were given up, none is answered behind a newer one."""
JOIN_TIMEOUT_S = 5.0
"""How long `close` waits for a callback that is running."""


class PreviewStream:
    """Opened by ResidentEngine.stream. Callbacks run on the stream's thread, one at a time.

    `on_result` gets results in the order of their sequence. `on_error` gets what the engine raised for one, after which
    the stream goes on, or once the EngineError that says how the engine ended, after which the stream is over.
    """

    def __init__(
        self,
        socket: Path,
        on_result: Callable[[RenderResult], None],
        on_error: Callable[[TuifaceError], None],
        describe_end: Callable[[], EngineError],
        side: int,
    ) -> None:
        """`side` is that of the network's full picture, pixels."""
        self._socket = socket
        self._on_result = on_result
        self._on_error = on_error
        self._describe_end = describe_end
        self._side = side
        self._lock = threading.Lock()
        self._waiting: Latest[RenderRequest] = Latest()
        self._newest = 0
        """Highest sequence that was submitted."""
        self._closed = False
        self._under_way: RenderRequest | None = None
        """The request whose answer is awaited; of the stream's thread alone."""
        self._unanswered: dict[int, RenderRequest] = {}
        """By sequence, what was sent since the last answer: a locked face may be given up without one."""
        self._thread = threading.Thread(target=self._run, name="preview", daemon=True)
        self._thread.start()

    def submit(self, request: RenderRequest) -> None:
        """Render `request` next, in place of any that waits; one older (by sequence) than the newest is ignored.

        Returns at once, from any thread. Does nothing on a stream that is over.
        """
        with self._lock:
            if request.sequence >= self._newest:
                self._newest = request.sequence
                self._waiting.put(request)

    def close(self) -> None:
        """No callback begins after this returns, unless it is called from one. Calling it again changes nothing."""
        self._closed = True
        self._waiting.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(JOIN_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether results may still come."""
        return self._thread.is_alive() and not self._closed

    def _run(self) -> None:
        import asyncio

        from websockets.exceptions import WebSocketException

        try:
            asyncio.run(self._serve())
        except (OSError, WebSocketException):
            if not self._closed:
                self._on_error(self._describe_end())
        except EngineError as error:  # the engine says what it was not asked for
            if not self._closed:
                self._on_error(error)

    async def _serve(self) -> None:
        """Until closed; raises OSError or WebSocketException when the engine goes away."""
        import asyncio

        from websockets.asyncio.client import unix_connect

        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        with self._waiting.waking(lambda: loop.call_soon_threadsafe(changed.set)):
            # No pings: a terminal stopped with Ctrl+Z must find its stream again hours later.
            async with unix_connect(
                str(self._socket),
                "ws://engine" + codec.PREVIEW_PATH,
                max_size=codec.max_render_result_bytes(self._side),
                compression=None,
                ping_interval=None,
                close_timeout=1,
            ) as connection:
                await self._exchange_messages(connection, changed)

    async def _exchange_messages(self, connection: ClientConnection, changed: asyncio.Event) -> None:
        """Send and receive side by side: the end of the connection shows on the receiving side, busy or idle."""
        import asyncio

        sending = asyncio.create_task(self._send_requests(connection, changed))
        try:
            while True:
                answer = await connection.recv()
                self._deliver(answer)
                changed.set()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send_requests(self, connection: ClientConnection, changed: asyncio.Event) -> None:
        while not self._closed:
            await changed.wait()
            changed.clear()
            if self._under_way is not None and not _is_interruptible(self._under_way):
                continue
            if (request := self._waiting.take()) is not None:
                self._under_way = self._unanswered[request.sequence] = request
                while len(self._unanswered) > MAX_UNANSWERED:
                    del self._unanswered[min(self._unanswered)]
                await connection.send(codec.encode(codec.RenderMessage(job=request)).decode())
        await connection.close()

    def _deliver(self, answer: str | bytes) -> None:
        """Pass on what an answer says; raises EngineError for one to nothing that was asked."""
        if isinstance(answer, str):
            message = codec.parse_answer(codec.ErrorMessage, answer, "error")
            self._settle(self._newest if message.sequence is None else message.sequence)
            self._under_way = None
            if not self._closed:
                self._on_error(codec.to_error(message))
            return
        result = codec.decode_render_result(answer)
        request = self._settle(result.sequence)
        check_result(result, request, self._side)
        if self._under_way is not None and result.sequence >= self._under_way.sequence:
            self._under_way = None
        if not self._closed:
            self._on_result(result)

    def _settle(self, sequence: int) -> RenderRequest:
        """The newest request up to `sequence`, which is answered now; those before it never will be."""
        settled = [sent for sent in self._unanswered if sent <= sequence]
        if not settled:
            raise EngineError("the engine's answer is not understood: nobody asked for it")
        return [self._unanswered.pop(sent) for sent in settled][-1]


def check_result(result: RenderResult, request: RenderRequest, side: int) -> RenderResult:
    """`result`, which must be what was asked of a network of that side; raises EngineError."""
    asked = request.resolution or side
    if result.pixels.shape != (asked, asked, 3):
        height, width = result.pixels.shape[:2]
        raise EngineError(f"the engine's answer is not understood: {width} x {height} px in place of {asked} x {asked}")
    if (result.sequence, result.recipe) != (request.sequence, request.recipe):
        raise EngineError("the engine's answer is not understood: the picture of another recipe")
    return result


def _is_interruptible(request: RenderRequest) -> bool:
    """Whether the engine looks for a lock's step, and gives it up for a newer one."""
    return bool(request.recipe.locks) and request.quality != "preview"
