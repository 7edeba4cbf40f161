"""The rows of Concepts: directions at hand by group, those that a search found, and unfinished answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from textual.content import Content

from tuiface.directions.groups import GROUPS, Group, concept_word, group_of, list_place
from tuiface.language import language_in_use, tr, trn

if TYPE_CHECKING:
    from pathlib import Path

    from tuiface.directions.answers_file import AnswersFile
    from tuiface.directions.catalogue import CatalogueEntry
    from tuiface.directions.direction import Direction
    from tuiface.directions.questionnaire import Answers

Section = Literal["found", "unfinished"] | Group
_SECTIONS: tuple[Section, ...] = ("found", "unfinished", *GROUPS)
_NAME_COLUMNS = 16
"""Of the longest word in the table of concepts; longer names of users are cut here, and whole above the strip."""


@dataclass(frozen=True, slots=True)
class ConceptRow:
    """One line of the list; exactly one of direction and answers is there."""

    section: Section
    name: str
    direction: Direction | None = None
    path: Path | None = None
    """Of the file; None for what was found and not kept."""
    is_own: bool = False
    answers: tuple[AnswersFile, Answers] | None = None

    @property
    def num_answers(self) -> int:
        """Answers that were not skipped."""
        return 0 if self.answers is None else sum(a.value is not None for a in self.answers[1].answers)


def concept_rows(
    entries: Sequence[CatalogueEntry], found: Sequence[Direction], kept: Sequence[tuple[AnswersFile, Answers]]
) -> list[ConceptRow]:
    """All rows in the order of the list. Answers that a direction was made of already are left out."""
    rows = [ConceptRow("found", direction.name, direction) for direction in found]
    finished = {(e.direction.header.origin.data, e.direction.header.origin.settings.get("answers")) for e in entries}
    for file, answers in kept:
        row = ConceptRow("unfinished", answers.concept, path=file.path, is_own=True, answers=(file, answers))
        if (file.path.name, row.num_answers) not in finished:
            rows.append(row)
    listed = [
        ConceptRow(
            _group(entry),
            entry.direction.name,
            entry.direction,
            entry.path,
            is_own=not entry.shipped,
        )
        for entry in entries
    ]
    return [*rows, *sorted(listed, key=lambda row: (_SECTIONS.index(row.section), list_place(row.name)))]


def _group(entry: CatalogueEntry) -> Group:
    """The user's own stand together; a shipped one that the table of concepts does not know is a general one."""
    group = group_of(entry.direction.name)
    return "own" if not entry.shipped else "general" if group == "own" else group


def list_lines(rows: Sequence[ConceptRow], chosen: int, height: int) -> list[Content]:
    """The part of the list around the chosen row that `height` lines show, with a heading over each section."""
    lines: list[Content] = []
    chosen_line, section = 0, ""
    for number, row in enumerate(rows):
        if row.section != section:
            section = row.section
            if lines:
                lines.append(Content(""))
            lines.append(Content.styled(heading(row.section), "bold $text-primary"))
        if number == chosen:
            chosen_line = len(lines)
        style = "reverse" if number == chosen else "$foreground 85%"
        name = f" {word(row)[:_NAME_COLUMNS]} "
        gap = " " * (_NAME_COLUMNS + 3 - len(name))
        lines.append(Content.assemble((name, style), (gap + _remark(row), "$foreground 45%")))
    first = max(0, min(chosen_line - height // 2, len(lines) - height))
    return lines[first : first + height]


def word(row: ConceptRow) -> str:
    """What people call the row's concept."""
    return concept_word(row.name, language_in_use())


def _remark(row: ConceptRow) -> str:
    if row.direction is None:
        return trn("{number} answer", "{number} answers", row.num_answers)
    return row.direction.header.origin.method if row.section in ("own", "found") else ""


def heading(section: Section) -> str:
    """What stands over a section."""
    words: dict[Section, str] = {
        "found": tr("Found, not kept yet"),
        "unfinished": tr("Answers without a direction"),
        "general": tr("General"),
        "orientation": tr("Orientation"),
        "eyes": tr("Eyes"),
        "mouth": tr("Mouth"),
        "nose": tr("Nose"),
        "hair": tr("Hair"),
        "skin": tr("Skin"),
        "light": tr("Light"),
        "own": tr("Your own"),
    }
    return words[section]
