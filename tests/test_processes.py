"""Processes are started in one place, with what has to be set before torch is loaded in them."""

from __future__ import annotations

import ast
import os
import re
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.test_layering import SOURCES
from tuiface.core import processes

HOME = "tuiface.core.processes"
STARTERS = re.compile(
    r"subprocess\.(Popen|run|call|check_\w+|get\w+)|asyncio(\.\w+)?\.(create_)?subprocess\w*"
    r"|os\.(fork\w*|system|popen|posix_spawnp?|exec[lv]\w*|spawn\w+|startfile)|posix\.\w+|_posixsubprocess\.\w+"
    r"|pty\.(fork|spawn)|_?multiprocessing\.(?!connection\b)\w+|concurrent\.futures\.[pP]rocess\w*"
    r"|torch\.(multiprocessing|distributed\.(run|launch\w*|elastic|rpc)|compile|utils\.(data|cpp_extension))\b.*"
    r"|torch\.jit\.\w+"
    r"|webbrowser\.\w+|ctypes\.util\.\w+|platform\.(platform|processor|uname)|runpy\.\w+"
    r"|sys\.executable|shutil\.which"  # the beginning of a command
)
#: The benchmarks' terminal: a process must take the pty as its own between fork and exec.
FORKS = {"tuiface.benchmarks.terminal": {"os.fork", "os.execve"}}


def started_in(module: str) -> set[str]:
    """`subprocess.run` and the like, as far as a module speaks of them; a type of an argument is no start."""
    return starters_of(ast.parse(SOURCES[module].read_text("utf-8")))


def starters_of(tree: ast.AST) -> set[str]:
    """The same, of code."""
    return {name for name in dotted_names(tree) if STARTERS.fullmatch(name)}


def dotted_names(tree: ast.AST) -> set[str]:
    """What code imports from modules or takes from them, by its full name, whatever it calls it: `subprocess.run`."""
    types = {
        id(inner)
        for node in ast.walk(tree)
        for kind in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(kind, ast.AST)
        for inner in ast.walk(kind)
    }
    called: dict[str, str] = {}
    """What a name in the code stands for: `sp` for `subprocess`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            called.update({alias.asname: alias.name for alias in node.names if alias.asname})
        if isinstance(node, ast.ImportFrom):
            called.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})

    def dotted(node: ast.AST) -> str:
        if isinstance(node, ast.Attribute):
            return f"{dotted(node.value)}.{node.attr}"
        return called.get(node.id, node.id) if isinstance(node, ast.Name) else ""

    used = {dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) not in types}
    return used | set(called.values())


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import subprocess as s\ns.run(['ls'])", {"subprocess.run"}),
        ("from os import execvp as go\ngo('ls', [])", {"os.execvp"}),
        ("import asyncio\nasyncio.create_subprocess_exec('ls')", {"asyncio.create_subprocess_exec"}),
        ("from concurrent.futures import ProcessPoolExecutor", {"concurrent.futures.ProcessPoolExecutor"}),
        ("import torch\ntorch.utils.data.DataLoader(x)", {"torch.utils.data", "torch.utils.data.DataLoader"}),
        ("import multiprocessing.connection as c\nc.Pipe(); c.wait([])", set()),
        ("import subprocess\ndef f(x: subprocess.Popen[bytes]): raise subprocess.TimeoutExpired(x, 1)", set()),
    ],
)
def test_starts_are_found_by_any_name(code: str, found: set[str]) -> None:
    assert starters_of(ast.parse(code)) == found


@pytest.mark.parametrize("module", [name for name in SOURCES if name != HOME])
def test_no_other_place_starts_a_process(module: str) -> None:
    assert started_in(module) == FORKS.get(module, set())


def test_the_place_is_seen_by_this_test() -> None:
    assert started_in(HOME) == {"subprocess.Popen", "subprocess.run", "shutil.which", "sys.executable"}


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
    assert process.wait() == 0


def send_answer(connection: Connection, answer: int) -> None:
    connection.send(answer)


def test_what_a_program_says_and_needs(tmp_path: Path) -> None:
    done = processes.run(["sh", "-c", 'cat; echo "$WORD" >&2; exit 3'], given=b"in", variables={"WORD": "own"})
    assert (done.stdout, done.stderr, done.returncode) == (b"in", b"own\n", 3)
    with pytest.raises(OSError, match="no-such-program"):
        processes.start([str(tmp_path / "no-such-program")])
