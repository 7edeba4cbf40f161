"""The engine's log, for weeks: of limited size, and not so many lines of what clients send that the others are lost."""

from __future__ import annotations

import logging
import logging.handlers
import os
import time
from io import TextIOWrapper
from pathlib import Path
from typing import Final, cast

from tuiface.core.own_files import open_own_file

MAX_LOG_BYTES: Final = 1024 * 1024
NUM_BACKUPS: Final = 2

WINDOW_S: Final = 60.0
MAX_IN_A_WINDOW: Final = 20
"""Lines from one place in the code."""


class RotatingLog(logging.handlers.RotatingFileHandler):
    """Also takes what the process prints, as libraries and the interpreter's last words do."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=MAX_LOG_BYTES, backupCount=NUM_BACKUPS, encoding="utf-8")
        self._redirect_output()

    def _open(self) -> TextIOWrapper:
        """As `open_own_file` does, also after each rollover: logging's own would leave that to the umask."""
        return cast(TextIOWrapper, open(self.baseFilename, self.mode, encoding=self.encoding, opener=open_own_file))

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        """Begin a new file; output goes there too."""
        super().doRollover()
        self._redirect_output()

    def _redirect_output(self) -> None:
        assert self.stream is not None  # it is opened at once, and again by a rollover
        for descriptor in (1, 2):
            os.dup2(self.stream.fileno(), descriptor)


class RepetitionFilter(logging.Filter):
    """Lets the same line of code speak MAX_IN_A_WINDOW times a minute; the next minute says how often it would have."""

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[tuple[str, int], tuple[float, int]] = {}
        """By place in the code: when its minute began, and how many lines there were."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        place, now = (record.pathname, record.lineno), time.monotonic()
        began, count = self._windows.get(place, (now, 0))
        if now - began >= WINDOW_S:
            if count > MAX_IN_A_WINDOW:
                record.msg = f"{record.msg} (and {count - MAX_IN_A_WINDOW} more like it before)"
            began, count = now, 0
        self._windows[place] = (began, count + 1)
        return count < MAX_IN_A_WINDOW
