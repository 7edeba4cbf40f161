"""A folder of rendered heads: pictures, region maps and labels, written whole or not at all.

```
heads/
  images/000000.png     sRGB
  regions/000000.png    palette PNG, the pixel value is the `Region` id
  labels.jsonl          one line a picture: file, seed and every parameter (`HeadParameters.from_json` reads it)
  dataset.json          format, resolution, population seed, region names, the table of parameters
  sheet.png             the first heads in rows of eight, and sheet-regions.png their region maps, where asked for
```

On a CPU, processes render its batches side by side: the operators are many and small, so a second thread would wait.
On a GPU this process renders them, and threads write the pictures, which takes longer.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from PIL import Image

from tuiface.core.errors import OutputError, UsageError, quote
from tuiface.core.files import whole_folder
from tuiface.core.pictures import MAX_PICTURE_BYTES, decode_picture
from tuiface.core.processes import connect_worker
from tuiface.core.reading import read_regular
from tuiface.core.regions import REGION_COLOURS, REGION_NAMES
from tuiface.core.strict_json import parse_strict_json
from tuiface.heads.capture import HeadRenderer
from tuiface.heads.render import HeadBatch, render_heads
from tuiface.heads.sampling.parameters import SPECIFICATION
from tuiface.heads.sampling.priors import sample_parameters

T = TypeVar("T")
Task = Callable[[int], T]
"""What is done for a batch; picklable, as each process gets a copy."""


class RenderingProcesses(Generic[T]):
    """Apply `task` to every one of `starts` in `count` processes, one thread each; `prepare` runs first in each.

    Both must be importable by name. A process ends with its work, with `close`, or when its parent is gone.
    """

    def __init__(self, task: Task[T], starts: Sequence[int], count: int, prepare: Callable[[], object] | None) -> None:
        self._connections: list[Connection] = []
        self._processes = []
        for first in range(count):
            process, connection = connect_worker(_run_worker, task, starts[first::count], prepare)
            self._connections.append(connection)
            self._processes.append(process)

    def results(self) -> Iterator[tuple[int, T]]:
        """(start, what the task returned) in the order in which they are ready; raises what the task raised."""
        waiting = list(self._connections)
        while waiting:
            for ready in wait(waiting):
                assert isinstance(ready, Connection)
                try:
                    answer = ready.recv()
                except EOFError:
                    raise OSError("a rendering process died, perhaps for want of memory") from None
                if answer is None:
                    waiting.remove(ready)
                elif isinstance(answer, OSError):
                    raise answer
                else:
                    yield answer

    def close(self) -> None:
        """End what still runs."""
        with ExitStack() as stack:
            for process in self._processes:
                stack.callback(process.wait)
                process.terminate()
            for connection in self._connections:
                connection.close()


def _run_worker(
    answers: Connection, task: Task[T], starts: Sequence[int], prepare: Callable[[], object] | None
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process itself
    if prepare is not None:
        prepare()
    torch.set_num_threads(1)
    try:
        for start in starts:
            answers.send((start, task(start)))
        answers.send(None)
    except BrokenPipeError:
        return  # the parent is gone
    except OSError as error:
        answers.send(error)


DATASET_FORMAT = "tuiface.heads/1"
SHEET_COLUMNS = 8
SHEET_ROWS = 6
_BATCH = 16


def write_dataset(
    out: Path,
    count: int,
    resolution: int = 128,
    seed: int = 0,
    *,
    sheet: bool = False,
    renderer: HeadRenderer | None = None,
    processes: int = 1,
    prepare: Callable[[], object] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render samples 0 .. `count - 1` of population `seed` into the new folder `out`.

    The folder appears when it is complete; the same folder whatever the number of `processes`, of which each runs
    `prepare` (importable by name) first. `renderer`, of this resolution, renders in this process, and `processes` is
    then the number of threads that write. `sheet` adds contact sheets of the first heads and of their region maps.
    `progress(done, count)` is called after each batch. Raises UsageError for a count below 1, OutputError where `out`
    exists or cannot be written, and EngineError where a renderer's GPU has not the memory.
    """
    if count < 1:
        raise UsageError(f"count {count}: a data set has at least one head")
    if out.exists():
        raise OutputError(f"{quote(out)} exists already", "name a new folder; nothing is overwritten")
    with whole_folder(out) as folder:
        (folder / "images").mkdir()
        (folder / "regions").mkdir()
        lines: dict[int, list[str]] = {}
        done = 0
        if renderer is None:
            written_batches = _write_batches(_BatchWriter(folder, count, resolution, seed), processes, prepare)
        else:
            written_batches = _render_and_write(renderer, folder, count, seed, threads=processes)
        with closing(written_batches) as batches:
            for start, written in batches:
                lines[start] = written
                done += len(written)
                if progress is not None:
                    progress(done, count)
        labels = "".join(f"{line}\n" for start in sorted(lines) for line in lines[start])
        (folder / "labels.jsonl").write_text(labels, encoding="utf-8")
        description = {
            "format": DATASET_FORMAT,
            "count": count,
            "resolution": resolution,
            "seed": seed,
            "regions": REGION_NAMES,
            "parameters": [asdict(spec) for spec in SPECIFICATION],
        }
        (folder / "dataset.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        if sheet:
            for kind, name in (("images", "sheet.png"), ("regions", "sheet-regions.png")):
                _write_sheet(folder, kind, name, min(count, SHEET_COLUMNS * SHEET_ROWS), resolution)


@dataclass(frozen=True, slots=True)
class _BatchWriter:
    """Render the batch that starts at a sample and write its pictures; returns their lines of labels."""

    folder: Path
    count: int
    resolution: int
    seed: int

    def __call__(self, start: int) -> list[str]:
        size = min(_BATCH, self.count - start)
        batch = render_heads(sample_parameters(size, self.seed, start), self.resolution)
        return [_write_nth_sample(self.folder, start, batch, index) for index in range(size)]


def _write_batches(
    batch: _BatchWriter, processes: int, prepare: Callable[[], object] | None
) -> Generator[tuple[int, list[str]]]:
    starts = range(0, batch.count, _BATCH)
    if min(processes, len(starts)) < 2:
        if prepare is not None:
            prepare()
        yield from ((start, batch(start)) for start in starts)
        return
    rendering = RenderingProcesses(batch, starts, min(processes, len(starts)), prepare)
    try:
        yield from rendering.results()
    finally:
        rendering.close()


def _render_and_write(
    renderer: HeadRenderer, folder: Path, count: int, seed: int, threads: int
) -> Generator[tuple[int, list[str]]]:
    """Render all batches here and write the pictures of each in `threads`."""
    size = renderer.batch_size
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, count, size):
            batch = renderer.render(sample_parameters(min(size, count - start), seed, start))
            write = partial(_write_nth_sample, folder, start, batch)
            yield start, list(pool.map(write, range(len(batch.parameters))))


