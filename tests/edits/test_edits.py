"""Edits by direction: what they add, in which order, and which are refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tuiface.core.errors import ModelError, UsageError
from tuiface.directions.direction import Direction
from tuiface.engine.latents import LatentPopulation, draw_w, recipe_ws
from tuiface.engine.local_engine import LocalEngine
from tuiface.faces.provenance import read_saved_face
from tuiface.faces.recipe import LatentSource, ModelRef, Truncation
from tuiface.faces.studio import Face, Studio
from tuiface.faces.verification import verify

Add = Callable[..., Direction]


def random_step(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def pixels(face: Face) -> np.ndarray:
    return face.render().pixels


def moved_by_hand(face: Face, delta: np.ndarray) -> np.ndarray:
    """The picture of the face's own latent plus `delta` [num_ws, w_dim], given as a latent."""
    engine = face.studio.engine
    assert isinstance(engine, LocalEngine)
    ws = recipe_ws(engine.renderer.generator, face.recipe)[0].numpy() + delta
    latent = LatentSource.from_array(ws)
    return pixels(face.derive(source=latent, truncation=Truncation(psi=1.0), edits=()))


def test_directions_add_up_before_the_affines(studio: Studio, add_direction: Add) -> None:
    a, b = random_step(64), random_step(8, 64, seed=1)
    add_direction("age", a)
    add_direction("smile", b)
    face = studio.face(seed=3)
    expected = moved_by_hand(face, 1.5 * a + -0.5 * b)
    assert np.array_equal(pixels(face.edit("age", 1.5).edit("smile", -0.5)), expected)
    other_order = pixels(face.edit("smile", -0.5).edit("age", 1.5)).astype(int)
    assert np.abs(other_order - expected).max() <= 1


def test_rows_of_the_edit_override_those_of_the_direction(studio: Studio, add_direction: Add) -> None:
    step = random_step(64)
    add_direction("age", step, rows=(0, 3))
    face = studio.face(seed=3)
    for rows, (start, stop) in ((None, (0, 3)), ((2, 5), (2, 5))):
        delta = np.zeros((8, 64), np.float32)
        delta[start:stop] = step
        assert np.array_equal(pixels(face.edit("age", 1.0, rows)), moved_by_hand(face, delta))


def test_direction_of_styles_equals_its_channel_edits(studio: Studio, add_direction: Add) -> None:
    engine = studio.engine
    assert isinstance(engine, LocalEngine)
    population = engine.renderer.population()
    layer = engine.renderer.generator.synthesis.get_submodule("b16.conv1")
    array = np.zeros(32, np.float32)
    array[3] = population.channel_sigma(layer)[3]  # type: ignore[arg-type]
    add_direction("hair", space="styles", arrays={"b16.conv1": array})
    face = studio.face(seed=3)
    by_channel = pixels(face.edit("b16.conv1:3", 2.0)).astype(int)
    assert np.abs(pixels(face.edit("hair", 2.0)) - by_channel).max() <= 1
    assert np.abs(by_channel - pixels(face)).max() > 1
    with pytest.raises(ModelError, match="moves styles, which have no rows"):
        face.edit("hair", 1.0, (0, 2)).render()


def test_a_face_too_far_out_to_be_measured_is_one_line(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LatentPopulation, "distance_sigma", lambda population, ws: math.inf)
    with pytest.raises(ModelError, match="too far out to be measured"):
        studio.face(seed=3).edit("b16.conv1:3", 2.0).render()


def test_amount_beyond_the_limit_needs_to_be_asked_for(studio: Studio, add_direction: Add) -> None:
    add_direction("age", random_step(64), limit=2.5)
    face = studio.face(seed=3)
    with pytest.raises(UsageError, match=r"age=3: beyond .* -2.5 to 2.5 \(add --beyond"):
        face.edit("age", 3.0)
    face.edit("age", 3.0, beyond=True).render()


def test_foreign_direction_is_refused_unless_forced_and_recorded(
    studio: Studio, add_direction: Add, tmp_path: Path
) -> None:
    other = ModelRef(sha256="a" * 64, name="other")
    add_direction("age", random_step(64), model=other)
    face = studio.face(seed=3)
    with pytest.raises(ModelError, match="was made for the model 'other'"):
        face.edit("age", 1.0)
    forced = face.edit("age", 1.0, foreign=True)
    saved = read_saved_face(forced.save(tmp_path))
    record = saved.provenance.directions[0]
    assert (record.name, record.foreign, record.model) == ("age", True, other)
    assert verify(saved, studio.engine).status == "exact"
    smuggled = forced.derive(edits=(forced.recipe.edits[0].model_copy(update={"foreign": False}),))
    with pytest.raises(ModelError, match="was made for the model 'other'"):
        smuggled.render()


def test_recipe_without_a_foreign_edit_does_not_mention_it(studio: Studio, add_direction: Add) -> None:
    add_direction("age", random_step(64))
    assert b"foreign" not in studio.face(seed=3).edit("age", 1.0).recipe.canonical_json()


def test_direction_that_is_gone_is_named(studio: Studio, add_direction: Add) -> None:
    made = add_direction("age", random_step(64))
    face = studio.face(seed=3).edit("age", 1.0)
    studio.catalogue.path_for(made).unlink()
    with pytest.raises(ModelError, match=r"edits\[0\].direction: no direction 'age' \([0-9a-f]{10}\) is at hand"):
        face.render()


def test_direction_that_does_not_fit_is_refused(studio: Studio, add_direction: Add) -> None:
    add_direction("age", random_step(32))
    with pytest.raises(ModelError, match=r"shape \[32\]; this model takes \[64\]"):
        studio.face(seed=3).edit("age", 1.0).render()
    add_direction("yaw", random_step(64))
    with pytest.raises(ModelError, match=r"edits\[0\].rows: \[2, 9\) ends beyond"):
        studio.face(seed=3).edit("yaw", 1.0, (2, 9)).render()


def test_population_basis_has_unit_spread(engine: LocalEngine) -> None:
    generator = engine.renderer.generator
    population = LatentPopulation.of(generator)
    w = draw_w(generator, seed=9, count=4000)
    white = population.whiten(w)
    assert torch.allclose(white.std(dim=0), torch.ones(white.shape[1]), atol=0.1)
    step = torch.from_numpy(random_step(64))
    assert population.sigma_of(step) == pytest.approx(float((w @ step / step.norm()).std()), rel=0.05)


def test_distance_to_the_population_grows_with_the_amount(engine: LocalEngine) -> None:
    generator = engine.renderer.generator
    population = engine.renderer.population()
    draws = draw_w(generator, seed=5, count=200)
    distances = [population.distance_sigma(w.expand(1, 8, -1)) for w in draws]
    assert abs(float(np.mean(distances))) < 0.3
    assert float(np.std(distances)) == pytest.approx(1, abs=0.25)
    ws = draws[:1].expand(1, 8, -1)
    step = population.basis[:, 0]
    steps = [population.distance_sigma(population.mean + step * amount + 0 * ws) for amount in (0.0, 4.0, 9.0, 20.0)]
    assert steps == sorted(steps)
