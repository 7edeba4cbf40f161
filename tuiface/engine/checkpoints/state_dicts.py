"""State dicts, tensors and nothing else: with NVIDIA's names, or those of rosinality's stylegan2-pytorch.

What shapes cannot say is assumed. Of `torch.save(G_ema.state_dict(), ...)` the assumption is a notice; rosinality's
networks have one size of z and w, no labels, no clamp, no half precision, and the mapping's multiplier 0.01. Its files
are a dict with the state dict `g_ema` and, perhaps, `d` and `latent_avg`:

| rosinality                                                   | ours                                           |
|--------------------------------------------------------------|------------------------------------------------|
| style.{i+1}                                                  | mapping.fc{i}                                  |
| input.input [1, C, 4, 4]                                     | synthesis.b4.const                             |
| conv1; convs.{2i-2}, convs.{2i-1} (i = 1 for 8x8)            | b4.conv1; conv0, conv1                         |
| X.conv.weight [1, out, in, 3, 3], X.conv.modulation          | weight, affine                                 |
| X.noise.weight [1], X.activate.bias                          | noise_strength [], bias                        |
| to_rgb1, to_rgbs.{i-1}: conv, bias [1, 3, 1, 1]              | torgb                                          |
| noises.noise_{k} [1, 1, r, r]                                | noise_const                                    |
| d: convs.0; convs.{j}: conv1, conv2, skip                    | fromrgb; conv0, conv1, skip                    |
| d: final_conv, final_linear.0, final_linear.1                | b4.conv, b4.fc, b4.out                         |
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from tuiface.core.errors import ModelError, describe_value
from tuiface.core.limits import MAX_WIDTH
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints.accounting import Meter
from tuiface.engine.checkpoints.architecture import (
    RESOLUTIONS,
    W_AVG,
    discriminator_config_from_shapes,
    generator_config_from_shapes,
)
from tuiface.engine.checkpoints.description import (
    FILTER_SUFFIX,
    Arrangement,
    CheckpointDescription,
    NetworkDescription,
    TensorSource,
    not_stock_error,
    shapes_of,
)
from tuiface.engine.checkpoints.storages import TorchTensor
from tuiface.engine.checkpoints.stubs import NumpyArray
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig

MAX_TENSORS = 10_000
ONLY_ELEMENT: Final = Arrangement(1, lambda a: a[0, ...], unit_axes=1)
ONLY_SAMPLE: Final = Arrangement(4, lambda a: a[0], unit_axes=1)
ONLY_CHANNEL: Final = Arrangement(4, lambda a: a[0, 0], unit_axes=2)
WITHOUT_BATCH: Final = Arrangement(5, lambda a: a[0], unit_axes=1)
CHANNEL_VECTOR: Final = Arrangement(4, lambda a: a[0, :, 0, 0], unit_axes=1)

#: Rows of W+ at 1024 px.
MAX_NUM_WS: Final = 18

#: Renaming of one tensor: rosinality's name, ours, arrangement.
Rule = tuple[str, str, Arrangement | None]


def is_nvidia_generator(entries: Mapping[object, object]) -> bool:
    """Whether a dict is the state dict of a generator under NVIDIA's names."""
    return isinstance(entries.get("synthesis.b4.const"), TorchTensor)


def describe_nvidia_networks(
    generator: Mapping[object, object], discriminator: object, meter: Meter, notices: tuple[str, ...] = ()
) -> CheckpointDescription:
    """The generator's state dict and, where the file has one, the discriminator's."""
    return CheckpointDescription(
        format="torch state dict",
        generator_source="G_ema",
        generator=_describe_nvidia_generator(generator, meter),
        discriminator=(lambda: _describe_nvidia_discriminator(discriminator, meter))
        if isinstance(discriminator, dict)
        else None,
        notices=notices,
        assumptions=("a state dict records no clamp and no multiplier: no clamp and 0.01 are assumed",),
    )


def _describe_nvidia_generator(entries: Mapping[object, object], meter: Meter) -> NetworkDescription[GeneratorConfig]:
    sources = _tensor_sources("G_ema", entries, meter)
    return NetworkDescription("G_ema", generator_config_from_shapes(shapes_of(sources)), sources)


