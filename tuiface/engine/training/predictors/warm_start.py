"""The reader that a training goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from tuiface.engine.model_cache import file_sha256
from tuiface.engine.predictors.files import Kind, PredictorCard, load_predictor


@dataclass(frozen=True, slots=True, eq=False)
class PredictorWarmStart:
    """A trained reader: a folded network."""

    card: PredictorCard
    network: nn.Module
    sha256: str
    """Of the file."""


def open_predictor_warm_start(path: Path, kind: Kind) -> PredictorWarmStart:
    """The reader at `path`; raises ModelError, one line, for anything else."""
    card, network = load_predictor(path, kind)
    return PredictorWarmStart(card, network, file_sha256(path))
