"""The steps that keys take from the face on the screen: each shows another face in the studio and knows no widget."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tuiface.core.limits import MAX_SEED, PSI_RANGE

if TYPE_CHECKING:
    from tuiface.faces.studio import Studio

StudioAction = Callable[["Studio"], object]

PSI_STEP, FINE_PSI_STEP = 0.1, 0.01


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


STUDIO_ACTIONS: Mapping[str, StudioAction] = {
    "previous_seed": lambda studio: step_seed(studio, -1),
    "next_seed": lambda studio: step_seed(studio, 1),
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
