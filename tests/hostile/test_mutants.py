"""A few damaged files of each format; `python -m tests.hostile.mutants` opens thousands, under limits."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tuiface.core.visible import to_visible

from .mutants import FORMATS
from .worker import DOORS, MAX_CPU_S, judge

COUNT = 25


@pytest.mark.parametrize("name", FORMATS)
def test_sound_files_open(name: str, tmp_path: Path) -> None:
    for number, data in enumerate(FORMATS[name].make()):
        path = tmp_path / f"{number}{FORMATS[name].suffix}"
        path.write_bytes(data)
        outcomes = {judge(door, path)["outcome"] for door in FORMATS[name].doors}
        assert outcomes <= {"opened", "refused"}
        assert "opened" in outcomes or name in ("safetensors", "npz")


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_refused_in_one_line_or_sound(name: str, tmp_path: Path) -> None:
    random, path = Random(name), tmp_path / f"file{FORMATS[name].suffix}"
    for _ in range(COUNT):
        path.write_bytes(FORMATS[name].mutant(random))
        for door in FORMATS[name].doors:
            assert door in DOORS
            verdict = judge(door, path)
            assert verdict["outcome"] in ("opened", "refused")
            assert verdict["cpu_s"] < MAX_CPU_S
            assert len(verdict["message"]) < 600
            assert to_visible(verdict["message"], None) == verdict["message"]
