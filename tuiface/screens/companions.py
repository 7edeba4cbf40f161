"""The faces that a screen sets beside one that was chosen: other seeds, drawn as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.core.limits import MAX_SEED

if TYPE_CHECKING:
    from tuiface.faces.studio import Face


def seed_after(face: Face) -> int:
    """The seed after that of `face`; 0 for a face that has none."""
    source = face.recipe.source
    return (source.seed + 1) % (MAX_SEED + 1) if source.kind == "seed" else 0


def make_companion(face: Face, seed: int) -> Face:
    """The face of `seed` with the truncation and the class of `face`, and without its edits."""
    recipe = face.recipe
    label = recipe.source.label if recipe.source.kind == "seed" else None
    return face.studio.face(seed, recipe.truncation.psi, label=label)


def make_edited_companion(face: Face, seed: int) -> Face:
    """The same with its edits, locks and noise too: a transition needs them equal at both ends."""
    recipe = face.recipe
    return make_companion(face, seed).derive(edits=recipe.edits, locks=recipe.locks, noise=recipe.noise)
