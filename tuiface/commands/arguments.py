"""What commands read from their flags: settings and W+ rows."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tuiface.core.errors import UsageError, quote

if TYPE_CHECKING:
    from tuiface.core.settings import Settings

Commands = argparse._SubParsersAction  # the type that add_subparsers returns has no public name


def settings_from(args: argparse.Namespace) -> Settings:
    """Settings with the flags of this call on top. Raises UsageError or InputFileError."""
    from tuiface.core.settings import load_settings

    names = ("model", "device", "threads", "psi", "graphics", "engine")
    return load_settings({name: getattr(args, name, None) for name in names})


def parse_rows(text: str) -> tuple[int, int]:
    """`6-12` as rows [6, 12). Raises UsageError."""
    start, dash, stop = text.partition("-")
    if not (dash and start.isdecimal() and stop.isdecimal() and int(start) < int(stop)):
        raise UsageError(f"rows {quote(text)}; accepted: A-B with A < B, rows A up to and without B")
    return int(start), int(stop)
