"""The exception tree and the exit codes: every failure that a user can cause, as one line.

A message says what failed, the offending value and what is accepted; the hint says the next step.
Bugs of our own stay `AssertionError` and friends: they are never dressed up as user errors.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from tuiface.core.visible import NAME_LIMIT, to_visible

EXIT_DONE = 0
EXIT_CHECK_FAILED = 1
EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_MODEL = 4
EXIT_ENGINE = 5
EXIT_INTERRUPTED = 130

MAX_MESSAGE = 4000
"""Characters of a message, and of a hint, whatever a file quotes itself with."""
_BREAKS = re.compile(r"[ \n]+")
"""How our own messages of several lines are laid out, and those of pydantic; any other white space is shown."""


class TuifaceError(Exception):
    """Base of all errors that end a command with one clear line.

    `message` names what failed, the value and what is accepted; `hint` (may be empty) the next step.
    """

    exit_code: int = EXIT_USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = _to_one_line(message)
        self.hint = _to_one_line(hint)

    def __str__(self) -> str:
        if "(" in self.hint:  # parentheses in parentheses are hard to read
            return f"{self.message}; {self.hint}"
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(TuifaceError):
    """A wrong flag, value or combination; nothing was read or written yet."""

    exit_code = EXIT_USAGE


class InputFileError(TuifaceError):
    """A recipe, provenance, picture or settings file that cannot be read or does not mean what it must."""

    exit_code = EXIT_INPUT


class OutputError(TuifaceError):
    """A file or folder that cannot be written; nothing half-written is left behind."""

    exit_code = EXIT_INPUT


class ModelError(TuifaceError):
    """A checkpoint that cannot be opened, or a recipe that belongs to another network."""

    exit_code = EXIT_MODEL


class EngineError(TuifaceError):
    """The engine or its device failed: not started, died, out of memory."""

    exit_code = EXIT_ENGINE


class LostProcessError(EngineError):
    """Another process of the same work ended or does not answer: a consequence, whose cause that process knows."""


def suggest_nearest(name: str, accepted: Iterable[str]) -> str:
    """`did you mean 'smile'?` for the accepted name closest to `name`, or the empty string."""
    matches = difflib.get_close_matches(name[:NAME_LIMIT], list(accepted), n=1, cutoff=0.5)
    return f"did you mean {quote(matches[0])}?" if matches else ""


def quote(value: object, limit: int = 60) -> str:
    """A user's value for an error line: escaped, in quotes, cut at `limit` characters."""
    text = str(value)[:limit].replace("\\", "\\\\")  # a value may be endless
    mark = '"' if "'" in text and '"' not in text else "'"
    text = mark + to_visible(text.replace(mark, f"\\{mark}"), None) + mark
    is_whole = len(str(value)) <= limit and len(text) <= limit
    return text if is_whole else f"{text[: limit - 4]}...{mark}"


_SHOWN_BITS = 128
"""Of integers in errors: no size has more, and beyond 4,300 digits Python refuses to write one."""


def describe_value(value: object, limit: int = 60) -> str:
    """A value from a file for an error line: scalars by value, everything else by kind only.

    Never formats a container: 40 nested lists of 10 references print as 10^40 leaves. A class may say in
    `described_as` what its objects are to the file's owner.
    """
    if isinstance(value, str):
        return quote(value, limit)
    if isinstance(value, int) and value.bit_length() > _SHOWN_BITS:
        return f"an integer of {value.bit_length()} bits"
    if value is None or isinstance(value, bool | float | int):
        return repr(value)
    for kind in (list, tuple, dict):
        if isinstance(value, kind):
            return f"a {kind.__name__} of {len(value)}"
    return f"a {getattr(value, 'described_as', type(value).__name__)}"


def _to_one_line(text: str) -> str:
    """Messages may carry text from hostile files: keep one printable line, whatever it holds."""
    return to_visible(_BREAKS.sub(" ", text.strip(" \n")), MAX_MESSAGE)
