"""No engine outlives its parent: a watch on a pipe whose other end the parent alone holds.

The kernel closes that end when the parent ends, however it ends (kill -9 included), and the read returns. This does not
depend on which thread started the child, as PR_SET_PDEATHSIG does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path


def watch_parent(descriptor: int, socket: Path) -> None:
    """Leave at once when the pipe `descriptor` ends. To be called before anything slow is imported."""
    os.set_inheritable(descriptor, False)  # noqa: FBT003

    def wait() -> None:
        while os.read(descriptor, 4096):
            pass
        remove_socket(socket, private=True)
        exit_at_once()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def remove_socket(socket: Path, *, private: bool) -> None:
    """Take the socket's name away, and the folder that was made for a private one; both may be gone already."""
    with contextlib.suppress(OSError):
        socket.unlink()
    if private:
        with contextlib.suppress(OSError):
            socket.parent.rmdir()


def exit_at_once() -> None:
    """End this process without waiting for any thread, and what it started (a kernel build) with it."""
    if os.getsid(0) == os.getpid():  # started by EngineProcess, with a session of its own: the group is ours alone
        os.killpg(0, signal.SIGKILL)
    os._exit(0)
