"""The library's index: what was read of each face, in an SQLite file that can be thrown away at any time.

It saves time and holds no truth: whatever is wrong with the file, its place or its folder, the answer is "nothing is
known", and faces are read again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from tuiface.core.errors import OutputError
from tuiface.core.files import make_folder

_TABLE = "CREATE TABLE face (file BLOB PRIMARY KEY, stamp TEXT NOT NULL, entry TEXT NOT NULL)"
"""`file` is the bytes of a name, which need not be UTF-8; `stamp` is of the files when they were read, `entry` is what
was read."""
_BUSY_S = 5.0
_NOT_ITS_FAULT = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_AUTH),
}
"""Errors after which another try, or another user, may find a sound file."""

Row = tuple[str, str]
"""Stamp and entry."""
Result = TypeVar("Result")


class Index:
    """Rows by file name. No method raises for anything that is wrong with the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Row]:
        """All rows; none if the file is missing, or is no index of ours and was thrown away."""

        def select(connection: sqlite3.Connection) -> dict[str, Row]:
            rows = connection.execute("SELECT file, stamp, entry FROM face").fetchall()
            return {
                os.fsdecode(file): (stamp, entry)
                for file, stamp, entry in rows
                if isinstance(file, bytes) and isinstance(stamp, str) and isinstance(entry, str)
            }

        return self._run(select) or {}

    def write(self, changed: Mapping[str, Row], gone: Iterable[str]) -> None:
        """Replace and delete rows, all at once; what cannot be written is read again the next time."""

        def change(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    "INSERT INTO face VALUES (?, ?, ?) ON CONFLICT (file) DO UPDATE"
                    " SET stamp = excluded.stamp, entry = excluded.entry",
                    [(os.fsencode(file), *row) for file, row in changed.items()],
                )
                connection.executemany("DELETE FROM face WHERE file = ?", [(os.fsencode(file),) for file in gone])

        self._run(change)

    def discard(self) -> None:
        """Forget everything."""
        # A journal that outlived its file would be played back into the next one.
        for end in ("", "-journal", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                self._path.with_name(self._path.name + end).unlink()

    def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """What `work` makes of the open file, whose table is made if it is missing; None where that fails."""
        try:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISREG(self._path.lstat().st_mode):
                    return None  # SQLite would wait for ever for a pipe's writer
            make_folder(self._path.parent)
            with contextlib.closing(sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = OFF")  # what a power cut spoils is read again
                _ensure_table(connection)
                return work(connection)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF not in _NOT_ITS_FAULT:
                self.discard()
        except (OutputError, OSError):
            pass
        return None


def _ensure_table(connection: sqlite3.Connection) -> None:
    """Raises DatabaseError for a database of another make."""
    query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
    tables = [sql for (sql,) in connection.execute(query)]
    if not tables:
        with connection:
            connection.execute("BEGIN IMMEDIATE")  # two may find it empty
            if not connection.execute(query).fetchall():
                connection.execute(_TABLE)
    elif tables != [_TABLE]:
        raise sqlite3.DatabaseError("another database")
