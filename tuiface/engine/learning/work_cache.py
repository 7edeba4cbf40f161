"""What learning has worked out before, kept in the cache folder, so that a run that was interrupted goes on there.

    CACHE/learning/KIND-DIGEST.safetensors

The digest is of everything that the result hangs on: network, readers, settings, software, processor, threads. A result
is kept whole, written atomically, and used only where its own checksum, names, types and shapes are as they must be;
anything else is worked out again. So a run gives the same bytes whether it was interrupted or not.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from tuiface.core.errors import TuifaceError
from tuiface.core.files import make_folder, write_file
from tuiface.core.reading import read_regular
from tuiface.core.safetensors_header import Shape, check_tensors, encode_header, split_header
from tuiface.core.tensor_file import STORED_AS, view_tensor
from tuiface.core.values import ValueType, canonical_json, parse_json

MAX_ENTRY_BYTES = 256 << 20
"""A result that takes more is not kept: gradients of a network of 1024 px take 70 MB."""
MAX_BYTES = 1 << 30
"""Of all results together; those that were used longest ago go first."""
_FORMAT = "tuiface.learning/1"
_SUFFIX = ".safetensors"
_JSON = "json"
"""Of a value: the name of its text's bytes."""

Result = TypeVar("Result")
Arrays = dict[str, np.ndarray]
"""By name; float64, float32 or uint8."""


class WorkCache:
    """Results of one origin in one folder."""

    def __init__(self, folder: Path | None, origin: Mapping[str, object]) -> None:
        """`origin`: what all results hang on, as JSON holds it. Without a folder nothing is kept."""
        self._folder = folder
        self._origin = dict(origin)

    def recall(
        self, kind: str, inputs: Mapping[str, object], shapes: Mapping[str, Shape], make: Callable[[], Arrays]
    ) -> Arrays:
        """The arrays, of these names and shapes, that `make` gave for these inputs, or gives now."""
        found = self._read(kind, inputs, lambda data: _decode(data, shapes))
        return self._keep(kind, inputs, make(), lambda made: made) if found is None else found

    def recall_value(
        self, kind: str, inputs: Mapping[str, object], model: type[ValueType], make: Callable[[], ValueType]
    ) -> ValueType:
        """The value that `make` gave for these inputs, or gives now."""

        def parse(data: bytes) -> ValueType:
            return parse_json(model, _decode(data)[_JSON].tobytes(), kind)

        found = self._read(kind, inputs, parse)
        if found is not None:
            return found
        return self._keep(
            kind, inputs, make(), lambda made: {_JSON: np.frombuffer(made.canonical_json(), dtype=np.uint8)}
        )

    def _read(self, kind: str, inputs: Mapping[str, object], decode: Callable[[bytes], Result]) -> Result | None:
        """What is kept; None where nothing is, or nothing sound."""
        if self._folder is None:
            return None
        path = self._path(kind, inputs)
        try:
            found = decode(read_regular(path, MAX_ENTRY_BYTES))
        except (OSError, TuifaceError, KeyError, ValueError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return found

    def _keep(
        self, kind: str, inputs: Mapping[str, object], made: Result, to_arrays: Callable[[Result], Arrays]
    ) -> Result:
        """`made`, written and room made for it; a folder that cannot be written keeps nothing."""
        if self._folder is not None:
            with contextlib.suppress(TuifaceError, OSError):
                data = _encode(to_arrays(made))
                if len(data) <= MAX_ENTRY_BYTES:
                    path = self._path(kind, inputs)
                    make_folder(path.parent)
                    write_file(path, data, force=True)
                    _make_room(path)
        return made

    def _path(self, kind: str, inputs: Mapping[str, object]) -> Path:
        assert self._folder is not None
        digest = hashlib.sha256(canonical_json({"format": _FORMAT, "origin": self._origin, "inputs": dict(inputs)}))
        return self._folder / f"{kind}-{digest.hexdigest()}{_SUFFIX}"


NOTHING_KEPT = WorkCache(None, {})
"""For work that is not to be gone on with."""


def _encode(arrays: Arrays) -> bytes:
    dtypes = {dtype: name for name, dtype in STORED_AS.items()}
    blobs = {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}
    data = b"".join(blob.tobytes() for blob in blobs.values())
    places = ((name, dtypes[blob.dtype], blob.shape, blob.nbytes) for name, blob in blobs.items())
    metadata = {"format": _FORMAT, "sha256": hashlib.sha256(data).hexdigest()}
    return encode_header(metadata, places) + data


def _decode(data: bytes, shapes: Mapping[str, Shape] | None = None) -> Arrays:
    """The arrays, of `shapes` if they are given; raises ModelError, KeyError or ValueError for anything else."""
    header = split_header(data, len(data), "a result of learning")
    metadata = header.metadata
    if metadata["format"] != _FORMAT or hashlib.sha256(data[header.data_start :]).hexdigest() != metadata["sha256"]:
        raise ValueError("damaged")
    expected = shapes or {name: place.shape for name, place in header.places.items()}
    check_tensors(header, expected, ("F64", "F32", "U8"))
    return {name: view_tensor(data, header, place).copy() for name, place in header.places.items()}


def _make_room(newest: Path) -> None:
    """Remove the results that were used longest ago, until all take `MAX_BYTES` at most; never `newest`."""
    found = [(path.stat(), path) for path in newest.parent.glob(f"*{_SUFFIX}")]
    total = sum(status.st_size for status, _ in found)
    for status, path in sorted(found, key=lambda one: (one[0].st_mtime_ns, one[1])):
        if total <= MAX_BYTES:
            return
        if path != newest:
            path.unlink(missing_ok=True)
            total -= status.st_size
