"""Locks: what is locked stays, as far as each guarantee promises; what is not locked still moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.edits.fakes import QuarterRegions, ShadeRegions
from tuiface.core.errors import ModelError, UsageError
from tuiface.core.regions import Region
from tuiface.core.settings import Settings
from tuiface.directions.direction import Direction
from tuiface.engine.edits.blend import border_jump_ratio, paste
from tuiface.engine.edits.lock import RIDGE, LockWeights, solve_lock_step
from tuiface.engine.edits.masks import BoxRegions, build_lock_mask
from tuiface.engine.edits.measures import delivered_amounts
from tuiface.engine.latents import LatentPopulation
from tuiface.engine.learning.discovery import jacobian
from tuiface.engine.loading import open_engine
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine.predictors.attributes import AttributePredictor
from tuiface.engine_api.protocol import RenderRequest, RenderResult, Superseded
from tuiface.faces.provenance import read_saved_face
from tuiface.faces.recipe import Guarantee, RegionLock
from tuiface.faces.recipe import Region as RegionName
from tuiface.faces.studio import Face, Studio
from tuiface.faces.verification import verify

Add = Callable[..., Direction]


@pytest.fixture(autouse=True)
def quarters(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.faces, "region_predictor", QuarterRegions())


@pytest.fixture
def face(studio: Studio, engine: LocalEngine, add_direction: Add) -> Face:
    """A face with an edit that moves all of it."""
    basis = engine.renderer.population().basis
    add_direction("move", (0.7 * basis[:, 0] + 0.7 * basis[:, 3]).numpy())
    return studio.face(seed=3).edit("move", 0.4)


def outside(locked: Face) -> float:
    """Mean change, in levels, of the pixels that a lock holds altogether."""
    return locked.render().measures["outside_change_mean"]


def free_change(face: Face, region: RegionName) -> float:
    """The same without the lock."""
    plain = face.derive(edits=(), locks=()).render().pixels.astype(int)
    maps = QuarterRegions().probabilities(torch.zeros(1, 3, 32, 32))
    held = build_lock_mask(maps, (RegionLock(region=region),), 32)[0, 0].numpy() >= 1
    return float(np.abs(face.render().pixels - plain).max(axis=2)[held].mean())


@pytest.mark.parametrize("region", ["frame", "hair", "mouth", "background"])
def test_each_guarantee_holds_better_than_the_one_before(face: Face, region: RegionName) -> None:
    free = free_change(face, region)
    direction, blend, pasted = (outside(face.lock(region, 1.0, g)) for g in ("direction", "blend", "paste"))
    assert direction < 0.6 * free
    assert blend <= direction
    assert pasted == 0


def test_paste_keeps_the_very_bytes_and_blends_at_the_border(face: Face) -> None:
    frame = face.lock("frame", 1.0, "paste").render()
    assert frame.measures["outside_change_max"] == 0
    plain = face.derive(edits=()).render().pixels
    changed = (frame.pixels != plain).any(axis=2)
    assert changed.any()
    assert not changed[:3].any()
    assert not changed[:, :3].any()


def test_locked_smile_of_the_shipped_network_still_smiles(shared_cache: Path) -> None:
    """An untrained network cannot tell: each of its pixels hangs on all of w."""
    settings = Settings(device="cpu", threads=1, cache=shared_cache)
    reader = AttributePredictor.load()

    def smile(frame: RenderResult) -> float:
        picture = torch.from_numpy(frame.pixels.copy()).permute(2, 0, 1)[None] / 127.5 - 1
        return float(reader.read(picture)[0, reader.names.index("smile")])

    with Studio(open_engine(settings), settings) as studio:
        plain = studio.face(seed=3, psi=0.7)
        free = plain.edit("smile", 2.0)
        still, moved, locked = (face.render() for face in (plain, free, free.lock("frame")))
    assert smile(locked) - smile(still) > 0.5 * (smile(moved) - smile(still)) > 0
    share = (smile(locked) - smile(still)) / (smile(moved) - smile(still))
    assert locked.measures["delivered_smile"] == pytest.approx(2.0 * share, abs=0.1)
    assert "delivered_smile" not in moved.measures
    key = "frame_variation_percent"
    assert locked.measures[key] < moved.measures[key] / 4


def test_what_a_lock_leaves_of_an_edit_is_its_share_of_what_the_reader_sees_move() -> None:
    readings = torch.tensor([[0.0, 10.0, 5.0], [1.0, 12.0, 5.01], [0.25, 9.0, 5.0]])
    asked = {"smile": 2.0, "age": -1.5, "beard": 1.0, "kindness": 1.0}
    found = delivered_amounts(asked, ("smile", "age", "beard"), readings, torch.tensor([1.0, 2.0, 1.0]))
    assert found == {"delivered_smile": 0.5, "delivered_age": 0.75}


def test_strength_decides_how_firmly(face: Face, engine: LocalEngine) -> None:
    changes = [changed_at(engine, face, strength) for strength in (0.0, 0.5, 1.0)]
    assert changes[0] > changes[1] > changes[2]
    assert np.array_equal(face.lock("hair", 0.0, "paste").render().pixels, face.render().pixels)


def changed_at(engine: LocalEngine, face: Face, strength: float) -> float:
    """Change of the hair, before values are clipped to what a picture can show."""
    recipe, solver, unedited = face.lock("hair", strength).recipe, engine.lock_solver, engine.faces.find(face.recipe)
    turned = solver.solve(unedited, recipe, engine.renderer.edits(recipe))
    return solver.measure_outside_change(unedited, face.lock("hair").recipe.locks, turned)


def test_prediction_is_made_before_and_close_to_the_measurement(face: Face, engine: LocalEngine) -> None:
    small = face.derive(edits=(face.recipe.edits[0].model_copy(update={"amount": 0.2}),)).lock("hair")
    solver, locks, unedited = engine.lock_solver, small.recipe.locks, engine.faces.find(small.recipe)
    edits = engine.renderer.edits(small.recipe)
    for tried in (edits, solver.solve(unedited, small.recipe, edits)):
        predicted, measured = (
            solver.predict_outside_change(unedited, locks, tried),
            solver.measure_outside_change(unedited, locks, tried),
        )
        assert predicted == pytest.approx(measured, rel=0.5)
    assert small.render().measures["predicted_outside_change"] == pytest.approx(predicted, rel=1e-3)


@pytest.mark.parametrize("guarantee", ["direction", "blend", "paste"])
def test_locked_face_is_rebuilt_exactly(face: Face, guarantee: Guarantee, tmp_path: Path) -> None:
    locked = face.lock("hair", 0.9, guarantee)
    saved = read_saved_face(locked.save(tmp_path))
    assert verify(saved, locked.studio.engine).status == "exact"
    measures = saved.provenance.measures
    assert {"predicted_outside_change", "outside_change_mean", "frame_variation_percent"} <= measures.keys()


def test_lock_without_an_edit_changes_nothing(studio: Studio, face: Face) -> None:
    plain = studio.face(seed=3)
    assert np.array_equal(plain.lock("frame", 1.0, "paste").render().pixels, plain.render().pixels)


def test_locks_hold_channel_edits_too(studio: Studio, face: Face) -> None:
    edited = studio.face(seed=3).edit("b16.conv1:3", 2.0)
    assert outside(edited.lock("hair")) < 0.7 * free_change(edited, "hair")
    assert outside(edited.lock("hair", 1.0, "paste")) == 0


def test_mask_of_the_user(face: Face) -> None:
    mask = np.zeros((32, 32), bool)
    mask[:, :16] = True
    frame = face.lock_mask(mask, 1.0, "paste").render()
    plain = face.derive(edits=()).render().pixels
    assert np.array_equal(frame.pixels[:, :13], plain[:, :13])
    assert not np.array_equal(frame.pixels[:, 20:], plain[:, 20:])
    again = face.lock_mask(mask).recipe
    assert type(again).from_json(again.canonical_json()) == again


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((16, 16), bool), "a mask of 16 x 16 px; this model takes 32 x 32"),
        (np.zeros((32, 32), bool), "the mask is empty"),
        (np.ones((32, 32), bool), "leaves nothing that may change"),
    ],
)
def test_masks_that_cannot_be(face: Face, mask: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        face.lock_mask(mask)


def test_locks_that_leave_nothing_to_move(face: Face, tmp_path: Path) -> None:
    held = face.lock("frame").lock("face")
    with pytest.raises(UsageError, match="the locks leave nothing that may change"):
        held.render()
    with pytest.raises(UsageError, match="the locks leave nothing that may change"):
        held.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_boxes_know_no_hair(face: Face, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.faces, "region_predictor", BoxRegions())
    with pytest.raises(UsageError, match=r"locks\[0\].region: 'hair' is not known .*accepted: frame, face"):
        face.lock("hair").render()
    assert outside(face.lock("frame", 1.0, "paste")) == 0


def test_boxes_are_where_faces_are_aligned() -> None:
    maps = BoxRegions().probabilities(torch.zeros(2, 3, 256, 256))
    assert torch.allclose(maps.sum(dim=1), torch.ones(2, 256, 256), atol=1e-5)
    assert maps.min() >= 0
    for region, (row, column) in {Region.EYES: (120, 128), Region.MOUTH: (184, 127), Region.NOSE: (142, 131)}.items():
        assert maps[0, :, row, column].argmax() == region
    assert maps[0, Region.BACKGROUND, 5, 5] > 0.99


def test_mask_follows_the_edited_face(face: Face, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the edited picture has become background, a lock on the background holds there as well."""
    monkeypatch.setattr(engine.faces, "region_predictor", ShadeRegions())
    frame = face.lock("background", 1.0, "paste").render()
    assert frame.measures["outside_change_max"] == 0


