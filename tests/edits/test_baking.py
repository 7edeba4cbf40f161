"""Faces as rows of W+: the very pixels, whatever was done to them, but for what no row can hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tuiface.directions.direction import Direction
from tuiface.faces.recipe import LatentSource, Truncation
from tuiface.faces.studio import Face, Studio
from tuiface.stimuli.exchange import cross
from tuiface.stimuli.morph import Morph


@pytest.fixture
def age(studio: Studio, add_direction: Callable[..., Direction]) -> Direction:
    rows = np.random.RandomState(1).randn(studio.info.num_ws, studio.info.w_dim).astype(np.float32)
    return add_direction("age", 0.1 * rows)


CHANGES: dict[str, Callable[[Face], Face]] = {
    "psi": lambda face: face.truncate(0.4, 3),
    "mix": lambda face: face.mix(face.studio.face(9), (0, 2)),
    "edit": lambda face: face.edit("age", 1.5, rows=(1, 4)),
    "lock": lambda face: face.edit("age", 1.5).lock("frame"),
    "styles": lambda face: face.edit("b16.conv1:3", 2.0).edit("age", 0.5),
    "noise": lambda face: face.edit("age", 1.0).noise("random", 4),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_baked_face_is_the_same_picture(studio: Studio, age: Direction, change: str) -> None:
    face = CHANGES[change](studio.face(3))
    baked = face.bake()
    assert isinstance(baked.recipe.source, LatentSource)
    assert baked.recipe.truncation == Truncation(psi=1.0)
    assert (baked.recipe.mixes, baked.recipe.locks) == ((), ())
    assert np.array_equal(baked.render().pixels, face.render().pixels)
    assert np.array_equal(studio.engine.ws(baked.bake().recipe), studio.engine.ws(baked.recipe))
    assert baked.recipe.source.origin is not None
    assert baked.recipe.source.origin.settings["face"] == face.recipe.digest


def test_what_a_lock_pastes_is_lost_and_named(studio: Studio, age: Direction) -> None:
    face = studio.face(3).edit("age", 1.5).lock("frame", guarantee="paste")
    source = face.bake().recipe.source
    assert isinstance(source, LatentSource)
    assert source.origin is not None
    assert source.origin.settings["not_baked"] == "frame:paste"


def test_transitions_and_crosses_of_locked_faces(studio: Studio, age: Direction) -> None:
    a, b = studio.face(3).edit("age", 1.5).lock("frame"), studio.face(4)
    first, middle, last = Morph((a, b), 3).frames()
    assert (first, last) == (a, b)
    halfway = (studio.engine.ws(a.bake().recipe) + studio.engine.ws(b.recipe)) / 2
    np.testing.assert_allclose(studio.engine.ws(middle.recipe), halfway, atol=1e-6)
    cells = cross(a, b)
    assert [cell.face.recipe.locks for cell in cells[1:3]] == [(), ()]
