"""What was measured, as lines, as a table for docs/performance.md, as JSON."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tuiface.benchmarks.gpu.roofline import draw_roofline
from tuiface.benchmarks.gpu.rows import Figures, Row
from tuiface.benchmarks.gpu.sections import SECTIONS
from tuiface.benchmarks.gpu.targets import TARGETS, judge
from tuiface.core.files import make_folder, write_file
from tuiface.core.version import __version__

JSON_NAME, TABLE_NAME, PICTURE_NAME = "gpu.json", "gpu.md", "roofline.png"
_CHECKS = frozenset(section.name for section in SECTIONS if section.is_check)
_TABLE_FIGURES = 4
"""Of a row in the table; the others are in the JSON."""
_SMALLEST_KERNEL_PX = 256
"""Of kernels in the table."""


def is_sound(rows: Iterable[Row]) -> bool:
    """Whether nothing failed and every check was made; whether targets are met is another question."""
    return not any(row.error or (row.skipped and row.section in _CHECKS) for row in rows)


def row_line(row: Row) -> str:
    """For people."""
    wanted = "; ".join(f"wanted {v.target.text}: {'yes' if v.met else 'no'}" for v in judge(row))
    told = [
        _describe(row.figures),
        row.error and f"WRONG: {row.error}",
        row.skipped and f"left out: {row.skipped}",
        wanted,
    ]
    return f"{row.section:<10} {row.name:<42} {'   '.join(filter(None, told))}"


def row_values(row: Row) -> dict[str, object]:
    """For machines: the row, and what was wanted of it."""
    verdicts = [
        {"figure": v.target.figure, "at": v.target.at, "wanted": v.target.value, "measured": v.measured, "met": v.met}
        for v in judge(row)
    ]
    return {**row.to_json(), "targets": verdicts}


def build_table(rows: Sequence[Row]) -> str:
    """Markdown: a line a row, and what was wanted but not measured at the end."""
    lines = ["| | measured | wanted, of an H100 | met |", "|---|---|---|---|"]
    for row in rows:
        if row.section == "kernels" and float(row.figures.get("resolution_px", 0)) < _SMALLEST_KERNEL_PX:
            continue
        verdicts = judge(row)
        wanted = "; ".join(v.target.text for v in verdicts)
        met = "; ".join("yes" if v.met else "**no**" for v in verdicts)
        told = [_describe(row.figures, _TABLE_FIGURES), row.error and f"**wrong**: {row.error}", row.skipped]
        cells = (f"{row.section}: {row.name}", "; ".join(filter(None, told)), wanted, met)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    measured = {(row.section, row.name, name) for row in rows for name in row.figures}
    missing = [one for one in TARGETS if (one.section, one.row, one.figure) not in measured]
    lines += [f"| {one.section}: {one.row} | not measured | {one.text} | |" for one in missing]
    return "\n".join(lines) + "\n"


def write_report(folder: Path, rows: Sequence[Row], seconds: float) -> list[Path]:
    """JSON, table and, where kernels were timed, the roofline; replaces what is there. Raises OutputError."""
    make_folder(folder)
    values = {
        "tuiface": __version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "sound": is_sound(rows),
        "rows": [row_values(row) for row in rows],
    }
    content = {JSON_NAME: (json.dumps(values, indent=2) + "\n").encode(), TABLE_NAME: build_table(rows).encode()}
    picture = draw_roofline(rows)
    if picture is not None:
        content[PICTURE_NAME] = picture
    for name, data in content.items():
        write_file(folder / name, data, force=True)
    return [folder / name for name in content]


def _describe(figures: Figures, count: int | None = None) -> str:
    parts = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items()
    ]
    return ", ".join(parts[:count])