def test_measures_do_not_depend_on_drafts_before(
    face: Face, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.faces, "region_predictor", ShadeRegions())
    fresh = engine.edit_renderer.render(face.recipe).measures
    engine.faces.forget()
    unedited = engine.faces.find(face.recipe)
    assert not np.array_equal(unedited.contour(32, "bfloat16"), unedited.contour(32, "float32"))
    engine.faces.forget()
    engine.edit_renderer.render(face.recipe, dtype="bfloat16")
    assert engine.edit_renderer.render(face.recipe).measures == fresh


def test_unknown_edits_are_refused_before_a_lock_is_computed(face: Face, engine: LocalEngine) -> None:
    with pytest.raises(ModelError, match="no layer"):
        face.edit("b512.conv1:3", 1.0).lock("hair").render()


def test_smooth_lock_is_the_closed_form_for_a_linear_picture() -> None:
    """(M_f + M_b + RIDGE)^-1 (M_f + RIDGE) d0, in the population's own units."""
    rng = torch.Generator().manual_seed(0)
    columns = torch.randn(6, 20, generator=rng)
    weights = LockWeights(torch.zeros(20), torch.zeros(20))
    weights.inside[:12], weights.outside[12:] = 1 / 12, 50 / 8
    start = torch.randn(6, generator=rng)
    population = LatentPopulation(torch.zeros(6), torch.eye(6), torch.eye(6), torch.ones(6), 2.4, 0.7)

    def observe(step: torch.Tensor) -> torch.Tensor:
        return (start + step[0, 0]) @ columns

    target = observe(torch.zeros(1, 1, 6))
    added = solve_lock_step(population, weights, target, torch.zeros(20), 1, observe)
    inner, outer = ((columns * w) @ columns.t() for w in (weights.inside, weights.outside))
    ridge = RIDGE * torch.eye(6)
    expected = torch.linalg.solve(inner + outer + ridge, (inner + ridge) @ start)
    assert torch.allclose(start + added[0, 0], expected, atol=2e-3)
    assert (expected @ columns)[12:].norm() < 0.35 * (start @ columns)[12:].norm()


