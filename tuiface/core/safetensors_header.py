"""The header of safetensors, the container of checkpoints, predictors, directions, snapshots and shards of heads.

    8 bytes    length of the header, little-endian
    header     JSON, padded with spaces to 8: {"__metadata__": {text: text}, NAME: {"dtype", "shape", "data_offsets"}}
    tensors    without gaps, little-endian

This is the one parser of them: written by the format's specification, and at least as strict as its library, which
accepts whatever is accepted here (a test compares the two over damaged headers). Read with bounds on everything before
anything is allocated: a file's claims about names, types, shapes and places are checked against its size, and where the
caller knows them, against what it expects. Written here too, so that equal contents always become equal bytes (the
library orders metadata at random).
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
ITEM_SIZES: Final[Mapping[str, int]] = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1}
FLOATS: Final = ("F32", "F16", "BF16")
_MAX_DIMENSIONS = 8
_MAX_SIZE = 1 << 48
"""Of sides and places: beyond any file, and products of a few do not grow without end."""


@dataclass(frozen=True, slots=True, eq=False)
class ContainerHeader:
    """What stands before the tensors."""

    metadata: Mapping[str, str]
    places: Mapping[str, TensorPlace]
    """What the file says of each tensor: sound by itself, and not yet compared with the data or with other tensors."""
    data_start: int
    """Where the tensors begin in the file."""
    data_bytes: int
    """What the file holds behind the header."""


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """Type, shape and place of a tensor."""

    dtype: str
    """A key of `ITEM_SIZES`."""
    shape: Shape
    start: int
    """First byte, counted from where the tensors begin."""
    stop: int

    @property
    def num_bytes(self) -> int:
        """What its data take, as the file says."""
        return self.stop - self.start


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
    text = bytes(head[LENGTH_BYTES:start])
    if not text.startswith(b"{"):
        raise ModelError("the safetensors header is not sound JSON: it does not begin with a brace")
    entries = parse_json_object(text, "the safetensors header")
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise ModelError(f"the safetensors header's metadata is {describe_value(metadata)}")
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise ModelError(f"metadata '{to_visible(key)}' is {describe_value(value)} instead of text")
    places = {name: _parse_entry(name, entry) for name, entry in entries.items()}
    return ContainerHeader(metadata, places, start, file_bytes - start)


def _parse_entry(name: str, entry: object) -> TensorPlace:
    printable = to_visible(name)
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ModelError(f"tensor {printable} is described by {describe_value(entry)}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
        raise ModelError(f"tensor {printable} is of type {describe_value(dtype)}; accepted are {', '.join(ITEM_SIZES)}")
    if not isinstance(shape, list) or len(shape) > _MAX_DIMENSIONS or not all(map(_is_size, shape)):
        raise ModelError(f"tensor {printable} has the shape {_describe_sizes(shape)}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_size, offsets)):
        raise ModelError(f"tensor {printable} lies at {_describe_sizes(offsets)}: a gap or an overlap")
    return TensorPlace(dtype, tuple(shape), *offsets)


def _is_size(value: object) -> bool:
    # Python calls True an integer, and JSON writes 8.0 and -0 for numbers that other readers do not take for sizes.
    return type(value) is int and 0 <= value < _MAX_SIZE


def _describe_sizes(sizes: object) -> str:
    return f"[{', '.join(map(describe_value, sizes[:8]))}]" if isinstance(sizes, list) else describe_value(sizes)


def refuse_other_format(header: ContainerHeader, file_format: str, kind: str, hint: str) -> None:
    """Raise ModelError unless the metadata 'format' is `file_format`; `hint` says where a file of `kind` comes from."""
    if header.metadata.get("format") != file_format:
        held = describe_value(header.metadata.get("format")) if header.metadata else "absent"
        raise ModelError(
            f"a safetensors file, but not {kind}: metadata 'format' is {held}; accepted is '{file_format}'", hint
        )


def check_tensors(header: ContainerHeader, expected: Mapping[str, Shape], dtypes: Collection[str] = FLOATS) -> None:
    """Raise ModelError unless the file holds exactly the tensors `expected`, of `dtypes` and without gaps."""
    for name in header.places:
        if name not in expected:
            raise ModelError(f"tensor '{to_visible(name)}' does not belong to the network that config describes")
    for name, shape in expected.items():
        if name not in header.places:
            raise ModelError(f"tensor {name} {list(shape)} is missing", "the file is incomplete: convert it again")
        _check_place(name, header.places[name], dtypes, shape)
    _check_order(header)


def read_places(header: ContainerHeader, dtypes: Collection[str]) -> Mapping[str, TensorPlace]:
    """Where each tensor of a file lies. Raises ModelError unless all are of `dtypes`, not empty and without gaps."""
    for name, place in header.places.items():
        if 0 in place.shape:
            raise ModelError(f"tensor {to_visible(name)} has the shape {list(place.shape)}")
        _check_place(to_visible(name), place, dtypes, place.shape)
    _check_order(header)
    return header.places


def _check_place(name: str, place: TensorPlace, dtypes: Collection[str], expected: Shape) -> None:
    if place.dtype not in dtypes:
        raise ModelError(f"tensor {name} is of type {describe_value(place.dtype)}; accepted are {', '.join(dtypes)}")
    if place.shape != expected:
        raise ModelError(f"tensor {name} has shape {list(place.shape)}; expected is {list(expected)}")
    if place.num_bytes != math.prod(expected) * ITEM_SIZES[place.dtype]:
        raise ModelError(f"tensor {name} {list(expected)} of {place.dtype} takes {place.num_bytes} bytes")


def _check_order(header: ContainerHeader) -> None:
    position = 0
    for start, stop in sorted((place.start, place.stop) for place in header.places.values()):
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
