"""What the trainer sees of its data, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from torch import Tensor

from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.data.pictures import PictureData
from tuiface.engine.training.gan.settings import HEADS, RunLimits, TrainingSettings


class TrainingData(Protocol):
    """Pictures by index, some of which training never sees."""

    fingerprint: str
    """Equal for equal data."""

    def count_available(self) -> int:
        """Training pictures that are there now; grows while heads are rendered."""

    def pixels(self, indices: Tensor) -> Tensor:
        """uint8 [N, R, R, 3] of training pictures `indices` int64 [N]; with mirroring, odd ones are mirror images."""

    def held_out(self) -> Tensor:
        """uint8 [M, R, R, 3], M from 1 to 512: never trained on."""

    def close(self) -> None:
        """Let go of processes and files."""


class LabelledPictures(Protocol):
    """Faces with the region of each pixel, by index, some of which training never sees."""

    def count_available(self) -> int:
        """Training pictures that are there now."""

    def pixels(self, indices: Tensor) -> Tensor:
        """uint8 [N, R, R, 3] of training pictures `indices` int64 [N]."""

    def regions(self, indices: Tensor) -> Tensor:
        """uint8 [N, R, R], ids of `tuiface.core.regions.Region`."""

    def held_out(self) -> Tensor:
        """uint8 [M, R, R, 3]: never trained on."""

    def held_out_regions(self) -> Tensor:
        """uint8 [M, R, R]: the regions of `held_out`."""


def open_data(
    settings: TrainingSettings, limits: RunLimits, at_least: int, note: Callable[[str], None]
) -> TrainingData:
    """The data that `settings` name, once there are `at_least` training pictures; `note` tells a user what is done.

    Raises InputFileError for pictures that cannot be trained on and EngineError where heads cannot be rendered.
    """
    if settings.data == HEADS:
        return HeadData.open(settings, limits, at_least, note)
    return PictureData.open(Path(settings.data), settings.resolution, limits.out, mirror=settings.mirror, note=note)
