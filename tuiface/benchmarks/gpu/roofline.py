"""How near the ceilings everything is: a roofline (Williams et al. 2009), a dot for each kernel, size and mode.

Across, floating-point operations for each byte that must be moved; upwards, operations a second; both logarithmic. A
kernel under the slope is held by memory, one under a level by arithmetic, and how far it lies below is what is left.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from tuiface.benchmarks.gpu.bench import Ceilings
from tuiface.benchmarks.gpu.ceilings import ceilings_of
from tuiface.benchmarks.gpu.rows import Row
from tuiface.core.charts import COLOURS, FAINT, GRID, INK, PAPER, font

WIDTH, HEIGHT = 1200, 800
_BOX = (92, 84, WIDTH - 28, HEIGHT - 84)
"""Left, top, right and bottom of the plot."""
_KERNELS = ("convolution", "up-convolution", "upsample", "finish", "styles")
_COLOUR = dict(zip(_KERNELS, COLOURS, strict=True))
_RADIUS = 6
_LABELLED_PX = 64
"""Kernels of smaller pictures are dots without a label: launches hold them, not the card."""
_PLACES = ((10, -8), (10, 8), (-10, -8), (-10, 8), (0, -17), (0, 17), (16, 0), (-16, 0), (22, -16), (-22, 16))
"""Where a label may stand, in pixels from its dot."""

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Point:
    """One kernel at one size."""

    kernel: str
    mode: str
    resolution: int
    flop_per_byte: float
    tflops: float


@dataclass(frozen=True, slots=True)
class _Axes:
    """Powers of ten at the plot's edges."""

    left: int
    right: int
    bottom: int
    top: int

    @classmethod
    def around(cls, points: Sequence[Point], ceilings: Ceilings) -> _Axes:
        """All points, and the ceilings."""
        across = [point.flop_per_byte for point in points]
        upwards = [*(point.tflops for point in points), *ceilings.tflops.values()]
        low, high = math.log10(min(upwards)), math.log10(max(upwards))
        return cls(
            math.floor(math.log10(min(across))),
            math.ceil(math.log10(max(across))),
            math.floor(low),
            math.floor(high + 0.9) if high > low else math.floor(low) + 1,
        )

    def place(self, flop_per_byte: float, tflops: float) -> tuple[float, float]:
        """In pixels."""
        x = (math.log10(flop_per_byte) - self.left) / (self.right - self.left)
        y = (math.log10(tflops) - self.bottom) / (self.top - self.bottom)
        return _BOX[0] + x * (_BOX[2] - _BOX[0]), _BOX[3] - y * (_BOX[3] - _BOX[1])


def draw_roofline(rows: Sequence[Row], title: str = "") -> bytes | None:
    """A PNG of WIDTH x HEIGHT; None without a kernel's time or the copy rate. `title` is put before what it shows."""
    points, ceilings = list(_points(rows)), ceilings_of(rows)
    if not points or not ceilings.copy_gb_per_s:
        return None
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    axes = _Axes.around(points, ceilings)
    _draw_grid(draw, axes)
    taken = _draw_ceilings(draw, axes, ceilings)
    for point in points:
        _draw_point(draw, axes.place(point.flop_per_byte, point.tflops), point.kernel, point.mode)
    _draw_labels(draw, axes, points, taken)
    _draw_legend(draw)
    draw.text((_BOX[0], 18), f"{title}kernels of one picture, and what the card can do", fill=INK, font=font(22))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _points(rows: Sequence[Row]) -> Iterator[Point]:
    for row in rows:
        figures = row.figures
        if row.section == "kernels" and figures.get("kernel") in _KERNELS:
            yield Point(
                str(figures["kernel"]),
                str(figures["mode"]),
                int(float(figures["resolution_px"])),
                float(figures["flop_per_byte"]),
                float(figures["tflops"]),
            )


def _draw_grid(draw: ImageDraw.ImageDraw, axes: _Axes) -> None:
    left, top, right, bottom = _BOX
    for power in range(axes.left, axes.right + 1):
        x, _ = axes.place(10.0**power, 10.0**axes.bottom)
        draw.line((x, top, x, bottom), fill=GRID)
        draw.text((x, bottom + 8), f"{10.0**power:g}", fill=FAINT, font=font(15), anchor="ma")
    for power in range(axes.bottom, axes.top + 1):
        _, y = axes.place(10.0**axes.left, 10.0**power)
        draw.line((left, y, right, y), fill=GRID)
        draw.text((left - 8, y), f"{10.0**power:g}", fill=FAINT, font=font(15), anchor="rm")
    draw.text((left, top - 18), "TFLOP/s", fill=FAINT, font=font(15), anchor="lm")
    draw.text(
        (right, bottom + 30), "floating-point operations for each byte moved", fill=FAINT, font=font(15), anchor="ra"
    )


