"""`tuiface dataset heads`: a complete folder, or one line and nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuiface.cli import main


def test_heads_are_written_with_labels_and_sheets(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "heads"
    assert main(["dataset", "heads", "--count", "2", "--size", "32", "--out", str(out), "--sheet", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["count"] == 2
    assert len((out / "labels.jsonl").read_text().splitlines()) == 2
    assert {p.name for p in out.iterdir()} >= {"images", "regions", "sheet.png", "sheet-regions.png"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--count", "0"], "count 0"),
        (["--count", "x"], "--count"),
        (["--count", "1", "--size", "65"], "--size 65; accepted: 32, 64, 128, 256, 512"),
    ],
)
def test_mistakes_are_one_line(
    flags: list[str], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "heads", "--out", str(tmp_path / "heads"), *flags]) == 2
    err = capfd.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
