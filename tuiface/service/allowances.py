"""What one Unix user may take of an engine at a time, so that enough is left for the others who share it.

    connections    MAX_CONNECTIONS of a user, CONNECTIONS_PER_S new ones; of all users, what the process may have open
    bytes          MAX_HELD_BYTES of requests that are not answered yet
    requests       REQUESTS_PER_S, messages and pieces of bodies too, once a burst is spent: whoever asks for more waits
    decoding       one large request at a time, in a thread: the event loop goes on with everybody's small ones

All methods are called on the server's event loop.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Final, TypeVar

from tuiface.core.errors import EngineError

MAX_CONNECTIONS: Final = 128
"""Of one user: thirty interfaces with their previews and jobs."""
CONNECTIONS_PER_S: Final = 50
"""New ones of one user, once a burst is spent: a command makes a few, and takes a third of a second."""
CONNECTION_BURST: Final = 500
MAX_CONNECTIONS_IN_ALL: Final = 1024
RESERVED_FILES: Final = 128
"""Of the files that the process may have open: for models, logs, libraries."""
MAX_HELD_BYTES: Final = 64 * 1024 * 1024
REQUESTS_PER_S: Final = 100
BURST: Final = 1000
"""Requests that need not wait, after a rest."""
SMALL_BYTES: Final = 64 * 1024
"""What is decoded in a millisecond, for which a thread is not worth it."""

Result = TypeVar("Result")


class _Pace:
    """How often each user may do something: so many times a second, once a burst is spent."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._interval_s = 1 / per_s
        self._burst_s = burst / per_s
        self._free_from: dict[int, float] = {}
        """By user: when it may be done again."""

    def wait_s(self, uid: int) -> float:
        """Seconds until `uid` may do it."""
        return max(0.0, self._free_from.get(uid, 0.0) - time.monotonic())

    def count(self, uid: int) -> None:
        """`uid` does it."""
        rested = time.monotonic() - self._burst_s
        self._free_from[uid] = max(self._free_from.get(uid, 0.0), rested) + self._interval_s


class Allowances:
    """Who takes how much at the moment; users are told apart by their numbers."""

    def __init__(self, max_connections_in_all: int = MAX_CONNECTIONS_IN_ALL) -> None:
        self._max_in_all = max_connections_in_all
        self._connections: Counter[int] = Counter()
        self._new_connections = _Pace(CONNECTIONS_PER_S, CONNECTION_BURST)
        self._held: Counter[int] = Counter()
        self._requests = _Pace(REQUESTS_PER_S, BURST)
        self._decoding: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def connect(self, uid: int) -> None:
        """One more connection of `uid`; raises EngineError where there are enough."""
        if self._new_connections.wait_s(uid):
            raise EngineError(
                f"more than {CONNECTIONS_PER_S} new connections a second of yours, the most that one user may make",
                "wait a second",
            )
        self._new_connections.count(uid)
        if self._connections[uid] >= MAX_CONNECTIONS:
            raise EngineError(
                f"the engine has {MAX_CONNECTIONS} connections of yours, the most that one user may have",
                "close other interfaces of tuiface",
            )
        if self._connections.total() >= self._max_in_all:
            raise EngineError(f"the engine has {self._max_in_all} connections, the most that it may have", "try later")
        self._connections[uid] += 1

    def disconnect(self, uid: int) -> None:
        """One less."""
        self._connections[uid] -= 1

    def hold(self, uid: int, num_bytes: int) -> None:
        """Bytes that `uid` sent and that are not answered yet; raises EngineError where there are too many."""
        if self._held[uid] + num_bytes > MAX_HELD_BYTES:
            raise EngineError(
                f"requests of yours that wait take more than {MAX_HELD_BYTES} bytes, the most that one user may have",
                "try again when some were answered",
            )
        self._held[uid] += num_bytes

    def release(self, uid: int, num_bytes: int) -> None:
        """They are answered."""
        self._held[uid] -= num_bytes

    async def wait_for_turn(self, uid: int) -> None:
        """Return when `uid` may ask for something more."""
        wait_s = self._requests.wait_s(uid)
        self._requests.count(uid)
        if wait_s:
            await asyncio.sleep(wait_s)

    async def decode(self, uid: int, decode: Callable[[bytes], Result], body: bytes) -> Result:
        """`decode(body)`; raises its errors."""
        if len(body) <= SMALL_BYTES:
            return decode(body)
        async with self._decoding[uid]:
            return await asyncio.to_thread(decode, body)


def raise_file_limit() -> int:
    """Let this process have as many files open as all its connections need; returns how many of those it may have."""
    wanted = MAX_CONNECTIONS_IN_ALL + RESERVED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS_IN_ALL if soft == unlimited else max(8, min(MAX_CONNECTIONS_IN_ALL, soft - RESERVED_FILES))
