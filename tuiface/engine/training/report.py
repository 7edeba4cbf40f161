"""What a run tells: a progress line, one JSON object a tick, sample grids, and the curves of its log as one picture.

The curves are drawn with Pillow, which pictures need anyway. A plotting library would save the ticks, the outlier
bounds and the lines, some forty lines here; the choice of panels, the shaded stages and the names in their own colours
would stay. For that it would bring nine packages to a server that often has no network, and a run without it would have
no curves.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from torch import Tensor

from tuiface.core.charts import COLOURS, FAINT, GRID, INK, PAPER, font
from tuiface.core.console import print_line, print_over
from tuiface.core.errors import InputFileError, describe_value, quote
from tuiface.core.files import translate_os_errors, write_file
from tuiface.core.reading import read_regular
from tuiface.core.strict_json import parse_strict_json
from tuiface.core.visible import to_visible
from tuiface.engine.pixels import to_levels
from tuiface.engine.training.gan.state import Progress

LOG_NAME = "log.jsonl"
MAX_LOG_BYTES = 1 << 26
_LARGEST = 1e15
"""Of any figure that is drawn: axes are divided by differences."""


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
            print_line(text, to_stderr=True)
            return
        print_over(f"{text:<{self._width}}")
        self._width = len(text)

    def note(self, text: str) -> None:
        """A remark that stays."""
        if self._width:
            print_line("", to_stderr=True)
            self._width = 0
        print_line(text, to_stderr=True)

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
        with _explain_log(path):
            kept = [line for line in _read_log_lines(path) if _read_record(line).get("step", 0) <= progress.total_steps]
        write_file(path, "".join(f"{line}\n" for line in kept).encode(), force=True)


class SilentReport(Report):
    """That of a rank that does not lead: it says and writes nothing."""

    def __init__(self, out: Path, *, resumed_at: Progress | None) -> None:
        super().__init__(out, resumed_at=None)

    def record(self, values: Mapping[str, object]) -> None:
        """Nothing."""

    def line(self, text: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def grid(self, images: Tensor, columns: int, name: str) -> None:
        """Nothing."""


def _read_log_lines(log: Path) -> list[str]:
    """The lines of a log; the last one is left out where a kill or a full disk has cut it off."""
    *lines, rest = read_regular(log, MAX_LOG_BYTES).decode().split("\n")
    with contextlib.suppress(ValueError):
        _read_record(rest)
        lines.append(rest)
    return lines


def _read_record(line: str) -> dict[str, Any]:
    """One record; raises ValueError for what no run writes."""
    record = parse_strict_json(line, finite=False)
    if not isinstance(record, dict) or not isinstance(record.get("stage", ""), str):
        raise ValueError("a line is no record")
    for key in ("step", "seconds"):
        value = record.get(key, 0)
        if type(value) not in (int, float) or not 0 <= value <= _LARGEST:
            raise ValueError(f"{key} is {describe_value(value)}")
    return record


@contextlib.contextmanager
def _explain_log(log: Path) -> Iterator[None]:
    """Turn what goes wrong while a log is read into an InputFileError."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise InputFileError(f"{quote(log)} is not a run's log: {error}", "name the log.jsonl of a run") from None


