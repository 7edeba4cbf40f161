"""What a checkpoint means, whatever its format: configurations and float32 tensors under NVIDIA's names.

`network_digest` is a network's identity, the same whatever file it came from:

    SHA-256 over  "tuiface.network/1\\n"  +  canonical JSON (RFC 8785)  +  "\\n"  +  the tensors' bytes

where the JSON is `{"config": {...}, "tensors": [[name, shape], ...]}` with the names sorted, and the bytes are each
tensor's float32 little-endian values in that order. `fp16_resolutions` is left out: it records how the writer ran the
network, not what the network is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import rfc8785

from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig, config_to_json

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
GeneratorSource = Literal["G_ema", "G", "Gs", "g_ema"]


@dataclass(frozen=True, eq=False)  # without slots: Generic sets __orig_class__ on instances
class NetworkTensors(Generic[ConfigT]):
    """One network: a configuration and exactly the tensors that it needs."""

    config: ConfigT
    tensors: Tensors
    """float32, C-contiguous, finite, freshly allocated; names relative to the network (`synthesis.b8.conv0.weight`)."""

    @cached_property
    def sha256(self) -> str:
        """`network_digest` of the tensors as they were when it was first asked for."""
        return network_digest(self.config, self.tensors)

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


DIGEST_PREFIX = b"tuiface.network/1\n"


def network_digest(config: GeneratorConfig | DiscriminatorConfig, tensors: Tensors) -> str:
    """SHA-256 (hexadecimal) of a network's configuration and tensors; 120 MB take 0.1 to 0.3 s, without copies."""
    described = {key: value for key, value in config_to_json(config).items() if key != "fp16_resolutions"}
    names = sorted(tensors)
    header: dict[str, Any] = {"config": described, "tensors": [[name, list(tensors[name].shape)] for name in names]}
    digest = hashlib.sha256(DIGEST_PREFIX + rfc8785.dumps(header) + b"\n")
    for name in names:
        digest.update(np.asarray(tensors[name], "<f4", order="C").reshape(-1).data)
    return digest.hexdigest()
