"""Flow control for one stream of pictures: the newest one is sent as soon as the terminal has read the one before.

Without it a key held down fills the link's buffers, and the picture goes on moving for seconds after the release
(measured: 4.2 s on 10 Mbit/s). With it the link holds one picture, or two where the round trip is long.

On a slow link pictures are sent as drafts while they keep coming, and once more in full when it has been quiet. A quick
one gets them in full at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from tuiface.core.latest import Latest

QUIET_S = 0.1
"""After the last picture, until it is sent in full."""
SLOW_S = 0.045
"""A full picture that takes longer to be read makes a link slow: drafts keep it above 20 pictures a second."""
MAX_ROUND_TRIP_ALLOWANCE_S = 0.08
"""Of a picture's time, at most so much is put down to the round trip and not to the link's speed."""
LONG_ROUND_TRIP_S = 0.03
"""From here on two pictures are under way: with one, half of the time the link would be idle."""

Item = TypeVar("Item")


class Timer(Protocol):
    """What `schedule` returns."""

    def stop(self) -> None:
        """Do not fire."""


class FramePump(Generic[Item]):
    """Calls `send(item, draft)` at the right moments; the sender calls `acknowledge` for each that was read."""

    def __init__(
        self,
        send: Callable[[Item, bool], None],
        schedule: Callable[[float, Callable[[], None]], Timer],
        *,
        slow: bool,
        has_drafts: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`has_drafts` False: every picture is sent in full, however slow the link."""
        self._has_drafts = has_drafts
        self._send = send
        self._schedule = schedule
        self._now = now
        self._waiting: Latest[Item] = Latest()
        self._shown: Item | None = None
        self._shown_in_full = True
        self._in_flight: list[tuple[float, bool]] = []
        """Of each picture under way: when it was sent, and whether as a draft."""
        self._quiet_timer: Timer | None = None
        self._min_round_trip_s = float("inf")
        self.is_slow = slow
        """Whether pictures that keep coming are drafts."""

    @property
    def is_idle(self) -> bool:
        """Whether the newest picture is on the terminal, in full."""
        return self._waiting.is_empty and not self._in_flight and self._shown_in_full

    def offer(self, item: Item) -> None:
        """A newer picture: sent now or as soon as there is room, unless a newer one comes before."""
        self._waiting.put(item)
        self._advance()

    def skip(self) -> None:
        """A picture that was to be sent will not be: forget the newest, and go on with the one that waits."""
        if self._in_flight:
            self._in_flight.pop()
        self._advance()

    def skip_previous(self) -> None:
        """The picture before the newest was given up for it: nobody will acknowledge it."""
        if len(self._in_flight) > 1:
            self._in_flight.pop(-2)

    def acknowledge(self, elapsed_s: float) -> None:
        """The terminal has read the oldest picture under way, `elapsed_s` after it was asked."""
        if not self._in_flight:
            return
        sent, was_draft = self._in_flight.pop(0)
        self._min_round_trip_s = min(self._min_round_trip_s, elapsed_s)
        if not was_draft and self._has_drafts:
            self.is_slow = self._now() - sent > SLOW_S + min(self._min_round_trip_s, MAX_ROUND_TRIP_ALLOWANCE_S)
        self._advance()

    def _advance(self) -> None:
        if len(self._in_flight) < self._max_in_flight and (item := self._waiting.take()) is not None:
            self._deliver(item, draft=self.is_slow)
        elif self._waiting.is_empty and not self._in_flight and not self._shown_in_full:
            self._wait_for_quiet()

    @property
    def _max_in_flight(self) -> int:
        return 2 if LONG_ROUND_TRIP_S < self._min_round_trip_s < float("inf") else 1

    def _deliver(self, item: Item, *, draft: bool) -> None:
        self._stop_waiting()
        self._shown, self._shown_in_full = item, not draft
        self._in_flight.append((self._now(), draft))
        self._send(item, draft)

    def _wait_for_quiet(self) -> None:
        if self._quiet_timer is None:
            self._quiet_timer = self._schedule(QUIET_S, self._refine)

    def _refine(self) -> None:
        self._quiet_timer = None
        if self._waiting.is_empty and not self._in_flight and self._shown is not None and not self._shown_in_full:
            self._deliver(self._shown, draft=False)

    def _stop_waiting(self) -> None:
        if self._quiet_timer is not None:
            self._quiet_timer.stop()
            self._quiet_timer = None
