"""Everything about the current face that can be turned, as a list of plain values: what the edit panel draws.

face            seed, class for a network that has some, psi, noise
changed         rows of the groups below that change something, first
concepts        the directions of the open network, in groups, then edits that no direction at hand accounts for
locks           the regions that edits leave alone
measured        what the edits did, each number explained when it is chosen
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tuiface.core.i18n import tr
from tuiface.core.limits import CHANNEL_LIMIT
from tuiface.core.words import fold_text
from tuiface.screens.face.measures import measures_of
from tuiface.screens.face.words import edit_word, format_amount, noise_text, region_word, source_name

if TYPE_CHECKING:
    from tuiface.faces.recipe import Recipe, Region, RegionLock
    from tuiface.screens.face.state import Concept, FaceState
    from tuiface.screens.state import InterfaceState

ControlKind = Literal["seed", "class", "psi", "noise", "concept", "edit", "lock", "measure", "group"]

LOCK_REGIONS: tuple[Region, ...] = (
    "frame",
    "hairline",
    "hair",
    "face",
    "eyes",
    "brows",
    "nose",
    "mouth",
    "background",
)
"""In the order of the list; the others, and a drawn mask, follow once a recipe has them."""


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
    delivered: str = ""
    """What is left of an amount under the locks; empty where nothing is known of it."""


def list_controls(state: InterfaceState) -> tuple[Control, ...]:
    """The rows that are shown: with the text that is looked for, and a group that is folded as one."""
    rows, face = list_all_controls(state), state.face
    if face.filter_text:
        hits = set(find_controls(state, face.filter_text))
        return tuple(control for control in rows if control.key in hits) or rows
    shown: list[Control] = []
    for control in rows:
        if control.heading not in face.folded:
            shown.append(control)
        elif not shown or shown[-1].heading != control.heading:
            number = sum(other.heading == control.heading for other in rows)
            remark = tr("Enter unfolds it")
            shown.append(
                Control(
                    f"group:{control.heading}", "group", control.heading, control.heading, f"{number}", remark=remark
                )
            )
    return tuple(shown)


def list_all_controls(state: InterfaceState) -> tuple[Control, ...]:
    """All rows for the present state; the face's own three alone before there is a studio."""
    if state.studio is None:
        heading = tr("Face")
        return (
            Control("seed", "seed", heading, tr("seed"), "-"),
            Control("psi", "psi", heading, "psi", "-"),
            Control("noise", "noise", heading, tr("noise"), "-"),
        )
    recipe = state.studio.current.recipe
    delivered = delivered_amounts(state)
    concepts = [_concept_control(recipe, concept, delivered) for concept in state.face.concepts]
    regions = dict.fromkeys((*LOCK_REGIONS, *locked_regions(recipe)))
    locks = [_lock_control(region, find_lock(recipe, region)) for region in regions]
    turned = [*concepts, *_other_edit_controls(state, recipe), *locks]
    changed = [replace(control, heading=tr("Changed")) for control in turned if _is_among_changed(control, state.face)]
    others = [control for control in turned if not _is_among_changed(control, state.face)]
    own = _face_controls(recipe, state.studio.info.c_dim)
    return (*own, *changed, *others, *_measure_controls(state))


def _is_among_changed(control: Control, face: FaceState) -> bool:
    """A row that is turned stays where it was when it was chosen: it must not slip away under the keys."""
    return face.is_among_changed if control.key == face.control_key else control.is_set


def delivered_amounts(state: InterfaceState) -> dict[str, float]:
    """What is left of each edit under the locks, by direction, of the picture that is shown; empty for another one."""
    result, studio = state.preview.result, state.studio
    if result is None or studio is None or result.recipe != studio.current.recipe:
        return {}
    start = "delivered_"
    return {name.removeprefix(start): value for name, value in result.measures.items() if name.startswith(start)}


