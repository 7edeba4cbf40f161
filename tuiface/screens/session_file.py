"""A session on the disk, written as one goes, so that nothing is lost to a closed connection or a power cut.

Each running interface has `state/sessions/NAME.json` and holds a lock on `NAME.lock`; a file whose lock is free belongs
to a session that has ended. One that ended without saying so is offered again at the next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuiface.core.errors import TuifaceError
from tuiface.core.reading import read_regular

if TYPE_CHECKING:
    from tuiface.screens.state import InterfaceState

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_HISTORY_FACES = 300
"""Faces of the history that are written."""
log = logging.getLogger("tuiface")


class SessionFile:
    """The file of this process."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "sessions"
        self._name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self._lock: int | None = None
        self._write_lock = threading.Lock()
        """Writes come from threads; none may follow the last."""
        self._is_over = False

    def write(self, text: str) -> bool:
        """Replace the file, atomically; whether it is there. A folder that cannot be written is one line in the log."""
        with self._write_lock:
            return not self._is_over and self._write(text)

    def write_last(self, text: str) -> bool:
        """The same; what comes after is not written."""
        with self._write_lock:
            self._is_over = True
            return self._write(text)

    def _write(self, text: str) -> bool:
        from tuiface.core.files import make_folder, write_file

        try:
            make_folder(self._folder)
            if self._lock is None:
                self._lock = _take_lock(self._folder / f"{self._name}.lock")
            write_file(self._folder / f"{self._name}.json", text.encode(), force=True)
        except (TuifaceError, OSError) as error:
            log.warning("session not written: %s", error)
            return False
        return True

    def remove(self) -> None:
        """There is nothing to go back to."""
        with self._write_lock:
            self._is_over = True
        _remove(self._folder / f"{self._name}.json")

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that ended."""

    path: Path
    text: str
    ended: float
    """When it was written last, in seconds since the epoch."""


def find_last_session(state: Path) -> EndedSession | None:
    """The newest session that is not running; older ones are removed, and locks that a kill left without one."""
    found: list[EndedSession] = []
    for lock in (state / "sessions").glob("*.lock"):
        with contextlib.suppress(OSError):
            if not lock.with_suffix(".json").exists() and _is_unlocked(lock):
                lock.unlink()
    for path in (state / "sessions").glob("*.json"):
        with contextlib.suppress(OSError):
            if _is_unlocked(path.with_suffix(".lock")):
                text = read_regular(path, MAX_FILE_BYTES).decode("utf-8", errors="replace")
                found.append(EndedSession(path, text, path.stat().st_mtime))
    found.sort(key=lambda session: session.ended)
    for older in found[:-1]:
        _remove(older.path)
    return found[-1] if found else None


def discard_session(found: EndedSession) -> None:
    """It lives on in another file."""
    _remove(found.path)


def set_session_aside(found: EndedSession) -> None:
    """Offer it no more; perhaps a newer version can read it."""
    with contextlib.suppress(OSError):
        found.path.rename(found.path.with_suffix(".unread"))
    _remove(found.path)


def serialize_session(state: InterfaceState, *, screen: str, ended: bool) -> str:
    """The session as JSON; needs its studio."""
    from tuiface.screens.session_state import SessionState

    studio = state.studio
    assert studio is not None
    faces, position = studio.history
    first = max(0, len(faces) - MAX_HISTORY_FACES)
    return SessionState(
        ended=ended,
        screen=screen,
        faces=tuple(face.recipe for face in faces[first:]),
        position=max(0, position - first),
        mix=tuple(face.recipe for face in state.mix.parents),
        morph=tuple(face.recipe for face in state.morph.transition),
    ).model_dump_json()


def _take_lock(path: Path) -> int:
    """Hold a file that says that its session runs."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # whoever looks whether it is free has it for a moment
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # it was taken for one that a kill left


def _is_unlocked(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _remove(path: Path) -> None:
    for file in (path, path.with_suffix(".lock")):
        with contextlib.suppress(OSError):
            file.unlink()


Outcome = Literal["resumed", "foreign", "damaged"]


def restore_session(state: InterfaceState, found: EndedSession) -> tuple[Outcome, str]:
    """Put `state` where `found` ended; the screen to show comes with it. Takes nothing from another network's one."""
    from tuiface.core.values import parse_json
    from tuiface.faces.studio import Face
    from tuiface.screens.session_state import SessionState

    studio = state.studio
    assert studio is not None
    try:
        ended = parse_json(SessionState, found.text, found.path.name)
    except TuifaceError as error:
        log.warning("session not read: %s", error)
        return "damaged", ""
    recipes = (*ended.faces, *ended.mix, *ended.morph)
    if not ended.faces or any(recipe.model.sha256 != studio.info.model.sha256 for recipe in recipes):
        return "foreign", ""
    faces = [Face(studio, recipe) for recipe in ended.faces]
    state.apply(lambda studio: studio.restore(faces, min(ended.position, len(faces) - 1)))
    state.mix.set_parents([Face(studio, recipe) for recipe in ended.mix])
    state.morph.set_transition([Face(studio, recipe) for recipe in ended.morph])
    return "resumed", ended.screen
