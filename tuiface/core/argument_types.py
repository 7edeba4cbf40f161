"""What the arguments of commands may be: every number with its bounds, every path, name and text as one.

argparse calls them while it reads the command line, so before anything is loaded, and a command can trust what it gets.
They raise ArgumentTypeError, to which argparse adds the flag; tests/hostile/test_arguments.py finds arguments without.
"""

from __future__ import annotations

import os
import re
from argparse import ArgumentTypeError
from collections.abc import Callable

from tuiface.core.errors import UsageError, quote
from tuiface.core.limits import (
    ID_LENGTH,
    MAX_FACES,
    MAX_NAME,
    MAX_PATH_BYTES,
    MAX_RATING,
    MAX_SEED,
    MAX_SIDE_PX,
    NAME_PATTERN,
    NAME_WORDS,
    PSI_RANGE,
)
from tuiface.core.words import is_whole_number, parse_seeds, to_float

MAX_PART_BYTES = 255
"""Linux' NAME_MAX."""
MAX_TEXT, MAX_ACCOUNT = 2000, 64


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A whole number from `least` to `most`."""

    def parse(text: str) -> int:
        if not is_whole_number(text.removeprefix("-")):
            raise _unaccepted(text, f"whole numbers from {least} to {most}")
        if not least <= int(text) <= most:
            raise _unaccepted(text, f"{least} to {most}")
        return int(text)

    return parse


def one_of(*numbers: int) -> Callable[[str], int]:
    """One of a few whole numbers."""

    def parse(text: str) -> int:
        if not is_whole_number(text) or int(text) not in numbers:
            raise _unaccepted(text, ", ".join(map(str, numbers)))
        return int(text)

    return parse


def real_number(least: float, most: float, *, accepted: str = "", above: bool = False) -> Callable[[str], float]:
    """A number from `least` to `most`, without `least` itself if it is to lie above; `accepted` says so in words."""
    between = f"numbers {'above' if above else 'from'} {least:g} {'up ' if above else ''}to {most:.15g}"

    def parse(text: str) -> float:
        number = to_float(text)
        if number is None or not least <= number <= most or (above and number == least):
            raise _unaccepted(text, accepted or between)
        return number

    return parse


def parse_path(text: str) -> str:
    """A path that the system can have, whether or not something is there."""
    encoded = os.fsencode(text)
    if not text:
        raise ArgumentTypeError("''; accepted: a path; this one is empty")
    if "\0" in text:
        raise ArgumentTypeError(f"{quote(text)}; accepted: a path, and none has a NUL character in it")
    if len(encoded) > MAX_PATH_BYTES or any(len(part) > MAX_PART_BYTES for part in encoded.split(b"/")):
        raise ArgumentTypeError(
            f"{quote(text)}; accepted: paths of at most {MAX_PATH_BYTES} bytes, {MAX_PART_BYTES} for each name in it"
        )
    return text


def parse_face(text: str) -> str:
    """A seed number that numpy takes, a library id, a PNG or a JSON."""
    if is_whole_number(text) and int(text) > MAX_SEED:
        old_id = "to name a face that has this id, give its PNG" if len(text) == ID_LENGTH else ""
        raise UsageError(f"seed {text}; accepted: 0 to {MAX_SEED}", old_id)
    return parse_path(text)


def parse_faces(text: str) -> list[str]:
    """One face, or the seed numbers of a list such as `0-7,20`."""
    seeds = None if text.isdecimal() else parse_seeds(text)
    return [parse_face(text)] if seeds is None else [str(seed) for seed in seeds]


def parse_seed_list(text: str) -> list[int]:
    """`3`, `0-7` or `0-7,20`, and nothing else."""
    seeds = parse_seeds(text)
    if seeds is None:
        raise UsageError(f"seeds {quote(text)}; accepted: 3, 0-7 or 3,5,9-11: up to {MAX_FACES} from 0 to {MAX_SEED}")
    return seeds


def parse_text(words: str) -> str:
    """Text that is recorded, looked for or compared; what a terminal would obey is written as escapes later."""
    if len(words) > MAX_TEXT:
        raise ArgumentTypeError(f"{quote(words)}; accepted: at most {MAX_TEXT} characters")
    return words


def parse_account(words: str) -> str:
    """A word that may be the name of a user or a group."""
    if not 0 < len(words) <= MAX_ACCOUNT or not words.isprintable():
        raise ArgumentTypeError(f"{quote(words)}; accepted: 1 to {MAX_ACCOUNT} characters that can be seen")
    return words


def parse_name(words: str) -> str:
    """A name that is recorded in a file."""
    if not words.strip() or not words.isprintable() or len(words) > MAX_NAME:
        raise ArgumentTypeError(f"{quote(words)}; accepted: 1 to {MAX_NAME} characters that can be seen")
    return words


def parse_file_stem(name: str) -> str:
    """The beginning of names of files in one folder."""
    from tuiface.core.files import refuse_unfit_name

    try:
        refuse_unfit_name(name, "")
    except UsageError as error:
        raise ArgumentTypeError(error.message.strip()) from None
    return name


def parse_concept_name(name: str) -> str:
    """Of a direction or a population."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise ArgumentTypeError(f"{quote(name)}; accepted: {NAME_WORDS}")
    return name


parse_seed = whole_number(0, MAX_SEED)
parse_rating = whole_number(0, MAX_RATING)
parse_psi = real_number(*PSI_RANGE)
parse_side = whole_number(4, MAX_SIDE_PX)
"""Of a block of a network; which there are, the opened one knows."""


def to_usage(message: str) -> str:
    """A message of argparse's as one of ours: `--fps 0; accepted: ...`."""
    return re.sub(r"^(\S+): (?=.*; accepted: )", r"\1 ", message.removeprefix("argument "))


def _unaccepted(text: str, accepted: str) -> ArgumentTypeError:
    """A number is told as it was written, anything else in quotes."""
    is_number = re.fullmatch(r"[+-]?([0-9.]{1,30}(e[+-]?[0-9]{1,9})?|nan|inf)", text)
    return ArgumentTypeError(f"{text if is_number else quote(text)}; accepted: {accepted}")
