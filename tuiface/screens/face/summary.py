"""The side panel's words: what is known of the face, the model, the engine and the library, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuiface.core.i18n import tr, trn
from tuiface.screens.face.controls import list_controls
from tuiface.screens.face.words import (
    edit_word,
    face_title,
    format_amount,
    home_relative,
    lock_words,
    noise_text,
    source_name,
    source_text,
)

if TYPE_CHECKING:
    from tuiface.engine_api.protocol import EngineInfo
    from tuiface.faces.recipe import Recipe
    from tuiface.faces.studio import Face, Studio
    from tuiface.screens.state import InterfaceState

UNKNOWN = "-"
HISTORY_ROWS = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the panel, or several where `value` does not fit."""

    label: str
    """Empty for a value that speaks for itself."""
    value: str
    is_notice: bool = False
    """What a user must not overlook."""
    is_key: bool = False
    """The numbers that the eye looks for first."""
    is_faint: bool = False
    """What was undone."""
    gauge: float | None = None
    """A number to be drawn on a line from -1 to 1 as well."""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under one heading."""

    title: str
    rows: tuple[Row, ...]


def summarize(state: InterfaceState) -> tuple[Section, ...]:
    """The panel for the present state."""
    studio = state.studio
    if studio is None:
        face = Section(tr("Face"), _unknown_face_rows(num_kept=len(state.engine.pending_actions)))
        return (face, Section(tr("Library"), _library_rows(state)))
    return (
        Section(tr("Face"), _face_rows(studio.current)),
        Section(tr("Model"), _model_rows(studio.info)),
        Section(tr("Engine"), _engine_rows(state, studio.info)),
        Section(tr("Library"), _library_rows(state)),
        Section(tr("History"), _history_rows(studio)),
    )


def summarize_in_one_line(state: InterfaceState) -> str:
    """The face in one line, for terminals without room for a panel."""
    if state.studio is None:
        return ""
    recipe = state.studio.current.recipe
    noise = tr("noise {mode}", mode=noise_text(recipe.noise))
    chosen = next((control for control in list_controls(state) if control.key == state.face.control_key), None)
    is_named = chosen is None or chosen.kind in ("seed", "class", "psi", "noise")
    turned = "" if chosen is None or is_named else f"{chosen.word} {chosen.value}  "
    return f"{turned}{source_text(state.studio.current)}  psi {recipe.truncation.psi:.2f}  {noise}"


def _unknown_face_rows(num_kept: int) -> tuple[Row, ...]:
    kept = (Row("", trn("{number} key kept", "{number} keys kept", num_kept)),) if num_kept else ()
    return (Row(tr("seed"), UNKNOWN), Row("psi", UNKNOWN), Row(tr("noise"), UNKNOWN), *kept)


def _face_rows(face: Face) -> tuple[Row, ...]:
    source, recipe = face.recipe.source, face.recipe
    return (
        Row(tr("seed"), str(source.seed) if source.kind == "seed" else tr("latent"), is_key=True),
        Row("psi", f"{recipe.truncation.psi:.2f}", is_key=True, gauge=recipe.truncation.psi),
        Row(tr("noise"), noise_text(recipe.noise)),
        *((Row("", face_title(recipe)),) if recipe.edits or recipe.locks else ()),
        *(Row(tr("mix"), f"{source_name(mix.source)} @ {mix.rows[0]}-{mix.rows[1]}") for mix in recipe.mixes),
        Row("id", f"{face.id}, {tr('saved')}" if face.saved else face.id),
    )


def _history_rows(studio: Studio) -> tuple[Row, ...]:
    """The steps around the present one, the newest above."""
    faces, position = studio.history
    stop = min(len(faces), position + 3)
    rows = []
    for index in range(stop - 1, max(-1, stop - 1 - HISTORY_ROWS), -1):
        before = faces[index - 1] if index else None
        rows.append(Row("", step_text(before, faces[index]), is_key=index == position, is_faint=index > position))
    return tuple(rows)


def step_text(before: Face | None, after: Face) -> str:
    """What changed from one face of the history to the next, in a few words."""
    recipe = after.recipe
    old = before.recipe if before is not None else None
    if old is None or old.source != recipe.source:
        return source_text(after)
    if old.truncation != recipe.truncation:
        return f"psi {recipe.truncation.psi:.2f}"
    if old.noise != recipe.noise:
        return tr("noise {mode}", mode=noise_text(recipe.noise))
    if old.mixes != recipe.mixes:
        return tr("mix")
    if old.edits != recipe.edits:
        return _edit_text(old, recipe)
    locks = [lock for lock in recipe.locks if lock not in old.locks]
    return tr("lock {regions}", regions=lock_words(locks)) if locks else tr("lock taken away")


def _edit_text(old: Recipe, new: Recipe) -> str:
    """`smile +1.5`: the edit that was made or changed last; the one that went, at 0."""
    made = [edit for edit in new.edits if edit not in old.edits]
    if made:
        return f"{edit_word(made[-1])} {format_amount(made[-1].amount)}"
    gone = [edit for edit in old.edits if edit not in new.edits]
    return f"{edit_word(gone[0])} 0" if len(gone) == 1 else tr("edits taken back")


def _model_rows(info: EngineInfo) -> tuple[Row, ...]:
    return (
        Row("", info.model.name + (f" ({tr('embedded')})" if info.embedded else ""), is_key=True),
        Row(tr("size"), f"{info.resolution} x {info.resolution} px"),
        Row(tr("licence"), info.licence),
        *(Row("", notice, is_notice=True) for notice in info.notices),
    )


def _engine_rows(state: InterfaceState, info: EngineInfo) -> tuple[Row, ...]:
    threads = trn("{number} thread", "{number} threads", info.threads)
    rows = [Row(tr("device"), f"{info.device}, {threads}" if info.device == "cpu" else info.device_name)]
    if state.preview.result is not None:
        result = state.preview.result
        rows.append(
            Row(tr("preview"), tr("{px} px in {ms} ms", px=result.pixels.shape[1], ms=f"{result.elapsed_ms:.0f}"))
        )
        rows.extend(Row("", notice, is_notice=True) for notice in result.notices)
    if state.engine.phase == "stopped" and state.engine.error is not None:
        rows.append(Row("", str(state.engine.error), is_notice=True))
        rows.append(Row("", tr("press R to restart it"), is_notice=True))
    return tuple(rows)


def _library_rows(state: InterfaceState) -> tuple[Row, ...]:
    rows = [Row("", home_relative(state.settings.library))]
    if state.saves.pending:
        rows.append(Row("", tr("saving {number}", number=len(state.saves.pending))))
    if state.saves.num_saved:
        rows.append(Row("", tr("{number} saved in this session", number=state.saves.num_saved)))
    return tuple(rows)
