"""A small network, its engine, and a folder for directions; shared by a module's tests, for what engines keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import MODEL
from tests.directions.directions import make_direction
from tuiface.core.settings import Settings
from tuiface.directions.direction import Direction
from tuiface.engine.loading import open_engine
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.faces.studio import Studio


@pytest.fixture(scope="module")
def edit_settings(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("directions")
    return Settings(model=MODEL, device="cpu", threads=1, cache=shared_cache, directions=folder)


@pytest.fixture(scope="module")
def engine(edit_settings: Settings) -> LocalEngine:
    return open_engine(edit_settings)


@pytest.fixture
def studio(engine: LocalEngine, edit_settings: Settings) -> Studio:
    return Studio(engine, edit_settings)


@pytest.fixture
def add_direction(studio: Studio, edit_settings: Settings) -> Callable[..., Direction]:
    """Put a direction of this network among the user's, in place of an earlier test's."""

    def add(name: str, array: np.ndarray | None = None, **fields: object) -> Direction:
        fields.setdefault("model", studio.info.model)
        for entry in studio.catalogue.entries():
            if entry.direction.name == name and edit_settings.directions in entry.path.parents:  # never a shipped one
                entry.path.unlink()
        made = make_direction(name, array, **fields)  # type: ignore[arg-type]
        studio.catalogue.add(made)
        return made

    return add


@pytest.fixture(scope="module")
def network(shared_cache: Path) -> OpenedNetwork:
    """A network of random weights, its contrast lowered until pictures are not clipped."""
    opened = open_engine(Settings(model=MODEL, device="cpu", threads=1, cache=shared_cache)).network
    with torch.no_grad():
        for name, layer, _ in opened.generator.synthesis.style_layers():
            if name.endswith("torgb"):
                layer.weight.mul_(0.1)
    return opened
