"""Every command that prints texts of files: whatever stands in them, the terminal obeys none of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import MODEL
from tests.fake_engine import FakeEngine
from tests.hostile.files import FILE_NAME, SHORT, copy_model, write_directions, write_library
from tests.hostile.terminal_text import ALL, ATTACKS, BYTES, FORGED, find_obeyed
from tuiface.cli import main
from tuiface.engine import loading
from tuiface.engine.checkpoint import prepare_checkpoint
from tuiface.engine_api.protocol import EngineInfo, JobProgress
from tuiface.faces.recipe import ModelRef
from tuiface.service import daemon
from tuiface.service.messages import ClientLine, JobLine, Status, StopAnswer

JOB = JobLine(user=FORGED, job=JobProgress(1, FORGED, state="running", message=FORGED))
STATUS = Status(
    pid=1,
    user=FORGED,
    version=FORGED,
    model=FORGED,
    path=FORGED,
    device=FORGED,
    device_name=FORGED,
    resolution=8,
    uptime_s=1,
    idle_minutes=1,
    group=FORGED,
    memory_mb=1,
    device_memory_mb=1,
    audit=FORGED,
    clients=(ClientLine(user=FORGED, interfaces=1),),
    jobs=(JOB,),
)


class HostileEngine(FakeEngine):
    """The engine of another machine, perhaps: what it says of itself is not to be trusted either."""

    def info(self) -> EngineInfo:
        from dataclasses import replace

        info = super().info()
        named = ModelRef(sha256=info.model.sha256, name=SHORT)
        return replace(
            info, model=named, licence=FORGED, device_name=FORGED, kernels=FORGED, notices=(FORGED,), c_dim=3
        )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of a user who was given hostile files."""
    folder = tmp_path_factory.mktemp("hostile")
    info = prepare_checkpoint(MODEL, folder / "cache").info
    model = ModelRef(sha256=info.network_sha256, name=info.name)
    write_library(folder / "library", model)
    write_directions(folder / "own", model)
    copy_model(folder)
    (folder / "ratings.csv").write_text(f"face,rater,rating\n{ALL},a,1\n")
    (folder / "columns.csv").write_text(f"{ALL},rater,rating\n1,a,1\n")
    np.save(folder / f"a{BYTES}.npy", np.ones(4, np.float32))
    return folder


@pytest.fixture(autouse=True)
def user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"MODEL": MODEL, "CACHE": home / "cache", "DIRECTIONS": home / "own", "LIBRARY": home / "library"}
    values |= {"STATE": home / "state", "RUNTIME": home / "run"}
    for name, value in values.items():
        monkeypatch.setenv(f"TUIFACE_{name}", str(value))
    sha256 = prepare_checkpoint(MODEL, home / "cache").info.network_sha256
    monkeypatch.setattr(loading, "open_engine", lambda settings: HostileEngine(sha256=sha256))
    monkeypatch.setattr(daemon, "query_status", lambda settings: STATUS)
    monkeypatch.setattr(daemon, "start", lambda *a, **k: STATUS)
    monkeypatch.setattr(daemon, "stop", lambda settings, force: StopAnswer(stops=force, jobs=(JOB,)))
    monkeypatch.chdir(home)


WORD = ALL.replace("\0", "")
"""As a shell can give it."""
FACE, OTHER = f"library/{FILE_NAME}.png", f"library/b{BYTES}.png"
EVIL_MODEL, BYTES_MODEL = f"{FILE_NAME}{MODEL.suffix}", f"m{BYTES}{MODEL.suffix}"

READING = [
    ["library", "list"],
    ["library", "list", "--series", FORGED],
    ["library", "reindex"],
    ["library", "tag", f"{FILE_NAME}.png", "--remove", "\x7f\u202e[red]", "\x9b\u200b"],
    ["library", "tag", f"b{BYTES}.png", WORD],
    ["verify", FACE],
    ["verify", FACE, OTHER, FILE_NAME],
    ["show", FACE, OTHER],
    ["directions", "list"],
    ["directions", "list", "--all"],
    ["directions", "show", "evil"],
    ["directions", "show", "foreign"],
    ["directions", "report", "evil", "--seeds", "0"],
    ["population", "list"],
    ["engine", "status"],
    ["engine", "start"],
    ["engine", "stop"],
    ["engine", "stop", "--force"],
    ["model", "list"],
    ["model", "inspect", EVIL_MODEL],
    ["model", "inspect", BYTES_MODEL],
]
"""What prints texts of files; with --json, too."""

WRITING = [
    ["render", FACE, "--psi", "0.5", "--out", f"out{FILE_NAME}"],
    ["render", OTHER, "--psi", "0.5", "--out", f"out{BYTES}"],
    ["swap", "1", "2", "--out", f"out{FILE_NAME}"],
    ["morph", FACE, OTHER, "--frames", "2", "--size", "8", "--out", f"out{BYTES}"],
    ["directions", "import", f"a{BYTES}.npy", "--name", "imported", "--licence", FORGED],
    ["population", "make", "of_bytes", "--faces", FACE, OTHER, "--force"],
    ["model", "convert", BYTES_MODEL, f"{FILE_NAME}.safetensors", "--licence", FORGED, "--force"],
    ["model", "inspect", f"{FILE_NAME}.safetensors"],
]
"""What is made of them, and a model whose own header is hostile."""

