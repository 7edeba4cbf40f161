"""What a checkpoint means, whatever its format: configurations and float32 tensors under NVIDIA's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from tuiface.engine.config import DiscriminatorConfig, GeneratorConfig

ConfigT = TypeVar("ConfigT", GeneratorConfig, DiscriminatorConfig)

Tensors = Mapping[str, npt.NDArray[np.float32]]

CheckpointFormat = Literal[
    "stylegan2-ada-pytorch pickle",
    "stylegan3-repository pickle",
    "tensorflow stylegan2 pickle",
    "tensorflow stylegan2-ada pickle",
    "rosinality pt",
    "torch state dict",
    "tuiface safetensors",
]
GeneratorSource = Literal["G_ema", "Gs", "g_ema"]


@dataclass(frozen=True, eq=False)  # without slots: Generic sets __orig_class__ on instances
class NetworkTensors(Generic[ConfigT]):
    """One network: a configuration and exactly the tensors that it needs."""

    config: ConfigT
    tensors: Tensors
    """float32, C-contiguous, finite, freshly allocated; names relative to the network (`synthesis.b8.conv0.weight`)."""

    @property
    def num_parameters(self) -> int:
        """Trained values; noise maps and the latent mean are buffers and do not count."""
        buffers = ("noise_const", "w_avg")
        return sum(tensor.size for name, tensor in self.tensors.items() if not name.endswith(buffers))


GeneratorTensors = NetworkTensors[GeneratorConfig]
DiscriminatorTensors = NetworkTensors[DiscriminatorConfig]


@dataclass(frozen=True, slots=True, eq=False)
class CheckpointContents:
    """All that the engine takes from a checkpoint."""

    format: CheckpointFormat
    generator: GeneratorTensors
    """The averaged generator, which every paper shows."""
    discriminator: DiscriminatorTensors | None
    """None where the file holds none, or one that cannot be mapped; `notices` says which."""
    generator_source: GeneratorSource
    """The file's own name for that network."""
    has_w_avg: bool
    """False: the file records no mean of w, there is no `mapping.w_avg`, and the engine estimates it."""
    notices: tuple[str, ...]
    """What a user should know: assumptions, parts that were ignored."""
    licence: str | None
    """As recorded in a converted file; other formats record none."""
    origin_sha256: str
    """SHA-256 of the file that the network first came from."""
    origin_format: CheckpointFormat
    """Format of that file."""
    network_sha256: str
    """`network_digest` of the generator: what recipes refer to."""
    assumptions: tuple[str, ...] = ()
    """Those of the notices that pictures depend on: shown with each picture, and written to its provenance."""
    name: str | None = None
    """As recorded in a converted file."""
