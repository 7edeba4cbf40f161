"""Processes are started in one place, with what has to be set before torch is loaded in them."""

from __future__ import annotations

import ast
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.test_layering import SOURCES
from tuiface.core import processes

HOME = "tuiface.core.processes"
STARTERS = {
    "subprocess": {"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"},
    "os": {"fork", "forkpty", "system", "popen", "posix_spawn", "posix_spawnp", "execv", "execve", "execvp", "spawnv"},
    "pty": {"fork", "spawn"},
    "multiprocessing": {"Process", "Pool", "get_context"},
    "sys": {"executable"},  # the beginning of a command of ours
}
#: The benchmarks' terminal: a process must take the pty as its own between fork and exec.
FORKS = {"tuiface.benchmarks.terminal": {"os.fork", "os.execve"}}


def started_in(module: str) -> set[str]:
    """`subprocess.run` and the like, as far as a module speaks of them; a type of an argument is no start."""
    tree = ast.parse(SOURCES[module].read_text("utf-8"))
    types = {
        id(inner)
        for node in ast.walk(tree)
        for kind in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(kind, ast.AST)
        for inner in ast.walk(kind)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and id(node) not in types:
            found.add((node.value.id, node.attr))
        if isinstance(node, ast.ImportFrom):
            found.update((node.module or "", alias.name) for alias in node.names)
    return {f"{owner}.{name}" for owner, name in found if name in STARTERS.get(owner, ())}


@pytest.mark.parametrize("module", [name for name in SOURCES if name != HOME])
def test_no_other_place_starts_a_process(module: str) -> None:
    assert started_in(module) == FORKS.get(module, set())


def test_the_place_is_seen_by_this_test() -> None:
    assert started_in(HOME) == {"subprocess.Popen", "subprocess.run", "multiprocessing.get_context", "sys.executable"}


def test_torch_threads_sleep_in_this_process_and_in_those_that_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os; print(os.environ['GOMP_SPINCOUNT'])"
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert processes.output_of([*processes.PYTHON, "-c", code]).strip() == processes.NUM_SPINS
    assert os.environ["GOMP_SPINCOUNT"] == processes.NUM_SPINS


def test_a_number_of_spins_of_the_users_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    processes.limit_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == "7"


def test_a_file_in_the_working_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pickle.py").write_text(
        "import os; os._exit(3)"
    )  # a module that `spawn` imports before it knows a path
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    monkeypatch.chdir(tmp_path)
    assert processes.run([sys.executable, "-c", "import pickle"]).returncode == 3
    assert processes.run([*processes.PYTHON, "-c", "import pickle"]).returncode == 0
    process, connection = processes.connect_worker(send_answer, 42)
    assert connection.recv() == 42
    process.join()
    assert process.exitcode == 0
    assert "PYTHONSAFEPATH" not in os.environ


def send_answer(connection: Connection, answer: int) -> None:
    connection.send(answer)


def test_what_a_program_says_and_needs(tmp_path: Path) -> None:
    done = processes.run(["sh", "-c", 'cat; echo "$WORD" >&2; exit 3'], given=b"in", variables={"WORD": "own"})
    assert (done.stdout, done.stderr, done.returncode) == (b"in", b"own\n", 3)
    with pytest.raises(OSError, match="no-such-program"):
        processes.start([str(tmp_path / "no-such-program")])
