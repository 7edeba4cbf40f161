"""Our own checkpoint format, read and written: a header that is validated without reading the tensors, and the tensors.

A tuiface model is a safetensors file with this metadata, all values text:

    format            "tuiface.model/1"
    config            GeneratorConfig as JSON;  discriminator_config  DiscriminatorConfig as JSON, absent without one
    network_sha256    network_digest of the generator;  discriminator_sha256  of the discriminator
    origin_sha256, origin_format, generator_source, notices and assumptions (JSON lists); licence and name where known

and tensors named "G." and "D." before the canonical names, in float32, float16 or bfloat16.

`core.safetensors_header` has the bytes around both. Tensors stream to the disk without a copy of the whole file.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from tuiface.core.errors import ModelError, describe_value
from tuiface.core.files import write_file
from tuiface.core.safetensors_header import (
    ContainerHeader,
    Shape,
    check_tensors,
    encode_header,
    parse_json_object,
    refuse_other_format,
    split_header,
)
from tuiface.core.tensor_file import read_header, read_tensor, to_float32, view_tensor
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints.architecture import (
    W_AVG,
    check_discriminator_config,
    check_generator_config,
    discriminator_shapes,
    generator_shapes,
)
from tuiface.engine.checkpoints.contents import (
    CheckpointContents,
    CheckpointFormat,
    DiscriminatorTensors,
    GeneratorSource,
    GeneratorTensors,
    network_digest,
)
from tuiface.engine.checkpoints.source_file import (
    SourceFile,
    name_file_in_errors,
    open_checkpoint_file,
    refuse_holes,
)
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig, config_to_json

FORMAT: Final = "tuiface.model/1"
_KIND: Final = "a tuiface model"
MAX_TUPLE: Final = 64
MAX_LINE: Final = 300
MAX_NUMBER: Final = 1e30

ConfigT = TypeVar("ConfigT", GeneratorConfig, DiscriminatorConfig)


@dataclass(frozen=True, slots=True)
class NativeHeader:
    """What a converted model says about itself. Digests are as recorded; `read_checkpoint` recomputes them."""

    generator_config: GeneratorConfig
    discriminator_config: DiscriminatorConfig | None
    has_w_avg: bool
    """Whether "G.mapping.w_avg" is held."""
    network_sha256: str
    discriminator_sha256: str | None
    origin_sha256: str
    origin_format: CheckpointFormat
    """Format of the file that the network was converted from."""
    generator_source: GeneratorSource
    notices: tuple[str, ...]
    assumptions: tuple[str, ...]
    licence: str | None
    name: str | None
    dtypes: frozenset[str]
    """Element types of the stored tensors: "F32", "F16", "BF16"."""
    file_bytes: int


def read_native_header(path: Path) -> NativeHeader:
    """Read and validate the header of a tuiface model, in milliseconds: the tensors are not touched.

    Configurations, names, shapes, types and offsets of all tensors agree with each other and with the file's size when
    this returns; raises ModelError otherwise.
    """
    with _open_native(path) as (_, _, header):
        return header


def read_native_tensors(path: Path) -> tuple[NativeHeader, dict[str, npt.NDArray[np.float32]]]:
    """The header of a tuiface model and its tensors, freshly allocated, under the names of the file.

    Raises ModelError like `read_native_header`, and for values that are not finite. Digests are as recorded.
    """
    with _open_native(path) as (handle, container, header):
        tensors = {
            name: to_float32(name, place.dtype, read_tensor(handle, container, place))
            for name, place in container.places.items()
        }
        return header, tensors


@contextlib.contextmanager
def _open_native(path: Path) -> Iterator[tuple[int, ContainerHeader, NativeHeader]]:
    """A descriptor of the file and what its header says; names the file in ModelErrors, of the block too."""
    with name_file_in_errors(path), open_checkpoint_file(path) as file:
        container = read_header(file.fileno(), _KIND)
        refuse_holes(file.fileno())
        yield file.fileno(), container, _check_header(container)


def _check_header(container: ContainerHeader) -> NativeHeader:
    """What the header says, checked against the network that it describes."""
    refuse_other_format(container, FORMAT, _KIND, "tuiface model convert makes one from a checkpoint")
    header = _build_header_value(container)
    shapes = expected_shapes(header.generator_config, header.discriminator_config, has_w_avg=header.has_w_avg)
    check_tensors(container, shapes)
    return header


def _build_header_value(container: ContainerHeader) -> NativeHeader:
    metadata, places = container.metadata, container.places
    generator = _read_config(metadata, "config", GeneratorConfig)
    check_generator_config(generator)
    discriminator = None
    if "discriminator_config" in metadata:
        discriminator = _read_config(metadata, "discriminator_config", DiscriminatorConfig)
        check_discriminator_config(discriminator)
    return NativeHeader(
        generator_config=generator,
        discriminator_config=discriminator,
        has_w_avg=f"G.{W_AVG}" in places,
        network_sha256=_read_digest(metadata, "network_sha256"),
        discriminator_sha256=None if discriminator is None else _read_digest(metadata, "discriminator_sha256"),
        origin_sha256=_read_digest(metadata, "origin_sha256"),
        origin_format=_read_choice(metadata, "origin_format", get_args(CheckpointFormat)),
        generator_source=_read_choice(metadata, "generator_source", get_args(GeneratorSource)),
        notices=_read_lines(metadata, "notices"),
        assumptions=_read_lines(metadata, "assumptions"),
        licence=_read_line(metadata, "licence"),
        name=_read_line(metadata, "name"),
        dtypes=frozenset(place.dtype for place in places.values()),
        file_bytes=container.data_start + container.data_bytes,
    )


def expected_shapes(
    generator: GeneratorConfig, discriminator: DiscriminatorConfig | None, *, has_w_avg: bool
) -> dict[str, Shape]:
    """Every tensor of a tuiface model with its prefix, in the order of the file."""
    shapes = {f"G.{name}": shape for name, shape in generator_shapes(generator).items()}
    if has_w_avg:
        shapes[f"G.{W_AVG}"] = (generator.w_dim,)
    if discriminator is not None:
        shapes.update({f"D.{name}": shape for name, shape in discriminator_shapes(discriminator).items()})
    return shapes


def _read_config(metadata: Mapping[str, str], key: str, kind: type[ConfigT]) -> ConfigT:
    if key not in metadata:
        raise ModelError(f"metadata '{key}' is missing")
    values = parse_json_object(metadata[key], f"metadata '{key}'")
    hints = get_type_hints(kind)
    for name in values:
        if name not in hints:
            raise ModelError(f"metadata '{key}' has the unknown entry '{to_visible(name)}'")
    absent = [field.name for field in fields(kind) if field.default is MISSING and field.name not in values]
    if absent:
        raise ModelError(f"metadata '{key}' lacks {', '.join(absent)}")
    return kind(**{name: _check_config_value(key, name, hints[name], value) for name, value in values.items()})


def _check_config_value(key: str, name: str, hint: Any, value: Any) -> Any:
    """One entry of a configuration, checked against its type in `tuiface.engine.networks.config`."""
    accepted = get_args(hint)
    if get_origin(hint) is tuple:
        if isinstance(value, list) and len(value) <= MAX_TUPLE and all(type(entry) is int for entry in value):
            return tuple(value)
    elif get_origin(hint) is Literal:
        if isinstance(value, str) and value in accepted:
            return value
    elif value is None and NoneType in accepted:
        return None
    elif float in (hint, *accepted):
        if type(value) in (int, float) and abs(value) < MAX_NUMBER:
            return float(value)
    elif type(value) is int:
        return value
    raise ModelError(
        f"metadata '{key}': {name} is {describe_value(value)}; accepted is {getattr(hint, '__name__', hint)}"
    )


def _read_digest(metadata: Mapping[str, str], key: str) -> str:
    value = metadata.get(key)
    if value is None or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ModelError(f"metadata '{key}' is {describe_value(value)}; accepted is a SHA-256 in hexadecimal")
    return value


def _read_choice(metadata: Mapping[str, str], key: str, accepted: tuple[Any, ...]) -> Any:
    value = metadata.get(key)
    if value not in accepted:
        raise ModelError(f"metadata '{key}' is {describe_value(value)}; accepted are {', '.join(accepted)}")
    return value


def _read_line(metadata: Mapping[str, str], key: str) -> str | None:
    return to_visible(metadata[key], MAX_LINE) if key in metadata else None


def _read_lines(metadata: Mapping[str, str], key: str) -> tuple[str, ...]:
    lines = parse_json_object('{"lines": ' + metadata.get(key, "[]") + "}", f"metadata '{key}'").get("lines")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ModelError(f"metadata '{key}' is not a JSON list of text")
    return tuple(to_visible(line, MAX_LINE) for line in lines[:32])


StoragePrecision = Literal["float32", "float16"]

#: Code in the header and element type of each precision.
STORED_TYPES: Final[Mapping[StoragePrecision, tuple[str, npt.DTypeLike]]] = {
    "float32": ("F32", np.dtype("<f4")),
    "float16": ("F16", np.dtype("<f2")),
}


def read_native(source: SourceFile) -> CheckpointContents:
    """The contents of a tuiface model. Raises ModelError where it is unsound or was changed since its conversion."""
    container = split_header(source.data, len(source.data), _KIND)
    header = _check_header(container)
    tensors = {
        name: to_float32(name, place.dtype, view_tensor(source.data, container, place).copy())
        for name, place in container.places.items()
    }
    shapes = expected_shapes(header.generator_config, header.discriminator_config, has_w_avg=header.has_w_avg)
    generator = {name.removeprefix("G."): tensors[name] for name in shapes if name.startswith("G.")}
    discriminator = {name.removeprefix("D."): tensors[name] for name in shapes if name.startswith("D.")}
    _check_digest("generator", header.network_sha256, network_digest(header.generator_config, generator))
    config = header.discriminator_config
    if config is not None:
        _check_digest("discriminator", header.discriminator_sha256, network_digest(config, discriminator))
    return CheckpointContents(
        format="tuiface safetensors",
        generator=GeneratorTensors(header.generator_config, generator),
        discriminator=None if config is None else DiscriminatorTensors(config, discriminator),
        generator_source=header.generator_source,
        has_w_avg=header.has_w_avg,
        notices=header.notices,
        assumptions=header.assumptions,
        licence=header.licence,
        origin_sha256=header.origin_sha256,
        network_sha256=header.network_sha256,
        origin_format=header.origin_format,
        name=header.name,
    )


def _check_digest(network: str, recorded: str | None, computed: str) -> None:
    if computed != recorded:
        raise ModelError(
            f"its {network} has the digest {computed[:16]}..., recorded is {str(recorded)[:16]}...",
            "the file was changed or damaged: convert the original again",
        )


def write_native(
    contents: CheckpointContents,
    path: Path,
    *,
    licence: str | None = None,
    name: str | None = None,
    precision: StoragePrecision = "float32",
) -> None:
    """Write a tuiface model, replacing `path` in one step; equal contents give equal bytes.

    `licence` and `name` default to those of the contents. Half precision rounds the tensors: the file is then another
    network, with the digest of the rounded values. Raises OutputError, leaving nothing behind, if it cannot be written,
    and ModelError if a value does not fit half precision.
    """
    write_file(path, encode_native(contents, licence=licence, name=name, precision=precision), force=True)


def encode_native(
    contents: CheckpointContents,
    *,
    licence: str | None = None,
    name: str | None = None,
    precision: StoragePrecision = "float32",
) -> Iterator[bytes | memoryview]:
    """The bytes of `write_native`, part by part: header, then each tensor."""
    yield _build_header(contents, licence or contents.licence, name or contents.name, precision)
    for _, tensor in _iterate_stored_tensors(contents, precision):
        yield tensor.reshape(-1).data


def _iterate_stored_tensors(
    contents: CheckpointContents, precision: StoragePrecision
) -> Iterator[tuple[str, npt.NDArray[np.floating]]]:
    """All tensors in the order of the file, in the element type of the file."""
    dtype = STORED_TYPES[precision][1]
    for prefix, network in (("G.", contents.generator), ("D.", contents.discriminator)):
        if network is None:
            continue
        for name in sorted(network.tensors):
            with np.errstate(over="ignore"):
                stored = np.asarray(network.tensors[name], dtype, order="C")
            if precision == "float16" and not np.isfinite(stored).all():
                raise ModelError(f"tensor {prefix}{name} has values beyond half precision (65504); use float32")
            yield prefix + name, stored


def _build_header(
    contents: CheckpointContents, licence: str | None, name: str | None, precision: StoragePrecision
) -> bytes:
    code = STORED_TYPES[precision][0]
    tensors = ((key, code, tensor.shape, tensor.nbytes) for key, tensor in _iterate_stored_tensors(contents, precision))
    return encode_header(_build_metadata(contents, licence, name, precision), tensors)


def _build_metadata(
    contents: CheckpointContents, licence: str | None, name: str | None, precision: StoragePrecision
) -> dict[str, str]:
    metadata = {
        "format": FORMAT,
        "config": json.dumps(config_to_json(contents.generator.config)),
        "network_sha256": _compute_stored_digest(contents.generator, precision),
        "origin_sha256": contents.origin_sha256,
        "origin_format": contents.origin_format,
        "generator_source": contents.generator_source,
        "notices": json.dumps(contents.notices),
        "assumptions": json.dumps(contents.assumptions),
    }
    if contents.discriminator is not None:
        metadata["discriminator_config"] = json.dumps(config_to_json(contents.discriminator.config))
        metadata["discriminator_sha256"] = _compute_stored_digest(contents.discriminator, precision)
    if licence is not None:
        metadata["licence"] = licence
    if name is not None:
        metadata["name"] = name
    return metadata


def _compute_stored_digest(network: GeneratorTensors | DiscriminatorTensors, precision: StoragePrecision) -> str:
    """The digest of the values that a reader of the file gets."""
    if precision == "float32":
        return network.sha256
    with np.errstate(over="ignore"):
        rounded = {key: tensor.astype(np.float16).astype(np.float32) for key, tensor in network.tensors.items()}
    return network_digest(network.config, rounded)
