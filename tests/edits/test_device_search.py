"""Searches for faces as a card runs them: on tensors of their own, with nothing asked of the host between steps."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.cuda.recorders import FakeRecorder
from tests.edits.fakes import QuarterRegions
from tests.engine.networks import small_generator
from tests.host_traffic import watch_host_traffic
from tuiface.core.settings import Settings
from tuiface.engine.cuda.recording import Result
from tuiface.engine.edits import device_loop, lock_solver, step_search
from tuiface.engine.edits.contour_search import ContourProblem, ContourSearch, compared_classes
from tuiface.engine.edits.device_loop import READ_EVERY
from tuiface.engine.edits.edits import EditSum
from tuiface.engine.edits.lbfgs import DeviceLBFGS
from tuiface.engine.edits.lock import LockWeights
from tuiface.engine.edits.masks import BoxRegions
from tuiface.engine.edits.step_search import DeviceSearch, SteppedFace, StepProblem
from tuiface.engine.latents import LatentPopulation
from tuiface.engine.loading import open_engine
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine.networks.inference import step_styles
from tuiface.engine.predictors import Segmenter
from tuiface.engine.renderer import Renderer
from tuiface.engine_api.protocol import RenderRequest
from tuiface.faces.recipe import Guarantee, Recipe
from tuiface.faces.studio import Studio

ITERATIONS = 8
MAX_READS = 16
"""Of a locked picture on a card, for what is checked and measured."""
EDIT = "b16.conv1:3"


@pytest.fixture
def recorders(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> list[FakeRecorder]:
    """Has the engine search as on a card, not for long; each search that is captured has one of these."""
    opened: list[FakeRecorder] = []

    def open_recorder(device: torch.device) -> FakeRecorder:
        opened.append(FakeRecorder())
        return opened[-1]

    monkeypatch.setattr(lock_solver, "NUM_ITERATIONS", ITERATIONS)
    monkeypatch.setattr(engine.faces, "region_predictor", QuarterRegions())
    monkeypatch.setattr(step_search, "can_capture", lambda device: True)
    monkeypatch.setattr(device_loop, "open_recorder", open_recorder)
    return opened


def locked(studio: Studio, seed: int, **fields: object) -> Recipe:
    return studio.face(seed).edit(EDIT, 3.0).lock("hair", 1.0).derive(**fields).recipe


def pixels(engine: LocalEngine, recipe: Recipe) -> np.ndarray:
    engine.faces.forget()
    return engine.render(RenderRequest(recipe)).pixels.astype(int)


@dataclass
class MetaNetwork:
    """What searches ask of a renderer, of a network that has shapes alone."""

    def __post_init__(self) -> None:
        self.generator = small_generator((8, 8, 8, 8)).to("meta")

    def population(self) -> LatentPopulation:
        width = self.generator.config.w_dim
        mean, axes = torch.zeros(width, device="meta"), torch.eye(width, device="meta")
        return LatentPopulation(mean, axes, axes, torch.ones_like(mean), 1.0, 1.0)

    def edit_styles(self, ws: Tensor, edits: EditSum, until: int) -> dict[str, Tensor]:
        return step_styles(self.generator.synthesis.styles(ws + edits.ws, until), edits.styles)


@pytest.fixture(scope="module")
def meta_face() -> SteppedFace:
    segmenter = Segmenter.load()
    segmenter._network.to("meta")
    network = MetaNetwork()
    still = torch.zeros(1, network.generator.num_ws, network.generator.config.w_dim, device="meta")
    noise = network.generator.noise_maps("const", network.generator.config.img_resolution)
    return SteppedFace(cast(Renderer, network), segmenter, still, EditSum(still), noise)


def test_a_step_of_a_lock_asks_the_host_for_nothing(meta_face: SteppedFace) -> None:
    observed = meta_face.observe(meta_face.ws)
    search = DeviceSearch(StepProblem(meta_face, LockWeights(observed, observed), observed, observed, 40))
    with watch_host_traffic() as traffic:
        search._advance()
    assert (traffic.reads, traffic.moves) == ([], [])
    assert traffic.num_operators < 1500


def test_a_step_of_contour_correction_asks_the_host_for_nothing(meta_face: SteppedFace) -> None:
    wanted = compared_classes(meta_face.image(meta_face.ws), meta_face.predictor)
    search = ContourSearch(ContourProblem(meta_face, wanted, num_steps=5))
    with watch_host_traffic() as traffic:
        search._advance()
    assert (traffic.reads, traffic.moves) == ([], [])
    assert traffic.num_operators < 1100


@pytest.mark.parametrize("guarantee", ["direction", "paste"])
def test_a_locked_picture_waits_for_a_card_a_few_times(
    studio: Studio,
    engine: LocalEngine,
    recorders: list[FakeRecorder],
    monkeypatch: pytest.MonkeyPatch,
    guarantee: Guarantee,
) -> None:
    monkeypatch.setattr(engine.faces, "region_predictor", BoxRegions())
    first, second = (studio.face(seed).edit(EDIT, 3.0).lock("face", 1.0, guarantee).recipe for seed in (3, 5))
    pixels(engine, first)
    with watch_host_traffic() as traffic:
        pixels(engine, second)
    assert len(recorders) == 1, "captured once, for every face"
    assert len(traffic.reads) <= MAX_READS + DeviceLBFGS.max_evaluations(ITERATIONS) / READ_EVERY


@pytest.mark.parametrize("noise", [{"mode": "const"}, {"mode": "none"}, {"mode": "random", "seed": 4}])
def test_a_card_finds_what_a_processor_does(
    studio: Studio, engine: LocalEngine, recorders: list[FakeRecorder], monkeypatch: pytest.MonkeyPatch, noise: object
) -> None:
    pixels(engine, locked(studio, 5, noise=noise))
    recipe = locked(studio, 3, noise=noise)
    captured = pixels(engine, recipe)
    monkeypatch.setattr(step_search, "can_capture", lambda device: False)
    free = pixels(engine, recipe.derive(locks=()))
    expected = pixels(engine, recipe)
    assert np.abs(captured - expected).max() <= 2
    assert np.abs(free - expected).max() > 10
    assert sum(recorder.replayed for recorder in recorders) >= 2 * ITERATIONS


def test_searches_that_take_turns_leave_each_other_alone(
    studio: Studio, engine: LocalEngine, recorders: list[FakeRecorder]
) -> None:
    ours, others = locked(studio, 3), locked(studio, 5)
    alone = pixels(engine, ours), pixels(engine, others)
    engine.faces.forget()
    between: list[np.ndarray] = []

    def pause() -> None:
        if not between and recorders[0].replayed % 7 == 3:
            between.append(engine.edit_renderer.render(others).pixels)

    found = engine.edit_renderer.render(ours, pause=pause).pixels
    assert np.array_equal(found, alone[0])
    assert np.array_equal(between[0], alone[1])
    assert len(recorders) == 2


class Refusing(FakeRecorder):
    """Of a device that does not capture, with `held` allocated."""

    held: weakref.ref[Tensor]

    def __init__(self, error: Callable[[], RuntimeError]) -> None:
        super().__init__()
        self._error = error

    def capture(self, run: Callable[[], Result]) -> tuple[Callable[[], object], Result]:
        features = torch.ones(1)
        self.held = weakref.ref(features)
        raise self._error()

    def forget(self) -> None:
        super().forget()
        assert self.held() is None, "what the attempt allocated is still held"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError, "memory is short"),
        (lambda: RuntimeError("not permitted when a stream is capturing\n(trace)"), "not permitted when a stream"),
    ],
)
def test_what_cannot_be_captured_is_computed_all_the_same_and_said(
    studio: Studio,
    engine: LocalEngine,
    recorders: list[FakeRecorder],
    monkeypatch: pytest.MonkeyPatch,
    error: Callable[[], RuntimeError],
    reason: str,
) -> None:
    recipe = locked(studio, 3)
    expected = pixels(engine, recipe)
    engine.lock_solver._search._pool._idle.clear()
    engine.faces.forget()
    refused = Refusing(error)
    monkeypatch.setattr(device_loop, "open_recorder", lambda device: refused)
    found = engine.render(RenderRequest(recipe))
    assert np.array_equal(found.pixels, expected)
    (notice,) = found.notices
    assert reason in notice
    assert "\n" not in notice
    assert refused.forgotten == 1


def test_contours_are_corrected_as_on_a_processor(
    studio: Studio, engine: LocalEngine, recorders: list[FakeRecorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = engine.face_finder
    first, second, reference = (studio.face(seed).recipe for seed in (3, 4, 5))
    finder.correct_contour(second, reference, num_steps=4)
    found = finder.correct_contour(first, reference, num_steps=4)
    assert len(recorders) == 1
    finder._contour_searches._idle.clear()
    monkeypatch.setattr(device_loop, "open_recorder", lambda device: None)
    expected = finder.correct_contour(first, reference, num_steps=4)
    assert np.array_equal(found.ws, expected.ws)
    assert found.measures == expected.measures


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("guarantee", ["direction", "blend", "paste"])
def test_a_card_captures_locks_and_gives_the_same_bytes_again(shared_cache: Path, guarantee: Guarantee) -> None:
    settings = Settings(device="cuda", cache=shared_cache)
    with Studio(open_engine(settings), settings) as studio:
        engine = studio.engine
        assert isinstance(engine, LocalEngine)
        recipes = [
            studio.face(seed, psi=0.7).edit("smile", 1.5).lock("frame", 1.0, guarantee).recipe for seed in (3, 4)
        ]
        frames = [engine.render(RenderRequest(recipe)) for recipe in (*recipes, recipes[0])]
        engine.faces.forget()
        again = engine.render(RenderRequest(recipes[0]))
        assert len(engine.lock_solver._search._pool._idle) == 1
    assert not any("CUDA graph" in notice for frame in frames for notice in frame.notices)
    assert np.array_equal(again.pixels, frames[0].pixels)
    on_processor = Settings(device="cpu", cache=shared_cache)
    with Studio(open_engine(on_processor), on_processor) as studio:
        expected = studio.engine.render(RenderRequest(recipes[0])).pixels
    assert np.abs(frames[0].pixels.astype(int) - expected).mean() < 1
