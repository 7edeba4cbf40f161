"""What the suite says of itself is so."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import DEAREST_FIRST

ROOT = Path(__file__).parent.parent


def test_the_dearest_files_are_there_and_named_once() -> None:
    assert [name for name in DEAREST_FIRST if not (ROOT / name).is_file()] == []
    assert len(set(DEAREST_FIRST)) == len(DEAREST_FIRST)