def picture_grid(images: Tensor, columns: int) -> Tensor:
    """Float pictures [N, 3, R, R] in [-1, 1] as one uint8 [rows * R, columns * R, 3]; missing places stay black."""
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    pixels = images.new_full((rows * columns, channels, height, width), -1)
    pixels[:n] = images
    pixels = to_levels(pixels).cpu()
    grid = pixels.view(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    return grid.reshape(rows * height, columns * width, channels)


CURVES_NAME = "curves.png"

_WIDTH, _HEIGHT, _COLUMNS = 560, 260, 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 34, 34
_STAGE = "#eef0f5"
_OUTLIERS = 0.01
"""Share of the values at either end that may leave the panel: one spike must not flatten a curve."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram: a title and the fields of the log that it shows."""

    title: str
    fields: tuple[tuple[str, str], ...]
    """(path in a record, label): `patch_swd_by_px.16` goes into the object `patch_swd_by_px`."""


_SWD_SIDES = (16, 32, 64, 128, 256)

PANELS = (
    Panel("regression: distance to known heads", (("regression", "training loss"), ("held_out_l1", "held-out L1"))),
    Panel("losses", (("generator", "generator"), ("discriminator", "discriminator"))),
    Panel("mean logits", (("real_logit", "real"), ("fake_logit", "generated"))),
    Panel("patch-SWD to held-out pictures", tuple((f"patch_swd_by_px.{px}", f"{px} px") for px in _SWD_SIDES)),
    Panel("shares", (("diversity", "diversity"), ("overfitting", "overfitting r_v"), ("augment_p", "augmentation p"))),
    Panel("images a second", (("images_per_s", ""),)),
)  # fmt: skip


def write_curves(log: Path, path: Path) -> None:
    """Draw the curves of the records in `log` (JSONL) over hours of training, and write them as a PNG.

    Raises InputFileError for a log that cannot be read and OutputError for a path that cannot be written.
    """
    with _explain_log(log):
        records: list[Mapping[str, object]] = [_drop_latent_speed(_read_record(line)) for line in _read_log_lines(log)]
    panels = [panel for panel in PANELS if any(_collect_series(records, field) for field, _ in panel.fields)]
    rows = max(-(-len(panels) // _COLUMNS), 1)
    picture = Image.new("RGB", (_WIDTH * _COLUMNS, _HEIGHT * rows), PAPER)
    for index, panel in enumerate(panels):
        corner = (index % _COLUMNS * _WIDTH, index // _COLUMNS * _HEIGHT)
        picture.paste(_draw_panel(panel, records), corner)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    write_file(path, buffer.getvalue(), force=True)


def _drop_latent_speed(record: Mapping[str, object]) -> Mapping[str, object]:
    """The record without the speed of the distillation: its latents are no pictures, and are much faster."""
    return {k: v for k, v in record.items() if not (k == "images_per_s" and record.get("stage") == "distillation")}


Series = list[tuple[float, float]]
"""(hours, value)."""


def _collect_series(records: Iterable[Mapping[str, object]], field: str) -> Series:
    points = []
    for record in records:
        value: object = record
        for key in field.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        seconds = record.get("seconds")
        if isinstance(value, int | float) and isinstance(seconds, int | float) and abs(value) <= _LARGEST:
            points.append((seconds / 3600, float(value)))
    return points


def _draw_panel(panel: Panel, records: list[Mapping[str, object]]) -> Image.Image:
    image = Image.new("RGB", (_WIDTH, _HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    curves = [(label, _collect_series(records, field)) for field, label in panel.fields]
    curves = [(label, points) for label, points in curves if points]
    hours = max((at for at, _ in _collect_series(records, "seconds")), default=0.0) or 1.0
    low, high = _bounds([value for _, points in curves for _, value in points])
    box = (_LEFT, _TOP, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM)

    def place(at: float, value: float) -> tuple[float, float]:
        fraction = min(max((value - low) / (high - low), 0.0), 1.0)
        return box[0] + (box[2] - box[0]) * at / hours, box[3] - (box[3] - box[1]) * fraction

    _draw_stages(draw, records, box, lambda at: place(at, low)[0])
    for value in _ticks(low, high):
        y = place(0, value)[1]
        draw.line((box[0], y, box[2], y), fill=GRID)
        draw.text((box[0] - 6, y), f"{value:g}", fill=FAINT, font=font(12), anchor="rm")
    for at in _ticks(0, hours):
        draw.text((place(at, low)[0], box[3] + 6), f"{at:g} h", fill=FAINT, font=font(12), anchor="ma")
    for colour, (_, points) in zip(COLOURS, curves, strict=False):
        line = [place(at, value) for at, value in points]
        draw.line(line if len(line) > 1 else line * 2, fill=colour, width=2, joint="curve")
    draw.text((_LEFT, 9), panel.title, fill=INK, font=font(15))
    x = _WIDTH - _RIGHT
    for colour, (label, _) in reversed(list(zip(COLOURS, curves, strict=False))):
        draw.text((x, 11), label, fill=colour, font=font(13), anchor="ra")
        x -= round(draw.textlength(label, font(13))) + 14
    return image


def _draw_stages(
    draw: ImageDraw.ImageDraw,
    records: list[Mapping[str, object]],
    box: tuple[float, float, float, float],
    place: Callable[[float], float],
) -> None:
    """Shade every second stage, and name those that have room for it."""
    spans: list[tuple[str, float, float]] = []
    for record in records:
        stage, hours = to_visible(str(record.get("stage", "")), 40), float(str(record.get("seconds", 0))) / 3600
        if spans and spans[-1][0] == stage:
            spans[-1] = (stage, spans[-1][1], hours)
        else:
            spans.append((stage, spans[-1][2] if spans else 0.0, hours))
    for index, (stage, begin, end) in enumerate(spans):
        left, right = place(begin), place(end)
        if index % 2 and left <= right:
            draw.rectangle((left, box[1], right, box[3]), fill=_STAGE)
        if right - left > draw.textlength(stage, font(12)) + 8:
            draw.text(((left + right) / 2, box[1] + 3), stage, fill=FAINT, font=font(12), anchor="ma")


def _bounds(values: list[float]) -> tuple[float, float]:
    """Range of `values` without their outliers, with a little room."""
    ordered = sorted(values)
    cut = int(len(ordered) * _OUTLIERS)
    low, high = ordered[cut], ordered[len(ordered) - 1 - cut]
    room = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers within [low, high]."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]
