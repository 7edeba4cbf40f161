"""The safetensors container of all our own files, as bytes: header length in 8 bytes, JSON padded to 8, tensors.

Reading bounds the header, checks every tensor's name, shape, type and place against what the caller expects, and only
then lets the safetensors library see the data. Writing follows the format's specification directly, so that equal
contents always become equal bytes (the library orders metadata at random).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import safetensors

from tuiface.core.errors import ModelError, OutputError
from tuiface.engine.checkpoints.architecture import Shape
from tuiface.engine.checkpoints.inventory import describe_value, to_printable

MAX_HEADER_BYTES: Final = 1 << 20
LENGTH_BYTES: Final = 8
ITEM_SIZES: Final[Mapping[str, int]] = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True, eq=False)
class ContainerHeader:
    """What stands before the tensors."""

    metadata: Mapping[str, str]
    entries: Mapping[str, Any]
    """Description of each tensor, not yet checked."""
    data_bytes: int
    """What the file holds behind the header."""


def split_header(head: bytes | memoryview, file_bytes: int, file_format: str, kind: str, hint: str) -> ContainerHeader:
    """The header in the first bytes of a file of `file_bytes`.

    Raises ModelError unless it is sound and its metadata 'format' is `file_format`; `kind` ("a tuiface model") is what
    such a file is, `hint` where one comes from.
    """
    length = int.from_bytes(head[:LENGTH_BYTES], "little")
    available = min(len(head), file_bytes) - LENGTH_BYTES
    if available < 2 or length > min(MAX_HEADER_BYTES, available):
        raise ModelError(
            f"a safetensors header of {length} bytes is claimed in a file of {file_bytes}; accepted are up to "
            f"{MAX_HEADER_BYTES}",
            f"the file is cut off, damaged or not {kind}",
        )
    entries = parse_json_object(bytes(head[LENGTH_BYTES : LENGTH_BYTES + length]), "the safetensors header")
    metadata = entries.pop("__metadata__", None)
    if not isinstance(metadata, dict) or metadata.get("format") != file_format:
        held = describe_value(metadata.get("format")) if isinstance(metadata, dict) else "absent"
        raise ModelError(
            f"a safetensors file, but not {kind}: metadata 'format' is {held}; accepted is '{file_format}'", hint
        )
    for key, text in metadata.items():
        if not isinstance(text, str):
            raise ModelError(f"metadata '{to_printable(key)}' is {describe_value(text)} instead of text")
    return ContainerHeader(metadata, entries, file_bytes - LENGTH_BYTES - length)


def check_tensors(header: ContainerHeader, expected: Mapping[str, Shape]) -> None:
    """Raise ModelError unless the file holds exactly the tensors `expected`, without gaps."""
    for name in header.entries:
        if name not in expected:
            raise ModelError(f"tensor '{to_printable(name)}' does not belong to the network that config describes")
    ranges = []
    for name, shape in expected.items():
        match header.entries.get(name):
            case None:
                raise ModelError(f"tensor {name} {list(shape)} is missing", "the file is incomplete: convert it again")
            case {"dtype": str() as dtype, "shape": list() as held, "data_offsets": [int() as start, int() as stop]}:
                if dtype not in ITEM_SIZES:
                    raise ModelError(f"tensor {name} is of type {describe_value(dtype)}; accepted are F32, F16, BF16")
                if held != list(shape):
                    sides = ", ".join(map(describe_value, held[:8]))
                    raise ModelError(f"tensor {name} has shape [{sides}]; expected is {list(shape)}")
                if stop - start != math.prod(shape) * ITEM_SIZES[dtype]:
                    raise ModelError(
                        f"tensor {name} {list(shape)} of {dtype} takes {describe_value(stop - start)} bytes"
                    )
                ranges.append((start, stop))
            case other:
                raise ModelError(f"tensor {name} is described by {describe_value(other)}")
    position = 0
    for start, stop in sorted(ranges):
        if start != position:
            raise ModelError(f"tensor data has a gap or an overlap at byte {position}")
        position = stop
    if position != header.data_bytes:
        raise ModelError(
            f"its tensors take {position} bytes, {header.data_bytes} are there", "copy or convert the file again"
        )


def read_float32_tensors(data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """All tensors of a file whose header was checked; raises ModelError for values that are not finite."""
    try:
        entries = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise ModelError(f"not a sound safetensors file: {error}", "copy or convert the file again") from None
    return {name: _to_float32(name, entry["dtype"], entry["shape"], entry["data"]) for name, entry in entries}


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
        raise OutputError(f"the model's header would take {len(padded)} bytes; accepted are up to {MAX_HEADER_BYTES}")
    return len(padded).to_bytes(LENGTH_BYTES, "little") + padded


def parse_json_object(text: bytes | str, what: str) -> dict[str, Any]:
    """A JSON object without duplicate keys, NaN or infinity; raises ModelError that begins with `what`."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key occurs twice")
        return result

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        # bytes.decode first: json would guess other encodings.
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(decoded, object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ModelError(f"{what} is not sound JSON: {to_printable(reason)}") from None
    if not isinstance(value, dict):
        raise ModelError(f"{what} is {describe_value(value)} instead of a JSON object")
    return value


def _to_float32(name: str, dtype: str, shape: list[int], data: bytearray) -> npt.NDArray[np.float32]:
    """The values as float32; float32 data, which the library has just copied for us, are not copied again."""
    if dtype == "BF16":
        # bfloat16 is the upper half of a float32.
        values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.frombuffer(data, "<f4" if dtype == "F32" else "<f2").astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise ModelError(f"tensor {name} holds values that are not finite")
    return values.reshape(shape)