def _describe_nvidia_discriminator(
    entries: Mapping[object, object], meter: Meter
) -> NetworkDescription[DiscriminatorConfig]:
    sources = _tensor_sources("D", entries, meter)
    config = discriminator_config_from_shapes(shapes_of(sources))
    return NetworkDescription("D", config, sources, ("minibatch groups of 4 are assumed for D",))


def is_rosinality_generator(entries: Mapping[object, object], prefix: str = "") -> bool:
    """Whether a dict is the state dict of a generator under rosinality's names."""
    return isinstance(entries.get(f"{prefix}input.input"), TorchTensor)


def describe_rosinality_networks(
    generator: Mapping[object, object],
    meter: Meter,
    *,
    prefix: str = "",
    latent_avg: object = None,
    discriminator: object = None,
    notices: tuple[str, ...] = (),
) -> CheckpointDescription:
    """The averaged generator, the mean of w where it is recorded, and the discriminator where it is held."""
    found = _describe_rosinality_generator(generator, prefix, latent_avg, meter)
    return CheckpointDescription(
        format="rosinality pt",
        generator_source="g_ema",
        generator=found,
        discriminator=(lambda: _describe_rosinality_discriminator(discriminator, meter))
        if isinstance(discriminator, dict)
        else None,
        notices=(*notices, *((f"only the tensors under '{prefix}' were read",) if prefix else ())),
    )


def _describe_rosinality_generator(
    entries: Mapping[object, object], prefix: str, latent_avg: object, meter: Meter
) -> NetworkDescription[GeneratorConfig]:
    sources = _rename_tensors(_tensor_sources("g_ema", entries, meter, prefix), _generator_rules(), filter_sum=4.0)
    if latent_avg is not None:
        mean = _mean_tensor(latent_avg)
        sources[W_AVG] = TensorSource(mean, "latent_avg", _mean_arrangement(mean))
    return NetworkDescription("g_ema", generator_config_from_shapes(shapes_of(sources)), sources)


def _mean_tensor(latent_avg: object) -> TorchTensor | NumpyArray:
    """People add the mean of w themselves: as a tensor, an array or a list of numbers."""
    match latent_avg:
        case TorchTensor() | NumpyArray():
            return latent_avg
        case [list() as numbers] | (list() as numbers) if 0 < len(numbers) <= MAX_WIDTH:
            if all(isinstance(number, float | int) and not isinstance(number, bool) for number in numbers):
                return NumpyArray.of_numbers(numbers)
    raise ModelError(
        f"latent_avg is {describe_value(latent_avg)}; accepted are a tensor, an array or a list: one mean of w",
        "save the file again with latent_avg as a tensor of w_dim numbers, or without it",
    )


def _mean_arrangement(latent_avg: TorchTensor | NumpyArray) -> Arrangement | None:
    """Encoders repeat the mean for every row of W+: [rows, w] whose rows are all the same."""
    values = latent_avg.array()
    if values.ndim != 2:
        return None
    rows = values[:MAX_NUM_WS]
    if len(rows) == values.shape[0] and rows.size and bool(np.all(rows == rows[:1])):
        return Arrangement(2, lambda a: a[0])
    raise not_stock_error(f"latent_avg {list(values.shape)} has rows that differ; accepted is one mean of w")


def _describe_rosinality_discriminator(
    entries: Mapping[object, object], meter: Meter
) -> NetworkDescription[DiscriminatorConfig]:
    stored = _tensor_sources("d", entries, meter)
    num_blocks = sum(f"convs.{index}.conv1.0.weight" in stored for index in range(1, len(RESOLUTIONS)))
    sources = _rename_tensors(stored, _discriminator_rules(4 * 2**num_blocks), filter_sum=1.0)
    return NetworkDescription("d", discriminator_config_from_shapes(shapes_of(sources)), sources)