def _write_nth_sample(folder: Path, start: int, batch: HeadBatch, index: int) -> str:
    return _write_sample(folder, _file_name(start + index), batch, index)


def _write_sheet(folder: Path, kind: str, name: str, count: int, resolution: int) -> None:
    """Contact sheet of the first `count` written pictures of a `kind`, in rows."""
    columns = min(count, SHEET_COLUMNS)
    sheet = Image.new("RGB", (columns * resolution, -(-count // columns) * resolution))
    for index in range(count):
        path = folder / kind / _file_name(index)
        picture = decode_picture(read_regular(path, MAX_PICTURE_BYTES), path.name, rgb=False).convert("RGB")
        sheet.paste(picture, (index % columns * resolution, index // columns * resolution))
    sheet.save(folder / name)


def _file_name(index: int) -> str:
    return f"{index:06d}.png"


def _write_sample(folder: Path, name: str, batch: HeadBatch, index: int) -> str:
    """Write one picture and its region map; returns its line of labels."""
    Image.fromarray(batch.pixels[index].numpy()).save(folder / "images" / name)
    regions = Image.fromarray(batch.regions[index].numpy(), mode="P")
    regions.putpalette(np.array(REGION_COLOURS, dtype=np.uint8).tobytes())
    regions.save(folder / "regions" / name)
    return json.dumps({"file": name, **parse_strict_json(batch.parameters.to_json(index))})
