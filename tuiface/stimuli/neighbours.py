"""Faces near a face, at a chosen distance, for "more like this" and fillers; or along a direction without a file."""

from __future__ import annotations

import numpy as np

from tuiface.core.errors import UsageError
from tuiface.core.limits import MAX_SEED
from tuiface.directions.direction import Direction
from tuiface.faces.direction_numbers import STEP
from tuiface.faces.recipe import ChannelEdit, LatentSource, SeedSource, Truncation
from tuiface.faces.studio import Face


def amounts_of_strip(limit: float, number: int) -> tuple[float, ...]:
    """`number` amounts, an odd number of them, from -`limit` to `limit` in equal steps; the middle one is 0."""
    assert number % 2 == 1
    half = number // 2
    return tuple(round(limit * (i - half) / half, 4) for i in range(number))


def apply_direction(face: Face, ws: np.ndarray, direction: Direction, amount: float) -> Face:
    """The face at `amount` of a direction of its network, without the direction's file.

    ws: float32 [num_ws, w_dim], the face's rows after truncation and mixes (`Engine.ws`). A direction of W or W+ moves
    the rows themselves, so the face becomes one of given latents; one of styles becomes channel edits, whose amounts
    count each channel's own deviations. Locks are left out: they would hold what the trial is to show.
    """
    if not amount:
        return face
    if direction.header.space == "styles":
        edits = [
            ChannelEdit(channel=(layer, int(channel)), amount=amount)
            for layer, array in direction.arrays.items()
            for channel in np.flatnonzero(array)
        ]
        return face.derive(edits=(*face.recipe.edits, *edits), locks=())
    rows = slice(*direction.header.rows) if direction.header.rows is not None else slice(None)
    step = np.broadcast_to(direction.arrays[STEP], ws.shape)
    moved = ws.copy()
    moved[rows] += np.float32(amount) * step[rows]
    return face.derive(source=LatentSource.from_array(moved), truncation=Truncation(psi=1.0), mixes=(), locks=())


MIN_DISTANCE, MAX_DISTANCE = 0.02, 1.0


def draw_neighbours(face: Face, count: int, distance: float, seed: int = 0) -> list[Face]:
    """`count` faces whose difference to `face` is `distance` of that between two unrelated faces.

    In Z for a face that was drawn by a seed: z' = cos(a) z + sin(a) e with e from N(0, 1), which keeps the
    distribution of z; a = distance * 90 degrees. Else in W, along the difference of two draws, scaled alike. The same
    `seed` gives the same neighbours; edits, locks, truncation and noise are the face's own.
    Raises UsageError for a distance outside 0.02 to 1 or a face with mixes.
    """
    if not MIN_DISTANCE <= distance <= MAX_DISTANCE:
        raise UsageError(f"distance {distance:g}; accepted: {MIN_DISTANCE} to {MAX_DISTANCE:g}")
    recipe, engine = face.recipe, face.studio.engine
    if recipe.mixes:
        raise UsageError("a face with mixes has no neighbours of its own", "save it, or undo the mixes")
    noise = np.random.RandomState(seed % (MAX_SEED + 1)).randn(2 * count, face.studio.info.z_dim)
    angle = distance * np.pi / 2
    source = recipe.source
    if isinstance(source, SeedSource):
        z = draw_z(source.seed, face.studio.info.z_dim)
        w = engine.map(np.cos(angle) * z + np.sin(angle) * noise[:count], source.label)  # [count, w_dim]
    else:
        label = 0 if face.studio.info.c_dim else None
        draws = engine.map(noise, label)  # [2 count, w_dim]
        steps = (draws[:count] - draws[count:]) / np.sqrt(2)
        w = source.array()[None] + np.sin(angle) * (steps if source.space == "w" else steps[:, None])
    return [face.derive(source=LatentSource.from_array(row)) for row in w]


def draw_z(seed: int, z_dim: int) -> np.ndarray:
    """float64 [1, z_dim] of a seed, by the field's convention."""
    return np.random.RandomState(seed).randn(1, z_dim)
