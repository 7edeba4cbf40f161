"""What can be said of a direction that is imported: the flags of `tuiface directions import`, and what they mean.

Without numpy: every command describes its flags before anything is done.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from tuiface.core.argument_types import parse_concept_name, parse_text, real_number, to_usage, whole_number
from tuiface.core.errors import UsageError
from tuiface.core.limits import MAX_AMOUNT, MAX_WIDTH
from tuiface.core.words import parse_rows


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a file's array becomes a direction."""

    name: str
    key: str | None
    """Which array of a file with several; None for the only one."""
    component: int | None
    """Which direction of an array that holds many, from 0."""
    rows: tuple[int, int] | None
    """Rows that move; None for all."""
    system: Literal["first", "later"] | None
    """Which of the lab's earlier systems it belongs to."""
    raw: bool
    """Amount 1 is the array as it is."""
    limit: float | None
    """Largest amount without --beyond; None for the usual one."""
    licence: str
    paper: str
    force: bool
    """Whether it replaces a direction of the same name."""

    @classmethod
    def of(cls, path: Path, flags: argparse.Namespace) -> ImportOptions:
        """From parsed flags; the name defaults to that of the file. Raises UsageError."""
        from tuiface.directions.concepts import find_legacy_rows  # the table is not needed to list flags

        number = "" if flags.component is None else f"_{flags.component}"
        name = flags.name or path.stem.lower().replace("-", "_") + number
        legacy_rows = find_legacy_rows(name, flags.legacy) if flags.legacy else None
        return cls(
            name=name,
            key=flags.key,
            component=flags.component,
            rows=flags.rows or legacy_rows,
            system=flags.legacy,
            raw=flags.raw,
            limit=flags.limit,
            licence=flags.licence,
            paper=flags.paper,
            force=flags.force,
        )


def add_import_options(parser: argparse.ArgumentParser) -> None:
    """Describe the flags that `ImportOptions` are made of."""
    parser.add_argument(
        "--name", type=parse_concept_name, metavar="NAME", help="default: the file's name, and the component's number"
    )
    parser.add_argument("--key", type=parse_text, metavar="KEY", help="which array of a file with several")
    parser.add_argument(
        "--component",
        type=whole_number(0, MAX_WIDTH - 1),
        metavar="N",
        help="which one, from 0, of many: GANSpace's lat_comp, the columns of eigvec, or any rows",
    )
    parser.add_argument(
        "--rows", type=parse_rows, metavar="A-B", help="rows that move; default: all, or those of the earlier system"
    )
    parser.add_argument("--legacy", choices=("first", "later"), help="it belongs to one of the lab's earlier systems")
    parser.add_argument("--raw", action="store_true", help="amount 1 is the array as it is, not a standard deviation")
    parser.add_argument(
        "--limit",
        type=real_number(0, MAX_AMOUNT, above=True),
        metavar="N",
        help="largest amount without --beyond; default: 3",
    )
    parser.add_argument(
        "--licence", type=parse_text, default="unknown", metavar="TEXT", help="recorded with every picture"
    )
    parser.add_argument("--paper", type=parse_text, default="", metavar="TEXT", help="where it was published")
    parser.add_argument("--force", action="store_true", help="replace a direction of the same name")


def parse_import_options(path: Path, words: Sequence[str]) -> ImportOptions:
    """From words as a person writes them behind the file's path: `--name age --legacy first`. Raises UsageError."""
    parser = _WordParser(add_help=False, allow_abbrev=False)
    add_import_options(parser)
    return ImportOptions.of(path, parser.parse_args(list(words)))


class _WordParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise UsageError; argparse would print the usage and exit."""
        raise UsageError(to_usage(message))
