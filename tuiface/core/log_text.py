"""The form of our logs: a line an event, whatever texts of files and of clients stand in it."""

from __future__ import annotations

import logging
from typing import Final

from tuiface.core.visible import to_visible

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
MAX_MESSAGE_LENGTH: Final = 1000
MAX_TRACEBACK_LINES: Final = 100


class OneLineFormatter(logging.Formatter):
    """No text of somebody else begins a line: messages are cut to one that is printable, tracebacks are set in."""

    def __init__(self, form: str = FORMAT) -> None:
        super().__init__(form)

    def format(self, record: logging.LogRecord) -> str:
        """Anew: the base class would take a traceback that the formatter of another log has left with the record."""
        record.message = to_visible(record.getMessage(), MAX_MESSAGE_LENGTH)
        record.asctime = self.formatTime(record)
        lines = self.formatException(record.exc_info).split("\n") if record.exc_info else []
        below = [f"    {to_visible(line, MAX_MESSAGE_LENGTH)}" for line in lines[-MAX_TRACEBACK_LINES:]]
        return "\n".join([self.formatMessage(record), *below])
