"""State dicts with NVIDIA's names, as `torch.save(G_ema.state_dict(), ...)` writes them.

A state dict holds tensors and nothing else: what shapes cannot say is assumed, and the assumption is a notice.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuiface.engine.checkpoints.architecture import (
    discriminator_config_from_shapes,
    generator_config_from_shapes,
)
from tuiface.engine.checkpoints.detected import DetectedCheckpoint, DetectedNetwork
from tuiface.engine.checkpoints.materialise import TensorSource, not_stock_error, shapes_of
from tuiface.engine.checkpoints.storages import TorchTensor
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig

MAX_TENSORS = 10_000


def tensor_sources(network: str, entries: Mapping[object, object], prefix: str = "") -> dict[str, TensorSource]:
    """The tensors of a state dict under its own names, without `prefix`; other entries are left out."""
    if len(entries) > MAX_TENSORS:
        raise not_stock_error(f"{network} has {len(entries)} tensors")
    return {
        name.removeprefix(prefix): TensorSource(value, name)
        for name, value in entries.items()
        if isinstance(name, str) and name.startswith(prefix) and isinstance(value, TorchTensor)
    }


def has_nvidia_names(entries: Mapping[object, object]) -> bool:
    """Whether a dict is the state dict of a generator under NVIDIA's names."""
    return isinstance(entries.get("synthesis.b4.const"), TorchTensor)


def find_networks(generator: Mapping[object, object], discriminator: object) -> DetectedCheckpoint:
    """The generator's state dict and, where the file has one, the discriminator's."""
    return DetectedCheckpoint(
        format="torch state dict",
        generator_source="G_ema",
        generator=_describe_generator(generator),
        discriminator=(lambda: _describe_discriminator(discriminator)) if isinstance(discriminator, dict) else None,
        assumptions=("a state dict records no clamp and no multiplier: no clamp and 0.01 are assumed",),
    )


def _describe_generator(entries: Mapping[object, object]) -> DetectedNetwork[GeneratorConfig]:
    sources = tensor_sources("G_ema", entries)
    return DetectedNetwork("G_ema", generator_config_from_shapes(shapes_of(sources)), sources)


def _describe_discriminator(entries: Mapping[object, object]) -> DetectedNetwork[DiscriminatorConfig]:
    sources = tensor_sources("D", entries)
    config = discriminator_config_from_shapes(shapes_of(sources))
    return DetectedNetwork("D", config, sources, ("minibatch groups of 4 are assumed for D",))
