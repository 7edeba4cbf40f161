"""What commands say: lines for people or JSON, progress, remarks, questions."""

from __future__ import annotations

import argparse
import sys

from tuiface.core.console import ask, print_json, print_line, print_over
from tuiface.core.errors import UsageError


def emit(args: argparse.Namespace, /, *lines: str, **values: object) -> None:
    """Output: `lines` for people, `values` as a JSON object with --json."""
    if getattr(args, "json", False):
        print_json(values)
    else:
        print_line(*lines)


def print_progress(args: argparse.Namespace, done: int, total: int) -> bool:
    """How far long work is, on stderr: a line that is written over in a terminal, JSON lines with --json; goes on."""
    if getattr(args, "json", False):
        print_json({"done": done, "total": total}, to_stderr=True)
    elif sys.stderr.isatty():
        print_over(f"{done} of {total}", end="\n" if done == total else "")
    return True


def note(*lines: str) -> None:
    """A remark for people, on stderr."""
    print_line(*lines, to_stderr=True)


def note_step(text: str) -> None:
    """A step of long work, where there is something to say of it."""
    if text:
        note(text)


def confirm(what: str, question: str, *explanation: str) -> bool:
    """Whether the user, told the `explanation`, says yes. Raises UsageError where nobody can be asked about `what`."""
    if not sys.stdin.isatty():
        raise UsageError(f"{what} needs a yes", "add --yes")
    note(*explanation)
    return ask(f"{question} [y/N] ").strip().lower() in ("y", "yes")
