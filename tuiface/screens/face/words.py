"""What a recipe's parts are called in lists, captions and toasts: the seed, the noise, edits, locks; and paths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.core.i18n import current_language, tr
from tuiface.core.visible import to_visible
from tuiface.directions.concepts import concept_word

if TYPE_CHECKING:
    from tuiface.faces.library import LibraryFace
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
    mixes = [source_name(mix.source) for mix in recipe.mixes]
    edits = [f"{edit_word(edit)} {format_amount(edit.amount)}" for edit in recipe.edits]
    return _join_title(source_name(recipe.source), mixes, edits, lock_words(recipe.locks))


def library_title(face: LibraryFace) -> str:
    """The name that a person gave to a saved face, or the one it has by itself."""
    return face.title or default_title(face)


def default_title(face: LibraryFace) -> str:
    """What a saved face is called that nobody named, as `face_title` says it."""
    source = tr("latent") if face.seed is None else str(face.seed)
    edits = [_describe_edit(*edit.rpartition("=")[::2]) for edit in face.edits]
    locks = ", ".join(_describe_lock(*lock.partition(":")[::2]) for lock in face.locks)
    return _join_title(source, [mix or tr("latent") for mix in face.mixes], edits, locks)


def _join_title(source: str, mixes: Sequence[str], edits: Sequence[str], locks: str) -> str:
    parts = [source, *(f"× {mix}" for mix in mixes[:2]), *edits[:_TITLE_EDITS]]
    if len(edits) > _TITLE_EDITS:
        parts.append(f"+{len(edits) - _TITLE_EDITS}")
    if locks:
        parts.append(tr("{regions} locked", regions=locks))
    return " · ".join(parts)


def _describe_edit(name: str, amount: str) -> str:
    word = name if ":" in name else concept_word(name, current_language())
    return f"{word} {format_amount(float(amount))}"


def _describe_lock(region: str, guarantee: str) -> str:
    """`hair 0.50 blend` of the flag's `hair=0.5:blend`."""
    name, _, strength = region.partition("=")
    words = [region_word(name), *([f"{float(strength):.2f}"] if strength else [])]
    return " ".join([*words, *([tr(guarantee)] if guarantee else [])])


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
    return ", ".join(_describe_lock(*lock.as_flag().partition(":")[::2]) for lock in locks)


def home_relative(path: Path) -> str:
    """`path` with ~ for the home folder, as a shell takes it."""
    home = Path.home()
    text = f"~/{path.relative_to(home)}" if path.is_relative_to(home) and path != home else str(path)
    return to_visible(text, MAX_PATH)