def _generator_rules() -> Iterator[Rule]:
    for index in range(64):
        yield f"style.{index + 1}.weight", f"mapping.fc{index}.weight", None
        yield f"style.{index + 1}.bias", f"mapping.fc{index}.bias", None
    yield "input.input", "synthesis.b4.const", ONLY_SAMPLE
    yield from _layer_rules("conv1", "synthesis.b4.conv1", noise=0)
    yield from _torgb_rules("to_rgb1", "synthesis.b4.torgb")
    for index, resolution in enumerate(RESOLUTIONS[1:]):
        block = f"synthesis.b{resolution}"
        yield from _layer_rules(f"convs.{2 * index}", f"{block}.conv0", noise=2 * index + 1)
        yield from _layer_rules(f"convs.{2 * index + 1}", f"{block}.conv1", noise=2 * index + 2)
        yield from _torgb_rules(f"to_rgbs.{index}", f"{block}.torgb")
        yield f"convs.{2 * index}.conv.blur.kernel", f"{block}.conv0.{FILTER_SUFFIX}", None
        yield f"to_rgbs.{index}.upsample.kernel", f"{block}.{FILTER_SUFFIX}", None


def _layer_rules(stored: str, name: str, *, noise: int) -> Iterator[Rule]:
    yield f"{stored}.conv.weight", f"{name}.weight", WITHOUT_BATCH
    yield f"{stored}.conv.modulation.weight", f"{name}.affine.weight", None
    yield f"{stored}.conv.modulation.bias", f"{name}.affine.bias", None
    yield f"{stored}.noise.weight", f"{name}.noise_strength", ONLY_ELEMENT
    yield f"{stored}.activate.bias", f"{name}.bias", None
    yield f"noises.noise_{noise}", f"{name}.noise_const", ONLY_CHANNEL


def _torgb_rules(stored: str, name: str) -> Iterator[Rule]:
    yield f"{stored}.conv.weight", f"{name}.weight", WITHOUT_BATCH
    yield f"{stored}.conv.modulation.weight", f"{name}.affine.weight", None
    yield f"{stored}.conv.modulation.bias", f"{name}.affine.bias", None
    yield f"{stored}.bias", f"{name}.bias", CHANNEL_VECTOR


def _discriminator_rules(img_resolution: int) -> Iterator[Rule]:
    yield "convs.0.0.weight", f"b{img_resolution}.fromrgb.weight", None
    yield "convs.0.1.bias", f"b{img_resolution}.fromrgb.bias", None
    for index in range(1, int(math.log2(img_resolution)) - 1):
        stored, block = f"convs.{index}", f"b{img_resolution >> (index - 1)}"
        yield f"{stored}.conv1.0.weight", f"{block}.conv0.weight", None
        yield f"{stored}.conv1.1.bias", f"{block}.conv0.bias", None
        yield f"{stored}.conv2.0.kernel", f"{block}.conv1.{FILTER_SUFFIX}", None
        yield f"{stored}.conv2.1.weight", f"{block}.conv1.weight", None
        yield f"{stored}.conv2.2.bias", f"{block}.conv1.bias", None
        yield f"{stored}.skip.0.kernel", f"{block}.skip.{FILTER_SUFFIX}", None
        yield f"{stored}.skip.1.weight", f"{block}.skip.weight", None
    yield "final_conv.0.weight", "b4.conv.weight", None
    yield "final_conv.1.bias", "b4.conv.bias", None
    for index, name in enumerate(("b4.fc", "b4.out")):
        yield f"final_linear.{index}.weight", f"{name}.weight", None
        yield f"final_linear.{index}.bias", f"{name}.bias", None


def _rename_tensors(
    stored: Mapping[str, TensorSource], rules: Iterator[Rule], *, filter_sum: float
) -> dict[str, TensorSource]:
    """All tensors under our names; one without a rule keeps its own, and is refused later."""
    left = dict(stored)
    sources = {
        name: replace(left.pop(stored_name), arrangement=arrangement, filter_sum=filter_sum)
        for stored_name, name, arrangement in rules
        if stored_name in left
    }
    return sources | {f"({to_visible(name)})": source for name, source in left.items()}


def _tensor_sources(
    network: str, entries: Mapping[object, object], meter: Meter, prefix: str = ""
) -> dict[str, TensorSource]:
    """The tensors of a state dict under its own names, without `prefix`; other entries are left out."""
    if len(entries) > MAX_TENSORS:
        raise not_stock_error(f"{network} has {len(entries)} tensors")
    meter.visit(len(entries))
    return {
        name.removeprefix(prefix): TensorSource(value, name)
        for name, value in entries.items()
        if isinstance(name, str) and name.startswith(prefix) and isinstance(value, TorchTensor)
    }
