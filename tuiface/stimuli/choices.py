"""What mock witnesses chose from line-ups, from a CSV with a line for each line-up.

    lineup,target,pair,suspect,1,2,3,4,5,6,rejected
    A,present,1,4,2,13,1,14,9,3,12

Columns in any order, named as in `HEADINGS`; every other column is a member, in order, by whatever name. Only those of
the members must be there: without `suspect` the command has to say who it is, `target` is asked for where diagnosticity
is, and two line-ups of one `pair` (or name) belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuiface.core.csv_table import CsvTable, read_csv_table
from tuiface.core.errors import InputFileError, UsageError, quote
from tuiface.core.words import is_whole_number

Target = Literal["present", "absent"]

MIN_MEMBERS, MAX_MEMBERS = 2, 100
MAX_WITNESSES = 10_000
"""Of one line-up: the bootstrap draws them again one by one."""
MAX_LINEUPS = 1_000
#: What the columns are called besides the members', in lower case.
HEADINGS = {
    "lineup": ("lineup", "line-up", "name", "rueda", "nombre"),
    "target": ("target", "culprit", "condition", "objetivo", "culpable", "condición"),
    "pair": ("pair", "par"),
    "suspect": ("suspect", "sospechoso"),
    "rejected": ("rejected", "rejections", "none", "not present", "rechazos", "ninguno"),
}
TARGETS: dict[str, Target] = {
    **dict.fromkeys(("present", "presente", "tp", "1", "yes", "sí", "si"), "present"),
    **dict.fromkeys(("absent", "ausente", "ta", "0", "no"), "absent"),
}


@dataclass(frozen=True, slots=True)
class Choices:
    """What the mock witnesses of one line-up chose."""

    name: str
    members: tuple[str, ...]
    """Their names, in order."""
    counts: tuple[int, ...]
    """Witnesses who chose each."""
    suspect: int
    """Place of the suspect, from 0."""
    rejections: int = 0
    """Witnesses who chose nobody."""
    target: Target | None = None
    pair: str = ""

    @property
    def num_choosers(self) -> int:
        """Witnesses who chose somebody."""
        return sum(self.counts)

    @property
    def num_witnesses(self) -> int:
        """All of them."""
        return self.num_choosers + self.rejections


def read_choices(path: Path, suspect: str | None = None) -> tuple[Choices, ...]:
    """The line-ups of a CSV; `suspect`, a member's name or place from 1, for those that name none.

    Raises InputFileError, naming the line, for what is no table of counts.
    """
    table = read_csv_table(path)
    columns = _find_columns(table)
    read = tuple(_read_row(table, columns, where, row, suspect) for where, row in table.rows())
    if not read:
        raise InputFileError(f"{path.name}: no counts in it", "a heading, then a line for each line-up")
    if len(read) > MAX_LINEUPS:
        raise InputFileError(f"{path.name}: {len(read)} line-ups; accepted are up to {MAX_LINEUPS}")
    return read


def pair_by_target(lineups: Sequence[Choices]) -> list[tuple[Choices, Choices]]:
    """(present, absent) of each pair. Raises UsageError for a pair that is none."""
    found: dict[str, dict[Target, Choices]] = {}
    for choices in lineups:
        if choices.target is None:
            continue
        pair = found.setdefault(choices.pair, {})
        if choices.target in pair:
            raise UsageError(
                f"pair {quote(choices.pair)} has several line-ups with the target {choices.target}",
                "a column 'pair' says which two belong together",
            )
        pair[choices.target] = choices
    for name, pair in found.items():
        if len(pair) == 1:
            there, missing = ("present", "absent") if "present" in pair else ("absent", "present")
            raise UsageError(f"pair {quote(name)} has a line-up with the target {there}, and none {missing}")
    return [(pair["present"], pair["absent"]) for pair in found.values()]


@dataclass(frozen=True, slots=True)
class _Columns:
    places: dict[str, int]
    members: tuple[tuple[int, str], ...]


def _find_columns(table: CsvTable) -> _Columns:
    places: dict[str, int] = {}
    members: list[tuple[int, str]] = []
    for place, name in enumerate(table.heading):
        column = next((key for key, names in HEADINGS.items() if name.casefold() in names), None)
        if column in places:
            raise InputFileError(f"{table.name}: several columns '{column}'")
        if column is not None:
            places[column] = place
        elif name:
            members.append((place, name))
    names = [name for _, name in members]
    if not MIN_MEMBERS <= len(members) <= MAX_MEMBERS:
        raise InputFileError(
            f"{table.name}: {len(members)} columns of members; accepted are {MIN_MEMBERS} to {MAX_MEMBERS}",
            "the first line names the columns, as in: lineup,suspect,1,2,3,4,5,6",
        )
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputFileError(f"{table.name}: several members are called {quote(twice)}")
    return _Columns(places, tuple(members))


def _read_row(table: CsvTable, columns: _Columns, where: str, row: list[str], suspect: str | None) -> Choices:
    if len(row) != len(table.heading):
        raise InputFileError(f"{where}: {len(row)} columns; the heading has {len(table.heading)}")

    def cell(column: str) -> str:
        return row[columns.places[column]] if column in columns.places else ""

    names = tuple(name for _, name in columns.members)
    counts = tuple(_parse_count(row[place], f"{where}: {quote(name)}") for place, name in columns.members)
    rejections = _parse_count(cell("rejected") or "0", f"{where}: rejected")
    if not sum(counts):
        raise InputFileError(f"{where}: nobody was chosen; a line-up needs at least one choice")
    if sum(counts) + rejections > MAX_WITNESSES:
        raise InputFileError(f"{where}: {sum(counts) + rejections} witnesses; accepted are up to {MAX_WITNESSES}")
    number = where.rpartition(" ")[2]
    name = cell("lineup") or f"line {number}"
    return Choices(
        name=name,
        members=names,
        counts=counts,
        suspect=_find_suspect(cell("suspect") or suspect or "", names, where),
        rejections=rejections,
        target=_parse_target(cell("target"), where),
        pair=cell("pair") or cell("lineup"),
    )


def _find_suspect(text: str, names: tuple[str, ...], where: str) -> int:
    if text in names:
        return names.index(text)
    if is_whole_number(text) and 1 <= int(text) <= len(names):
        return int(text) - 1
    if not text:
        raise InputFileError(f"{where}: no suspect", "add a column 'suspect', or --suspect MEMBER")
    raise InputFileError(f"{where}: suspect {quote(text)}; accepted are 1 to {len(names)}, or a member's name")


def _parse_count(text: str, where: str) -> int:
    if not is_whole_number(text) or int(text) > MAX_WITNESSES:
        raise InputFileError(f"{where}: count {quote(text)}; accepted are whole numbers from 0 to {MAX_WITNESSES}")
    return int(text)


def _parse_target(text: str, where: str) -> Target | None:
    if not text:
        return None
    if text.casefold() not in TARGETS:
        raise InputFileError(f"{where}: target {quote(text)}; accepted are present and absent")
    return TARGETS[text.casefold()]
