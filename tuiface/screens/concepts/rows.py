"""The rows of Concepts (directions at hand, those that a search found, unfinished answers), and what is said of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from textual.content import Content

from tuiface.core.i18n import current_language, tr, trn
from tuiface.core.limits import MIN_ANSWERS
from tuiface.core.visible import to_visible
from tuiface.directions.concepts import GROUPS, Group, concept_sort_key, concept_word, group_of
from tuiface.screens.face.words import home_relative
from tuiface.screens.widgets.text import assemble, styled

if TYPE_CHECKING:
    from pathlib import Path

    from tuiface.directions.catalogue import CatalogueEntry
    from tuiface.directions.direction import Direction, DirectionHeader
    from tuiface.directions.questionnaire import Answers, AnswersFile

NUM_LEAKS = 8
_LABEL, _VALUE = "$foreground 55%", "$foreground 85%"
_BAR = 10
_MAX_VALUE = 240
"""Characters of an origin or a licence: what follows must stay in sight."""


def report_lines(row: ConceptRow, *, unicode: bool) -> list[Content]:
    """The lines beside the list."""
    if row.direction is None:
        assert row.answers is not None
        missing = max(0, MIN_ANSWERS - row.num_answers)
        rows = [
            (tr("answers"), str(row.num_answers)),
            (tr("missing"), str(missing)),
            (tr("kind"), row.answers[1].scale),
        ]
        lines = [_line(name, value) for name, value in rows]
        return [*lines, Content(""), styled(tr("Enter goes on answering."), _LABEL)]
    header = row.direction.header
    lines = [_line(name, value) for name, value in _facts(header) if value]
    if row.path is not None and row.is_own:
        lines.append(_line(tr("file"), home_relative(row.path)))
    return [*lines, *_leakage(header, unicode=unicode)]


def _facts(header: DirectionHeader) -> list[tuple[str, str]]:
    origin = header.origin
    space = header.space.upper() if header.space != "styles" else tr("styles")
    rows = "" if header.rows is None else tr(", rows {first}-{last}", first=header.rows[0], last=header.rows[1] - 1)
    measures = "  ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in list(header.measures.items())[:3])
    return [
        (tr("origin"), " · ".join(filter(None, (origin.method, origin.data, origin.paper)))),
        (tr("unit"), tr("{unit}, up to ±{limit}", unit=_unit(header), limit=f"{header.limit:g}")),
        (tr("space"), space + rows),
        (tr("measured"), measures),
        (tr("licence"), header.licence),
    ]


def _unit(header: DirectionHeader) -> str:
    words = {"sigma": tr("standard deviations"), "range": tr("thirds of its range"), "raw": tr("as in its file")}
    return words[header.unit]


def _leakage(header: DirectionHeader, *, unicode: bool) -> list[Content]:
    """What one unit changes besides, the largest first, each with a bar of up to one deviation."""
    leaks = [(name, value) for name, value in header.leakage.items() if name != header.name]
    if not leaks:
        return []
    full, empty = ("━", "─") if unicode else ("#", "-")
    lines = [Content(""), styled(tr("One unit also changes"), "bold $text-primary")]
    for name, value in sorted(leaks, key=lambda item: -abs(item[1]))[:NUM_LEAKS]:
        done = min(_BAR, round(_BAR * abs(value)))
        style = "$text-warning" if abs(value) >= 0.5 else "$text-primary"
        lines.append(
            assemble(
                (f"{concept_word(name, current_language())[:18]:<19}", _LABEL),
                (full * done, style),
                (empty * (_BAR - done), "$foreground 35%"),
                (f" {value:+.2f}", _VALUE),
            )
        )
    return lines


def _line(name: str, value: str) -> Content:
    return assemble((f"{name:<11}", _LABEL), (to_visible(value, _MAX_VALUE), _VALUE))


ConceptSection = Literal["found", "unfinished"] | Group
_SECTIONS: tuple[ConceptSection, ...] = ("found", "unfinished", *GROUPS)
_NAME_COLUMNS = 16
"""Of the longest word in the table of concepts; longer names of users are cut here, and whole above the strip."""


@dataclass(frozen=True, slots=True)
class ConceptRow:
    """One line of the list; exactly one of direction and answers is there."""

    section: ConceptSection
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
    return [*rows, *sorted(listed, key=lambda row: (_SECTIONS.index(row.section), concept_sort_key(row.name)))]


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
            lines.append(styled(heading(row.section), "bold $text-primary"))
        if number == chosen:
            chosen_line = len(lines)
        style = "reverse" if number == chosen else "$foreground 85%"
        name = f" {row_word(row)[:_NAME_COLUMNS]} "
        gap = " " * (_NAME_COLUMNS + 3 - len(name))
        lines.append(assemble((name, style), (gap + _remark(row), "$foreground 45%")))
    first = max(0, min(chosen_line - height // 2, len(lines) - height))
    return lines[first : first + height]


def row_word(row: ConceptRow) -> str:
    """What people call the row's concept."""
    return concept_word(row.name, current_language())


def _remark(row: ConceptRow) -> str:
    if row.direction is None:
        return trn("{number} answer", "{number} answers", row.num_answers)
    return row.direction.header.origin.method if row.section in ("own", "found") else ""


def heading(section: ConceptSection) -> str:
    """What stands over a section."""
    words: dict[ConceptSection, str] = {
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
