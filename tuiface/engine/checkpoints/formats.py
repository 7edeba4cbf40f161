"""From a file's bytes to `CheckpointContents`: which format it is, and the checks that all formats share."""

from __future__ import annotations

from collections.abc import Mapping

from tuiface.core.errors import ModelError, describe_value
from tuiface.engine.checkpoints import native, nvidia, rosinality, state_dicts, tensorflow
from tuiface.engine.checkpoints.architecture import (
    W_AVG,
    check_discriminator_config,
    check_generator_config,
    discriminator_shapes,
    generator_shapes,
)
from tuiface.engine.checkpoints.budget import Meter
from tuiface.engine.checkpoints.contents import (
    CheckpointContents,
    DiscriminatorTensors,
    GeneratorTensors,
    network_digest,
)
from tuiface.engine.checkpoints.detected import DetectedCheckpoint
from tuiface.engine.checkpoints.inventory import Inventory
from tuiface.engine.checkpoints.materialise import materialise
from tuiface.engine.checkpoints.pickle_machine import PickleMachine
from tuiface.engine.checkpoints.source_file import SourceFile
from tuiface.engine.checkpoints.storages import MAGIC_NUMBER, TorchTensor, read_legacy_stream, torch_globals
from tuiface.engine.checkpoints.stubs import PersistentModule, python_globals
from tuiface.engine.checkpoints.torch_zip import read_torch_zip


def open_contents(source: SourceFile, census: Inventory) -> CheckpointContents:
    """The contents of any supported checkpoint. `census` also tells what a refused file named."""
    if source.container == "safetensors":
        contents = native.read_native(source)
        census.networks = (contents.generator_source, "D") if contents.discriminator else (contents.generator_source,)
        return contents
    meter = Meter(file_bytes=len(source.data))
    found = find_networks(read_value(source, meter, census), census)
    return _materialise_contents(found, source, meter, census)


def read_value(source: SourceFile, meter: Meter, census: Inventory) -> object:
    """The inert value in a pickle or torch container."""
    data = memoryview(source.data)
    table = {**python_globals(census), **torch_globals(meter, census)}
    if source.container == "zip":
        return read_torch_zip(data, table, meter, census)
    machine = PickleMachine(data, table, meter, census)
    value = machine.run()
    if value == MAGIC_NUMBER:
        return read_legacy_stream(data, table, meter, census)
    if machine.position < len(data):
        census.notices.append(f"{len(data) - machine.position} bytes after the end of the pickle ignored")
    return value


def find_networks(value: object, census: Inventory) -> DetectedCheckpoint:
    """The networks in a value of any of the formats; ModelError names what was found instead."""
    if isinstance(value, PersistentModule):
        value = {"G_ema": value}
    if tensorflow.is_network_triple(value):
        assert isinstance(value, tuple)
        census.networks = ("G", "D", "Gs")
        return tensorflow.find_networks(value, census)
    if not isinstance(value, dict):
        raise ModelError(f"not a StyleGAN2 checkpoint: it holds {describe_value(value)} instead of networks")
    census.networks = tuple(key for key, entry in value.items() if isinstance(key, str) and _is_network(entry))[:16]
    if isinstance(value.get("G_ema"), PersistentModule):
        return nvidia.find_networks(value)
    for entries, discriminator in ((value.get("G_ema"), value.get("D")), (value, None)):
        if isinstance(entries, dict) and state_dicts.has_nvidia_names(entries):
            return state_dicts.find_networks(entries, discriminator)
    for key, prefix in (("g_ema", ""), ("state_dict", "decoder.")):
        entries = value.get(key)
        if isinstance(entries, dict) and rosinality.is_generator(entries, prefix):
            return rosinality.find_networks(
                entries, prefix=prefix, latent_avg=value.get("latent_avg"), discriminator=value.get("d")
            )
    for prefix in ("", "decoder."):
        if rosinality.is_generator(value, prefix):
            return rosinality.find_networks(value, prefix=prefix)
    raise _unknown_format_error(value)


def _is_network(entry: object) -> bool:
    if isinstance(entry, PersistentModule):
        return True
    return isinstance(entry, dict) and any(isinstance(tensor, TorchTensor) for tensor in entry.values())


def _unknown_format_error(value: Mapping[object, object]) -> ModelError:
    keys = [describe_value(key, 24) for key in list(value)[:6]]
    if any(isinstance(key, str) and "progression." in key for key in value):
        return ModelError("a StyleGAN1 state dict: accepted is StyleGAN2")
    more = ", ..." if len(value) > len(keys) else ""
    return ModelError(
        f"no StyleGAN2 generator found: a dict with {', '.join(keys) or 'no keys'}{more}; accepted are G_ema (NVIDIA), "
        "(G, D, Gs) (TensorFlow), g_ema (rosinality) and plain state dicts of these"
    )


def _materialise_contents(
    found: DetectedCheckpoint, source: SourceFile, meter: Meter, census: Inventory
) -> CheckpointContents:
    """The found networks, checked and materialised."""
    config = found.generator.config
    check_generator_config(config)
    expected = generator_shapes(config)
    has_w_avg = W_AVG in found.generator.sources
    if has_w_avg:
        expected[W_AVG] = (config.w_dim,)
    tensors = materialise(found.generator.network, expected, found.generator.sources, meter)
    notices = [*census.notices, *found.assumptions, *found.notices, *found.generator.notices]
    if not has_w_avg:
        notices.append("no mean of w in the file: the engine estimates it")
    return CheckpointContents(
        format=found.format,
        generator=GeneratorTensors(config, tensors),
        discriminator=_materialise_discriminator(found, meter, notices),
        generator_source=found.generator_source,
        has_w_avg=has_w_avg,
        notices=tuple(notices),
        assumptions=found.assumptions,
        licence=None,
        origin_sha256=source.sha256,
        origin_format=found.format,
        network_sha256=network_digest(config, tensors),
    )


def _materialise_discriminator(
    found: DetectedCheckpoint, meter: Meter, notices: list[str]
) -> DiscriminatorTensors | None:
    if found.discriminator is None:
        notices.append("no discriminator in the file")
        return None
    try:
        network = found.discriminator()
        check_discriminator_config(network.config)
        tensors = materialise(network.network, discriminator_shapes(network.config), network.sources, meter)
    except ModelError as error:
        notices.append(f"discriminator ignored: {error.message}")
        return None
    notices.extend(network.notices)
    return DiscriminatorTensors(network.config, tensors)
