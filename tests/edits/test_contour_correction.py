"""Contour correction: coarse rows alone move, and the frame variation falls."""

from __future__ import annotations

import numpy as np
import pytest

from tests.edits.fakes import ShadeRegions
from tuiface.engine.local_engine import LocalEngine
from tuiface.faces.studio import Studio


def test_frame_comes_nearer_by_coarse_rows_alone(
    studio: Studio, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.faces, "region_predictor", ShadeRegions())
    face, reference = studio.face(seed=3).recipe, studio.face(seed=5).recipe
    found = engine.face_finder.correct_contour(face, reference, num_steps=12)
    assert found.measures["frame_variation_after"] < 0.8 * found.measures["frame_variation_before"]
    ws = engine.ws(face)
    assert np.array_equal(found.ws[6:], ws[6:])
    assert not np.array_equal(found.ws[:6], ws[:6])


def test_own_frame_needs_no_correction(studio: Studio, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.faces, "region_predictor", ShadeRegions())
    face = studio.face(seed=3).recipe
    found = engine.face_finder.correct_contour(face, face, num_steps=2)
    assert found.measures["frame_variation_after"] <= found.measures["frame_variation_before"]
