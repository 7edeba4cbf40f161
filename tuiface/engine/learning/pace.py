"""How far work of equal parts is, and how long the rest may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tuiface.core.durations import format_duration


class Pace:
    """Parts done of `total`; those that had only to be recalled say nothing of how long others take."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._total = total
        self._clock = clock
        self._done = 0
        self._timed = 0
        self._seconds = 0.0
        self._is_timed = False

    @contextmanager
    def step(self) -> Iterator[None]:
        """One part."""
        self._is_timed = False
        begun = self._clock()
        yield
        self._done += 1
        if self._is_timed:
            self._timed += 1
            self._seconds += self._clock() - begun

    def count_this(self) -> None:
        """The present part is being worked out."""
        self._is_timed = True

    def describe(self) -> str:
        """`3 of 48, 12 min left`; without a time where none is known or nothing is left."""
        told, left = f"{self._done} of {self._total}", self._total - self._done
        if not left or not self._timed:
            return told
        return f"{told}, {format_duration(self._seconds / self._timed * left)} left"
