"""Nothing that lies in the user's working folder is executed, whatever its name and whichever process looks for it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.conftest import MODEL
from tests.service.processes import eventually
from tuiface.cli import main
from tuiface.core import processes
from tuiface.core.errors import EXIT_DONE, ModelError, UsageError
from tuiface.core.settings import Settings

ROOT = Path(__file__).parent.parent.parent
PARTS = ("app", "cli", "engine.local_engine", "engine.training", "service.engine_process", "stimuli.series")
"""What imports the rest: the names of all that they use are planted."""
PROGRAMS = ("tmux", "ffmpeg", "git", "ninja", "gcc", "cc", "c++", "ld", "ldconfig", "uname", "sh", "python", "tuiface")

#: Of built-in modules alone, which no file can stand in for: `open` is not there yet where `encodings` is imported.
MODULE = "import posix\nposix.close(posix.open(__file__ + '.ran', posix.O_CREAT | posix.O_WRONLY))\n"
CONSOLE_SCRIPT = "import re\nimport sys\nfrom tuiface.cli import main\nsys.exit(main())\n"  # as pip writes it


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of modules and programs that leave a mark beside them when they run."""
    for part in PARTS:
        importlib.import_module(f"tuiface.{part}")
    folder = tmp_path_factory.mktemp("planted")
    names = {name.partition(".")[0] for name in sys.modules} | sys.stdlib_module_names
    assert names > {"tuiface", "torch", "numpy", "textual", "encodings", "multiprocessing"}
    for name in names | {"sitecustomize", "usercustomize", "planted", "_planted"}:
        (folder / f"{name}.py").write_text(MODULE)
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\n: > '{folder / name}.ran'\n")
        (folder / name).chmod(0o755)
    (folder / "planted.pth").write_text("import planted\n")
    (folder / "python311._pth").write_text(f"{folder}\nimport site\n")
    (folder / "pyvenv.cfg").write_text(f"home = {folder}\n")
    points = folder / "planted-1.dist-info"
    points.mkdir()
    (points / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1\n")
    (points / "entry_points.txt").write_text("[torch.backends]\nx = _planted:x\n[pydantic]\nx = _planted:x\n")
    return folder


@pytest.fixture
def working_there(planted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared_cache: Path) -> Iterator[Path]:
    """The planted folder as working folder, first in every search: a colon too many puts it there."""
    monkeypatch.chdir(planted)
    for name, value in {"PYTHONPATH": str(ROOT), "PATH": os.defpath, "LD_LIBRARY_PATH": ""}.items():
        monkeypatch.setenv(name, f":{value}:.")
    folders = {"MODEL": MODEL, "CACHE": shared_cache, "STATE": tmp_path / "state", "RUNTIME": tmp_path / "run"}
    for name, folder in folders.items():
        monkeypatch.setenv(f"TUIFACE_{name}", str(folder))
    monkeypatch.setenv("TUIFACE_DEVICE", "cpu")
    monkeypatch.setenv("TUIFACE_THREADS", "1")
    yield planted
    assert [path.name for path in planted.rglob("*.ran")] == []


def test_the_traps_work(planted: Path) -> None:
    done = processes.run([sys.executable, "-c", "import numpy"], variables={"PYTHONPATH": str(planted)})
    marks = {path.name for path in planted.glob("*.ran")}
    assert {"encodings.py.ran", "sitecustomize.py.ran"} & marks, done.stderr
    processes.run([str(planted / "ffmpeg")])
    assert (planted / "ffmpeg.ran").exists()
    for path in (*planted.glob("*.ran"), *planted.rglob("__pycache__/*")):
        path.unlink()


def test_the_program_itself(working_there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "bin" / "tuiface"
    script.parent.mkdir()
    script.write_text(CONSOLE_SCRIPT)
    monkeypatch.delenv("PYTHONPATH")
    for arguments in (["--help"], ["model", "list"], ["library", "list", "--library", str(tmp_path)]):
        done = processes.run([sys.executable, str(script), *arguments], variables={"PYTHONPATH": str(ROOT)})
        assert done.returncode == EXIT_DONE, done.stderr


def test_the_resident_engine_and_its_jobs(working_there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuiface.service.discovery import require_engine
    from tuiface.service.job_client import SharedJobs

    settings = Settings(model=MODEL, device="cpu", threads=1, runtime=tmp_path / "run", state=tmp_path / "state")
    monkeypatch.setattr(sys, "path", [str(working_there), "", *sys.path])  # as `python -m` begins
    try:
        assert main(["engine", "start"]) == EXIT_DONE
        assert str(working_there) not in sys.path
        assert "" not in sys.path
        told: list[str] = []
        jobs = SharedJobs(require_engine(settings).socket, tmp_path / "state")
        watch = jobs.watch(lambda lines: told.extend(line.state for line in lines))
        jobs.start("listing", ["model", "list"])
        eventually(lambda: "done" in told)
        watch.close()
    finally:
        main(["engine", "stop", "--force"])


def test_a_private_engine(working_there: Path, tmp_path: Path) -> None:
    from tuiface.service.private_process import EngineProcess

    process = EngineProcess(Settings(model=tmp_path / "none.pkl", cache=tmp_path, state=tmp_path))
    with pytest.raises(ModelError, match="no checkpoint"):
        process.wait_ready(60)
    process.stop()


def test_processes_that_render_heads(working_there: Path, tmp_path: Path) -> None:
    from tuiface.engine.training.data.head_shards import HeadWorkers
    from tuiface.heads.dataset import RenderingProcesses

    workers = HeadWorkers(tmp_path, 32, 0, 0, 1)
    eventually(lambda: workers._processes[0].poll() is not None)
    workers.check()
    rendering = RenderingProcesses(int.bit_count, [5], 1, None)
    assert list(rendering.results()) == [(5, 2)]
    rendering.close()


def test_programs_are_not_looked_for_there(
    working_there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuiface.stimuli.series import find_ffmpeg
    from tuiface.terminal.probe import ask_tmux

    ask_tmux()
    monkeypatch.setenv("PATH", f"::.:./:{tmp_path}")
    with pytest.raises(UsageError, match="needs ffmpeg"):
        find_ffmpeg()
    with pytest.raises(FileNotFoundError):
        processes.run(["ffmpeg"])


def send_searches(answers: Connection) -> None:
    answers.send((sys.path, {name: os.environ.get(name) for name in processes.SEARCH_PATHS}, sys.flags.safe_path))


def test_a_worker_gets_the_searches_without_the_folder(working_there: Path) -> None:
    process, connection = processes.connect_worker(send_searches)
    path, variables, is_safe = connection.recv()
    assert process.wait() == 0
    assert {str(working_there), "", "."}.isdisjoint(path)
    assert variables == {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "LD_LIBRARY_PATH": None}
    assert is_safe
