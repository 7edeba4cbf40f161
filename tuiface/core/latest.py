"""Latest wins: between who makes items faster than they are needed and who takes them, only the newest waits."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Latest(Generic[Item]):
    """The newest item of each sender, of whom there is mostly one; any thread may put, take and close."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: dict[Hashable, Item] = {}
        self._closed = False
        self._wake: Callable[[], object] | None = None
        """Tells an event loop to look again."""

    @property
    def is_empty(self) -> bool:
        """Whether no item waits."""
        return not self._items

    def put(self, item: Item, sender: Hashable = None) -> bool:
        """Have `item` wait in the place of an older one of the same sender; nothing once closed.

        Returns whether there was an older one, which nobody will take any more.
        """
        with self._changed:
            if self._closed:
                return False
            is_in_place = sender in self._items
            self._items[sender] = item
            self._notify()
            return is_in_place

    def take(self) -> Item | None:
        """An item that waits, which then waits no longer; of several senders', the one whose place is oldest."""
        with self._changed:
            return self._take()

    def wait(self) -> Item | None:
        """As `take`, but block this thread until there is an item; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            return self._take()

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], object]) -> Iterator[None]:
        """Inside the block, call `wake` after each put and at the end, in whatever thread; at once if it has a reason.

        For an event loop that waits: one at a time.
        """
        with self._changed:
            assert self._wake is None, "awaited twice"
            self._wake = wake
            if self._items or self._closed:
                wake()
        try:
            yield
        finally:
            with self._changed:
                self._wake = None

    async def filled(self) -> bool:
        """Wait until an item waits; False once closed."""
        import asyncio  # here, not above: the first paint loads this module

        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        with self.waking(lambda: loop.call_soon_threadsafe(changed.set)):
            while not (self._items or self._closed):
                changed.clear()
                await changed.wait()
        return not self._closed

    def close(self) -> None:
        """Drop what waits, and whatever would come."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._notify()

    def _take(self) -> Item | None:
        return self._items.pop(next(iter(self._items))) if self._items else None

    def _notify(self) -> None:
        self._changed.notify_all()
        if self._wake is not None:
            self._wake()
