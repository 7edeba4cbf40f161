"""The log of an engine that runs for weeks: it never grows beyond a few megabytes."""

from __future__ import annotations

import logging.handlers
import os
from pathlib import Path

MAX_LOG_BYTES = 1024 * 1024
NUM_OLDER = 2


class LimitedLog(logging.handlers.RotatingFileHandler):
    """Also takes what the process prints, as libraries and the interpreter's last words do."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=MAX_LOG_BYTES, backupCount=NUM_OLDER, encoding="utf-8")
        self._take_output()

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        """Begin a new file; output goes there too."""
        super().doRollover()
        self._take_output()

    def _take_output(self) -> None:
        assert self.stream is not None  # it is opened at once, and again by a rollover
        for descriptor in (1, 2):
            os.dup2(self.stream.fileno(), descriptor)
