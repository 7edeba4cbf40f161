"""Words of the user as numbers: amounts and rows, alike in commands and in the interface."""

from __future__ import annotations

import math
import unicodedata

from tuiface.core.errors import UsageError, quote
from tuiface.core.limits import MAX_AMOUNT, MAX_FACES, MAX_RATING, MAX_ROWS, MAX_SEED

MAX_DIGITS = 18
"""Of a whole number that a user writes: no seed, row or count has as many."""


def is_whole_number(text: str) -> bool:
    """Whether `int` reads `text` as 0 or more, written in ASCII digits: `isdecimal` accepts those of every script."""
    return text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS


def parse_seeds(text: str) -> list[int] | None:
    """`3`, `0-7` (both included) or `0-7,20,30-32`; None for text that is no such list, as a path.

    Raises UsageError for seeds beyond numpy's, a range that runs backwards, and too many.
    """
    seeds: list[int] = []
    for part in text.split(","):
        start, dash, stop = part.partition("-")
        if not is_whole_number(start) or (dash and not is_whole_number(stop)):
            return None
        span = range(int(start), int(stop or start) + 1)
        if not span or span[-1] > MAX_SEED or len(seeds) + len(span) > MAX_FACES:
            raise UsageError(
                f"seeds {quote(text)}; accepted: 3, 0-7 or 3,5,9-11: up to {MAX_FACES} from 0 to {MAX_SEED}"
            )
        seeds += span
    return seeds


def check_rating(text: str) -> int:
    """A rating of a face: 1 to 5, or 0 for none. Raises UsageError for anything else."""
    if not (is_whole_number(text) and int(text) <= MAX_RATING):
        raise UsageError(f"rating {quote(text)}; accepted: 1 to {MAX_RATING}, or 0 for none")
    return int(text)


def fold_text(text: str) -> str:
    """`text` as one searches for it: small letters without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def format_number(value: float) -> str:
    """The shortest text that reads back as `value`."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def to_float(text: str) -> float | None:
    """What `float` reads in `text`, without Python's own ways to write a number (1_0) and digits of other scripts."""
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return None


def parse_number(text: str, what: str) -> float:
    """A finite number. Raises UsageError that begins with `what`."""
    value = to_float(text)
    if value is None:
        raise UsageError(f"{what}: {quote(text)} is not a number, such as 1.5")
    if not math.isfinite(value):
        raise UsageError(f"{what}: {quote(text)} is not a finite number")
    return value


def parse_amount(text: str, what: str) -> float:
    """An amount of an edit. Raises UsageError that begins with `what`."""
    amount = parse_number(text, what)
    if abs(amount) > MAX_AMOUNT:
        raise UsageError(f"{what} {amount:g}; accepted: -{MAX_AMOUNT:g} to {MAX_AMOUNT:g}")
    return amount


def parse_rows(text: str) -> tuple[int, int]:
    """`6-12` as rows [6, 12). Raises UsageError."""
    start, dash, stop = text.partition("-")
    if not (dash and is_whole_number(start) and is_whole_number(stop) and int(start) < int(stop) <= MAX_ROWS):
        raise UsageError(f"rows {quote(text)}; accepted: A-B with A < B <= {MAX_ROWS}, rows A up to and without B")
    return int(start), int(stop)


def format_rows(rows: tuple[int, int]) -> str:
    """What `parse_rows` reads."""
    return f"{rows[0]}-{rows[1]}"
