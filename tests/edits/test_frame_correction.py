"""Frame correction: coarse rows alone move, and the frame variation falls."""

from __future__ import annotations

import pytest
import torch

from tests.edits.fakes import ShadeRegions
from tuiface.engine.latents import recipe_ws
from tuiface.engine.local_engine import LocalEngine
from tuiface.faces.studio import Studio


def test_frame_comes_nearer_by_coarse_rows_alone(
    studio: Studio, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.editor, "reader", ShadeRegions())
    face, reference = studio.face(seed=3).recipe, studio.face(seed=5).recipe
    found = engine.editor.correct_contour(face, reference, num_steps=12)
    assert found.after_percent < 0.8 * found.before_percent
    ws = recipe_ws(engine.editor.renderer.generator, face)
    assert torch.equal(found.ws[:, 6:], ws[:, 6:])
    assert not torch.equal(found.ws[:, :6], ws[:, :6])


def test_own_frame_needs_no_correction(studio: Studio, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.editor, "reader", ShadeRegions())
    face = studio.face(seed=3).recipe
    found = engine.editor.correct_contour(face, face, num_steps=2)
    assert found.after_percent <= found.before_percent
