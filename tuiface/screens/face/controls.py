"""Everything about the current face that can be turned, as a list of plain values: what the edit panel draws.

face            seed, psi, noise
concepts        the directions of the open network, in groups, then edits that no direction at hand accounts for
locks           the regions that edits leave alone
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tuiface.core.i18n import current_language, tr
from tuiface.core.limits import CHANNEL_LIMIT
from tuiface.directions.concepts import concept_sort_key, concept_word, group_of
from tuiface.screens.face.edit_actions import LOCK_REGIONS, find_edit_index, find_lock, locked_regions

if TYPE_CHECKING:
    from tuiface.directions.direction import Direction
    from tuiface.faces.recipe import Edit, Recipe, RegionLock
    from tuiface.faces.studio import Studio
    from tuiface.screens.session import Session

ControlKind = Literal["seed", "psi", "noise", "concept", "edit", "lock"]


@dataclass(frozen=True, slots=True)
class Concept:
    """What the list needs of a direction, in the user's language; digests are worked out once."""

    name: str
    """As edits and commands call it."""
    sha256: str
    group: str
    word: str
    ends: tuple[str, str]
    limit: float
    words: str
    """All that a search looks at: folded, in both languages."""


@dataclass(frozen=True, slots=True)
class Control:
    """One row of the list."""

    key: str
    """Stable while the face changes: `psi`, `concept:smile`, `edit:3`, `lock:frame`."""
    kind: ControlKind
    heading: str
    """Of its group."""
    word: str
    value: str
    gauge: float | None = None
    """Where its mark stands between its ends, -1 to 1; None for what has no ends."""
    ends: tuple[str, str] = ("", "")
    remark: str = ""
    """What the chosen row says below itself."""
    is_set: bool = False
    """Whether it changes the face, or holds a region."""
    is_beyond: bool = False
    """Whether it lies past what the model is known to do."""


def concepts_of(studio: Studio) -> tuple[Concept, ...]:
    """The directions of the open network in the order of the list; reads files that are new or changed."""
    entries = studio.catalogue.entries(studio.info.model)
    found = [_concept(entry.direction) for entry in entries]
    return tuple(sorted(found, key=lambda concept: concept_sort_key(concept.name)))


def list_controls(session: Session) -> tuple[Control, ...]:
    """The list for the session's present state; the face's own three alone before there is a studio."""
    if session.studio is None:
        heading = tr("Face")
        return (
            Control("seed", "seed", heading, tr("seed"), "-"),
            Control("psi", "psi", heading, "psi", "-"),
            Control("noise", "noise", heading, tr("noise"), "-"),
        )
    recipe = session.studio.current.recipe
    concepts = [_concept_control(recipe, concept) for concept in session.concepts]
    regions = dict.fromkeys((*LOCK_REGIONS, *locked_regions(recipe)))
    locks = [_lock_control(region, find_lock(recipe, region)) for region in regions]
    return (*_face_controls(recipe), *concepts, *_other_edit_controls(session, recipe), *locks)


def find_controls(session: Session, text: str) -> list[str]:
    """Keys of the rows that hold `text` in either language, without regard to case and accents; names that begin
    with it come first."""
    wanted = fold_text(text)
    words = {f"concept:{concept.name}": concept.words for concept in session.concepts}
    hits = [knob for knob in list_controls(session) if wanted in words.get(knob.key, fold_text(knob.word))]
    return [knob.key for knob in sorted(hits, key=lambda knob: not fold_text(knob.word).startswith(wanted))]


