"""What lasts of the Face screen while others are shown: the chosen row, the directions at hand, the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tuiface.core.i18n import current_language
from tuiface.core.visible import to_visible
from tuiface.core.words import fold_text
from tuiface.directions.concepts import concept_sort_key, concept_word, group_of
from tuiface.screens.changes import Drawn, StatePart

if TYPE_CHECKING:
    from tuiface.directions.direction import Direction
    from tuiface.faces.studio import Studio

ComparisonMode = Literal["off", "flicker", "side", "map"]
COMPARISON_MODES: tuple[ComparisonMode, ...] = ("off", "flicker", "side", "map")


@dataclass(frozen=True, slots=True)
class Concept:
    """What the list of rows needs of a direction, in the user's language; digests are worked out once."""

    name: str
    """As edits and commands call it."""
    sha256: str
    group: str
    word: str
    ends: tuple[str, str]
    limit: float
    words: str
    """All that a search looks at: folded, in both languages."""


class FaceState(StatePart):
    """How the current face is looked at and turned; the face itself is the studio's."""

    control_key: Drawn[str] = Drawn("seed")
    """Key of the chosen row (tuiface.screens.face.controls)."""
    is_among_changed: Drawn[bool] = Drawn(default=False)
    """Whether the chosen row stands among those that were changed: it stays where it is while it is turned."""
    filter_text: Drawn[str] = Drawn("")
    """Rows without this text are left out; empty for none."""
    folded: Drawn[frozenset[str]] = Drawn(frozenset())
    """Headings of groups that are one row each."""
    may_exceed: Drawn[bool] = Drawn(default=False)
    """Whether amounts may go past what the network is known to do."""
    concepts: Drawn[tuple[Concept, ...]] = Drawn(())
    """Directions of the open network, in the order of the list."""
    comparison: Drawn[ComparisonMode] = Drawn("off")
    """How the face is compared with its original."""
    difference_percent: Drawn[float] = Drawn(0.0)
    """Mean difference of the compared pictures."""

    def choose(self, key: str, *, among_changed: bool = False) -> None:
        """Choose a row, where it stands."""
        if key != self.control_key:
            self.is_among_changed = among_changed
        self.control_key = key

    def filter(self, text: str) -> None:
        """Show rows with `text` alone; empty for all."""
        self.filter_text = text

    def fold(self, heading: str) -> None:
        """Make one row of a group, or rows of one again."""
        self.folded = self.folded ^ {heading}

    def toggle_limits(self) -> None:
        """Lift the limits of amounts, or hold them again."""
        self.may_exceed = not self.may_exceed

    def cycle_comparison(self) -> None:
        """The next mode."""
        self.comparison = COMPARISON_MODES[(COMPARISON_MODES.index(self.comparison) + 1) % len(COMPARISON_MODES)]

    def record_difference(self, percent: float) -> None:
        """What the pictures that are compared differ by."""
        self.difference_percent = percent

    def read_concepts(self, studio: Studio | None) -> None:
        """Look at the files of directions again: others may have been learned or imported."""
        if studio is not None:
            entries = studio.catalogue.entries(studio.info.model)
            found = [_concept(entry.direction) for entry in entries]
            self.concepts = tuple(sorted(found, key=lambda concept: concept_sort_key(concept.name)))

    def forget_concepts(self) -> None:
        """Another network is opened."""
        self.concepts = ()


def _concept(direction: Direction) -> Concept:
    header, language = direction.header, current_language()
    group = group_of(direction.name)
    low, high = header.labels.es if language == "es" else header.labels.en
    texts = [direction.name, group, *header.labels.en, *header.labels.es]
    texts += [concept_word(direction.name, known) for known in ("en", "es")]
    return Concept(
        name=direction.name,
        sha256=direction.sha256,
        group=group,
        word=concept_word(direction.name, language),
        ends=(to_visible(low), to_visible(high)),
        limit=header.limit,
        words=fold_text(" ".join(texts)),
    )
