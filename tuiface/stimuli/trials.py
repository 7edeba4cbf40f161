"""A face moved along directions that have no file yet: what a search found, to be looked at before it is kept."""

from __future__ import annotations

import numpy as np

from tuiface.directions.direction import STEP, Direction
from tuiface.faces.recipe import ChannelEdit, LatentSource, Truncation
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
