"""What determines a trained predictor: its settings, and the predictor that a training goes on from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from tuiface.core.bounds import MAX_COUNT, Line, Width, Word
from tuiface.core.errors import UsageError
from tuiface.core.limits import MAX_EXACT_INTEGER
from tuiface.core.values import Value, describe_error
from tuiface.engine.checkpoint import file_sha256
from tuiface.engine.predictors.files import Kind, PredictorCard, load_predictor
from tuiface.engine.predictors.networks import AttributeNetwork, SegmenterNetwork, refold
from tuiface.engine.training.gan.settings import Precision, TrainingSettings

LARGE_SIDE_PX = 256
"""Side of the larger readers."""


class PredictorSettings(Value):
    """Everything that determines the result; the defaults are those of the shipped readers."""

    kind: Kind
    resolution: Literal[32, 64, 128, 256] = 128
    """Side at which pictures are read, pixels."""
    scale: Literal[1, 2] = 1
    """Pixels a side that count as one in the stages; 2 for 256 px with the stages, and the cost, of 128."""
    seed: int = Field(0, ge=0, le=MAX_EXACT_INTEGER)
    """Of the initial weights and of every random draw."""
    population: int = Field(0, ge=0, le=MAX_EXACT_INTEGER)
    """Seed of the population of heads; its first 512 are held out."""
    num_heads: int = Field(20_480, ge=1024, le=MAX_COUNT)
    """Heads rendered in all."""
    kimg: float = Field(80.0, gt=0)
    """Thousands of pictures that are trained on; the learning rate falls to 0 over them."""
    batch: int = Field(48, ge=2, le=MAX_COUNT)
    learning_rate: float = Field(0.003, gt=0)
    """Of AdamW, at its highest."""
    weight_decay: float = Field(0.02, ge=0)
    widths: tuple[Width, ...] = Field((32, 64, 112, 144), min_length=4, max_length=5)
    """Channels of the stages; five, which begin at half the side, for attributes alone."""
    feature_width: int = Field(256, ge=1, le=MAX_COUNT)
    """Attributes: length of the pooled features."""
    ema_kimg: float = Field(8.0, gt=0)
    """Half-life of the averaged network."""
    misalignment: float = Field(1.0, ge=0)
    """Strength of `degradation.misalign`."""
    recasting: float = Field(1.0, ge=0)
    """Strength of `degradation.recast`."""
    precision: Precision = "float32"
    """Of the convolutions; losses and sums are always float32."""
    start: Word | None = None
    """SHA-256 of the predictor that training went on from; None for random weights."""
    name: Word = "untitled"
    """Recorded in the predictor's file."""
    licence: Line = "unknown"
    """Recorded in the predictor's file."""

    def heads(self) -> TrainingSettings:
        """The same heads as data of the network's trainer."""
        return TrainingSettings(
            data="heads", resolution=self.resolution, population=self.population, num_heads=self.num_heads
        )


def recommend_predictor_settings(kind: Kind, changes: Mapping[str, object]) -> PredictorSettings:
    """Settings that work, with `changes` on top; raises UsageError for a value that is not accepted.

    Attributes are about tone and place, so their pictures are moved and recoloured less.
    """
    values: dict[str, object] = {"kind": kind}
    if changes.get("resolution") == LARGE_SIDE_PX:
        values["scale"] = 2
    if kind == "attributes":
        values |= {"widths": (32, 64, 128, 192, 224), "kimg": 320.0, "misalignment": 0.3, "recasting": 0.25}
    try:
        return PredictorSettings.model_validate({**values, **changes})
    except ValidationError as error:
        raise UsageError(*describe_error(error, PredictorSettings, f"train {kind}")) from None


@dataclass(frozen=True, slots=True, eq=False)
class PredictorWarmStart:
    """A trained predictor: a folded network."""

    card: PredictorCard
    network: SegmenterNetwork | AttributeNetwork
    sha256: str
    """Of the file."""

    def fit(self, settings: PredictorSettings) -> SegmenterNetwork | AttributeNetwork:
        """A network of the side that `settings` ask for, which says what this one says of the picture reduced to its.

        Raises UsageError where widths differ, or the stages work at another side.
        """
        card, network = self.card, copy.deepcopy(self.network)
        stages = card.resolution // card.scale
        shape = (stages, card.widths) if card.kind == "attributes" else card.widths
        wanted = settings.resolution // settings.scale, settings.widths
        if shape != (wanted if card.kind == "attributes" else settings.widths) or settings.scale % card.scale:
            raise UsageError(
                f"the reader '{card.name}' has other widths or another side: {list(card.widths)}, {card.resolution} px",
                f"leave out --from; read here are {settings.resolution} px through {list(settings.widths)}",
            )
        if settings.scale != card.scale:
            refold(network, settings.scale // card.scale)
        return network


def open_predictor_warm_start(path: Path, kind: Kind) -> PredictorWarmStart:
    """The predictor at `path`; raises ModelError, one line, for anything else."""
    card, network = load_predictor(path, kind)
    assert isinstance(network, SegmenterNetwork | AttributeNetwork)
    return PredictorWarmStart(card, network, file_sha256(path))
