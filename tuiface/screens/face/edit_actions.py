"""The steps that turn a knob of the face on the screen: amounts, rows, locks. They know no widget.

Consecutive steps of one amount are one step of the history, so that undo takes back what the eye saw as one change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from tuiface.core.limits import CHANNEL_LIMIT, MAX_SEED
from tuiface.screens.face.face_actions import FINE_PSI_STEP, PSI_STEP, StudioAction, set_psi, step_psi, step_seed

if TYPE_CHECKING:
    from tuiface.faces.recipe import Edit, Recipe, Region, RegionLock
    from tuiface.faces.studio import Face, Studio
    from tuiface.screens.face.controls import Concept, Control
    from tuiface.screens.session import Session

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

AMOUNT_STEP, FINE_AMOUNT_STEP = 0.5, 0.1
LOCK_STEP, FINE_LOCK_STEP = 0.25, 0.05


def adjust(session: Session, knob: Control, way: int, *, fine: bool) -> StudioAction:
    """One key press on a row: less (`way` -1) or more (1), by a coarse or a fine step."""
    if knob.kind == "seed":
        return lambda studio: step_seed(studio, way)
    if knob.kind == "psi":
        return lambda studio: step_psi(studio, way * (FINE_PSI_STEP if fine else PSI_STEP))
    if knob.kind == "noise":
        return lambda studio: step_noise(studio, way)
    if knob.kind == "lock":
        return lambda studio: _step_lock(studio, _region(knob), way * (FINE_LOCK_STEP if fine else LOCK_STEP))
    step = way * (FINE_AMOUNT_STEP if fine else AMOUNT_STEP)
    may_exceed = session.may_exceed
    return lambda studio: _step_amount(studio, session, knob, step, may_exceed=may_exceed)


def reset(session: Session, knob: Control) -> StudioAction:
    """The row as it is on an unedited face; a seed has nothing to go back to."""
    if knob.kind == "psi":
        return lambda studio: set_psi(studio, studio.settings.psi)
    if knob.kind == "noise":
        return _reset_noise
    if knob.kind == "lock":
        return lambda studio: _put_lock(studio, _region(knob), None)
    if knob.kind in ("concept", "edit"):
        return lambda studio: _set_amount(studio, session, knob, 0.0)
    return lambda studio: None


def reset_edits(studio: Studio) -> None:
    """The face without its edits; locks stay."""
    studio.show(studio.current.derive(edits=()))


def step_noise(studio: Studio, way: int) -> None:
    """Along none, the network's own maps, then maps drawn from seed 0, 1, ..."""
    from tuiface.faces.recipe import Noise

    face = studio.current
    noise = face.recipe.noise
    place = {"none": 0, "const": 1, "random": 2 + (noise.seed or 0)}[noise.mode] + way
    if place < 2:
        studio.show(face.derive(noise=Noise(mode="const" if place == 1 else "none")))
    else:
        studio.show(face.derive(noise=Noise(mode="random", seed=min(place - 2, MAX_SEED))))


# --- amounts -------------------------------------------------------------------------------------------------------


def find_edit_index(recipe: Recipe, concept: Concept) -> int | None:
    """Place of the first edit of `concept` among the recipe's; None where there is none.

    By name as well as by digest: a direction may have been kept under two names.
    """
    from tuiface.faces.recipe import DirectionEdit

    wanted = (concept.name, concept.sha256)
    edits = enumerate(recipe.edits)
    return next((i for i, e in edits if isinstance(e, DirectionEdit) and (e.direction, e.sha256) == wanted), None)


def find_edit(session: Session, recipe: Recipe, knob: Control) -> tuple[int | None, Edit | None, float]:
    """Place, edit and limit of a concept's row; a new edit of amount 0 without a place where there is none."""
    from tuiface.faces.recipe import DirectionEdit

    name = knob.key.partition(":")[2]
    if knob.kind == "edit":
        place = int(name)
        return (place, recipe.edits[place], CHANNEL_LIMIT) if place < len(recipe.edits) else (None, None, 0.0)
    concept = next((concept for concept in session.concepts if concept.name == name), None)
    if concept is None:
        return None, None, 0.0
    at = find_edit_index(recipe, concept)
    new = DirectionEdit(direction=concept.name, sha256=concept.sha256, amount=0.0)
    return at, new if at is None else recipe.edits[at], concept.limit


def set_rows(studio: Studio, session: Session, knob: Control, rows: tuple[int, int] | None) -> None:
    """Let the edit of a row move other rows of W+; None for the direction's own."""
    place, edit, _ = find_edit(session, studio.current.recipe, knob)
    if place is not None and edit is not None:
        _show_edits(studio, place, edit.model_copy(update={"rows": rows}))


