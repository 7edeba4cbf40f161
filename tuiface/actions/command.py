"""The command that does the same as the interface just did, word for word."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuiface.limits import W_AVG

if TYPE_CHECKING:
    from tuiface.recipe import Recipe
    from tuiface.settings import Settings


def command_line(recipe: Recipe, settings: Settings) -> str:
    """The shell command that renders `recipe`; what a command line cannot say needs the saved JSON."""
    if recipe.source.kind == "latent" or recipe.edits or recipe.locks or not _mixes_can_be_said(recipe):
        return "tuiface render FACE.json"
    words: list[str] = ["tuiface", "render", str(recipe.source.seed)]
    for mix in recipe.mixes:
        assert mix.source.kind == "seed"
        words += ["--mix", f"{mix.source.seed}@{mix.rows[0]}-{mix.rows[1]}"]
    words += ["--psi", number_word(recipe.truncation.psi)]
    if recipe.truncation.cutoff is not None:
        words += ["--cutoff", str(recipe.truncation.cutoff)]
    words += population_words(recipe.truncation.center)
    if recipe.source.label:
        words += ["--class", str(recipe.source.label)]
    if recipe.noise.mode == "random":
        words += ["--noise", f"random:{recipe.noise.seed}"]
    elif recipe.noise.mode != "const":
        words += ["--noise", recipe.noise.mode]
    if settings.model is not None:
        words += ["--model", str(settings.model)]
    return quoted_words(words)


def population_words(center: str) -> list[str]:
    """The flag that truncates towards a population; none for the network's own mean."""
    return [] if center == W_AVG else ["--population", center]


def face_word(recipe: Recipe) -> str:
    """How a command names the face: its seed, or the file that it must be saved to."""
    is_plain = recipe.source.kind == "seed" and not (recipe.mixes or recipe.edits or recipe.locks)
    return str(recipe.source.seed) if recipe.source.kind == "seed" and is_plain else "FACE.json"


def _mixes_can_be_said(recipe: Recipe) -> bool:
    """Whether all of them come from plain seeds, in the class of the face itself."""
    label = recipe.source.label if recipe.source.kind == "seed" else None
    return all(mix.source.kind == "seed" and mix.source.label == label for mix in recipe.mixes)


def number_word(value: float) -> str:
    """The shortest text that reads back as `value`."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def quoted_words(words: Sequence[str]) -> str:
    """Words as a shell takes them."""
    return " ".join(shlex.quote(word) for word in words)