def fold_text(text: str) -> str:
    """Lower case without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def format_amount(amount: float) -> str:
    """`+1.5`, `-0.25`, or a dot for 0."""
    return f"{amount:+.2f}".removesuffix("0").removesuffix(".0") if amount else "·"


def edit_word(edit: Edit) -> str:
    """What an edit is called in lists."""
    from tuiface.faces.recipe import ChannelEdit

    if isinstance(edit, ChannelEdit):
        return f"{edit.channel[0]}:{edit.channel[1]}"
    return concept_word(edit.direction, current_language())


def region_word(region: str) -> str:
    """What a locked region is called in lists."""
    words = {
        "frame": tr("frame"),
        "hairline": tr("hairline"),
        "hair": tr("hair"),
        "face": tr("whole face"),
        "skin": tr("skin only"),
        "eyes": tr("eyes"),
        "brows": tr("brows"),
        "nose": tr("nose"),
        "mouth": tr("mouth"),
        "ears": tr("ears"),
        "neck": tr("neck"),
        "clothing": tr("clothing"),
        "background": tr("background"),
        "mask": tr("own mask"),
    }
    return words[region]


def lock_words(locks: Sequence[RegionLock]) -> str:
    """`frame, hairline 0.50 blend`: what is locked, in a line."""
    parts = []
    for lock in locks:
        strength = "" if lock.strength == 1 else f" {lock.strength:.2f}"
        guarantee = "" if lock.guarantee == "direction" else f" {tr(lock.guarantee)}"
        parts.append(f"{region_word(lock.region)}{strength}{guarantee}")
    return ", ".join(parts)


def _concept(direction: Direction) -> Concept:
    header, language = direction.header, current_language()
    group = group_of(direction.name)
    texts = [direction.name, group, *header.labels.en, *header.labels.es]
    texts += [concept_word(direction.name, known) for known in ("en", "es")]
    return Concept(
        name=direction.name,
        sha256=direction.sha256,
        group=group,
        word=concept_word(direction.name, language),
        ends=header.labels.es if language == "es" else header.labels.en,
        limit=header.limit,
        words=fold_text(" ".join(texts)),
    )


def _face_controls(recipe: Recipe) -> tuple[Control, ...]:
    from tuiface.screens.face.summary import noise_text, source_name

    psi, heading = recipe.truncation.psi, tr("Face")
    return (
        Control("seed", "seed", heading, tr("seed"), source_name(recipe.source), is_set=True),
        Control("psi", "psi", heading, "psi", f"{psi:.2f}", gauge=psi, is_set=True),
        Control("noise", "noise", heading, tr("noise"), noise_text(recipe.noise), is_set=recipe.noise.mode != "const"),
    )


def _concept_control(recipe: Recipe, concept: Concept) -> Control:
    place = find_edit_index(recipe, concept)
    edit = None if place is None else recipe.edits[place]
    rows = getattr(edit, "rows", None)
    return _amount_control(
        f"concept:{concept.name}",
        "concept",
        (tr(concept.group.capitalize()), concept.word),
        0.0 if edit is None else edit.amount,
        concept.limit,
        ends=concept.ends,
        remark="" if rows is None else tr("rows {start}-{stop}", start=rows[0], stop=rows[1]),
    )


def _other_edit_controls(session: Session, recipe: Recipe) -> list[Control]:
    """Edits of the recipe that have no row yet: of channels, of other networks, of a direction a second time."""
    shown = {find_edit_index(recipe, concept) for concept in session.concepts}
    return [
        _amount_control(f"edit:{place}", "edit", (tr("Own"), edit_word(edit)), edit.amount, CHANNEL_LIMIT)
        for place, edit in enumerate(recipe.edits)
        if place not in shown
    ]


def _amount_control(
    key: str,
    kind: ControlKind,
    names: tuple[str, str],
    amount: float,
    limit: float,
    *,
    ends: tuple[str, str] = ("", ""),
    remark: str = "",
) -> Control:
    beyond = abs(amount) > limit
    if beyond:
        remark = tr("beyond what this model is known to do ({limit})", limit=f"±{limit:g}")
    elif abs(amount) == limit:
        remark = tr("as far as this model is known to go; ! lets it go beyond")
    return Control(
        key,
        kind,
        names[0],
        names[1],
        format_amount(amount) + ("!" if beyond else ""),
        gauge=min(max(amount / limit, -1.0), 1.0),
        ends=ends,
        remark=remark,
        is_set=bool(amount),
        is_beyond=beyond,
    )


def _lock_control(region: str, lock: RegionLock | None) -> Control:
    heading, word = tr("Locks"), region_word(region)
    if lock is None:
        return Control(f"lock:{region}", "lock", heading, word, "·", remark=tr("space keeps it as it is"))
    remarks = {
        "direction": tr("the edit is turned away from it: less change"),
        "blend": tr("its features are kept too: hardly any change"),
        "paste": tr("its very pixels are kept: no change"),
    }
    return Control(
        f"lock:{region}",
        "lock",
        heading,
        word,
        f"{lock.strength:.2f}",
        ends=("", tr(lock.guarantee)),
        remark=remarks[lock.guarantee],
        is_set=True,
    )