def movable_rows(session: Session, knob: Control) -> str | None:
    """`4-8`, or empty for the direction's own rows; None for a row that is no edit of W+, or has no amount yet."""
    if session.studio is None or knob.kind not in ("concept", "edit"):
        return None
    place, edit, _ = find_edit(session, session.studio.current.recipe, knob)
    if place is None or edit is None or not session.studio.moves_rows(edit):
        return None
    rows = getattr(edit, "rows", None)
    return "" if rows is None else f"{rows[0]}-{rows[1]}"


def _step_amount(studio: Studio, session: Session, knob: Control, step: float, *, may_exceed: bool) -> None:
    _, edit, limit = find_edit(session, studio.current.recipe, knob)
    if edit is None:
        return
    amount = round(edit.amount + step, 2)
    if not may_exceed and abs(amount) > limit:  # an amount that is beyond already may come back, or stay
        amount = min(max(amount, -max(limit, -edit.amount)), max(limit, edit.amount))
    _set_amount(studio, session, knob, amount)


def _set_amount(studio: Studio, session: Session, knob: Control, amount: float) -> None:
    place, edit, _ = find_edit(session, studio.current.recipe, knob)
    if edit is not None and not (place is None and not amount):
        _show_edits(studio, place, edit.model_copy(update={"amount": float(amount)}))


def _show_edits(studio: Studio, place: int | None, edit: Edit) -> None:
    """The face with an edit added, replaced or, at amount 0, taken away."""
    face = studio.current
    edits = list(face.recipe.edits)
    if place is None:
        edits.append(edit)
    elif edit.amount:
        edits[place] = edit
    else:
        del edits[place]
    changed = face.derive(edits=tuple(edits))
    if _is_same_change(studio, edit):
        studio.amend(changed)
    else:
        studio.show(changed)


def _is_same_change(studio: Studio, edit: Edit) -> bool:
    """Whether the step that led to the current face changed nothing but the amount of this same edit."""
    faces, position = studio.history
    face = faces[position]
    if not position or face.saved:
        return False
    before = faces[position - 1]
    return _remove_edit(face, edit) == _remove_edit(before, edit) and face.recipe != before.recipe


def _remove_edit(face: Face, edit: Edit) -> Recipe:
    same = edit.model_copy(update={"amount": 0.0})
    return face.recipe.derive(edits=tuple(e for e in face.recipe.edits if e.model_copy(update={"amount": 0.0}) != same))


# --- locks ---------------------------------------------------------------------------------------------------------


def find_lock(recipe: Recipe, region: str) -> RegionLock | None:
    """The recipe's lock on a region."""
    return next((lock for lock in recipe.locks if lock.region == region), None)


def toggle_lock(studio: Studio, region: Region) -> None:
    """Lock a region fully, by direction, or let it go."""
    from tuiface.faces.recipe import RegionLock

    locked = find_lock(studio.current.recipe, region)
    _put_lock(studio, region, RegionLock(region=region) if locked is None else None)


def cycle_guarantee(studio: Studio, regions: tuple[Region, ...]) -> None:
    """The next of direction, blend and paste for the locks on `regions`; all take the one after the first one's."""
    from tuiface.faces.recipe import Guarantee

    guarantees = get_args(Guarantee)
    recipe = studio.current.recipe
    first = next((lock for lock in recipe.locks if lock.region in regions), None)
    if first is None:
        return
    following = guarantees[(guarantees.index(first.guarantee) + 1) % len(guarantees)]
    locks = tuple(
        lock.model_copy(update={"guarantee": following}) if lock.region in regions else lock for lock in recipe.locks
    )
    studio.show(studio.current.derive(locks=locks))


def locked_regions(recipe: Recipe) -> tuple[Region, ...]:
    """What is locked, in the order of locking."""
    return tuple(lock.region for lock in recipe.locks)


def control_region(knob: Control) -> Region | None:
    """The region of a lock's row; None for other rows."""
    return _region(knob) if knob.kind == "lock" else None


def _region(knob: Control) -> Region:
    from tuiface.faces.recipe import Region

    name = knob.key.partition(":")[2]
    return next(region for region in get_args(Region) if region == name)


def _step_lock(studio: Studio, region: Region, step: float) -> None:
    from tuiface.faces.recipe import RegionLock

    lock = find_lock(studio.current.recipe, region)
    strength = round(min(max((0.0 if lock is None else lock.strength) + step, 0.0), 1.0), 2)
    if lock is None:
        new = RegionLock(region=region, strength=strength) if strength else None
    else:
        new = lock.model_copy(update={"strength": strength}) if strength else None
    _put_lock(studio, region, new)


def _put_lock(studio: Studio, region: Region, lock: RegionLock | None) -> None:
    """The face with one lock added, replaced in its place, or let go."""
    recipe = studio.current.recipe
    locks = [lock if old.region == region else old for old in recipe.locks]
    if lock is not None and lock not in locks:
        locks.append(lock)
    studio.show(studio.current.derive(locks=tuple(old for old in locks if old is not None)))


def _reset_noise(studio: Studio) -> None:
    from tuiface.faces.recipe import Noise

    studio.show(studio.current.derive(noise=Noise()))
