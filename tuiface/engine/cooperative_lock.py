"""One engine for several threads: work of many seconds lets what takes milliseconds go first."""

from __future__ import annotations

import threading
import time
from types import TracebackType

_HANDING_OVER_S = 0.001


class CooperativeLock:
    """A lock whose holder can let another thread have it in between."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count_lock = threading.Lock()
        self._num_waiting = 0

    def __enter__(self) -> None:
        with self._count_lock:
            self._num_waiting += 1
        self._lock.acquire()
        with self._count_lock:
            self._num_waiting -= 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def yield_to_waiting(self) -> None:
        """By the holder, between two steps of its work: whoever waits has one turn, then the holder goes on."""
        if self._num_waiting:
            self._lock.release()
            try:
                time.sleep(_HANDING_OVER_S)  # a lock that is taken again at once never leaves its thread
            finally:
                self._lock.acquire()
