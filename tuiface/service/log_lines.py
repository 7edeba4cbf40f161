"""The engine's log: not so many lines of what clients send that the others are lost."""

from __future__ import annotations

import logging
import time
from typing import Final

WINDOW_S: Final = 60.0
MAX_IN_A_WINDOW: Final = 20
"""Lines from one place in the code."""


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
