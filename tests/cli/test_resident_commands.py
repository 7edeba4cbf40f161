"""Commands with `engine = "resident"`: they open no network of their own, and come to the same results as with one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import MODEL
from tuiface.cli import main
from tuiface.core.errors import EXIT_DONE, EXIT_ENGINE
from tuiface.core.settings import load_settings
from tuiface.directions.catalogue import rename_direction
from tuiface.directions.direction import Direction, labels_of, read_direction
from tuiface.directions.questionnaire import Questionnaire, list_answers, read_pool
from tuiface.engine.loading import open_engine
from tuiface.engine_api.requests import SearchRequest

RUN_ALL = """
import json, sys
from tuiface.cli import main
codes = []
for words in json.loads(sys.argv[1]):
    codes.append(main(words))
    print("torch" in sys.modules, file=sys.stderr)
print(json.dumps(codes))
"""
"""Commands one after the other in a process that is new; after each, whether it loaded torch."""


@pytest.fixture(autouse=True)
def small_model(monkeypatch: pytest.MonkeyPatch, shared_cache: Path, tmp_path: Path) -> Iterator[None]:
    values = {"MODEL": MODEL, "CACHE": shared_cache, "STATE": tmp_path / "state", "RUNTIME": tmp_path / "run"}
    values |= {"DIRECTIONS": tmp_path / "own", "LIBRARY": tmp_path / "library", "REGIONS": tmp_path / "regions"}
    for name, value in {**values, "DEVICE": "cpu", "THREADS": "1"}.items():
        monkeypatch.setenv(f"TUIFACE_{name}", str(value))
    monkeypatch.chdir(tmp_path)
    np.save("age.npy", np.random.RandomState(0).randn(1, 8, 64))
    lines = [f"{face},{rater},{np.cos(3 * face):.3f}" for face in range(40) for rater in "ab"]
    Path("kind.csv").write_text("face,rater,rating\n" + "\n".join(lines))
    yield
    main(["engine", "stop", "--force"])


COMMANDS = [
    ["directions", "import", "age.npy", "--legacy", "first", "--licence", "ours", "--limit", "2"],
    ["directions", "show", "age"],
    ["directions", "list"],
    ["directions", "rename", "age", "years"],
    ["directions", "learn", "--ratings", "kind.csv"],
    ["directions", "discover", "--method", "sefa", "--rows", "2-5", "--count", "2", "--seeds", "1", "--out",
     "out/sefa.png", "--keep", "2=shade"],
    ["directions", "discover", "--method", "channels", "--region", "mouth", "--count", "2", "--seeds", "1", "--out",
     "out/channels.png", "--keep", "1=lips"],
    ["directions", "report", "years", "lips", "--seeds", "0"],
    ["directions", "report", "lips", "--seeds", "0", "--lock", "mouth:direction"],
    ["directions", "report", "years", "--seeds", "0", "--out", "out/years.png"],
    ["population", "make", "old", "--where", "age=..1000", "--draws", "20"],
    ["population", "make", "ours", "--faces", "3", "4"],
    ["population", "list"],
    ["population", "remove", "ours"],
    ["model", "regions", "--clusters", "3", "--out", "out/clusters.png"],
    ["verify", "faces/3.png"],
    ["directions", "remove", "shade", "--yes"],
]  # fmt: skip


def save_face(*flags: str) -> None:
    """Render the face that is verified."""
    assert main(["render", "3", "--out", "faces", *flags]) == EXIT_DONE
    [picture] = Path("faces").glob("*.png")
    picture.rename("faces/3.png")


def commands_of(engine: str) -> list[list[str]]:
    return [[*words, "--json", "--engine", engine] for words in COMMANDS]


def run_all(engine: str) -> tuple[str, list[str]]:
    """What all commands print, and the lines of their errors; in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, json.dumps(commands_of(engine))], capture_output=True, text=True, check=False
    )
    *printed, codes = done.stdout.splitlines()
    assert set(json.loads(codes)) == {EXIT_DONE}, (codes, done.stderr)
    return "\n".join(printed), done.stderr.splitlines()


