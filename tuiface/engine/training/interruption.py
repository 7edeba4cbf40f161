"""Ctrl-C and SIGTERM as a wish: the step in progress is finished and what there is gets saved."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interruption:
    """While it is entered, a first signal is noted, also in a background process, whose shell has SIGINT ignored.

    A second one ends the program at once. Python handles signals in its main thread alone; on another thread nothing
    changes, and the caller's limits end the work.
    """

    def __init__(self) -> None:
        self.is_requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.is_requested = True
        signal.signal(number, signal.SIG_DFL)
