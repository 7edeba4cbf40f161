"""The tensors of safetensors files: read when they are asked for, and never mapped into memory.

A mapped file that someone truncates ends whoever looks at it by a signal, which no line of ours can follow. Reading
takes 15 ms more for a network of 133 MB, where opening it takes a second; what is gone by then is one clear line.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tuiface.core.errors import ModelError, quote
from tuiface.core.reading import open_regular
from tuiface.core.safetensors_header import (
    LENGTH_BYTES,
    MAX_HEADER_BYTES,
    ContainerHeader,
    Shape,
    TensorPlace,
    split_header,
)
from tuiface.core.visible import to_visible

Array = npt.NDArray[Any]

#: The element type in which a stored one is read; of bfloat16, which numpy does not know, the 16 bits.
STORED_AS: Final[Mapping[str, np.dtype[Any]]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("|u1"),
}

_PART: Final = 1 << 16
"""Values that are looked at together."""


def read_header(handle: int, kind: str) -> ContainerHeader:
    """The header of an open file; `kind` ("a tuiface model") is what it should be. Raises ModelError."""
    try:
        head = os.pread(handle, LENGTH_BYTES + MAX_HEADER_BYTES, 0)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}") from None
    return split_header(head, os.fstat(handle).st_size, kind)


def read_tensor(handle: int, header: ContainerHeader, place: TensorPlace) -> Array:
    """A tensor of an open file in its stored type, freshly allocated. Raises ModelError where the file has shrunk."""
    return read_elements(handle, header.data_start + place.start, place.shape, STORED_AS[place.dtype])


def view_tensor(data: bytes | memoryview, header: ContainerHeader, place: TensorPlace) -> Array:
    """A tensor of a file's bytes in its stored type, as a view of them."""
    start, count = header.data_start + place.start, math.prod(place.shape)
    return np.frombuffer(data, STORED_AS[place.dtype], count, start).reshape(place.shape)


def to_float32(name: str, dtype: str, stored: Array) -> npt.NDArray[np.float32]:
    """A float tensor as float32, `stored` itself where it is; raises ModelError for values that are not finite.

    Checking takes 8 ms for a network of 133 MB, too little to be worth a note that it was done before.
    """
    if dtype == "BF16":
        # bfloat16 is the upper half of a float32.
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    values = stored.astype(np.float32, copy=False)
    if not all_finite(values):
        raise ModelError(f"tensor {to_visible(name)} holds values that are not finite", "the training run has diverged")
    return values


def all_finite(values: Array) -> bool:
    """Whether a C-contiguous array holds neither infinity nor NaN."""
    flat = values.reshape(-1)
    # By parts that stay in the processor's cache: a mask of the whole takes as long again.
    return all(np.isfinite(flat[start : start + _PART]).all() for start in range(0, flat.size, _PART))


def read_elements(handle: int, offset: int, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """An array that lies at `offset` in an open file. Raises ModelError where the file ends before it does."""
    array = np.empty(shape, dtype)
    wanted = array.reshape(-1).view(np.uint8).data
    while wanted:
        try:
            got = os.preadv(handle, [wanted], offset)  # the kernel gives 2 GiB at most at a time
        except OSError as error:
            raise ModelError(f"cannot be read: {error.strerror}") from None
        if got == 0:
            raise ModelError("cut off while it was read", "copy the file again")
        offset, wanted = offset + got, wanted[got:]
    return array


@dataclass(frozen=True, slots=True, eq=False)
class StoredRows:
    """An array in a file, along its first axis: `rows[3]`, `rows[:8]`, or all by `numpy.array(rows)`.

    The file is opened for each access, so that thousands cost no descriptor. Raises ModelError where it has shrunk, or
    is gone.
    """

    path: Path
    offset: int
    """Of its first byte in the file."""
    shape: Shape
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, path: Path, header: ContainerHeader, place: TensorPlace) -> StoredRows:
        """A tensor of the file at `path`, which must have an axis."""
        return cls(path, header.data_start + place.start, place.shape, STORED_AS[place.dtype])

    def __getitem__(self, rows: int | slice) -> Array:
        """One row, or rows that follow each other, freshly allocated."""
        chosen = range(self.shape[0])[rows]
        if isinstance(chosen, int):
            row: Array = self._read(range(chosen, chosen + 1))[0]
            return row
        return self._read(chosen)

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> Array:
        """All rows."""
        everything: Array = np.asarray(self[:], dtype)
        return everything

    def _read(self, rows: range) -> Array:
        assert rows.step == 1
        row = self.shape[1:]
        start = self.offset + rows.start * math.prod(row) * self.dtype.itemsize
        try:
            with open_regular(self.path) as file:
                return read_elements(file.fileno(), start, (len(rows), *row), self.dtype)
        except OSError as error:
            raise ModelError(f"{quote(self.path, 200)} cannot be read any more: {error.strerror}") from None
