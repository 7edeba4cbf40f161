"""What a recipe's parts are called in lists, captions and toasts: the seed, the noise, edits, locks; and paths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.core.i18n import current_language, tr
from tuiface.core.visible import to_visible
from tuiface.directions.concepts import concept_word

if TYPE_CHECKING:
    from tuiface.faces.recipe import Edit, LatentSource, Noise, Recipe, RegionLock, SeedSource
    from tuiface.faces.studio import Face

_TITLE_EDITS = 3
"""Edits that a face's default name tells; of more it says how many."""
MAX_PATH = 200
"""Characters of a path that are shown."""


def source_text(face: Face) -> str:
    """`seed 42`, or `latent` for a face that has none."""
    source = face.recipe.source
    return tr("seed {seed}", seed=source.seed) if source.kind == "seed" else tr("latent")


def source_name(source: SeedSource | LatentSource) -> str:
    """`42`, or `latent`."""
    return str(source.seed) if source.kind == "seed" else tr("latent")


def face_title(recipe: Recipe) -> str:
    """What a face is called that nobody named: `106 · age +1 · frame locked`."""
    parts = [source_name(recipe.source)]
    parts += [f"× {source_name(mix.source)}" for mix in recipe.mixes[:2]]
    parts += [f"{edit_word(edit)} {format_amount(edit.amount)}" for edit in recipe.edits[:_TITLE_EDITS]]
    if len(recipe.edits) > _TITLE_EDITS:
        parts.append(f"+{len(recipe.edits) - _TITLE_EDITS}")
    if recipe.locks:
        parts.append(tr("{regions} locked", regions=lock_words(recipe.locks)))
    return " · ".join(parts)


def noise_text(noise: Noise) -> str:
    """`const`, `none` or `random 0`."""
    return tr(noise.mode) if noise.seed is None else f"{tr(noise.mode)} {noise.seed}"


def format_amount(amount: float) -> str:
    """`+1.5`, `-0.25`, or a dot for 0."""
    return f"{amount:+.2f}".removesuffix("0").removesuffix(".0") if amount else "·"


def edit_word(edit: Edit) -> str:
    """What an edit is called in lists."""
    from tuiface.faces.recipe import ChannelEdit

    if isinstance(edit, ChannelEdit):
        return f"{edit.channel[0]}:{edit.channel[1]}"
    return to_visible(concept_word(edit.direction, current_language()))


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


def home_relative(path: Path) -> str:
    """`path` with ~ for the home folder, as a shell takes it."""
    home = Path.home()
    text = f"~/{path.relative_to(home)}" if path.is_relative_to(home) and path != home else str(path)
    return to_visible(text, MAX_PATH)
