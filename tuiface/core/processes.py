"""The one place that starts other processes, and what is set in any of ours before torch is loaded.

Standard modules alone, and `subprocess` only when something is started: `tuiface --help` stands on this module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

NUM_SPINS = "1000"
"""Turns that a waiting thread of libgomp looks for work before it sleeps: microseconds, for its default of seconds."""

PYTHON = (sys.executable, "-P")
"""-P: a file named numpy.py in the user's working folder is not imported by accident."""

DEVNULL, PIPE = -3, -1
"""As in `subprocess`."""


def limit_spinning() -> None:
    """Let torch's threads sleep while they wait; to be called before torch is loaded, which reads the variable once.

    By default they look for work without a pause, so that beside other programs everything stands still: one locked
    face on two threads beside two busy loops took 64 s, with this 13 s. It changes no bit of a picture. A value that
    the user set stays.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", NUM_SPINS)


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of ours in a new process of this interpreter."""
    return (*PYTHON, "-m", module, *arguments)


def start(
    command: Sequence[str],
    *,
    stdin: int = DEVNULL,
    stdout: int | IO[bytes] = DEVNULL,
    stderr: int | IO[bytes] = DEVNULL,
    pass_fds: Sequence[int] = (),
    new_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process; raises OSError where it cannot be started.

    new_session: Ctrl+C and the end of the login reach this process alone, not the new one.
    """
    import subprocess

    limit_spinning()
    return subprocess.Popen(
        command, stdin=stdin, stdout=stdout, stderr=stderr, pass_fds=pass_fds, start_new_session=new_session
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

    limit_spinning()
    environment = None if variables is None else {**os.environ, **variables}
    return subprocess.run(command, input=given, capture_output=True, env=environment, timeout=timeout_s)


def output_of(command: Sequence[str]) -> str:
    """What a command of ours prints; raises subprocess.CalledProcessError where it fails."""
    done = run(command)
    done.check_returncode()
    return done.stdout.decode()


def connect_worker(function: Callable[..., object], *arguments: object) -> tuple[BaseProcess, Connection]:
    """Call `function(connection, *arguments)` in a new process; returns it and the reading end of the connection.

    The function is importable by name and the arguments are picklable. The process is ended with this one.
    """
    import multiprocessing

    limit_spinning()
    context = multiprocessing.get_context("spawn")  # a forked torch may deadlock
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=function, args=(there, *arguments), daemon=True)
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"  # as -P above, which `spawn` cannot be given; it sends our sys.path afterwards
    try:
        process.start()
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before
        there.close()
    return process, here
