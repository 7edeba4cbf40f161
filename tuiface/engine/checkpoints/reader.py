"""The safe reader, from a path to what a checkpoint means, step by step; nothing in a file is imported or executed.

1. `read_source` reads the file's bytes, once, and says by its first ones how it is packed.
2. `read_value` unpacks the container (zip, legacy stream, pickle) into inert values.
3. `describe_checkpoint` (recognition.py) finds the networks and describes them: configuration and views of the buffer.
4. `read_generator` and `read_discriminator` check a description against the architecture and materialise its tensors.

`read_contents` puts steps 2 to 4 together; our own safetensors, which say all of it themselves, need none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tuiface.core.errors import ModelError, describe_value
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints import native
from tuiface.engine.checkpoints.accounting import LIMITS, Inventory, Meter
from tuiface.engine.checkpoints.architecture import (
    W_AVG,
    Shapes,
    check_discriminator_config,
    check_generator_config,
    discriminator_shapes,
    generator_shapes,
)
from tuiface.engine.checkpoints.contents import (
    CheckpointContents,
    DiscriminatorTensors,
    GeneratorTensors,
)
from tuiface.engine.checkpoints.description import (
    CheckpointDescription,
    NetworkDescription,
    TensorSource,
    materialise,
)
from tuiface.engine.checkpoints.pickle_machine import PickleMachine
from tuiface.engine.checkpoints.recognition import describe_checkpoint
from tuiface.engine.checkpoints.source_file import SourceFile, name_file_in_errors, read_source
from tuiface.engine.checkpoints.storages import MAGIC_NUMBER, TorchTensor, read_legacy_stream, torch_globals
from tuiface.engine.checkpoints.stubs import NumpyArray, python_globals
from tuiface.engine.checkpoints.torch_zip import read_torch_zip
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig

MAX_ARRAYS = 1024
NOISE_SUFFIX = ".noise_const"
NOISE_SEED = 0
NOISE_DRAWN = f"no noise maps in the file: they are drawn, by seed {NOISE_SEED}"


def read_checkpoint(path: Path) -> CheckpointContents:
    """Read a checkpoint of any supported format into float32 tensors, executing nothing.

    Raises ModelError, one line with the file's name and the reason, for a file that is missing, damaged, hostile, of
    another kind, or not a stock StyleGAN2. Memory: the file plus the float32 tensors of the averaged generator and the
    discriminator; time: half a second for 380 MB.
    """
    with name_file_in_errors(path):
        return read_contents(read_source(path), Inventory())


def read_contents(source: SourceFile, inventory: Inventory) -> CheckpointContents:
    """What a file means, from its bytes. `inventory` also tells what a refused file named."""
    if source.container == "safetensors":
        contents = native.read_native(source)
        inventory.networks = (contents.generator_source, *(("D",) if contents.discriminator else ()))
        return contents
    meter = Meter(file_bytes=len(source.data))
    value = read_value(source, meter, inventory)
    description = describe_checkpoint(value, meter, inventory)
    generator = read_generator(description.generator, meter)
    with ThreadPoolExecutor(1, "digest") as beside:
        beside.submit(lambda: generator.sha256)  # kept; it takes as long as reading the discriminator
        discriminator, discriminator_notices = read_discriminator(description, meter)
    has_w_avg = W_AVG in generator.tensors
    assumptions = (*description.assumptions, *(() if has_noise_maps(description.generator) else (NOISE_DRAWN,)))
    return CheckpointContents(
        format=description.format,
        generator=generator,
        discriminator=discriminator,
        generator_source=description.generator_source,
        has_w_avg=has_w_avg,
        notices=(
            *inventory.notices,
            *assumptions,
            *description.notices,
            *description.generator.notices,
            *(() if has_w_avg else ("no mean of w in the file: the engine estimates it",)),
            *discriminator_notices,
        ),
        assumptions=assumptions,
        licence=None,
        origin_sha256=source.sha256,
        origin_format=description.format,
        network_sha256=generator.sha256,
    )


def read_value(source: SourceFile, meter: Meter, inventory: Inventory) -> object:
    """The inert value in a pickle or torch container."""
    data = source.data
    table = {**python_globals(meter, inventory), **torch_globals(meter, inventory)}
    if source.container == "zip":
        return read_torch_zip(data, table, meter, inventory)
    machine = PickleMachine(data, table, meter, inventory)
    value = machine.run()
    if value == MAGIC_NUMBER:
        return read_legacy_stream(data, table, meter, inventory)
    if machine.position < len(data):
        inventory.notices.append(f"{len(data) - machine.position} bytes after the end of the pickle ignored")
    return value


def read_generator(described: NetworkDescription[GeneratorConfig], meter: Meter) -> GeneratorTensors:
    """The described generator, checked; `mapping.w_avg` may be absent, and the noise maps if all of them are."""
    check_generator_config(described.config)
    expected = generator_shapes(described.config)
    if W_AVG in described.sources:
        expected[W_AVG] = (described.config.w_dim,)
    drawn: dict[str, np.ndarray] = {}
    if not has_noise_maps(described):
        drawn = draw_noise_maps({name: expected.pop(name) for name in tuple(expected) if name.endswith(NOISE_SUFFIX)})
    tensors = materialise(described.network, expected, described.sources, meter)
    return GeneratorTensors(described.config, {**tensors, **drawn})


def has_noise_maps(described: NetworkDescription[GeneratorConfig]) -> bool:
    """Whether the file stores any: older ones drew new noise for each picture."""
    return any(name.endswith(NOISE_SUFFIX) for name in described.sources)


def draw_noise_maps(shapes: Shapes) -> dict[str, np.ndarray]:
    """float32 maps of N(0, 1) for layers of these shapes, from low to high resolution; always the same."""
    rng = np.random.RandomState(NOISE_SEED)
    return {name: rng.randn(*shape).astype(np.float32) for name, shape in shapes.items()}


def read_discriminator(
    description: CheckpointDescription, meter: Meter
) -> tuple[DiscriminatorTensors | None, tuple[str, ...]]:
    """The described discriminator and its notices; one of another kind costs a notice and not the file."""
    if description.discriminator is None:
        return None, ("no discriminator in the file",)
    try:
        described: NetworkDescription[DiscriminatorConfig] = description.discriminator()
        check_discriminator_config(described.config)
        expected = discriminator_shapes(described.config)
        tensors = materialise(described.network, expected, described.sources, meter)
    except ModelError as error:
        return None, (f"discriminator ignored: {error.message}",)
    return DiscriminatorTensors(described.config, tensors), described.notices


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every floating-point array of a `.pt` or pickle file as float32, by its place: "", "smile", "latents.0".

    Latents and directions that people saved are read as safely as networks. Raises ModelError, one line with the file's
    name, for anything that is not sound.
    """
    with name_file_in_errors(path):
        source = read_source(path)
        if source.container == "safetensors":
            raise ModelError("a safetensors file; accepted are .npy, .npz and .pt")
        meter = Meter(LIMITS, file_bytes=len(source.data))
        found = dict(_collect_arrays(read_value(source, meter, Inventory()), meter))
        if not found:
            raise ModelError("no array in it")
        meter.use_tensors(sum(4 * tensor.array().size for tensor in found.values()))
        return {place: TensorSource(tensor, place or "array").float32() for place, tensor in found.items()}


def _collect_arrays(value: object, meter: Meter) -> Iterator[tuple[str, TorchTensor | NumpyArray]]:
    """Arrays in nested dicts and lists, depth first."""
    for number, (where, found) in enumerate(_walk(value, "", 0, meter)):
        if number >= MAX_ARRAYS:
            raise ModelError(f"more than {MAX_ARRAYS} arrays")
        yield where, found


def _walk(value: object, place: str, depth: int, meter: Meter) -> Iterator[tuple[str, TorchTensor | NumpyArray]]:
    if isinstance(value, TorchTensor | NumpyArray):
        yield place, value
        return
    if depth > 4:
        raise ModelError("arrays nested too deeply")
    if not isinstance(value, dict | list | tuple):
        return
    meter.visit(len(value))
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        name = to_visible(key) if isinstance(key, str) else str(key) if isinstance(key, int) else describe_value(key)
        yield from _walk(entry, f"{place}.{name}" if place else name, depth + 1, meter)
