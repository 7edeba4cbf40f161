"""The reader that a training goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from tuiface.engine.model_cache import file_sha256
from tuiface.engine.predictors.files import Kind, ReaderCard, read_reader


@dataclass(frozen=True, slots=True, eq=False)
class ReaderStart:
    """A trained reader: a folded network."""

    card: ReaderCard
    network: nn.Module
    sha256: str
    """Of the file."""


def open_reader_start(path: Path, kind: Kind) -> ReaderStart:
    """The reader at `path`; raises ModelError, one line, for anything else."""
    card, network = read_reader(path, kind)
    return ReaderStart(card, network, file_sha256(path))
