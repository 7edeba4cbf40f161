"""Crossing: the contour stays, the inner face comes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.edits.fakes import QuarterRegions
from tuiface.core.errors import ModelError
from tuiface.core.settings import Settings
from tuiface.engine.edits import face_finder
from tuiface.engine.edits.face_finder import CONTOUR_WEIGHT, cross_weights, inner_difference_percent
from tuiface.engine.loading import open_engine
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine.scheduler import Scheduler
from tuiface.engine_api.protocol import RenderRequest
from tuiface.engine_api.requests import ContourCorrectionRequest, CrossRequest
from tuiface.faces.recipe import ModelRef
from tuiface.faces.studio import Studio
from tuiface.stimuli.exchange import cross


def test_weights_ask_for_nothing_between_the_two_frames() -> None:
    ours, theirs = torch.zeros(4, 4), torch.zeros(4, 4)
    ours[:2], theirs[:, :2] = 1, 1
    weights = cross_weights(ours, theirs, classes_weight=4.0)
    inside, outside = weights.inside.view(6, 4, 4), weights.outside.view(6, 4, 4)
    assert inside[:3].sum() == pytest.approx(1)
    assert (inside[:3] > 0).all(dim=0).tolist() == ((ours == 0) & (theirs == 0)).tolist()
    assert not inside[3:].any()
    assert outside[:3].sum() == pytest.approx(CONTOUR_WEIGHT)
    assert (outside[:3] > 0).all(dim=0).tolist() == (ours > 0).tolist()
    assert outside[3:].sum() == pytest.approx(4 * CONTOUR_WEIGHT)


def test_difference_is_the_share_of_the_way_that_is_left() -> None:
    frame = torch.zeros(2, 2)
    weights = cross_weights(frame, frame, 1.0)
    contour, inner = torch.zeros(24), torch.ones(24)
    for share in (0.0, 0.25, 1.0):
        found = contour + share * (inner - contour)
        assert inner_difference_percent(weights, found, contour, inner) == pytest.approx(100 * (1 - share))


def test_children_of_the_shipped_network_keep_a_contour_and_take_an_inner_face(
    shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_finder, "CROSS_ITERATIONS", 25)
    settings = Settings(device="cpu", threads=1, cache=shared_cache)
    with Studio(open_engine(settings), settings) as studio:
        cells = cross(studio.face(10), studio.face(20))
        for child in cells[1:3]:
            assert child.frame_variation_percent < 1
            assert child.inner_difference_percent < 75
        pictures = [cell.face.render().pixels.astype(int) for cell in cells]
    middle = slice(52, 84)
    for crossed, contour, inner in ((1, 0, 3), (2, 3, 0)):
        inside = [np.abs(pictures[crossed] - pictures[p])[middle, middle].mean() for p in (inner, contour)]
        around = [np.abs(pictures[crossed] - pictures[p])[:16].mean() for p in (inner, contour)]
        assert inside[0] < inside[1]
        assert around[1] < 0.3 * around[0]


def test_edits_of_both_faces_count(studio: Studio, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.faces, "region_predictor", QuarterRegions())
    monkeypatch.setattr(face_finder, "CROSS_ITERATIONS", 3)
    a, b = studio.face(3), studio.face(5)
    layer = next(iter(studio.info.layers))
    found = {
        engine.find_face(CrossRequest(contour=x.recipe, inner=y.recipe)).ws.tobytes()
        for x, y in ((a, b), (a, b.edit(f"{layer}:0", 3.0)), (a.edit(f"{layer}:0", 3.0), b), (a, b))
    }
    assert len(found) == 3, "the same order finds the same face, edits another"


@pytest.mark.parametrize("kind", ["cross", "frame"])
def test_pictures_are_rendered_while_a_face_is_looked_for(
    studio: Studio, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(engine.faces, "region_predictor", QuarterRegions())
    monkeypatch.setattr(face_finder, "CROSS_ITERATIONS", 5)
    a, b = studio.face(3).recipe, studio.face(5).recipe
    order = CrossRequest(contour=a, inner=b) if kind == "cross" else ContourCorrectionRequest(face=a, reference=b)
    job = RenderRequest(a)
    undisturbed, picture = engine.find_face(order).ws, engine.render(job).pixels
    begun, rendered = threading.Event(), threading.Event()
    let_others_go = Scheduler.let_others_go
    handed_over: list[bool] = []

    def letting(scheduler: Scheduler) -> None:
        begun.set()
        if not rendered.is_set():
            while not (scheduler.num_waiting or rendered.is_set()):
                time.sleep(0.001)
            let_others_go(scheduler)
            handed_over.append(rendered.wait(60))

    monkeypatch.setattr(Scheduler, "let_others_go", letting)
    with ThreadPoolExecutor(1) as pool:
        finding = pool.submit(engine.find_face, order)
        assert begun.wait(60)
        try:
            frame = engine.render(job)
        finally:
            rendered.set()
        found = finding.result(60)
    assert handed_over == [True]
    assert found.ws.tobytes() == undisturbed.tobytes()
    assert frame.pixels.tobytes() == picture.tobytes()


def test_faces_of_another_network_are_refused(studio: Studio, engine: LocalEngine) -> None:
    ours = studio.face(3).recipe
    foreign = ours.derive(model=ModelRef(sha256="9" * 64, name="other"))
    for order in (CrossRequest(contour=ours, inner=foreign), ContourCorrectionRequest(face=foreign, reference=ours)):
        with pytest.raises(ModelError, match="for the model 'other'"):
            engine.find_face(order)
