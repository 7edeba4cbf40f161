"""Directions of the fake engine's network, as files in the user's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.tui.fake_engine import INFO
from tuiface.core.settings import Settings
from tuiface.directions.direction import Direction, DirectionHeader, DirectionOrigin, labels_of, write_direction

NAMES = ("smile", "mouth_open", "yaw", "eye_opening", "hair_curl", "trustworthy")


def with_directions(settings: Settings, folder: Path, names: tuple[str, ...] = NAMES) -> Settings:
    """The settings with directions of those names in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        header = DirectionHeader(
            name=name,
            labels=labels_of(name),
            space="w",
            origin=DirectionOrigin(method="import"),
            licence="CC0-1.0",
            model=INFO.model,
        )
        write_direction(Direction(header, {"step": np.ones(INFO.w_dim, np.float32)}), folder / f"{name}.safetensors")
    return settings.model_copy(update={"directions": folder})
