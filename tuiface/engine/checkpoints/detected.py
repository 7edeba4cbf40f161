"""What a format reader found in a file: networks described, their tensors still views of the file's buffer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from tuiface.engine.checkpoints.contents import CheckpointFormat, ConfigT, GeneratorSource
from tuiface.engine.checkpoints.materialise import Sources
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig


@dataclass(frozen=True, eq=False)  # without slots: Generic sets __orig_class__ on instances
class DetectedNetwork(Generic[ConfigT]):
    """A network that the file claims to hold; `opening` checks the claim."""

    network: str
    """The file's name for it, for errors."""
    config: ConfigT
    sources: Sources
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DetectedCheckpoint:
    """The networks of a file in one of the known formats."""

    format: CheckpointFormat
    generator_source: GeneratorSource
    generator: DetectedNetwork[GeneratorConfig]
    discriminator: Callable[[], DetectedNetwork[DiscriminatorConfig]] | None
    """Called by `opening`, so that a discriminator of another kind costs a notice and not the file."""
    notices: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    """What the file leaves open and the picture depends on."""
