"""The steps that keys take from the face on the screen: each shows another face in the studio and knows no widget.

Consecutive steps of one amount are one step of the history, so that undo takes back what the eye saw as one change.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from tuiface.core.limits import CHANNEL_LIMIT, MAX_SEED, PSI_RANGE
from tuiface.screens.face.controls import find_edit_index, find_lock

if TYPE_CHECKING:
    from tuiface.faces.recipe import Edit, Recipe, Region, RegionLock
    from tuiface.faces.studio import Face, Studio
    from tuiface.screens.engine_state import StudioAction
    from tuiface.screens.face.controls import Control
    from tuiface.screens.face.state import FaceState

PSI_STEP, FINE_PSI_STEP = 0.1, 0.01
AMOUNT_STEP, FINE_AMOUNT_STEP = 0.5, 0.1
LOCK_STEP, FINE_LOCK_STEP = 0.25, 0.05


# --- seed, class, psi, noise ----------------------------------------------------------------------------------------


def show_seed(studio: Studio, seed: int) -> None:
    """The face of another seed, with the truncation and noise of this one. It is no child of this one."""
    recipe = studio.current.recipe
    label = recipe.source.label if recipe.source.kind == "seed" else None
    face = studio.face(seed, label=label)
    studio.show(face.derive(truncation=recipe.truncation, noise=recipe.noise))


def step_seed(studio: Studio, step: int) -> None:
    """`step` seeds on, or back; there is nothing below 0. From a face without a seed, to seed 0."""
    source = studio.current.recipe.source
    seed = source.seed + step if source.kind == "seed" else 0
    show_seed(studio, min(max(seed, 0), MAX_SEED))


def step_seed_same_edits(studio: Studio) -> None:
    """The seed after, with the edits and locks of this face."""
    recipe = studio.current.recipe
    seed = recipe.source.seed + 1 if recipe.source.kind == "seed" else 0
    label = recipe.source.label if recipe.source.kind == "seed" else None
    face = studio.face(min(seed, MAX_SEED), label=label)
    kept = {"truncation": recipe.truncation, "noise": recipe.noise, "edits": recipe.edits, "locks": recipe.locks}
    studio.show(face.derive(**kept))


def set_class(studio: Studio, label: int) -> None:
    """The same draw in another class of a network that has some: from the last on to the first, and back."""
    source = studio.current.recipe.source
    if source.kind == "seed" and studio.info.c_dim:
        chosen = source.model_copy(update={"label": label % studio.info.c_dim})
        studio.show(studio.current.derive(source=chosen))


def _step_class(studio: Studio, way: int) -> None:
    source = studio.current.recipe.source
    set_class(studio, way + ((source.label or 0) if source.kind == "seed" else 0))


def set_psi(studio: Studio, psi: float) -> None:
    """The same draw at another psi, held within what a recipe accepts."""
    low, high = PSI_RANGE
    face = studio.current
    studio.show(face.truncate(min(max(psi, low), high), face.recipe.truncation.cutoff))


def step_psi(studio: Studio, step: float) -> None:
    """Psi moved by `step`, rounded to hundredths: ten steps of 0.1 end at a whole number."""
    set_psi(studio, round(studio.current.recipe.truncation.psi + step, 2))


def cycle_noise(studio: Studio) -> None:
    """The network's own noise maps, then none, then maps drawn from seed 0, then the network's own again."""
    from tuiface.faces.recipe import Noise

    noises = (Noise(), Noise(mode="none"), Noise(mode="random", seed=0))
    face = studio.current
    at = noises.index(face.recipe.noise) if face.recipe.noise in noises else -1
    studio.show(face.derive(noise=noises[(at + 1) % len(noises)]))


def _random_seed(studio: Studio) -> None:
    show_seed(studio, random.randint(0, MAX_SEED))  # noqa: S311 - any seed is as good as another


# --- the chosen row -------------------------------------------------------------------------------------------------


def adjust(face_state: FaceState, control: Control, way: int, *, fine: bool) -> StudioAction:
    """One key press on a row: less (`way` -1) or more (1), by a coarse or a fine step."""
    if control.kind == "seed":
        return lambda studio: step_seed(studio, way)
    if control.kind == "class":
        return lambda studio: _step_class(studio, way)
    if control.kind == "psi":
        return lambda studio: step_psi(studio, way * (FINE_PSI_STEP if fine else PSI_STEP))
    if control.kind == "noise":
        return lambda studio: step_noise(studio, way)
    if control.kind == "lock":
        return lambda studio: _step_lock(studio, _region(control), way * (FINE_LOCK_STEP if fine else LOCK_STEP))
    step = way * (FINE_AMOUNT_STEP if fine else AMOUNT_STEP)
    may_exceed = face_state.may_exceed
    return lambda studio: _step_amount(studio, face_state, control, step, may_exceed=may_exceed)


def set_slider(face_state: FaceState, control: Control, value: float) -> StudioAction:
    """A slider put at `value`, from -1 to 1: psi, or an amount as a share of what the model is known to do."""
    if control.kind == "psi":
        return lambda studio: set_psi(studio, round(value, 2))

    def set_share(studio: Studio) -> None:
        _, _, limit = find_edit(face_state, studio.current.recipe, control)
        _set_amount(studio, face_state, control, min(max(round(value * limit, 1), -limit), limit))

    return set_share


def reset(face_state: FaceState, control: Control) -> StudioAction:
    """The row as it is on an unedited face; a seed has nothing to go back to."""
    if control.kind == "class":
        return lambda studio: set_class(studio, 0)
    if control.kind == "psi":
        return lambda studio: set_psi(studio, studio.settings.psi)
    if control.kind == "noise":
        return _reset_noise
    if control.kind == "lock":
        return lambda studio: _put_lock(studio, _region(control), None)
    if control.kind in ("concept", "edit"):
        return lambda studio: _set_amount(studio, face_state, control, 0.0)
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


def find_edit(face_state: FaceState, recipe: Recipe, control: Control) -> tuple[int | None, Edit | None, float]:
    """Place, edit and limit of a concept's row; a new edit of amount 0 without a place where there is none."""
    from tuiface.faces.recipe import DirectionEdit

    name = control.key.partition(":")[2]
    if control.kind == "edit":
        place = int(name)
        return (place, recipe.edits[place], CHANNEL_LIMIT) if place < len(recipe.edits) else (None, None, 0.0)
    concept = next((concept for concept in face_state.concepts if concept.name == name), None)
    if concept is None:
        return None, None, 0.0
    at = find_edit_index(recipe, concept)
    new = DirectionEdit(direction=concept.name, sha256=concept.sha256, amount=0.0)
    return at, new if at is None else recipe.edits[at], concept.limit


