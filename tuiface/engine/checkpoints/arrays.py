"""Plain arrays in a torch or pickle container: latents and directions that people saved, read as safely as networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tuiface.core.errors import ModelError, describe_value, to_printable
from tuiface.engine.checkpoints.budget import LIMITS, Meter
from tuiface.engine.checkpoints.formats import read_value
from tuiface.engine.checkpoints.inventory import Inventory
from tuiface.engine.checkpoints.materialise import TensorSource
from tuiface.engine.checkpoints.source_file import read_source
from tuiface.engine.checkpoints.storages import TorchTensor
from tuiface.engine.checkpoints.stubs import NumpyArray

MAX_ARRAYS = 1024


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every floating-point array of a `.pt` or pickle file as float32, by its place: "", "smile", "latents.0".

    Nothing in the file is executed. Raises ModelError, one line with the file's name, for anything that is not sound.
    """
    census = Inventory()
    try:
        source = read_source(path)
        if source.container == "safetensors":
            raise ModelError("a safetensors file; accepted are .npy, .npz and .pt")
        meter = Meter(LIMITS, file_bytes=len(source.data))
        found = dict(_collect_arrays(read_value(source, meter, census), ""))
        if not found:
            raise ModelError("no array in it")
        meter.use_tensors(sum(4 * tensor.array().size for tensor in found.values()))
        return {place: TensorSource(tensor, place or "array").float32() for place, tensor in found.items()}
    except ModelError as error:
        raise ModelError(f"{to_printable(path.name)}: {error.message}", error.hint) from None


def _collect_arrays(value: object, place: str) -> Iterator[tuple[str, TorchTensor | NumpyArray]]:
    """Arrays in nested dicts and lists, depth first."""
    for number, (where, found) in enumerate(_walk(value, place, depth=0)):
        if number >= MAX_ARRAYS:
            raise ModelError(f"more than {MAX_ARRAYS} arrays")
        yield where, found


def _walk(value: object, place: str, depth: int) -> Iterator[tuple[str, TorchTensor | NumpyArray]]:
    if isinstance(value, TorchTensor | NumpyArray):
        yield place, value
        return
    if depth > 4:
        raise ModelError("arrays nested too deeply")
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, entry in entries:
        name = to_printable(key) if isinstance(key, str) else str(key) if isinstance(key, int) else describe_value(key)
        yield from _walk(entry, f"{place}.{name}" if place else name, depth + 1)
