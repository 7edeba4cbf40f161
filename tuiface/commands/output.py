"""What commands say: lines for people or JSON, progress, remarks."""

from __future__ import annotations

import argparse
import json
import sys


def emit(args: argparse.Namespace, line: str, /, **values: object) -> None:
    """One line of output: `line` for people, `values` as a JSON object with --json."""
    print(json.dumps(values) if getattr(args, "json", False) else line, flush=True)


def print_progress(args: argparse.Namespace, done: int, total: int) -> bool:
    """How far long work is, on stderr: a line that is written over in a terminal, JSON lines with --json; goes on."""
    if getattr(args, "json", False):
        print(json.dumps({"done": done, "total": total}), file=sys.stderr, flush=True)
    elif sys.stderr.isatty():
        print(f"\r{done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)
    return True


def note(text: str) -> None:
    """A remark for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


def note_step(text: str) -> None:
    """A step of long work, where there is something to say of it."""
    if text:
        note(text)
