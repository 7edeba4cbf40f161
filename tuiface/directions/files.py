"""Direction files, `tuiface.direction/1`: safetensors with one JSON text in the header and float32 arrays.

    8 bytes         length of the header, little-endian
    header          {"__metadata__": {"direction": DirectionHeader as JSON}, "step": {"dtype": "F32", ...}}
    arrays          without gaps, little-endian, in the order of their names

Read and written here by the container's own specification: it is twenty lines, and one direction always becomes the
same bytes.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from tuiface.directions.direction import MAX_NUMBERS, Direction, DirectionHeader
from tuiface.errors import InputFileError, quoted
from tuiface.files import write_file
from tuiface.validation import parse_json, read_bytes

SUFFIX = ".safetensors"
MAX_FILE_BYTES = 8 * MAX_NUMBERS
MAX_HEADER_BYTES = 1 << 20
_METADATA = "__metadata__"
_KEY = "direction"


def encode_direction(direction: Direction) -> bytes:
    """The bytes of a direction's file; equal directions give equal bytes."""
    entries: dict[str, object] = {_METADATA: {_KEY: direction.header.model_dump_json()}}
    blobs, offset = [], 0
    for name, array in sorted(direction.arrays.items()):
        blob = np.ascontiguousarray(array, "<f4").tobytes()
        entries[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(blobs)


def decode_direction(data: bytes, where: str) -> Direction:
    """The direction in a file's bytes. Raises InputFileError in one line that begins with `where`."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise InputFileError(f"{where}: not a safetensors file, or cut off")
    try:
        entries = json.loads(data[8 : 8 + length])
        metadata = entries.pop(_METADATA)[_KEY]
        body = memoryview(data)[8 + length :]
        arrays = {str(name): _array(entry, body) for name, entry in entries.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InputFileError(
            f"{where}: not a direction of tuiface", "tuiface directions import reads .npy, .npz and .pt"
        ) from None
    header = parse_json(DirectionHeader, str(metadata), where)
    try:
        return Direction(header, arrays)
    except ValueError as error:
        raise InputFileError(f"{where}: {error}") from None


def read_direction(path: Path) -> Direction:
    """The direction in the file at `path`; raises InputFileError in one line."""
    return decode_direction(read_bytes(path, MAX_FILE_BYTES), path.name)


def write_direction(direction: Direction, path: Path, *, force: bool = False) -> None:
    """Write a direction's file, whose folder must exist; raises OutputError."""
    if path.suffix != SUFFIX:
        raise InputFileError(f"{quoted(path)}: a direction's file ends in {SUFFIX}")
    write_file(path, encode_direction(direction), force=force)


def _array(entry: Any, body: memoryview) -> np.ndarray:
    """A copy of one float32 array; raises ValueError, TypeError or KeyError for an entry that does not fit."""
    shape = tuple(entry["shape"])
    start, stop = entry["data_offsets"]
    if entry["dtype"] != "F32" or not all(isinstance(n, int) and n > 0 for n in (*shape, stop)):
        raise ValueError
    if not 0 <= start < stop <= len(body) or stop - start != 4 * math.prod(shape):
        raise ValueError
    return np.frombuffer(body[start:stop], "<f4").reshape(shape).astype(np.float32)
