"""`tuiface engine` and what the doctor says of it, with a real process that outlives its command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MODEL
from tuiface.cli import main
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_USAGE


@pytest.fixture(autouse=True)
def small_model(monkeypatch: pytest.MonkeyPatch, shared_cache: Path, tmp_path: Path) -> Iterator[None]:
    values = {"MODEL": MODEL, "CACHE": shared_cache, "STATE": tmp_path / "state", "RUNTIME": tmp_path / "run"}
    for name, value in {**values, "LIBRARY": tmp_path / "library", "DEVICE": "cpu", "THREADS": "1"}.items():
        monkeypatch.setenv(f"TUIFACE_{name}", str(value))
    yield
    main(["engine", "stop", "--force"])


def test_nothing_runs_before_it_was_started(capsys: pytest.CaptureFixture[str]) -> None:
    for action in ("status", "stop"):
        assert main(["engine", action]) == EXIT_CHECK_FAILED
        assert capsys.readouterr().out == "no resident engine runs\n"


def test_started_shown_refused_twice_and_stopped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["engine", "start", "--idle-minutes", "1"]) == EXIT_DONE
    assert "ends after 1 min without use" in capsys.readouterr().out

    assert main(["--json", "engine", "status"]) == EXIT_DONE
    found = json.loads(capsys.readouterr().out)
    assert found["running"]
    assert found["idle_minutes"] == 1

    assert main(["engine", "start"]) != EXIT_DONE
    [line] = capsys.readouterr().err.splitlines()
    assert str(found["pid"]) in line

    main(["doctor"])
    report = capsys.readouterr().out
    assert f"process {found['pid']}" in next(line for line in report.splitlines() if "resident" in line)

    assert main(["render", "3", "--out", str(tmp_path / "out")]) == EXIT_DONE, "commands are not disturbed by it"
    assert main(["engine", "stop"]) == EXIT_DONE
    assert main(["engine", "status"]) == EXIT_CHECK_FAILED


def test_an_idle_time_below_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "start", "--idle-minutes", "-1"]) == EXIT_USAGE
    assert "--idle-minutes -1; accepted: 0 (never) to 999999" in capsys.readouterr().err
