"""The quality report as files: figures as JSON, faces beside heads, and histograms, as PNG."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

from tuiface.benchmarks.quality import FIRST_SEED, HEAD_SEED, WANTED_RECALL, WANTED_SPREAD, Coverage, Quality
from tuiface.core.files import make_folder, write_file
from tuiface.engine.predictors.networks import resize_images
from tuiface.engine.training.report import picture_grid

FORMAT = "tuiface.quality/1"
_COLUMNS, _ROWS, _SIDE, _GAP = 6, 6, 128, 16
_PANEL, _PANEL_COLUMNS, _MARGIN, _BAR_TOP = (168, 96), 6, 8, 20
_GROUND, _INK, _DATA, _GENERATED = (24, 24, 28), (220, 220, 220), (110, 110, 120), (240, 150, 60)


def write_report(out: Path, quality: Quality, model: Mapping[str, str]) -> dict[str, object]:
    """Write quality.json, quality-sheet.png and quality-histograms.png into `out`; returns what the JSON holds.

    Raises OutputError where they cannot be written; earlier reports are replaced.
    """
    make_folder(out)
    report = summarise(quality, model)
    write_file(out / "quality.json", (json.dumps(report, indent=1) + "\n").encode(), force=True)
    _write_png(out / "quality-sheet.png", draw_side_by_side(quality.heads, quality.faces))
    _write_png(out / "quality-histograms.png", draw_histograms(quality.coverage))
    return report


def summarise(quality: Quality, model: Mapping[str, str]) -> dict[str, object]:
    """All figures, and whether the goals are reached."""
    narrow = [c.name for c in quality.coverage if c.spread < WANTED_SPREAD]
    return {
        "format": FORMAT,
        "model": dict(model),
        "count": quality.count,
        "psi": 1.0,
        "first_seed": FIRST_SEED,
        "held_out_population": HEAD_SEED,
        "generated": {kind: _round_values(asdict(c)) for kind, c in quality.generated.items()},
        "rendered": {kind: _round_values(asdict(c)) for kind, c in quality.rendered.items()},
        "coverage": [
            {**asdict(c), "spread": round(c.spread, 4), "overlap": round(c.overlap, 4)} for c in quality.coverage
        ],
        "goals": {
            "recall": quality.generated["reader"].recall >= WANTED_RECALL,
            "spread": not narrow,
            "narrow": narrow,
        },
    }


def draw_side_by_side(heads: Tensor, faces: Tensor) -> Image.Image:
    """Held-out heads on the left, generated faces on the right; [N, 3, R, R] in [-1, 1] each."""
    count = _COLUMNS * _ROWS
    left, right = (
        Image.fromarray(picture_grid(resize_images(x[:count], _SIDE), _COLUMNS).numpy()) for x in (heads, faces)
    )
    sheet = Image.new("RGB", (left.width + _GAP + right.width, left.height), _GROUND)
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + _GAP, 0))
    return sheet


def draw_histograms(coverage: tuple[Coverage, ...]) -> Image.Image:
    """A panel an attribute: the data's shares as a ground, the generated faces' as bars in front."""
    width, height = _PANEL
    rows = max(-(-len(coverage) // _PANEL_COLUMNS), 1)
    picture = Image.new("RGB", (_PANEL_COLUMNS * width, rows * height), _GROUND)
    draw = ImageDraw.Draw(picture)
    for index, attribute in enumerate(coverage):
        left, top = (index % _PANEL_COLUMNS) * width + _MARGIN, (index // _PANEL_COLUMNS) * height + _MARGIN
        draw.text((left, top), f"{attribute.name}  {attribute.spread:.2f}", fill=_INK)
        tallest = max(*attribute.data, *attribute.generated)
        step = (width - 2 * _MARGIN) / len(attribute.data)
        floor, room = top + height - 2 * _MARGIN, height - 2 * _MARGIN - _BAR_TOP
        for place, (wanted, got) in enumerate(zip(attribute.data, attribute.generated, strict=True)):
            x = left + place * step
            draw.rectangle((x, floor - room * wanted / tallest, x + step - 1, floor), fill=_DATA)
            draw.rectangle((x + step / 4, floor - room * got / tallest, x + 3 * step / 4 - 1, floor), fill=_GENERATED)
    return picture


def _round_values(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}


def _write_png(path: Path, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    write_file(path, buffer.getvalue(), force=True)
