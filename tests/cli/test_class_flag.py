"""`--class` of commands that take faces by seed, with a network that has classes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fake_engine import FakeEngine
from tuiface.cli import main
from tuiface.commands import faces

COMMANDS = (["swap", "3", "7"], ["morph", "3", "7", "--frames", "2"])


@pytest.mark.parametrize("command", COMMANDS, ids=["swap", "morph"])
@pytest.mark.parametrize("label", [None, 2])
def test_faces_have_the_class_that_was_asked_for_or_0_with_a_word(
    command: list[str],
    label: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(faces, "open_engine_for", lambda settings: FakeEngine(c_dim=3))
    given = [] if label is None else ["--class", str(label)]
    assert main([*command, *given, "--out", str(tmp_path)]) == 0
    assert ("seeds are drawn in class 0 of 3" in capsys.readouterr().err) == (label is None)
    first = min(tmp_path.glob("*.json")).read_text(encoding="utf-8")
    assert set(re.findall(r'"label": (\w+)', first)) == {str(label or 0)}
