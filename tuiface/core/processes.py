"""The one place that starts other processes, and what is set in any of ours before torch is loaded.

Nothing is ever imported or run from the user's working folder: who unpacks an archive that holds a numpy.py, or keeps
a script of that name beside their pictures, does not mean tuiface to execute it.

Standard modules alone, and `subprocess` only when something is started: `tuiface --help` stands on this module. Run as
a module it is a worker of `connect_worker`: `python -m tuiface.core.processes ORDERS ANSWERS`, two open descriptors.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from multiprocessing.connection import Connection

NUM_SPINS = "1000"
"""Turns that a waiting thread of libgomp looks for work before it sleeps: microseconds, for its default of seconds."""

PYTHON = (sys.executable, "-P")
"""-P: the working folder is not searched for modules."""

DEVNULL, PIPE = -3, -1
"""As in `subprocess`."""

SEARCH_PATHS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
"""Variables that list where programs, modules and libraries are looked for; an empty entry is the working folder."""

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
"""The folder that this package lies in; it is imported from there even where somebody works in it."""


def limit_spinning() -> None:
    """Let torch's threads sleep while they wait; to be called before torch is loaded, which reads the variable once.

    By default they look for work without a pause, so that beside other programs everything stands still: one locked
    face on two threads beside two busy loops took 64 s, with this 13 s. It changes no bit of a picture. A value that
    the user set stays.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", NUM_SPINS)


def leave_out_working_folder() -> None:
    """Import and run nothing more from the working folder in this process; for the beginning of a program.

    The folder comes into sys.path by `python -m`, and into every search by a variable that begins or ends with a colon.
    """
    sys.path[:] = import_path()
    environment = child_environment()
    for name in SEARCH_PATHS:
        os.environ.pop(name, None)
        if name in environment:
            os.environ[name] = environment[name]


def import_path() -> list[str]:
    """sys.path without the working folder, unless this package or the standard library lies there."""
    working = _working_folder()
    if working in (None, PACKAGE_PARENT, Path(os.__file__).resolve().parent):
        return list(sys.path)
    return [entry for entry in sys.path if Path(entry).resolve() != working]


def child_environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process to be started: this one's, then `variables`, with no search in a working folder."""
    limit_spinning()
    environment = {**os.environ, **(variables or {})}
    working = _working_folder()
    for name in SEARCH_PATHS:
        if name in environment:
            entries = environment.pop(name).split(os.pathsep)
            found = [
                str(PACKAGE_PARENT) if working and (working / entry).resolve() == PACKAGE_PARENT else entry
                for entry in entries
            ]
            absolute = [entry for entry in found if Path(entry).is_absolute()]
            if absolute:  # an empty PATH is the working folder, and none the system's own folders
                environment[name] = os.pathsep.join(absolute)
    return environment


def _working_folder() -> Path | None:
    """Where this process works; None where that was deleted, and so holds nothing."""
    try:
        return Path.cwd()
    except OSError:
        return None


def find_program(name: str) -> str | None:
    """The path of an installed program, or None."""
    import shutil

    return shutil.which(name, path=child_environment().get("PATH", os.defpath))


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of ours in a new process of this interpreter."""
    return (*PYTHON, "-m", module, *arguments)


def start(
    command: Sequence[str],
    *,
    stdin: int = DEVNULL,
    stdout: int | IO[bytes] = DEVNULL,
    stderr: int | IO[bytes] | None = DEVNULL,
    pass_fds: Sequence[int] = (),
    new_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process; raises OSError where it cannot be started.

    stderr: None is this process's. new_session: Ctrl+C and the end of the login reach this process alone, not the new
    one.
    """
    import subprocess

    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        start_new_session=new_session,
        env=child_environment(),
    )


def run(
    command: Sequence[str],
    *,
    given: bytes | None = None,
    variables: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a process to its end and return what it printed.

    given: its standard input; None leaves it this process's. variables: of its environment, besides this process's.
    Raises OSError where it cannot be started and subprocess.TimeoutExpired, with the process ended, after `timeout_s`.
    """
    import subprocess

    environment = child_environment(variables)
    return subprocess.run(command, input=given, capture_output=True, env=environment, timeout=timeout_s)


def output_of(command: Sequence[str]) -> str:
    """What a command of ours prints; raises subprocess.CalledProcessError where it fails."""
    done = run(command)
    done.check_returncode()
    return done.stdout.decode()


def connect_worker(
    function: Callable[..., object], *arguments: object, new_session: bool = False
) -> tuple[subprocess.Popen[bytes], Connection]:
    """Call `function(connection, *arguments)` in a new process; returns it and the reading end of the connection.

    The function is importable by name and the arguments are picklable. What it sends to nobody raises BrokenPipeError.
    new_session: as for `start`.
    """
    # Not multiprocessing's own processes: they run the main program's file again, and start one more without -P.
    from multiprocessing.connection import Pipe

    orders, order = Pipe(duplex=False)
    answers, answer = Pipe(duplex=False)
    with orders, order, answer:
        handed = orders.fileno(), answer.fileno()
        process = start(
            python_command(__name__, *map(str, handed)), stderr=None, pass_fds=handed, new_session=new_session
        )
        orders.close()
        with contextlib.suppress(BrokenPipeError):  # it died at once, as its answers' end says
            order.send(import_path())
            order.send((function, arguments))
    return process, answers


def _work(orders: int, answers: int) -> None:
    """Do what `connect_worker` ordered."""
    from multiprocessing.connection import Connection

    with Connection(orders, writable=False) as order, Connection(answers, readable=False) as answer:
        sys.path[:] = order.recv()  # before what is found by it
        function, arguments = order.recv()
        order.close()
        function(answer, *arguments)


if __name__ == "__main__":
    _work(*map(int, sys.argv[1:]))