def test_last_step_serves_previews_and_other_guarantees(face: Face, engine: LocalEngine) -> None:
    renderer, locked = engine.edit_renderer, face.lock("hair")
    free = face.render().pixels.astype(int)
    plain = renderer.render(locked.recipe, quality="preview").pixels
    assert np.array_equal(plain, face.render().pixels), "nothing was found out yet"
    complete = locked.render().pixels
    assert np.array_equal(renderer.render(locked.recipe, quality="preview").pixels, complete)
    near = locked.derive(edits=(face.recipe.edits[0].model_copy(update={"amount": 0.44}),))
    preview = renderer.render(near.recipe, quality="preview").pixels.astype(int)
    assert np.abs(preview - near.render().pixels).mean() < 0.25 * np.abs(free - complete).mean()


def test_an_unmeasured_picture_is_the_final_one(face: Face, engine: LocalEngine) -> None:
    for recipe in (face.recipe, face.lock("hair", 1.0, "paste").recipe):
        unmeasured, final = (engine.render(RenderRequest(recipe, quality=q)) for q in ("unmeasured", "final"))
        assert np.array_equal(unmeasured.pixels, final.pixels)
        assert "frame_variation_percent" in final.measures
        assert "frame_variation_percent" not in unmeasured.measures


def test_a_step_that_is_given_up_leaves_the_last_one(face: Face, engine: LocalEngine) -> None:
    locked = face.lock("hair")
    locked.render()
    near = locked.derive(edits=(face.recipe.edits[0].model_copy(update={"amount": 0.44}),))
    preview = engine.edit_renderer.render(near.recipe, quality="preview").pixels
    answers = iter([True] * 5 + [False])
    with pytest.raises(Superseded):
        engine.render_while(lambda: next(answers), RenderRequest(near.recipe))
    assert np.array_equal(engine.edit_renderer.render(near.recipe, quality="preview").pixels, preview)
    complete = near.render().pixels
    engine.faces.forget()
    assert np.array_equal(near.render().pixels, complete)


