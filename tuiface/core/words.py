"""Words of the user as numbers: amounts and rows, alike in commands and in the interface."""

from __future__ import annotations

import math

from tuiface.core.errors import UsageError, quote

MAX_DIGITS = 18
"""Of a whole number that a user writes: no seed, row or count has as many."""


def is_whole_number(text: str) -> bool:
    """Whether `int` reads `text` as 0 or more, written in ASCII digits: `isdecimal` accepts those of every script."""
    return text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS


def parse_number(text: str, what: str) -> float:
    """A finite number. Raises UsageError that begins with `what`."""
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"{what}: {quote(text)} is not a number, such as 1.5") from None
    if not math.isfinite(value):
        raise UsageError(f"{what}: {quote(text)} is not a finite number")
    return value


def parse_rows(text: str) -> tuple[int, int]:
    """`6-12` as rows [6, 12). Raises UsageError."""
    start, dash, stop = text.partition("-")
    if not (dash and is_whole_number(start) and is_whole_number(stop) and int(start) < int(stop)):
        raise UsageError(f"rows {quote(text)}; accepted: A-B with A < B, rows A up to and without B")
    return int(start), int(stop)