REFUSED = [
    [WORD],
    [f"--{WORD}"],
    ["library", WORD],
    ["library", "remove", WORD, "--yes"],
    ["render", WORD],
    ["render", BYTES],
    ["render", "1", "--psi", WORD],
    ["render", "1", "--noise", WORD],
    ["render", "1", "--edit", f"{WORD}=1"],
    ["render", "1", "--lock", WORD],
    ["render", "1", "--mix", WORD],
    ["render", "1", "--population", WORD],
    ["--device", WORD, "render", "1"],
    ["verify", BYTES],
    ["show", WORD],
    ["morph", "1", "2", "--name", WORD.replace("/", "")],
    ["morph", "1", "2", "--name", f"n{BYTES}"],
    ["morph", "1", "2", "--name", "../up"],
    ["morph", "1", "2", "--name=-rf"],
    ["morph", "1", "2", "--name", "n" * 300],
    ["directions", "show", WORD],
    ["directions", "rename", "evil", WORD],
    ["directions", "remove", WORD],
    ["directions", "discover", "--keep", WORD],
    ["directions", "learn", "--ratings", WORD],
    ["directions", "learn", "--ratings", "ratings.csv"],
    ["directions", "learn", "--ratings", "columns.csv"],
    ["population", "make", WORD, "--faces", "1", "2"],
    ["population", "make", "a", "--where", WORD],
    ["population", "remove", WORD],
    ["--engine", WORD, "render", "1"],
    ["model", "inspect", WORD],
    ["model", "convert", EVIL_MODEL, WORD],
]
"""What quotes words of the command line in its one line."""


def run(argv: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capfd.readouterr()
    code = main(argv)
    out, err = capfd.readouterr()
    assert not find_obeyed(out + err), argv
    assert "\nforged" not in out + err, argv
    return code, out, err


@pytest.mark.parametrize("argv", READING, ids=lambda argv: ascii(argv[:2]))
def test_texts_of_files_are_shown_and_not_obeyed(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    _, out, err = run(argv, capfd)
    assert out + err
    assert all(len(line) <= 2000 for line in (out + err).splitlines())
    _, out, err = run([*argv, "--json"], capfd)
    assert out.isascii()
    for line in out.splitlines():
        json.loads(line)


@pytest.mark.parametrize("argv", WRITING, ids=lambda argv: ascii(argv[:2]))
def test_files_with_hostile_names_can_be_used(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(argv, capfd)
    assert code == 0, err


@pytest.mark.parametrize("argv", REFUSED, ids=lambda argv: ascii(argv[:3])[:50])
def test_words_of_the_command_line_are_quoted_safely(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(argv, capfd)
    assert code in (2, 3, 4, 5)
    assert not out
    assert len(err.splitlines()) == 1


def test_a_library_with_names_that_are_no_utf8_is_listed(capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(["library", "list"], capfd)
    assert len(out.splitlines()) == 2
    assert "b\\xff\\x80.png" in out
    _, out, _ = run(["library", "list", "--json"], capfd)
    names = [Path(json.loads(line)["file"]).name for line in out.splitlines()]
    assert set(names) == {f"{FILE_NAME}.png", f"b{BYTES}.png"}, "machines get the names as they are"
    assert all(os.path.exists(json.loads(line)["file"]) for line in out.splitlines())  # noqa: PTH110
    code, _, _ = run(["library", "list", "--library", BYTES], capfd)
    assert code == 0


def test_a_direction_that_is_not_there_is_named_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(["directions", "report", "nope"], capfd)
    assert code == 4
    assert err.startswith("tuiface: no direction 'nope' for this model; it has ")
    assert err.endswith(" (a channel such as b16.conv1:5 is one too; tuiface directions list shows all)\n")


SETTINGS = [
    'model = "\\u001b]0;x\\u0007"',
    '"\\u001b[31m" = 1',
    'psi = "\\u202e\\u200b"',
    'theme = "\\u009b"\nlanguage = "\\u200b"',
    "\x1b[2J",
    '[keys]\n"\\u001b" = "\\u001b"',
    'engine = "\\u001b[2J"',
    'library = "\\u009b2J\\u202e"',
    'model = "\\u0000"',
    'directions = "a\\u0000b"',
]


@pytest.mark.parametrize("text", SETTINGS)
def test_settings_are_echoed_safely(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("MODEL", "LIBRARY"):
        monkeypatch.delenv(f"TUIFACE_{name}")
    (tmp_path / f"{FILE_NAME}.toml").write_text(text)
    monkeypatch.setenv("TUIFACE_CONFIG", str(tmp_path / f"{FILE_NAME}.toml"))
    for argv in (["library", "reindex"], ["directions", "list"]):
        _, out, err = run(argv, capfd)
        assert out + err


@pytest.mark.parametrize(
    ("name", "value"), [("TUIFACE_CONFIG", ATTACKS["title"]), ("TUIFACE_\x1b[2J", "x"), ("TUIFACE_PSI", SHORT)]
)
def test_the_environment_is_echoed_safely(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    code, _, err = run(["library", "list"], capfd)
    assert code in (2, 3)
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("columns", ["²", "-5", "1", "9" * 20, "abc", "\x1b[2J"])
def test_help_is_printed_in_any_width(
    columns: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", WORD)
    for argv in (["--help"], ["render", "--help"], ["--version"]):
        with pytest.raises(SystemExit):
            main(argv)
        out, err = capfd.readouterr()
        assert out
        assert not find_obeyed(out + err)
