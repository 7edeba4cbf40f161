"""Batches on the device that trains: where that is a GPU, the next is read and copied while one is trained on.

What is read ahead is named by its position in the data. It changes no order: a position is decided when its batch is
taken, and where another than the expected one is asked for (an epoch took in heads that arrived meanwhile), what was
read ahead is read again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch
from torch import Tensor

Position = TypeVar("Position", bound=Hashable)
Batch = tuple[Tensor, ...]

_MAX_IN_FLIGHT = 2
"""Batches that are trained on or wait for it: nothing else keeps a host from queueing steps without end."""


class BatchFeed(Generic[Position]):
    """One stage's batches, in the order in which they are asked for."""

    def __init__(
        self, read: Callable[[Position], Batch], device: torch.device, *, reads_ahead: bool | None = None
    ) -> None:
        """`read` gives the batch of a position on the CPU; ahead, in a thread of its own. None: ahead on a GPU."""
        self._read, self._device = read, device
        ahead = device.type == "cuda" if reads_ahead is None else reads_ahead
        self._reader = ThreadPoolExecutor(1, "batches") if ahead else None
        self._expected: tuple[Position, Future[Batch]] | None = None
        self._transfer = _Transfer(device) if device.type == "cuda" else None

    def take(self, position: Position, following: Position) -> Batch:
        """The batch at `position`, on the device; `following` will probably be asked for next."""
        if self._reader is None:
            return self._read(position)
        expected, self._expected = self._expected, None
        if expected is None or expected[0] != position:
            expected = position, self._reader.submit(self._prepare, position)
        batch = expected[1].result()
        if self._transfer is not None:
            self._transfer.receive(batch)
        self._expected = following, self._reader.submit(self._prepare, following)
        return batch

    def close(self) -> None:
        """End the thread; what it read is dropped, and so is an error of that."""
        if self._reader is not None:
            self._reader.shutdown(cancel_futures=True)

    def _prepare(self, position: Position) -> Batch:
        batch = self._read(position)
        return batch if self._transfer is None else self._transfer.send(batch)


class _Transfer:
    """Copies to a GPU beside its computing, from pinned memory on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._in_flight: deque[torch.cuda.Event] = deque()

    def send(self, batch: Batch) -> Batch:
        """Begin to copy; called by the thread that reads."""
        with torch.cuda.stream(self._stream):
            return tuple(part.pin_memory().to(self._device, non_blocking=True) for part in batch)

    def receive(self, batch: Batch) -> None:
        """Let the current stream use what was sent, and wait until few batches before it are still trained on."""
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._stream)
        for part in batch:
            part.record_stream(current)
        if len(self._in_flight) == _MAX_IN_FLIGHT:
            self._in_flight.popleft().synchronize()
        self._in_flight.append(current.record_event())