def set_rows(studio: Studio, face_state: FaceState, control: Control, rows: tuple[int, int] | None) -> None:
    """Let the edit of a row move other rows of W+; None for the direction's own."""
    place, edit, _ = find_edit(face_state, studio.current.recipe, control)
    if place is not None and edit is not None:
        _show_edits(studio, place, edit.model_copy(update={"rows": rows}))


def movable_rows(face_state: FaceState, studio: Studio | None, control: Control) -> str | None:
    """`4-8`, or empty for the direction's own rows; None for a row that is no edit of W+, or has no amount yet."""
    if studio is None or control.kind not in ("concept", "edit"):
        return None
    place, edit, _ = find_edit(face_state, studio.current.recipe, control)
    if place is None or edit is None or not studio.moves_rows(studio.current.recipe, edit):
        return None
    rows = getattr(edit, "rows", None)
    return "" if rows is None else f"{rows[0]}-{rows[1]}"


def _step_amount(studio: Studio, face_state: FaceState, control: Control, step: float, *, may_exceed: bool) -> None:
    _, edit, limit = find_edit(face_state, studio.current.recipe, control)
    if edit is None:
        return
    amount = round(edit.amount + step, 2)
    if not may_exceed and abs(amount) > limit:  # an amount that is beyond already may come back, or stay
        amount = min(max(amount, -max(limit, -edit.amount)), max(limit, edit.amount))
    _set_amount(studio, face_state, control, amount)


def _set_amount(studio: Studio, face_state: FaceState, control: Control, amount: float) -> None:
    place, edit, _ = find_edit(face_state, studio.current.recipe, control)
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


def control_region(control: Control) -> Region | None:
    """The region of a lock's row; None for other rows."""
    return _region(control) if control.kind == "lock" else None


def _region(control: Control) -> Region:
    from tuiface.faces.recipe import Region

    name = control.key.partition(":")[2]
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


STUDIO_ACTIONS: Mapping[str, StudioAction] = {
    "previous_seed": lambda studio: step_seed(studio, -1),
    "next_seed": lambda studio: step_seed(studio, 1),
    "next_seed_same_edits": step_seed_same_edits,
    "random_seed": _random_seed,
    "psi_down": lambda studio: step_psi(studio, -PSI_STEP),
    "psi_up": lambda studio: step_psi(studio, PSI_STEP),
    "psi_down_fine": lambda studio: step_psi(studio, -FINE_PSI_STEP),
    "psi_up_fine": lambda studio: step_psi(studio, FINE_PSI_STEP),
    "noise": cycle_noise,
    "undo": lambda studio: studio.undo(),
    "redo": lambda studio: studio.redo(),
}
"""The actions that are one step, by their ids."""
