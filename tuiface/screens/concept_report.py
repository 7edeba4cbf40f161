"""What Concepts says of the chosen row: where it comes from, its unit, what else it changes, its licence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from tuiface.directions.groups import concept_word
from tuiface.directions.questionnaire import MIN_ANSWERS
from tuiface.language import language_in_use, tr
from tuiface.screens.summary import home_relative

if TYPE_CHECKING:
    from tuiface.directions.direction import DirectionHeader
    from tuiface.screens.concept_list import ConceptRow

NUM_LEAKS = 8
_LABEL, _VALUE = "$foreground 55%", "$foreground 85%"
_BAR = 10


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
        return [*lines, Content(""), Content.styled(tr("Enter goes on answering."), _LABEL)]
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
    lines = [Content(""), Content.styled(tr("One unit also changes"), "bold $text-primary")]
    for name, value in sorted(leaks, key=lambda item: -abs(item[1]))[:NUM_LEAKS]:
        done = min(_BAR, round(_BAR * abs(value)))
        style = "$text-warning" if abs(value) >= 0.5 else "$text-primary"
        lines.append(
            Content.assemble(
                (f"{concept_word(name, language_in_use())[:18]:<19}", _LABEL),
                (full * done, style),
                (empty * (_BAR - done), "$foreground 35%"),
                (f" {value:+.2f}", _VALUE),
            )
        )
    return lines


def _line(name: str, value: str) -> Content:
    return Content.assemble((f"{name:<11}", _LABEL), (value, _VALUE))