def written(tmp_path: Path) -> dict[str, bytes]:
    """The files that commands wrote, which are taken away."""
    found = {}
    for folder in ("own", "out"):
        for path in sorted((tmp_path / folder).rglob("*.*")):
            found[str(path.relative_to(tmp_path))] = path.read_bytes()
        shutil.rmtree(tmp_path / folder)
    return found


def test_with_a_resident_engine_no_second_network_is_opened_and_nothing_else_differs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save_face("--threads", "2")
    assert main(["engine", "start", "--idle-minutes", "5"]) == EXIT_DONE
    printed, said = run_all("resident")
    assert "True" not in said, "torch was loaded by the command"
    files = written(tmp_path)
    names = ["channels.png", "clusters.png", "kind.safetensors", "lips.safetensors", "old.json", "sefa.png"]
    assert sorted(Path(name).name for name in files) == [*names, "years.png", "years.safetensors"]
    capfd.readouterr()
    assert {main(words) for words in commands_of("private")} == {EXIT_DONE}  # here, where torch is loaded already
    assert printed == capfd.readouterr().out.removesuffix("\n")
    assert written(tmp_path) == files


def test_without_one_each_fails_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words in [*COMMANDS, ["directions", "learn", "--attributes", "all"], ["bench", "edit"]]:
        if words[0] == "verify":
            continue  # below: its face must be there
        capsys.readouterr()
        assert main([*words, "--engine", "resident"]) == EXIT_ENGINE, words
        assert len(capsys.readouterr().err.strip().splitlines()) == 1, words
    save_face()
    capsys.readouterr()
    assert main(["verify", "faces/3.png", "--engine", "resident"]) == EXIT_ENGINE
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "no resident engine of" in line


def test_a_command_and_the_interface_leave_the_same_record(tmp_path: Path) -> None:
    """The interface asks its engine, and keeps what was found under a name; a command does all of it at once."""
    engine = open_engine(load_settings({}))
    for number, (request, flags) in enumerate(
        (
            (SearchRequest(method="ganspace", rows=(1, 4), count=2), ["--rows", "1-4"]),
            (SearchRequest(method="regional", region="mouth", count=2), ["--region", "mouth"]),
            (SearchRequest(method="channels", region="hair", count=2), ["--region", "hair"]),
        )
    ):
        found = [made.direction for made in engine.make_directions(request)]
        words = ["--method", request.method, *flags, "--count", "2", "--keep", f"2=found_{number}"]
        assert main(["directions", "discover", *words]) == EXIT_DONE
        [path] = (tmp_path / "own").rglob(f"found_{number}.safetensors")
        command: Direction = read_direction(path)
        interface = rename_direction(found[1], f"found_{number}", labels_of(f"found_{number}"))
        assert command.header.model_dump_json() == interface.header.model_dump_json()
        assert command.sha256 == interface.sha256


def test_answers_by_keyboard_and_in_the_interface_leave_the_same_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interface makes its request of the file in which the answers lie: of the command's, the same direction."""
    monkeypatch.setattr("sys.stdin", StringIO("n\ny\n" * 40))
    assert main(["directions", "learn", "--ask", "kind", "--pool", "60", "--stop-at", "30"]) == EXIT_DONE
    [path] = (tmp_path / "own").rglob("kind.safetensors")
    command = read_direction(path)
    engine = open_engine(load_settings({}))
    [(file, _)] = list_answers(tmp_path / "own", engine.info().model)
    questionnaire = Questionnaire(tuple(range(60)), read_pool(engine, 60), "yes-no")
    [made] = engine.make_directions(file.resume(questionnaire).to_request(questionnaire))
    assert command.header.model_dump_json() == made.direction.header.model_dump_json()
    assert command.sha256 == made.direction.sha256
