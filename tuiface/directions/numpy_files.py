"""Arrays of numbers in .npy and .npz files, read by the letter of the format.

numpy's own reader has Python parse the header, which a few kilobytes of brackets or digits bring down, and unpacks
archives by any method. A header is three entries of a dict here, and nothing else of Python's grammar:

    \x93NUMPY, version (2 bytes), length (2 bytes; 4 since version 2.0), {'descr': '<f4', 'fortran_order': False,
    'shape': (1, 512), }, spaces, line feed, the numbers

Claims are checked against the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from tuiface.core.errors import InputFileError, ModelError, quote
from tuiface.core.values import read_bytes
from tuiface.core.visible import to_visible
from tuiface.core.zip_members import list_members, unpack_member
from tuiface.faces.direction_numbers import MAX_NUMBERS

MAX_FILE_BYTES: Final = 64 * MAX_NUMBERS
MAX_MEMBERS: Final = 1024
MAX_HEADER_BYTES: Final = 10_000
"""What numpy itself reads."""
MAX_DIMENSIONS: Final = 8
NUMBER_TYPES: Final = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")

_MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
_ENTRY = re.compile(
    r"""\s*(['"])(?P<key>descr|fortran_order|shape)\1\s*:\s*
    (?:(['"])(?P<text>[^'"\\]{1,40})\3|(?P<truth>True|False)|\((?P<sides>[0-9, L]*)\))\s*(?:,|(?=\}))""",
    re.VERBOSE,
)
#: None, one with a comma behind it, or several. Python 2 wrote 512L.
_SIDES = re.compile(r" *(?:(?:[0-9]{1,10}L? *, *)+(?:[0-9]{1,10}L? *)?)?")


def read_numpy_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a `.npy` (named "") or `.npz` file as float32. Raises InputFileError in one line."""
    data = read_bytes(path, MAX_FILE_BYTES)
    if path.suffix.lower() == ".npy":
        return {"": parse_npy(data, path.name)}
    view = memoryview(data)
    try:
        members = list_members(view, MAX_MEMBERS)
        arrays = {name: member for name, member in members.items() if name.endswith(".npy")}
        if sum(member.size for member in arrays.values()) > MAX_FILE_BYTES:
            raise ModelError(f"more than {MAX_FILE_BYTES} bytes in it")
        return {
            name.removesuffix(".npy"): parse_npy(unpack_member(view, member, name), f"{path.name}: {to_visible(name)}")
            for name, member in arrays.items()
        }
    except ModelError as error:
        raise InputFileError(f"{path.name}: not a sound .npz file: {error.message}", error.hint) from None


def parse_npy(data: bytes, where: str) -> np.ndarray:
    """A float32 copy of the array in a .npy file's bytes. Raises InputFileError in a line that begins with `where`."""
    version = data[len(_MAGIC) : len(_MAGIC) + 2]
    if not data.startswith(_MAGIC) or len(version) < 2:
        raise InputFileError(f"{where}: not a .npy file: it begins with other bytes")
    if version[0] not in _LENGTH_BYTES or version[1] != 0:
        raise InputFileError(f"{where}: .npy version {version[0]}.{version[1]}; accepted are 1.0, 2.0 and 3.0")
    header_at = len(_MAGIC) + 2 + _LENGTH_BYTES[version[0]]
    length = int.from_bytes(data[len(_MAGIC) + 2 : header_at], "little")
    if length > min(MAX_HEADER_BYTES, len(data) - header_at):
        raise InputFileError(
            f"{where}: a .npy header of {length} bytes is claimed; accepted are up to {MAX_HEADER_BYTES}, "
            f"{max(0, len(data) - header_at)} are there"
        )
    start = header_at + length
    entries = _parse_header(data[header_at:start], where)
    dtype, shape = _check_type(entries["descr"], where), _check_shape(entries["shape"], where)
    count = math.prod(shape)
    if not 0 < count <= MAX_NUMBERS or count * dtype.itemsize != len(data) - start:
        raise InputFileError(f"{where}: claims {count} numbers in {len(data) - start} bytes; damaged, or too large")
    order: Any = "F" if entries["fortran_order"] == "True" else "C"
    array = np.frombuffer(data, dtype, offset=start).reshape(shape, order=order)
    with np.errstate(over="ignore"):
        return array.astype(np.float32, order="C")


def _parse_header(header: bytes, where: str) -> Mapping[str, str]:
    """The three entries as they are written, without quotes and brackets."""
    text = header.decode("latin-1").strip(" \n")
    found: dict[str, str] = {}
    position = 1
    if text.startswith("{") and text.endswith("}"):
        while entry := _ENTRY.match(text, position):
            groups = entry.groupdict()
            if entry["key"] in found or groups[_KINDS[entry["key"]]] is None:
                break
            found[entry["key"]] = groups[_KINDS[entry["key"]]]
            position = entry.end()
    if len(found) < len(_KINDS) or text[position:].strip() != "}":
        if re.search(r"'descr'\s*:\s*\[", text):
            raise InputFileError(f"{where}: holds records of several types; accepted are numbers")
        raise InputFileError(f"{where}: not a .npy file: its header is {quote(text)}")
    return found


_KINDS: Final[Mapping[str, str]] = {"descr": "text", "fortran_order": "truth", "shape": "sides"}


def _check_type(code: str, where: str) -> np.dtype[Any]:
    order, kind = (code[0], code[1:]) if code[:1] in "<>|=" else ("=", code)
    if kind.startswith("O"):
        raise InputFileError(
            f"{where}: it holds pickled Python objects, which could run code; refused unread",
            "save plain numbers: numpy.save(file, array.astype('float32'))",
        )
    if kind not in NUMBER_TYPES:
        raise InputFileError(f"{where}: holds {quote(code)}; accepted are numbers: {', '.join(NUMBER_TYPES)}")
    return np.dtype(order + kind)


def _check_shape(text: str, where: str) -> tuple[int, ...]:
    sides = [side.strip().removesuffix("L") for side in text.split(",") if side.strip()]
    if _SIDES.fullmatch(text) is None or len(sides) > MAX_DIMENSIONS:
        raise InputFileError(
            f"{where}: has the shape {quote(f'({text})')}; accepted are up to {MAX_DIMENSIONS} whole numbers"
        )
    return tuple(map(int, sides))
