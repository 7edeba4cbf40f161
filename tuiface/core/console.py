"""The one way to the terminal for whatever commands print: escaped, shortened, and in the terminal's own encoding.

Nothing else in the package calls `print` or `input`, or writes to the standard streams (tests/hostile/test_sources.py);
pictures of `terminal/shell.py` and the help of argparse, which holds our own words alone, are the exceptions.
"""

from __future__ import annotations

import re
import sys
import threading
import warnings
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import TextIO

from tuiface.core.visible import to_visible

MAX_LINE = 2000
"""Characters of one line: a screen full of them, where a name has been made to be endless."""


def print_line(*lines: str, to_stderr: bool = False, end: str = "\n") -> None:
    """Lines for people. A line break inside one is text of somebody else, and shown as such."""
    stream = sys.stderr if to_stderr else sys.stdout
    _write(stream, "\n".join(to_visible(line, MAX_LINE) for line in lines) + end)


def print_over(line: str, *, end: str = "") -> None:
    """A line on stderr that takes the place of the one before."""
    _write(sys.stderr, f"\r{to_visible(line, MAX_LINE)}{end}")


def print_json(values: Mapping[str, object], *, to_stderr: bool = False) -> None:
    """One JSON object in a line of ASCII: whole, for machines, and without a character that a terminal obeys."""
    import json

    text = json.dumps(values).replace("\x7f", "\\u007f")  # the only one that JSON leaves as it is
    _write(sys.stderr if to_stderr else sys.stdout, f"{text}\n")


def ask(question: str) -> str:
    """What the user answers, in one line; nothing at the end of the input, as Ctrl+D makes one."""
    print_line(question, end="")
    try:
        return input()
    except EOFError:
        print_line()
        return ""


def forget_odd_sizes(environment: MutableMapping[str, str]) -> None:
    """Leave it to the terminal how large it is where COLUMNS or LINES is no plain number of up to three digits.

    Rich ends in an error over `²`, and Textual lays out as many cells as it is told.
    """
    for name in ("COLUMNS", "LINES"):
        if name in environment and not re.fullmatch("[1-9][0-9]{0,2}", environment[name]):
            del environment[name]


def show_bugs_and_warnings() -> None:
    """Let what the interpreter prints by itself, tracebacks and warnings, go through here too."""
    sys.excepthook = _print_traceback
    threading.excepthook = _print_traceback_of_thread
    warnings.showwarning = _print_warning


def _print_traceback(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    from traceback import format_exception

    text = "".join(format_exception(kind, error, traceback))
    print_line(*text.rstrip("\n").split("\n"), to_stderr=True)


def _print_traceback_of_thread(bug: threading.ExceptHookArgs) -> None:
    if bug.exc_value is not None:
        _print_traceback(bug.exc_type, bug.exc_value, bug.exc_traceback)


def _print_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = warnings.formatwarning(message, category, filename, lineno, line).rstrip("\n")
    _write(file or sys.stderr, "\n".join(to_visible(part, MAX_LINE) for part in text.split("\n")) + "\n")


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))  # a `±` where the locale is ASCII
    stream.flush()
