"""The header of our own checkpoint format: everything but the tensors, validated without reading them.

A tuiface model is a safetensors file with this metadata, all values text:

    format            "tuiface.model/1"
    config            GeneratorConfig as JSON;  discriminator_config  DiscriminatorConfig as JSON, absent without one
    network_sha256    network_digest of the generator;  discriminator_sha256  of the discriminator
    origin_sha256, origin_format, generator_source, notices and assumptions (JSON lists); licence and name where known

and tensors named "G." and "D." before the canonical names, in float32, float16 or bfloat16.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from tuiface.engine.checkpoints.architecture import (
    W_AVG,
    Shape,
    check_discriminator_config,
    check_generator_config,
    discriminator_shapes,
    generator_shapes,
)
from tuiface.engine.checkpoints.census import describe, printable
from tuiface.engine.checkpoints.container import (
    LENGTH_BYTES,
    MAX_HEADER_BYTES,
    ContainerHeader,
    check_tensors,
    json_object,
    split_header,
)
from tuiface.engine.checkpoints.contents import CheckpointFormat, GeneratorSource
from tuiface.engine.checkpoints.source_file import open_regular
from tuiface.engine.config import DiscriminatorConfig, GeneratorConfig
from tuiface.errors import ModelError

FORMAT: Final = "tuiface.model/1"
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


def open_native_header(path: Path) -> NativeHeader:
    """Read and validate the header of a tuiface model, in milliseconds: the tensors are not touched.

    Configurations, names, shapes, types and offsets of all tensors agree with each other and with the file's size when
    this returns; raises ModelError otherwise.
    """
    try:
        handle = open_regular(path)
        try:
            head = os.pread(handle, LENGTH_BYTES + MAX_HEADER_BYTES, 0)
            size = os.fstat(handle).st_size
        finally:
            os.close(handle)
        return parse_header(head, size)
    except ModelError as error:
        raise ModelError(f"{printable(path.name)}: {error.message}", error.hint) from None


def parse_header(head: bytes | memoryview, file_bytes: int) -> NativeHeader:
    """The header in the first bytes of a file of `file_bytes`."""
    container = split_header(
        head, file_bytes, FORMAT, "a tuiface model", "tuiface model convert makes one from a checkpoint"
    )
    header = _header(container, file_bytes)
    shapes = expected_shapes(header.generator_config, header.discriminator_config, has_w_avg=header.has_w_avg)
    check_tensors(container, shapes)
    return header


def _header(container: ContainerHeader, file_bytes: int) -> NativeHeader:
    metadata, entries = container.metadata, container.entries
    generator = _config(metadata, "config", GeneratorConfig)
    check_generator_config(generator)
    discriminator = None
    if "discriminator_config" in metadata:
        discriminator = _config(metadata, "discriminator_config", DiscriminatorConfig)
        check_discriminator_config(discriminator)
    return NativeHeader(
        generator_config=generator,
        discriminator_config=discriminator,
        has_w_avg=f"G.{W_AVG}" in entries,
        network_sha256=_digest(metadata, "network_sha256"),
        discriminator_sha256=None if discriminator is None else _digest(metadata, "discriminator_sha256"),
        origin_sha256=_digest(metadata, "origin_sha256"),
        origin_format=_choice(metadata, "origin_format", get_args(CheckpointFormat)),
        generator_source=_choice(metadata, "generator_source", get_args(GeneratorSource)),
        notices=_lines(metadata, "notices"),
        assumptions=_lines(metadata, "assumptions"),
        licence=_line(metadata, "licence"),
        name=_line(metadata, "name"),
        dtypes=frozenset(entry["dtype"] for entry in entries.values() if isinstance(entry, dict) and "dtype" in entry),
        file_bytes=file_bytes,
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


def _config(metadata: Mapping[str, str], key: str, kind: type[ConfigT]) -> ConfigT:
    if key not in metadata:
        raise ModelError(f"metadata '{key}' is missing")
    values = json_object(metadata[key], f"metadata '{key}'")
    hints = get_type_hints(kind)
    for name in values:
        if name not in hints:
            raise ModelError(f"metadata '{key}' has the unknown entry '{printable(name)}'")
    absent = [field.name for field in fields(kind) if field.default is MISSING and field.name not in values]
    if absent:
        raise ModelError(f"metadata '{key}' lacks {', '.join(absent)}")
    return kind(**{name: _config_value(key, name, hints[name], value) for name, value in values.items()})


def _config_value(key: str, name: str, hint: Any, value: Any) -> Any:
    """One entry of a configuration, checked against its type in `tuiface.engine.config`."""
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
    raise ModelError(f"metadata '{key}': {name} is {describe(value)}; accepted is {getattr(hint, '__name__', hint)}")


def _digest(metadata: Mapping[str, str], key: str) -> str:
    value = metadata.get(key)
    if value is None or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ModelError(f"metadata '{key}' is {describe(value)}; accepted is a SHA-256 in hexadecimal")
    return value


def _choice(metadata: Mapping[str, str], key: str, accepted: tuple[Any, ...]) -> Any:
    value = metadata.get(key)
    if value not in accepted:
        raise ModelError(f"metadata '{key}' is {describe(value)}; accepted are {', '.join(accepted)}")
    return value


def _line(metadata: Mapping[str, str], key: str) -> str | None:
    return printable(metadata[key], MAX_LINE) if key in metadata else None


def _lines(metadata: Mapping[str, str], key: str) -> tuple[str, ...]:
    lines = json_object('{"lines": ' + metadata.get(key, "[]") + "}", f"metadata '{key}'").get("lines")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ModelError(f"metadata '{key}' is not a JSON list of text")
    return tuple(printable(line, MAX_LINE) for line in lines[:32])
