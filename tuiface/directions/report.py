"""What a direction does to faces, averaged over seeds and both ways: the lines of `tuiface directions report`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuiface.core.limits import DEFAULT_PSI
from tuiface.directions.direction import Direction
from tuiface.engine_api.protocol import Engine, RenderRequest
from tuiface.faces.recipe import DirectionEdit, Recipe, RegionLock, SeedSource, Truncation


def build_edited_recipe(
    engine: Engine, direction: Direction, seed: int, amount: float, locks: tuple[RegionLock, ...] = ()
) -> Recipe:
    """One face of the engine's network moved along a direction."""
    info = engine.info()
    return Recipe(
        model=info.model,
        source=SeedSource(seed=seed, label=0 if info.c_dim else None),
        truncation=Truncation(psi=DEFAULT_PSI),
        edits=(DirectionEdit(direction=direction.name, sha256=direction.sha256, amount=amount),),
        locks=locks,
    )


def measure_direction(
    engine: Engine, direction: Direction, seeds: Sequence[int], amount: float, lock: RegionLock | None = None
) -> dict[str, float]:
    """Mean of every measure of a frame over faces `seeds` at +-amount; the largest for those that end in `_max`."""
    locks = () if lock is None else (lock,)
    frames = [
        engine.render(RenderRequest(build_edited_recipe(engine, direction, seed, sign * amount, locks))).measures
        for seed in seeds
        for sign in (1, -1)
    ]
    shared = [key for key in frames[0] if all(key in frame for frame in frames)]
    columns = {key: np.array([frame[key] for frame in frames]) for key in shared}
    return {
        key: round(float(values.max() if key.endswith("_max") else values.mean()), 4) for key, values in columns.items()
    }