def test_jacobian_agrees_with_automatic_differentiation(engine: LocalEngine) -> None:
    generator = engine.renderer.generator
    ws = generator.map(torch.randn(1, 64, generator=torch.Generator().manual_seed(1)))
    basis = engine.renderer.population().basis
    steps = 0.02 * basis.t()[:6, None].expand(-1, generator.num_ws, -1)
    with torch.no_grad():
        measured = jacobian(lambda x: generator.synthesize(x, resolution=8).flatten(1), ws, steps)
    for step, row in zip(steps, measured, strict=True):
        shift = torch.zeros((), requires_grad=True)
        image = generator.synthesize(ws + shift * step, resolution=8).flatten()
        probe = torch.randn(image.shape, generator=torch.Generator().manual_seed(2))
        (slope,) = torch.autograd.grad(image @ probe, shift)
        assert float(row @ probe) == pytest.approx(float(slope), rel=0.05, abs=1e-3)


def test_paste_is_exact_at_both_ends() -> None:
    a, b = np.full((4, 4, 3), 10, np.uint8), np.full((4, 4, 3), 201, np.uint8)
    held = np.array([[0, 0.25, 0.5, 1.0]] * 4)
    out = paste(a, b, held)[0, :, 0]
    assert out.tolist() == [201, 153, 106, 10]


def test_seam_shows_in_the_border_jump() -> None:
    ramp = np.broadcast_to(np.arange(32, dtype=np.uint8)[None, :, None] * 4, (32, 32, 3))
    held = np.zeros((32, 32))
    held[:, 16:] = 1
    seam = ramp.copy()
    seam[:, :16] += 40
    assert border_jump_ratio(ramp, ramp, held) == 1
    assert border_jump_ratio(ramp, seam, held) > 5
