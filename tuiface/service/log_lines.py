"""Lines of the engine's log: one for each event, whatever clients send, and not so many that the others are lost."""

from __future__ import annotations

import logging
import time
from typing import Final

from tuiface.core.visible import to_visible

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
MAX_MESSAGE_LENGTH: Final = 1000
MAX_TRACEBACK_LINES: Final = 100
WINDOW_S: Final = 60.0
MAX_IN_A_WINDOW: Final = 20
"""Lines from one place in the code."""


class OneLineFormatter(logging.Formatter):
    """No text of a client begins a line: messages are cut to one that is printable, tracebacks are set in."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line itself."""
        record.message = to_visible(" ".join(record.message.split()), MAX_MESSAGE_LENGTH)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """The lines behind it."""
        lines = super().formatException(ei).splitlines()  # type: ignore[arg-type]
        return "\n".join("    " + to_visible(line, MAX_MESSAGE_LENGTH) for line in lines[-MAX_TRACEBACK_LINES:])


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
