"""What captures work on a GPU as CUDA graphs: of a picture's synthesis (`graphs`), and of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import torch

Result = TypeVar("Result")


class Recorder(Protocol):
    """What captures. `run` is work on one device: tensors that exist in, tensors out, and nothing asked of the host."""

    def rehearse(self, run: Callable[[], Result]) -> Result:
        """`run`'s result, made where it will be captured: libraries choose algorithms and allocate what they need."""
        ...

    def capture(self, run: Callable[[], Result]) -> tuple[Callable[[], object], Result]:
        """(what does on the device what `run` would, `run`'s result, which that overwrites); nothing is computed yet.

        Raises RuntimeError, of which OutOfMemoryError is one, where `run` cannot be captured.
        """
        ...

    def forget(self) -> None:
        """All that was captured is gone: its memory is not used again."""
        ...


class CudaRecorder:
    """CUDA graphs on one device, captured into one pool of memory."""

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator] = ()) -> None:
        """`generators`: those of the device that captured work draws from, besides torch's own; each replay draws anew,
        what the same work would have drawn without a graph."""
        self._device, self._generators = device, generators
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def rehearse(self, run: Callable[[], Result]) -> Result:
        """As `Recorder`."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        try:
            with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
                return run()
        finally:
            current.wait_stream(self._stream)

    def capture(self, run: Callable[[], Result]) -> tuple[Callable[[], object], Result]:
        """As `Recorder`."""
        current = torch.cuda.current_stream(self._device)
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        with (
            torch.cuda.device(self._device),
            torch.cuda.stream(current),  # restored if a capture cannot be ended
            # Other threads may allocate and synchronize meanwhile.
            torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
        ):
            result = run()
        return graph.replay, result

    def forget(self) -> None:
        """As `Recorder`."""
        self._pool = torch.cuda.graph_pool_handle()  # none may be captured into a pool that has lost all its graphs
        torch.cuda.empty_cache()
