"""Write what docs/directions.md shows of the embedded model: a strip of each direction, what leaks, faces crossed.

    python -m tools.write_directions [--table]

Run it after `tuiface directions learn --attributes all --out assets/directions --force`; after
`python -m tools.verify_directions`, which moves no pixel, `--table` leaves the pictures as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from tuiface.benchmarks.editing import INNER_FACE, PUBLISHED_RANKING
from tuiface.core.assets import directions_path, embedded_model_path
from tuiface.core.settings import Settings
from tuiface.directions.catalogue import Catalogue
from tuiface.directions.direction import Direction
from tuiface.directions.report import draw_direction_strip
from tuiface.engine.loading import open_engine
from tuiface.engine.local_engine import LocalEngine
from tuiface.faces.recipe import RegionLock
from tuiface.faces.studio import Studio
from tuiface.stimuli.exchange import cross

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "directions.md"
PICTURES = ROOT / "docs" / "pictures" / "directions"
BEGIN, END = "<!-- directions: written by `python -m tools.write_directions` -->", "<!-- end of directions -->"
STRIP_SEEDS = (3, 12)
CROSSES = PICTURES.parent / "crosses.jpg"
CROSSED_SEEDS = ((10, 20), (5, 40), (3, 7))
MIN_LEAKAGE = 0.15


def format_table(directions: list[Direction]) -> str:
    """One line a direction, in the order of how much it changes the frame."""
    ranked = sorted(directions, key=lambda d: d.header.measures.get("frame_variation_percent", 0.0))
    place = {name: i + 1 for i, group in enumerate(PUBLISHED_RANKING) for name in group}
    rows = [
        "| direction | ends | monotone, % of faces | sigma a unit | frame variation %, at ±2 | published rank | "
        "also changes (sigma a unit) |",
        "|---|---|---|---|---|---|---|",
    ]
    for direction in ranked:
        header, measures = direction.header, direction.header.measures
        leaks = sorted(
            ((n, v) for n, v in header.leakage.items() if n != header.name and abs(v) >= MIN_LEAKAGE),
            key=lambda item: -abs(item[1]),
        )
        also = ", ".join(f"{name} {value:+.2f}" for name, value in leaks[:4]) or "nothing above 0.15"
        rows.append(
            f"| `{header.name}` | {header.labels.en[0]} / {header.labels.en[1]} | {measures['monotone_percent']:g} | "
            f"{measures['slope_sigma']:.2f} | {measures['frame_variation_percent']:.2f} | "
            f"{place.get(header.name, '')} | {also} |"
        )
    return "\n".join(rows)


def write_strips(engine: LocalEngine, directions: list[Direction]) -> str:
    """A picture each, free and with the frame locked; returns the lines that show them."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for stale in PICTURES.iterdir():
        stale.unlink()
    lines = []
    for direction in directions:
        write_strip(engine, direction, PICTURES)
        kind = "inner face" if direction.name in INNER_FACE else "whole face"
        ends = " / ".join(direction.header.labels.en)
        lines.append(
            f"**{direction.name}**, {ends} ({kind})\n\n![{direction.name}](pictures/directions/{direction.name}.jpg)\n"
        )
    return "\n".join(lines)


def write_strip(engine: LocalEngine, direction: Direction, folder: Path) -> None:
    """One direction's picture."""
    locks = (None, RegionLock(region="frame", guarantee="blend"))
    strip = Image.fromarray(draw_direction_strip(engine, direction, STRIP_SEEDS, locks))
    strip.save(folder / f"{direction.name}.jpg", quality=88)  # a fifth of a PNG; nobody measures on it


def write_crosses(studio: Studio) -> None:
    """A row for each pair of seeds: both faces, and between them their children."""
    rows = [
        np.concatenate([cell.face.render().pixels for cell in cross(studio.face(a), studio.face(b))], axis=1)
        for a, b in CROSSED_SEEDS
    ]
    Image.fromarray(np.concatenate(rows)).save(CROSSES, quality=92)


def main() -> None:
    """Write all of it, or the table alone."""
    parser = argparse.ArgumentParser(prog="python -m tools.write_directions")
    parser.add_argument("--table", action="store_true", help="leave the pictures as they are")
    is_table_alone = parser.parse_args().table
    settings = Settings(model=embedded_model_path(), device="cpu", directions=ROOT / "docs" / "none")
    engine = open_engine(settings)
    catalogue = Catalogue(directions_path(), settings.directions)
    directions = [entry.direction for entry in catalogue.entries(engine.info().model)]
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    made, after = rest.split(END)
    if is_table_alone:
        strips = made.partition("\n\n")[2].removesuffix("\n")
    else:
        write_crosses(Studio(engine, settings))
        strips = write_strips(engine, directions)
    PAGE.write_text(f"{before}{BEGIN}\n{format_table(directions)}\n\n{strips}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
