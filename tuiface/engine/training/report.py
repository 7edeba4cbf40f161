"""What a run tells: a progress line, one JSON object a tick, sample grids."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from torch import Tensor

from tuiface.core.files import translate_os_errors, write_file
from tuiface.engine.pixels import to_levels
from tuiface.engine.training.gan.state import Progress

LOG_NAME = "log.jsonl"


class Report:
    """The files and the progress line of one run."""

    def __init__(self, out: Path, *, resumed_at: Progress | None) -> None:
        self._out = out
        self._terminal = sys.stderr.isatty()
        self._width = 0
        if resumed_at is not None:
            self._forget_after(resumed_at)

    def record(self, values: Mapping[str, object]) -> None:
        """Append one JSON object to the log."""
        path = self._out / LOG_NAME
        with translate_os_errors(path), path.open("a") as file:
            file.write(json.dumps(values) + "\n")

    def line(self, text: str) -> None:
        """Show progress on stderr: in place on a terminal, else as a line of its own."""
        if not self._terminal:
            print(text, file=sys.stderr, flush=True)
            return
        print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
        self._width = len(text)

    def note(self, text: str) -> None:
        """A remark that stays."""
        if self._width:
            print(file=sys.stderr)
            self._width = 0
        print(text, file=sys.stderr, flush=True)

    def grid(self, images: Tensor, columns: int, name: str) -> None:
        """Save float pictures [N, 3, R, R] in [-1, 1] as samples/NAME.png."""
        folder = self._out / "samples"
        with translate_os_errors(folder):
            folder.mkdir(exist_ok=True)
        buffer = io.BytesIO()
        Image.fromarray(picture_grid(images, columns).numpy()).save(buffer, "PNG")
        write_file(folder / f"{name}.png", buffer.getvalue(), force=True)

    def _forget_after(self, progress: Progress) -> None:
        """Drop records behind a snapshot: the run goes through them again."""
        path = self._out / LOG_NAME
        if not path.exists():
            return
        lines = path.read_text().splitlines(keepends=True)
        kept = [line for line in lines if json.loads(line)["step"] <= progress.total_steps]
        write_file(path, "".join(kept).encode(), force=True)


def picture_grid(images: Tensor, columns: int) -> Tensor:
    """Float pictures [N, 3, R, R] in [-1, 1] as one uint8 [rows * R, columns * R, 3]; missing places stay black."""
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    pixels = images.new_full((rows * columns, channels, height, width), -1)
    pixels[:n] = images
    pixels = to_levels(pixels).cpu()
    grid = pixels.view(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    return grid.reshape(rows * height, columns * width, channels)


def format_duration(seconds: float) -> str:
    """`2 h 05 min`, `12 min`, `40 s`."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min" if seconds >= 90 else f"{round(seconds)} s"
