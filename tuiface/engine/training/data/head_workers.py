"""Processes that render heads into shards while the trainer trains.

`python -m tuiface.engine.training.data.head_workers FOLDER RESOLUTION POPULATION SHARDS FIRST STEP` is such a process:
it renders shards FIRST, FIRST+STEP, ... below SHARDS that are not there yet, on one thread, until it is done or the
process that started it ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tuiface.core import processes
from tuiface.core.errors import EngineError
from tuiface.engine.training.data.head_shards import ShardKey, render_shard


class HeadWorkers:
    """Rendering processes at low priority, ended by `close` or with their parent."""

    def __init__(self, folder: Path, resolution: int, population: int, num_shards: int, num_workers: int) -> None:
        arguments = [str(folder), str(resolution), str(population), str(num_shards)]
        self._processes = [
            processes.start(
                processes.python_command(__name__, *arguments, str(first), str(num_workers)),
                stderr=processes.PIPE,
                new_session=True,  # Ctrl-C is for the trainer, which ends its workers itself
            )
            for first in range(num_workers)
        ]

    def check(self) -> None:
        """Raise EngineError with the last line of a worker that failed."""
        for process in self._processes:
            if process.poll() not in (None, 0):
                assert process.stderr is not None
                lines = process.stderr.read().decode(errors="replace").strip().splitlines()
                raise EngineError(f"rendering heads failed: {lines[-1] if lines else process.returncode}")

    def close(self) -> None:
        """End the workers; a shard that is not complete leaves nothing behind."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()


def _main(folder: Path, resolution: int, population: int, num_shards: int, first: int, step: int) -> None:
    from tuiface.engine.device import keep_freed_memory

    keep_freed_memory()
    import torch

    torch.set_num_threads(1)
    os.nice(5)
    parent = os.getppid()
    for index in range(first, num_shards, step):
        key = ShardKey(resolution, population, index)
        if not (folder / key.file_name).exists():
            render_shard(folder, key, keep_going=lambda: os.getppid() == parent)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *map(int, sys.argv[2:7]))
