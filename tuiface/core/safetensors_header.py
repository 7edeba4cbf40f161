"""The header of safetensors, the container of checkpoints, predictors, directions and shards of heads.

    8 bytes    length of the header, little-endian
    header     JSON, padded with spaces to 8: {"__metadata__": {text: text}, NAME: {"dtype", "shape", "data_offsets"}}
    tensors    without gaps, little-endian

Written by the format's specification rather than by its library, so that equal contents always become equal bytes (the
library orders metadata at random). Read with bounds on everything before anything is allocated: a file's claims about
names, types, shapes and places are checked against its size, and where the caller knows them, against what it expects.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tuiface.core.errors import ModelError, OutputError, describe_value
from tuiface.core.strict_json import parse_strict_json
from tuiface.core.visible import to_visible

Shape = tuple[int, ...]

MAX_HEADER_BYTES: Final = 1 << 20
LENGTH_BYTES: Final = 8
ITEM_SIZES: Final[Mapping[str, int]] = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1}
FLOATS: Final = ("F32", "F16", "BF16")
_MAX_DIMENSIONS = 8


@dataclass(frozen=True, slots=True, eq=False)
class ContainerHeader:
    """What stands before the tensors."""

    metadata: Mapping[str, str]
    entries: Mapping[str, Any]
    """Description of each tensor, not yet checked."""
    data_start: int
    """Where the tensors begin in the file."""
    data_bytes: int
    """What the file holds behind the header."""


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """A tensor whose description was checked."""

    dtype: str
    """A key of `ITEM_SIZES`."""
    shape: Shape
    start: int
    """First byte, counted from where the tensors begin."""
    stop: int


def split_header(head: bytes | memoryview, file_bytes: int, kind: str) -> ContainerHeader:
    """The header in the first bytes of a file of `file_bytes`.

    Raises ModelError unless it is sound; `kind` ("a tuiface model") is what such a file should be.
    """
    length = int.from_bytes(head[:LENGTH_BYTES], "little")
    available = min(len(head), file_bytes) - LENGTH_BYTES
    if available < 2 or length > min(MAX_HEADER_BYTES, available):
        raise ModelError(
            f"a safetensors header of {length} bytes is claimed in a file of {file_bytes}; accepted are up to "
            f"{MAX_HEADER_BYTES}",
            f"the file is cut off, damaged or not {kind}",
        )
    start = LENGTH_BYTES + length
    entries = parse_json_object(bytes(head[LENGTH_BYTES:start]), "the safetensors header")
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise ModelError(f"the safetensors header's metadata is {describe_value(metadata)}")
    for key, text in metadata.items():
        if not isinstance(text, str):
            raise ModelError(f"metadata '{to_visible(key)}' is {describe_value(text)} instead of text")
    return ContainerHeader(metadata, entries, start, file_bytes - start)


def refuse_other_format(header: ContainerHeader, file_format: str, kind: str, hint: str) -> None:
    """Raise ModelError unless the metadata 'format' is `file_format`; `hint` says where a file of `kind` comes from."""
    if header.metadata.get("format") != file_format:
        held = describe_value(header.metadata.get("format")) if header.metadata else "absent"
        raise ModelError(
            f"a safetensors file, but not {kind}: metadata 'format' is {held}; accepted is '{file_format}'", hint
        )


def check_tensors(header: ContainerHeader, expected: Mapping[str, Shape]) -> None:
    """Raise ModelError unless the file holds exactly the float tensors `expected`, without gaps."""
    for name in header.entries:
        if name not in expected:
            raise ModelError(f"tensor '{to_visible(name)}' does not belong to the network that config describes")
    places = []
    for name, shape in expected.items():
        if name not in header.entries:
            raise ModelError(f"tensor {name} {list(shape)} is missing", "the file is incomplete: convert it again")
        places.append(_read_place(name, header.entries[name], FLOATS, shape))
    _check_order(header, places)


def read_places(header: ContainerHeader, dtypes: Collection[str]) -> dict[str, TensorPlace]:
    """Where each tensor of a file lies. Raises ModelError unless all are of `dtypes`, not empty and without gaps."""
    places = {}
    for name, entry in header.entries.items():
        printable = to_visible(name)
        shape = entry.get("shape") if isinstance(entry, dict) else None
        if not isinstance(shape, list) or not all(type(side) is int and side > 0 for side in shape[:_MAX_DIMENSIONS]):
            raise ModelError(f"tensor {printable} has the shape {_describe_sides(shape)}")
        places[name] = _read_place(printable, entry, dtypes, tuple(shape[:_MAX_DIMENSIONS]))
    _check_order(header, places.values())
    return places


def _read_place(name: str, entry: Any, dtypes: Collection[str], expected: Shape) -> TensorPlace:
    match entry:
        case {"dtype": str() as dtype, "shape": list() as held, "data_offsets": [int() as start, int() as stop]}:
            if dtype not in dtypes:
                raise ModelError(f"tensor {name} is of type {describe_value(dtype)}; accepted are {', '.join(dtypes)}")
            if held != list(expected):
                raise ModelError(f"tensor {name} has shape {_describe_sides(held)}; expected is {list(expected)}")
            if stop - start != math.prod(expected) * ITEM_SIZES[dtype]:
                raise ModelError(
                    f"tensor {name} {list(expected)} of {dtype} takes {describe_value(stop - start)} bytes"
                )
            return TensorPlace(dtype, expected, start, stop)
    raise ModelError(f"tensor {name} is described by {describe_value(entry)}")


def _describe_sides(shape: object) -> str:
    return f"[{', '.join(map(describe_value, shape[:8]))}]" if isinstance(shape, list) else describe_value(shape)


def _check_order(header: ContainerHeader, places: Iterable[TensorPlace]) -> None:
    position = 0
    for start, stop in sorted((place.start, place.stop) for place in places):
        if start != position:
            raise ModelError(f"tensor data has a gap or an overlap at byte {position}")
        position = stop
    if position != header.data_bytes:
        raise ModelError(
            f"its tensors take {position} bytes, {header.data_bytes} are there", "copy or convert the file again"
        )


def encode_header(metadata: Mapping[str, str], tensors: Iterable[tuple[str, str, Shape, int]]) -> bytes:
    """The bytes before the tensors, each given as (name, type, shape, bytes) in the order of the file.

    Raises OutputError for a header that readers would refuse.
    """
    entries: dict[str, object] = {"__metadata__": dict(metadata)}
    position = 0
    for name, dtype, shape, num_bytes in tensors:
        stop = position + num_bytes
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, stop]}
        position = stop
    text = json.dumps(entries, separators=(",", ":")).encode()
    padded = text.ljust(math.ceil(len(text) / 8) * 8)
    if len(padded) > MAX_HEADER_BYTES:
        raise OutputError(f"the file's header would take {len(padded)} bytes; accepted are up to {MAX_HEADER_BYTES}")
    return len(padded).to_bytes(LENGTH_BYTES, "little") + padded


def parse_json_object(text: bytes | str, what: str) -> dict[str, Any]:
    """A JSON object that `strict_json` accepts; raises ModelError that begins with `what`."""
    try:
        value = parse_strict_json(text)  # callers bound each number, and name its place
    except ValueError as error:
        raise ModelError(f"{what} is not sound JSON: {to_visible(str(error))}") from None
    if not isinstance(value, dict):
        raise ModelError(f"{what} is {describe_value(value)} instead of a JSON object")
    return value
