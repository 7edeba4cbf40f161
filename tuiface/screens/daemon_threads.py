"""Threads that leaving does not wait for.

Textual's workers run in asyncio's pool, which is joined at the end. A worker that waits for an engine (for torch to be
imported, for a device that hangs, behind another user's search) or for a command that looks into a large checkpoint
would keep the terminal for as long. What may wait so runs in a daemon; what reads and writes files is a worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from tuiface.screens.messages import ThreadCrashed

if TYPE_CHECKING:
    from textual.message import Message


def start_daemon(name: str, work: Callable[[], None], post: Callable[[Message], object]) -> threading.Thread:
    """Do `work` in a daemon; a bug in it ends the app with its traceback, as one on the app's own thread does."""

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again where Textual sees it
            post(ThreadCrashed(error))

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread
