"""A folder of rendered heads: pictures, region maps and labels, written whole or not at all.

```
heads/
  images/000000.png     sRGB
  regions/000000.png    palette PNG, the pixel value is the `Region` id
  labels.jsonl          one line a picture: file, seed and every parameter (`HeadParameters.from_json` reads it)
  dataset.json          format, resolution, population seed, region names, the table of parameters
```
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tuiface.errors import OutputError, UsageError, quoted
from tuiface.heads.regions import REGION_COLOURS, REGION_NAMES, colour_regions
from tuiface.heads.render import HeadBatch, render_heads
from tuiface.heads.sampling import sample_parameters
from tuiface.heads.specification import SPECIFICATION

DATASET_FORMAT = "tuiface.heads/1"
_BATCH = 32


def write_dataset(
    out: Path,
    count: int,
    resolution: int = 128,
    seed: int = 0,
    *,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render samples 0 .. `count - 1` of population `seed` into the new folder `out`.

    The folder appears when it is complete. `progress(done, count)` is called after each batch. Raises UsageError for a
    count below 1 and OutputError where `out` exists or cannot be written.
    """
    if count < 1:
        raise UsageError(f"count {count}: a data set has at least one head")
    if out.exists():
        raise OutputError(f"{quoted(out)} exists already", "name a new folder; nothing is overwritten")
    with _new_folder(out) as folder:
        (folder / "images").mkdir()
        (folder / "regions").mkdir()
        with (folder / "labels.jsonl").open("w", encoding="utf-8") as labels:
            for start in range(0, count, _BATCH):
                batch = _render(start, min(_BATCH, count - start), seed, resolution, device)
                for index in range(len(batch.parameters)):
                    labels.write(_write_sample(folder, f"{start + index:06d}.png", batch, index) + "\n")
                if progress is not None:
                    progress(start + len(batch.parameters), count)
        description = {
            "format": DATASET_FORMAT,
            "count": count,
            "resolution": resolution,
            "seed": seed,
            "regions": REGION_NAMES,
            "parameters": [asdict(spec) for spec in SPECIFICATION],
        }
        (folder / "dataset.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def write_sheet(
    out: Path,
    columns: int = 8,
    rows: int = 6,
    resolution: int = 128,
    seed: int = 0,
    *,
    regions: bool = False,
    device: torch.device | str = "cpu",
) -> None:
    """Write a contact sheet PNG of the first samples of population `seed`, or of their region maps in colours.

    Raises UsageError for an empty sheet and OutputError where `out` exists or cannot be written.
    """
    if columns < 1 or rows < 1:
        raise UsageError(f"sheet of {columns}x{rows} heads: both numbers are at least 1")
    if out.exists():
        raise OutputError(f"{quoted(out)} exists already", "name a new file; nothing is overwritten")
    batch = _render(0, columns * rows, seed, resolution, device)
    tiles = (colour_regions(batch.regions) if regions else batch.pixels).view(rows, columns, resolution, resolution, 3)
    pixels = tiles.permute(0, 2, 1, 3, 4).reshape(rows * resolution, columns * resolution, 3)
    partial = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        Image.fromarray(pixels.cpu().numpy()).save(partial, format="PNG")
        partial.rename(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"cannot write {quoted(out)}: {error.strerror or error}") from error


def _render(start: int, count: int, seed: int, resolution: int, device: torch.device | str) -> HeadBatch:
    return render_heads(sample_parameters(count, seed, start, device), resolution)


def _write_sample(folder: Path, name: str, batch: HeadBatch, index: int) -> str:
    """Write one picture and its region map; returns its line of labels."""
    Image.fromarray(batch.pixels[index].cpu().numpy()).save(folder / "images" / name)
    regions = Image.fromarray(batch.regions[index].cpu().numpy(), mode="P")
    regions.putpalette(np.array(REGION_COLOURS, dtype=np.uint8).tobytes())
    regions.save(folder / "regions" / name)
    return json.dumps({"file": name, **json.loads(batch.parameters.to_json(index))})


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A temporary sibling of `out` that takes its name on success and disappears on any failure."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise OutputError(f"cannot write {quoted(out)}: {error.strerror or error}") from error
    try:
        yield folder
        folder.chmod(0o755)
        folder.rename(out)
    except OSError as error:
        raise OutputError(f"cannot write {quoted(out)}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
