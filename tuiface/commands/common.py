"""What commands share: settings from flags, a studio with the engine in this process, faces by name, output."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.core.errors import InputFileError, UsageError, quote

if TYPE_CHECKING:
    from tuiface.core.settings import Settings
    from tuiface.faces.library import Library
    from tuiface.faces.studio import Face, Studio

Commands = argparse._SubParsersAction  # the type that add_subparsers returns has no public name


def settings_from(args: argparse.Namespace) -> Settings:
    """Settings with the flags of this call on top. Raises UsageError or InputFileError."""
    from tuiface.core.settings import load_settings

    names = ("model", "device", "threads", "psi", "graphics", "engine")
    return load_settings({name: getattr(args, name, None) for name in names})


def open_studio(settings: Settings) -> Studio:
    """A studio whose engine runs in this process, or is the resident one if the settings ask for that.

    Raises EngineError where they do and none runs that fits.
    """
    from tuiface.faces.studio import Studio

    if settings.engine not in ("auto", "private"):
        from tuiface.service.client import ResidentEngine

        engine = ResidentEngine(settings, resident="required")
        engine.start()
        return Studio(engine, settings)
    from tuiface.engine.loading import open_engine

    return Studio(open_engine(settings), settings)


def open_library(args: argparse.Namespace) -> Library:
    """The library that the settings, or the command's --library, name."""
    from tuiface.faces.library import Library

    settings = settings_from(args)
    folder = Path(args.library) if getattr(args, "library", None) else settings.library
    return Library(folder, settings.cache)


def resolve_face(studio: Studio, text: str, *, label: int | None = None, foreign: bool = False) -> Face:
    """The face that a user names: a seed number, a library id, a PNG or a JSON path.

    Raises UsageError or InputFileError, naming what is accepted.
    """
    from tuiface.faces.library import Library

    if text.isdecimal():
        return studio.face(seed=int(text), label=label)
    path = Path(text)
    if path.suffix.lower() in (".png", ".json"):
        return studio.open_file(path, foreign=foreign)
    if path.exists():
        raise InputFileError(f"{quote(text)} is no face", "a face is a seed number, a library id, a PNG or a JSON")
    try:
        found = Library(studio.settings.library, studio.settings.cache).find(text)
    except UsageError as error:
        raise UsageError(
            f"{quote(text)} is neither a seed number, a PNG or JSON, nor a face in {quote(studio.settings.library)}",
            error.hint,
        ) from None
    return studio.open_file(found.path, foreign=foreign)


def parse_rows(text: str) -> tuple[int, int]:
    """`6-12` as rows [6, 12). Raises UsageError."""
    start, dash, stop = text.partition("-")
    if not (dash and start.isdecimal() and stop.isdecimal() and int(start) < int(stop)):
        raise UsageError(f"rows {quote(text)}; accepted: A-B with A < B, rows A up to and without B")
    return int(start), int(stop)


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
