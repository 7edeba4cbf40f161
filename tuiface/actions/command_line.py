"""Words of the command that does the same as the interface just did: what of a face flags can say, and quoting."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuiface.core.limits import CHANNEL_LIMIT, MAX_AMOUNT, W_AVG
from tuiface.core.visible import is_visible, to_visible
from tuiface.core.words import format_number

if TYPE_CHECKING:
    from pathlib import Path

    from tuiface.directions.catalogue import Catalogue
    from tuiface.directions.populations import Populations
    from tuiface.faces.recipe import Recipe


def render_words(
    recipe: Recipe, catalogue: Catalogue | None = None, populations: Populations | None = None
) -> list[str] | None:
    """What `tuiface render` is given to make `recipe`; None where flags cannot say it and a file must.

    `catalogue` and `populations` say which directions and centres commands will find by their names; without them,
    edits and populations cannot be said.
    """
    edits = _edit_flags(recipe, catalogue)
    if recipe.source.kind == "latent" or edits is None or not _has_plain_mixes(recipe):
        return None
    if not _names_its_centre(recipe, populations):
        return None
    words: list[str] = [str(recipe.source.seed)]
    for mix in recipe.mixes:
        assert mix.source.kind == "seed"
        words += ["--mix", f"{mix.source.seed}@{mix.rows[0]}-{mix.rows[1]}"]
    words += psi_flags(recipe.truncation.psi)
    if recipe.truncation.cutoff is not None:
        words += ["--cutoff", str(recipe.truncation.cutoff)]
    words += population_flags(recipe.truncation.center)
    if recipe.source.label:
        words += ["--class", str(recipe.source.label)]
    words += edits
    if recipe.noise.mode == "random":
        words += ["--noise", f"random:{recipe.noise.seed}"]
    elif recipe.noise.mode != "const":
        words += ["--noise", recipe.noise.mode]
    return words


def plain_seed(recipe: Recipe) -> int | None:
    """The seed of a face that a command makes of it and of psi alone; None for any other."""
    source = recipe.source
    if source.kind != "seed" or source.label:
        return None
    drawn = recipe.derive(mixes=(), edits=(), locks=(), noise={}, truncation={"psi": recipe.truncation.psi})
    return source.seed if drawn == recipe else None


def psi_flags(psi: float) -> list[str]:
    """The flag of truncation. Of numbers below 0, argparse takes those with an exponent for flags."""
    text = format_number(psi)
    return flag_words("--psi", text) if "e" in text else ["--psi", text]


def model_flags(model: Path | None) -> list[str]:
    """The flag that opens a network from whatever folder; none for the one of the settings."""
    return [] if model is None else flag_words("--model", str(model.absolute()))


def population_flags(center: str) -> list[str]:
    """The flag that truncates towards a population; none for the network's own mean."""
    return [] if center == W_AVG else flag_words("--population", center)


def flag_words(flag: str, value: str) -> list[str]:
    """A flag with its value, also where the value would be taken for a flag."""
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


def _edit_flags(recipe: Recipe, catalogue: Catalogue | None) -> list[str] | None:
    """The flags of edits and locks; None where a command would find another direction by the name, or none."""
    from tuiface.faces.recipe import ChannelEdit

    if any(lock.mask is not None for lock in recipe.locks) or (recipe.edits and catalogue is None):
        return None
    entries = catalogue.entries(recipe.model) if catalogue is not None and recipe.edits else []  # reads files
    known = {entry.direction.name: entry.direction for entry in entries}
    if any(abs(edit.amount) > MAX_AMOUNT for edit in recipe.edits):
        return None
    words: list[str] = []
    is_beyond = False
    for edit in recipe.edits:
        if isinstance(edit, ChannelEdit):
            name, limit = f"{edit.channel[0]}:{edit.channel[1]}", CHANNEL_LIMIT
        else:
            direction = known.get(edit.direction)
            if direction is None or direction.sha256 != edit.sha256 or edit.foreign:
                return None
            name, limit = edit.direction, direction.header.limit
        rows = None if isinstance(edit, ChannelEdit) else edit.rows
        at = "" if rows is None else f"@{rows[0]}-{rows[1]}"
        words += ["--edit", f"{name}={format_number(edit.amount)}{at}"]
        is_beyond |= abs(edit.amount) > limit
    for lock in recipe.locks:
        words += ["--lock", lock.as_flag()]
    return [*words, "--beyond"] if is_beyond else words


def _has_plain_mixes(recipe: Recipe) -> bool:
    """Whether all of them come from plain seeds, in the class of the face itself."""
    label = recipe.source.label if recipe.source.kind == "seed" else None
    return all(mix.source.kind == "seed" and mix.source.label == label for mix in recipe.mixes)


def _names_its_centre(recipe: Recipe, populations: Populations | None) -> bool:
    """Whether commands find this very centre of truncation by its name: it may have been estimated anew meanwhile."""
    center = recipe.truncation.center
    if center == W_AVG:
        return True
    centres = {} if populations is None else {named.name: named.array() for named in populations.of(recipe.model)}
    return center in centres and recipe.truncation.towards(center, centres[center]) == recipe.truncation


def quote_words(words: Sequence[str]) -> str:
    """Words as a shell takes them, and as a terminal may be given them, to show or to paste."""
    return " ".join(map(_quote_word, words))


def _quote_word(word: str) -> str:
    """With `$'\\x1b'` for what a terminal obeys: pasted as it is, it could end the paste and press Enter."""
    if to_visible(word, None) == word:
        return shlex.quote(word)
    return f"$'{''.join(map(_quote_character, word))}'"


def _quote_character(character: str) -> str:
    if character in "'\\":
        return f"\\{character}"
    if is_visible(character):
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
