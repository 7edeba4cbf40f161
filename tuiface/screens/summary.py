"""The side panel's words: what is known of the face, the model, the engine and the library, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuiface.protocol import EngineInfo
    from tuiface.recipe import Noise
    from tuiface.screens.session import Session
    from tuiface.studio import Face

UNKNOWN = "-"


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
    gauge: float | None = None
    """A number to be drawn on a line from -1 to 1 as well."""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under one heading."""

    title: str
    rows: tuple[Row, ...]


def summarize(session: Session) -> tuple[Section, ...]:
    """The panel for the session's present state."""
    studio = session.studio
    if studio is None:
        face = Section("Face", _unknown_face_rows(num_kept=len(session.kept_steps)))
        return (face, Section("Library", _library_rows(session)))
    return (
        Section("Face", _face_rows(studio.current)),
        Section("Model", _model_rows(studio.info)),
        Section("Engine", _engine_rows(session, studio.info)),
        Section("Library", _library_rows(session)),
    )


def one_line(session: Session) -> str:
    """The face in one line, for terminals without room for a panel."""
    if session.studio is None:
        return ""
    recipe = session.studio.current.recipe
    return f"{source_text(session.studio.current)}  psi {recipe.truncation.psi:.2f}  noise {noise_text(recipe.noise)}"


def source_text(face: Face) -> str:
    """`seed 42`, or `latent` for a face that has none."""
    source = face.recipe.source
    return f"seed {source.seed}" if source.kind == "seed" else "latent"


def noise_text(noise: Noise) -> str:
    """`const`, `none` or `random 0`."""
    return noise.mode if noise.seed is None else f"{noise.mode} {noise.seed}"


def home_relative(path: Path) -> str:
    """`path` with ~ for the home folder, as a shell takes it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) and path != home else str(path)


def _unknown_face_rows(num_kept: int) -> tuple[Row, ...]:
    kept = (Row("", f"{num_kept} key{'s' * (num_kept > 1)} kept"),) if num_kept else ()
    return (Row("seed", UNKNOWN), Row("psi", UNKNOWN), Row("noise", UNKNOWN), *kept)


def _face_rows(face: Face) -> tuple[Row, ...]:
    source, recipe = face.recipe.source, face.recipe
    return (
        Row("seed", str(source.seed) if source.kind == "seed" else "latent", is_key=True),
        Row("psi", f"{recipe.truncation.psi:.2f}", is_key=True, gauge=recipe.truncation.psi),
        Row("noise", noise_text(recipe.noise)),
        Row("id", face.id + (", saved" if face.saved else "")),
    )


def _model_rows(info: EngineInfo) -> tuple[Row, ...]:
    return (
        Row("", info.model.name + (" (embedded)" if info.embedded else ""), is_key=True),
        Row("size", f"{info.resolution} x {info.resolution} px"),
        Row("licence", info.licence),
        *(Row("", notice, is_notice=True) for notice in info.notices),
    )


def _engine_rows(session: Session, info: EngineInfo) -> tuple[Row, ...]:
    threads = f"{info.threads} thread{'s' * (info.threads > 1)}"
    rows = [Row("device", f"{info.device}, {threads}" if info.device == "cpu" else info.device_name)]
    if session.frame is not None:
        frame = session.frame
        rows.append(Row("preview", f"{frame.pixels.shape[1]} px in {frame.elapsed_ms:.0f} ms"))
        rows.extend(Row("", notice, is_notice=True) for notice in frame.notices)
    if session.phase == "stopped" and session.error is not None:
        rows.append(Row("", str(session.error), is_notice=True))
        rows.append(Row("", "press R to restart it", is_notice=True))
    return tuple(rows)


def _library_rows(session: Session) -> tuple[Row, ...]:
    rows = [Row("", home_relative(session.settings.library))]
    if session.saving:
        rows.append(Row("", f"saving {len(session.saving)}"))
    if session.num_saved:
        rows.append(Row("", f"{session.num_saved} saved in this session"))
    return tuple(rows)