def _draw_ceilings(draw: ImageDraw.ImageDraw, axes: _Axes, ceilings: Ceilings) -> list[Rectangle]:
    """The slope of copying and a level for each mode; where their words stand."""
    slope = ceilings.copy_gb_per_s / 1000  # TFLOP/s for each operation a byte
    highest = max(ceilings.tflops.values(), default=10.0**axes.top)
    first = max(10.0**axes.left, 10.0**axes.bottom / slope)
    start = axes.place(first, first * slope)
    end = axes.place(highest / slope, highest)
    taken = _draw_line(draw, start, end)
    words = f"copy: {slope:.2f} TB/s"
    x = start[0] + 8 + draw.textlength(words, font(15))
    y = start[1] + (end[1] - start[1]) * (x - start[0]) / (end[0] - start[0])
    taken.append(_draw_word(draw, (x, y - 12), words, "rm"))
    for words, tflops in _levels(ceilings):
        x, y = axes.place(tflops / slope, tflops)
        taken += _draw_line(draw, (x, y), (_BOX[2], y))
        taken.append(_draw_word(draw, (_BOX[2] - 6, y - 12), f"products {words}: {tflops:.3g} TFLOP/s", "rm"))
    return taken


def _draw_line(draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float]) -> list[Rectangle]:
    """Also as small rectangles that cover it."""
    draw.line((*start, *end), fill=INK, width=2)
    steps = max(1, round(math.dist(start, end) / 4))
    along = [
        (start[0] + (end[0] - start[0]) * step / steps, start[1] + (end[1] - start[1]) * step / steps)
        for step in range(steps + 1)
    ]
    return [(x - 2, y - 2, x + 2, y + 2) for x, y in along]


def _levels(ceilings: Ceilings) -> Iterator[tuple[str, float]]:
    """Modes whose ceilings lie within a tenth of each other share the higher one's line."""
    ordered = sorted(ceilings.tflops.items(), key=lambda item: -item[1])
    while ordered:
        tflops = ordered[0][1]
        together = [mode for mode, value in ordered if value > 0.9 * tflops]
        yield ", ".join(together), tflops
        ordered = ordered[len(together) :]


def _draw_word(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, anchor: str) -> Rectangle:
    draw.text(at, text, fill=INK, font=font(15), anchor=anchor)
    return draw.textbbox(at, text, font=font(15), anchor=anchor)


def _draw_point(draw: ImageDraw.ImageDraw, at: tuple[float, float], kernel: str, mode: str) -> None:
    """float32 is a square, float16 a disc, bfloat16 a ring."""
    x, y = at
    box = (x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS)
    colour = _COLOUR.get(kernel, FAINT)
    if mode == "float32":
        draw.rectangle(box, fill=colour, outline=PAPER)
    elif mode == "float16":
        draw.ellipse(box, fill=colour, outline=PAPER)
    else:
        draw.ellipse(box, outline=colour, width=2)


def _draw_labels(draw: ImageDraw.ImageDraw, axes: _Axes, points: Sequence[Point], taken: list[Rectangle]) -> None:
    """Sizes beside their dots, the largest first, wherever there is room; what would cover something is left out."""
    places = [axes.place(point.flop_per_byte, point.tflops) for point in points]
    taken += [(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in places]
    for point, (x, y) in sorted(zip(points, places, strict=True), key=lambda pair: -pair[0].resolution):
        if point.resolution < _LABELLED_PX:
            continue
        for dx, dy in _PLACES:
            anchor = "lm" if dx > 0 else "rm" if dx < 0 else "mm"
            box = draw.textbbox((x + dx, y + dy), str(point.resolution), font=font(13), anchor=anchor)
            if _is_free(box, taken):
                draw.text(
                    (x + dx, y + dy),
                    str(point.resolution),
                    fill=_COLOUR.get(point.kernel, FAINT),
                    font=font(13),
                    anchor=anchor,
                )
                taken.append(box)
                break


def _is_free(box: Rectangle, taken: Sequence[Rectangle]) -> bool:
    inside = _BOX[0] <= box[0] and box[2] <= _BOX[2] and _BOX[1] <= box[1] and box[3] <= _BOX[3]
    return inside and not any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in taken
    )


def _draw_legend(draw: ImageDraw.ImageDraw) -> None:
    """One line under the plot: kernels by colour, modes by shape; a number is the side of the picture in pixels."""
    x, y = float(_BOX[0]), HEIGHT - 26
    for kernel in _KERNELS:
        _draw_point(draw, (x, y), kernel, "float16")
        draw.text((x + 12, y), kernel, fill=_COLOUR[kernel], font=font(15), anchor="lm")
        x += 34 + draw.textlength(kernel, font(15))
    x += 20
    for mode in ("float32", "float16", "bfloat16"):
        _draw_point(draw, (x, y), "", mode)
        draw.text((x + 12, y), mode, fill=INK, font=font(15), anchor="lm")
        x += 34 + draw.textlength(mode, font(15))
    draw.text((_BOX[2], y), "numbers: side of the picture, px", fill=FAINT, font=font(15), anchor="rm")
