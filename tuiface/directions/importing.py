"""Directions that users own: numpy files of the shapes that people share, read without executing anything.

Accepted shapes, for a network with L rows of W+: [w_dim], [1, w_dim], [L, w_dim], [1, L, w_dim].

In the laboratory's earlier systems an amount multiplied the stored vector as it was, whatever its length; the first
one also had a button that multiplied it by three. Here an amount counts standard deviations, so an old one is converted
through the vector's length and the concept's measured standard deviation.
"""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from tuiface.core.errors import InputFileError, UsageError, quote, suggest_nearest
from tuiface.core.values import read_bytes
from tuiface.directions.direction import MAX_NUMBERS

MAX_FILE_BYTES = 64 * MAX_NUMBERS
MAX_MEMBERS = 1024
LEGACY_BOOST = 3.0


def read_numpy_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a `.npy` (named "") or `.npz` file as float32. Raises InputFileError in one line."""
    data = read_bytes(path, MAX_FILE_BYTES)
    try:
        if path.suffix.lower() == ".npy":
            return {"": _read_npy(data, path.name)}
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            if len(members) > MAX_MEMBERS or sum(m.file_size for m in members) > MAX_FILE_BYTES:
                raise InputFileError(f"{path.name}: more than {MAX_MEMBERS} arrays or {MAX_FILE_BYTES} bytes in it")
            return {
                m.filename.removesuffix(".npy"): _read_npy(archive.read(m), f"{path.name}: {m.filename}")
                for m in members
            }
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InputFileError(f"{path.name}: not a sound .npz file: {error}") from None


def choose_array(arrays: dict[str, np.ndarray], key: str | None, where: str) -> np.ndarray:
    """One of a file's arrays: the one called `key`, or the only one. Raises UsageError, naming what there is."""
    shown = ", ".join(sorted(arrays)[:12]) + (", ..." if len(arrays) > 12 else "")
    if key is None:
        if len(arrays) != 1:
            raise UsageError(f"{where} holds {len(arrays)} arrays: {shown or 'none'}", "choose one with --key NAME")
        return next(iter(arrays.values()))
    if key not in arrays:
        raise UsageError(f"{where} holds no array {quote(key)}; it has {shown}", suggest_nearest(key, arrays))
    return arrays[key]


def to_step(array: np.ndarray, num_ws: int, w_dim: int, where: str) -> np.ndarray:
    """The array as float32 [w_dim], or [num_ws, w_dim] if its rows differ. Raises InputFileError for anything else."""
    accepted = ((w_dim,), (1, w_dim), (num_ws, w_dim), (1, num_ws, w_dim))
    if array.shape not in accepted:
        shapes = ", ".join(str(list(shape)) for shape in accepted)
        raise InputFileError(f"{where}: shape {list(array.shape)}; this model takes {shapes}")
    if not np.isfinite(array).all():
        raise InputFileError(f"{where}: holds NaN or infinity; numbers must be finite")
    if not array.any():
        raise InputFileError(f"{where}: all numbers are zero: it would move nothing")
    step = array.reshape(-1, w_dim).astype(np.float32)
    same = (step == step[0]).all()
    return step[0].copy() if same else step


def convert_amount(old: float, raw_norm: float, sigma: float, *, boosted: bool = False) -> float:
    """An amount of an earlier system in standard deviations: the same step in latent space.

    raw_norm: length of the vector that the earlier system multiplied; sigma: length of one standard deviation.
    """
    return old * (LEGACY_BOOST if boosted else 1.0) * raw_norm / sigma


def _read_npy(data: bytes, where: str) -> np.ndarray:
    """A float32 copy of a .npy file's array; its claims are checked before anything is allocated."""
    file = io.BytesIO(data)
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read is None:
            raise InputFileError(f"{where}: .npy version {version}; accepted are 1.0 and 2.0")
        shape, fortran, dtype = read(file)
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        raise InputFileError(f"{where}: not a .npy file: {error}") from None
    if dtype.hasobject:
        raise InputFileError(
            f"{where}: it holds pickled Python objects, which could run code; refused unread",
            "save plain numbers: numpy.save(file, array.astype('float32'))",
        )
    if dtype.kind not in "fiu":
        raise InputFileError(f"{where}: holds {dtype}; accepted are numbers")
    count = math.prod(shape)
    if count > MAX_NUMBERS or count * dtype.itemsize != len(data) - file.tell():
        raise InputFileError(
            f"{where}: claims {count} numbers in {len(data) - file.tell()} bytes; damaged, or too large"
        )
    array = np.frombuffer(data, dtype, offset=file.tell()).reshape(shape, order="F" if fortran else "C")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, order="C")
