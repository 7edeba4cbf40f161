"""The ordered way to the terminal, shared by all pictures of an app: bytes out, acknowledgements back, one encoder.

Everything goes through Textual's own queue, so that a picture and the cells that show it keep their order. A terminal
answers `CSI 6n` when it has read all that came before: that answer is the one that Textual hands on as an event.

Threads: the app's alone, but for the encoder, which only posts what it has done.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

from tuiface.core.latest import Latest
from tuiface.terminal.capabilities import Capabilities
from tuiface.terminal.private_api import write_to_terminal

ACK_TIMEOUT_S = 2.0
"""A terminal that does not answer is taken to have read everything by then."""
_CURSOR_QUERY = "\x1b7\x1b[2;2H\x1b[6n\x1b8"
"""From row 2: an answer from row 1 can read as a function key (`CSI 1;2R` is Shift+F3)."""


@dataclass
class WorkDone(Message):
    """The encoder is done with what a widget submitted."""

    deliver: Callable[[], None]


@dataclass
class _PendingAcknowledgement:
    asked: float
    answer: Callable[[float], None]


class Redrawable(Protocol):
    """Something with pictures on the terminal."""

    def send_again(self) -> None:
        """Send and draw all anew, by whatever protocol there is now."""

    def free(self) -> None:
        """Delete what the terminal keeps."""


class TerminalWriter:
    """One terminal's connection."""

    def __init__(self, app: App[Any], capabilities: Capabilities) -> None:
        self._app = app
        self.capabilities = capabilities
        self.views: list[Redrawable] = []
        """What must be drawn again when the protocol changes or the terminal has forgotten its pictures."""
        self._pending_acknowledgements: deque[_PendingAcknowledgement] = deque()
        self._encoder = Encoder()
        self.bytes_written = 0
        self._leave: Callable[[], None] | None = None
        """What to do when nothing is asked any more."""
        self.must_use_cells = False
        """For a while pictures are drawn as coloured cells, whatever the protocol."""

    def write(self, text: str) -> None:
        """Queue escapes behind all that was painted so far."""
        if text and write_to_terminal(self._app, text):
            self.bytes_written += len(text)

    def request_acknowledgement(self, answer: Callable[[float], None]) -> None:
        """Call `answer` with the seconds that passed until the terminal had read everything written so far."""
        if self._leave is not None:
            return
        question = _PendingAcknowledgement(time.monotonic(), answer)
        if not write_to_terminal(self._app, _CURSOR_QUERY):
            answer(0.0)
            return
        self._pending_acknowledgements.append(question)
        self._app.set_timer(ACK_TIMEOUT_S, lambda: self._give_up(question))

    def acknowledge(self) -> None:
        """A cursor position arrived: the oldest question is answered."""
        if self._pending_acknowledgements:
            question = self._pending_acknowledgements.popleft()
            question.answer(time.monotonic() - question.asked)
            self._leave_if_answered()

    def leave_when_answered(self, leave: Callable[[], None]) -> None:
        """Ask nothing more, and call `leave` when all is answered or given up: the shell would get the answers."""
        self._leave = leave
        self._leave_if_answered()

    def _leave_if_answered(self) -> None:
        if self._leave is not None and not self._pending_acknowledgements:
            self._leave()

    def _give_up(self, question: _PendingAcknowledgement) -> None:
        if question in self._pending_acknowledgements:
            self._pending_acknowledgements.remove(question)
            question.answer(ACK_TIMEOUT_S)
            self._leave_if_answered()

    @contextlib.contextmanager
    def cells_only(self) -> Iterator[None]:
        """Draw pictures in coloured cells inside the block, for a screenshot."""
        self.must_use_cells = True
        try:
            yield
        finally:
            self.must_use_cells = False

    def encode(self, owner: MessagePump, work: Callable[[], Callable[[], None]]) -> bool:
        """Run `work` in the encoder's thread in place of any that `owner` has waiting; then what it returns, here.

        Returns whether there was any, which will not be run.
        """
        return self._encoder.submit(owner, work)

    def cycle_graphics(self) -> Capabilities:
        """Go on to the next protocol that the terminal offers, and draw everything again."""
        offered = self.capabilities.available_protocols
        at = offered.index(self.capabilities.graphics) if self.capabilities.graphics in offered else -1
        self.capabilities = replace(self.capabilities, graphics=offered[(at + 1) % len(offered)])
        self.redraw()
        return self.capabilities

    def redraw(self) -> None:
        """Send all pictures again: the protocol changed, or another terminal shows this session now."""
        for view in list(self.views):
            view.send_again()

    def close(self) -> None:
        """Free what the terminal keeps for us and end the encoder. Calling it again changes nothing."""
        for view in list(self.views):
            view.free()
        self.views.clear()
        self._encoder.close()


class Encoder:
    """A thread that works for widgets: one waiting job each, the newest; PNG and sixel must not hold up typing."""

    def __init__(self) -> None:
        self._waiting: Latest[tuple[MessagePump, Callable[[], Callable[[], None]]]] = Latest()
        self._thread: threading.Thread | None = None

    def submit(self, owner: MessagePump, work: Callable[[], Callable[[], None]]) -> bool:
        """Post `WorkDone` with what `work` returns to `owner`; work of the same owner that waits is dropped.

        Returns whether some was.
        """
        has_dropped = self._waiting.put((owner, work), owner)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)
            self._thread.start()
        return has_dropped

    def close(self) -> None:
        """End the thread after what it is doing."""
        self._waiting.close()

    def _run(self) -> None:
        while (waiting := self._waiting.wait()) is not None:
            owner, work = waiting
            owner.post_message(WorkDone(work()))
