"""Tiny readers with random weights, written as files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tuiface.core.regions import REGION_NAMES
from tuiface.engine.predictors import Attribute, PredictorCard
from tuiface.engine.predictors.files import build_network, write_predictor

WIDTHS = (4, 6, 6, 8)


@pytest.fixture(autouse=True, scope="session")
def quiet(one_thread: None) -> None:
    """All of these tests compute on one thread."""


def segmenter_card(**changes: object) -> PredictorCard:
    values: dict[str, object] = {"kind": "segmenter", "regions": REGION_NAMES}
    return card(**{**values, **changes})


def attributes_card(**changes: object) -> PredictorCard:
    attributes = (
        attribute("smile"),
        attribute("yaw", unit="degrees", centre=2.0, spread=12.0),
        attribute("glasses", unit="probability", held_out_r2=0.6),
    )
    return card(**{"kind": "attributes", "attributes": attributes, "feature_width": 10, **changes})


def attribute(name: str, **changes: object) -> Attribute:
    values: dict[str, object] = {
        "name": name,
        "meaning": "",
        "unit": "fraction",
        "shown_where": "",
        "centre": 0.5,
        "spread": 0.25,
        "held_out_r2": 0.9,
    }
    return Attribute.model_validate({**values, **changes})


def card(**changes: object) -> PredictorCard:
    values: dict[str, object] = {"resolution": 32, "widths": WIDTHS, "licence": "CC0-1.0", "name": "tiny"}
    return PredictorCard.model_validate({**values, **changes})


def write(path: Path, card: PredictorCard) -> Path:
    torch.manual_seed(0)
    write_predictor(path, card, build_network(card))
    return path


@pytest.fixture
def segmenter_file(tmp_path: Path) -> Path:
    return write(tmp_path / "segmenter.safetensors", segmenter_card())


@pytest.fixture
def attributes_file(tmp_path: Path) -> Path:
    return write(tmp_path / "attributes.safetensors", attributes_card())
