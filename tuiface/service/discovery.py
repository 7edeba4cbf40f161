"""A resident engine as one of its clients sees it: found, compared with what is wanted, and left running."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tuiface.core.errors import EngineError
from tuiface.core.settings import Settings
from tuiface.engine_api import codec
from tuiface.service import messages, runtime_folder
from tuiface.service.messages import Offer
from tuiface.service.unix_http import OK, UNREACHABLE, is_listening, request

ANSWER_TIMEOUT_S = 10.0
"""For what the server answers without rendering."""
RESTART_WAIT_S = 15.0
"""Longer than an engine takes to open a network that was opened before."""
POLL_INTERVAL_S = 0.1


class DiscoveredEngine:
    """Stands where EngineProcess stands for a private engine; `stop` ends nothing but this object."""

    def __init__(self, socket: Path, user: str) -> None:
        self.socket = socket
        self._user = user

    @property
    def pid(self) -> None:
        """Not ours to know."""
        return

    @property
    def is_running(self) -> bool:
        """Whether it still listens."""
        return is_listening(self.socket)

    def wait_ready(self, timeout_s: float) -> None:
        """It listens already, or `find` would not have found it."""

    def stopped_error(self) -> EngineError:
        """What to say when it does not answer any more."""
        if is_listening(self.socket):
            return EngineError("the resident engine closed the connection", "tuiface engine status shows how it is")
        return EngineError(f"the resident engine of {self._user} stopped", "tuiface engine start begins another")

    def stop(self) -> None:
        """Others go on with it."""


def find_engine(settings: Settings) -> DiscoveredEngine | None:
    """The resident engine that `settings` ask for, or None where none runs.

    Raises EngineError, in words that say which engine and why, for one that does not fit: another model, version or
    protocol, device or number of threads; or UsageError for a user who does not exist.
    """
    folder, uid = runtime_folder.locate_engine(settings)
    socket = runtime_folder.find_socket(folder, uid)
    if socket is None or not is_listening(socket):
        return None
    user = runtime_folder.user_name(uid)
    try:
        offer = messages.decode_offer(_get(socket, messages.OFFER_PATH))
        problem = offer.misfit(Offer.of(settings), same_user=uid == os.getuid())
        if not problem:
            info = codec.decode_info(_get(socket, codec.INFO_PATH))
            if settings.device not in ("auto", info.device.partition(":")[0]):
                problem = f"it runs on {info.device}, wanted is {settings.device}"
            elif settings.threads not in (0, info.threads):
                problem = f"it computes with {info.threads} threads, wanted are {settings.threads}"
    except EngineError as error:
        raise EngineError(f"the resident engine of {user} is not used: {error.message}", error.hint) from None
    if problem:
        raise EngineError(f"the resident engine of {user} is not used: {problem}")
    return DiscoveredEngine(socket, user)


def require_engine(settings: Settings) -> DiscoveredEngine:
    """The same; raises EngineError where none runs, too."""
    found = find_engine(settings)
    if found is None:
        user = runtime_folder.user_name(runtime_folder.locate_engine(settings)[1])
        raise EngineError(f"no resident engine of {user} runs, or it is not shared with you", "tuiface engine start")
    return found


def wait_for_successor(settings: Settings) -> None:
    """Return at once unless this user's engine is just being started: then once it listens, or after RESTART_WAIT_S.

    Each client of one that crashed would else open the network for itself while the next one opens it for all.
    """
    folder, uid = runtime_folder.locate_engine(settings)
    deadline = time.monotonic() + RESTART_WAIT_S
    while uid == os.getuid() and runtime_folder.is_claimed(folder) and time.monotonic() < deadline:
        socket = runtime_folder.find_socket(folder, uid)
        if socket is not None and is_listening(socket):
            return
        time.sleep(POLL_INTERVAL_S)


def _get(socket: Path, path: str) -> bytes:
    try:
        status, body = request(socket, "GET", path, timeout_s=ANSWER_TIMEOUT_S)
    except UNREACHABLE as error:
        raise EngineError(f"it does not answer ({error})") from None
    if status != OK:
        raise EngineError("what answers there is no engine of tuiface that can be shared")
    return body