def _measure_controls(state: InterfaceState) -> list[Control]:
    measures = [measure for measure in measures_of(state) if measure.label]
    return [
        Control(
            f"measure:{m.label}", "measure", tr("Measured"), m.label, m.value, remark=m.meaning, is_beyond=m.is_notice
        )
        for m in measures
    ]


def find_controls(state: InterfaceState, text: str) -> list[str]:
    """Keys of the rows that hold `text` in either language, without regard to case and accents; names that begin
    with it come first."""
    wanted = fold_text(text)
    words = {f"concept:{concept.name}": concept.words for concept in state.face.concepts}
    rows = list_all_controls(state)
    hits = [control for control in rows if wanted in words.get(control.key, fold_text(control.word))]
    return [control.key for control in sorted(hits, key=lambda control: not fold_text(control.word).startswith(wanted))]


def _face_controls(recipe: Recipe, num_classes: int) -> tuple[Control, ...]:
    source, psi, heading = recipe.source, recipe.truncation.psi, tr("Face")
    classes: tuple[Control, ...] = ()
    if num_classes and source.kind == "seed":
        remark = tr("0 to {last}", last=num_classes - 1)
        classes = (Control("class", "class", heading, tr("class"), str(source.label or 0), remark=remark, is_set=True),)
    return (
        Control("seed", "seed", heading, tr("seed"), source_name(recipe.source), is_set=True),
        *classes,
        Control("psi", "psi", heading, "psi", f"{psi:.2f}", gauge=psi, remark=psi_text(psi), is_set=True),
        Control("noise", "noise", heading, tr("noise"), noise_text(recipe.noise), is_set=recipe.noise.mode != "const"),
    )


def psi_text(psi: float) -> str:
    """What a psi means."""
    if psi == 0:
        return tr("the mean face itself")
    if psi < 0:
        return tr("to the other side of the mean face")
    if psi > 1:
        return tr("farther from the mean face than the network was trained for")
    return tr("{percent} % of the way from the mean face to the draw", percent=round(100 * psi))


def _concept_control(recipe: Recipe, concept: Concept, delivered: dict[str, float]) -> Control:
    place = find_edit_index(recipe, concept)
    edit = None if place is None else recipe.edits[place]
    rows = getattr(edit, "rows", None)
    control = _amount_control(
        f"concept:{concept.name}",
        "concept",
        (tr(concept.group.capitalize()), concept.word),
        0.0 if edit is None else edit.amount,
        concept.limit,
        ends=concept.ends,
        remark="" if rows is None else tr("rows {start}-{stop}", start=rows[0], stop=rows[1]),
    )
    if concept.name not in delivered or not control.is_set:
        return control
    left = f"{delivered[concept.name]:+.1f}"
    text = tr("{asked} asked; under the locks {left} of it is seen", asked=control.value, left=left)
    return replace(control, delivered=left, remark=f"{text}. {control.remark}".removesuffix(" "))


def _other_edit_controls(state: InterfaceState, recipe: Recipe) -> list[Control]:
    """Edits of the recipe that have no row yet: of channels, of other networks, of a direction a second time."""
    shown = {find_edit_index(recipe, concept) for concept in state.face.concepts}
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


def find_edit_index(recipe: Recipe, concept: Concept) -> int | None:
    """Place of the first edit of `concept` among the recipe's; None where there is none.

    By name as well as by digest: a direction may have been kept under two names.
    """
    from tuiface.faces.recipe import DirectionEdit

    wanted = (concept.name, concept.sha256)
    edits = enumerate(recipe.edits)
    return next((i for i, e in edits if isinstance(e, DirectionEdit) and (e.direction, e.sha256) == wanted), None)


def find_lock(recipe: Recipe, region: str) -> RegionLock | None:
    """The recipe's lock on a region."""
    return next((lock for lock in recipe.locks if lock.region == region), None)


def locked_regions(recipe: Recipe) -> tuple[Region, ...]:
    """What is locked, in the order of locking."""
    return tuple(lock.region for lock in recipe.locks)
