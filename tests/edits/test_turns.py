"""What takes long is done in steps of about one picture: another user's save waits for one of them, not for all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tuiface.core.regions import Region
from tuiface.directions.direction import DirectionOrigin
from tuiface.engine import latents
from tuiface.engine.edits import lock_solver, masks
from tuiface.engine.edits.masks import BoxRegions, build_lock_mask
from tuiface.engine.latents import LatentPopulation, draw_w
from tuiface.engine.learning import batch_predict, from_scores
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine_api.protocol import RenderRequest
from tuiface.engine_api.requests import ClusterSheetRequest, ScoresRequest
from tuiface.faces.recipe import ChannelEdit, LockMask, Recipe, RegionLock, SeedSource


def locked(engine: LocalEngine) -> Recipe:
    edit = ChannelEdit(channel=(next(iter(engine.info().layers)), 0), amount=1.0)
    lock = RegionLock(region="frame")
    return Recipe(model=engine.info().model, source=SeedSource(seed=5), edits=(edit,), locks=(lock,))


def many_scores() -> ScoresRequest:
    scores = np.random.RandomState(0).randn(30)
    origin = DirectionOrigin(method="scores")
    return ScoresRequest(name="warm", seeds=tuple(range(30)), scores=tuple(map(float, scores)), origin=origin)


LONG: dict[str, tuple[Callable[[LocalEngine], object], int]] = {
    "map": (lambda engine: engine.map(np.zeros((9, engine.info().z_dim))), 8),
    "features": (lambda engine: engine.features(range(30)), 2 + 8),  # ten seeds are mapped at once, four are read
    "scores": (lambda engine: list(engine.make_directions(many_scores())), 2),
    "sheet": (lambda engine: engine.draw_cluster_sheet(ClusterSheetRequest(clusters=4)), 40),
}


@pytest.mark.parametrize("name", LONG)
def test_what_takes_long_lets_others_go(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    work, least = LONG[name]
    let_others_go = Mock(wraps=engine.scheduler.let_others_go)
    monkeypatch.setattr(engine.scheduler, "let_others_go", let_others_go)
    monkeypatch.setattr(from_scores, "MAPPED_AT_ONCE", 10)
    monkeypatch.setattr(batch_predict, "BATCH", 4)
    work(engine)
    assert let_others_go.call_count >= least


def test_a_save_comes_between_the_steps_of_a_locked_one_and_neither_changes_the_other(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.faces, "_predictor", BoxRegions())
    monkeypatch.setattr(lock_solver, "NUM_ITERATIONS", 4)
    engine.faces.forget()
    wanted, plain = locked(engine), RenderRequest(locked(engine).derive(edits=(), locks=()))
    alone, plain_alone = (engine.render(request).pixels for request in (RenderRequest(wanted), plain))
    order: list[str] = []

    def render_plain() -> np.ndarray:
        order.append("other")
        return engine.render(plain).pixels

    def is_wanted() -> bool:
        if not order:
            order.append("step")
            others.append(engine.scheduler.submit("save", "other", render_plain))
        return True

    engine.faces.forget()
    others: list[Future[np.ndarray]] = []
    ours = engine.scheduler.submit("save", "me", lambda: engine.render_while(is_wanted, RenderRequest(wanted)))
    ours.add_done_callback(lambda _: order.append("locked"))
    assert np.array_equal(ours.result(30).pixels, alone)
    assert np.array_equal(others[0].result(30), plain_alone)
    assert order == ["step", "other", "locked"]
    engine.faces.forget()


def test_faces_drawn_in_parts_are_those_drawn_at_once(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = engine.network.generator
    at_once = draw_w(generator, 3, 25)
    pause = Mock()
    monkeypatch.setattr(latents, "DRAWN_AT_ONCE", 10)
    parts = draw_w(generator, 3, 25, pause)
    assert torch.allclose(parts, at_once, atol=1e-5), "but for the order of sums in a batch"
    assert pause.call_count == 2


@pytest.mark.parametrize(("side", "size"), [(32, 16), (256, 16), (512, 4), (1024, 1)])
def test_a_batch_is_no_larger_than_one_large_picture(side: int, size: int) -> None:
    assert batch_predict.batch_size(side, torch.device("cpu")) == size


@pytest.mark.parametrize(("side", "faces"), [(128, 8), (512, 8), (1024, 2)])
def test_pictures_with_gradients_are_made_within_bounds_of_memory(side: int, faces: int) -> None:
    assert batch_predict.gradient_batch_size(side, 8) == faces
    assert batch_predict.gradient_batch_size(side, 8, each=7) * 7 * side**2 <= max(7 * side**2, 32 * 256**2)


@pytest.mark.parametrize("side", [4, 8, 33, 96])
@pytest.mark.parametrize("fraction", [0.02, 0.04, 0.2])
def test_widening_takes_the_largest_of_the_square(side: int, fraction: float) -> None:
    mask = torch.rand(2, 1, side, side)
    radius = max(1, round(fraction * side)) + 2 * masks._soft_radius(side)
    assert torch.equal(masks._dilate(mask, side, fraction), F.max_pool2d(mask, 2 * radius + 1, 1, radius))


def test_locks_on_one_region_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strongest holds; sixty-four of them cost what one does."""
    probabilities = torch.softmax(torch.randn(1, len(Region), 16, 16), dim=1)
    drawn = LockMask.from_array(np.eye(16, dtype=bool))
    alike = (RegionLock(region="eyes", strength=0.4), RegionLock(region="mask", mask=drawn, strength=0.5))
    single = build_lock_mask(probabilities, alike, 16)
    weaker = tuple(lock.model_copy(update={"strength": lock.strength / (n + 1)}) for n in range(31) for lock in alike)
    build = Mock(wraps=masks._build_region_mask)
    monkeypatch.setattr(masks, "_build_region_mask", build)
    assert torch.equal(build_lock_mask(probabilities, weaker + alike, 16), single)
    assert build.call_count == 2


def test_many_channel_edits_ask_once_a_layer_how_far_its_channels_reach(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel_sigma = Mock(wraps=engine.network.population.channel_sigma)
    monkeypatch.setattr(LatentPopulation, "channel_sigma", channel_sigma)
    layers = list(engine.info().layers)[:2]
    edits = tuple(ChannelEdit(channel=(layers[n % 2], 0), amount=0.01) for n in range(200))
    engine.renderer.edits(locked(engine).derive(edits=edits))
    assert channel_sigma.call_count == 2
