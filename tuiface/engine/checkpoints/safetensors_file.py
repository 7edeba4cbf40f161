"""The tensors of our own files as float32, whatever they are stored in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import safetensors

from tuiface.core.errors import ModelError


def read_float32_tensors(data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """All tensors of a file whose header was checked; raises ModelError for values that are not finite."""
    try:
        entries = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise ModelError(f"not a sound safetensors file: {error}", "copy or convert the file again") from None
    return {name: _to_float32(name, entry["dtype"], entry["shape"], entry["data"]) for name, entry in entries}


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
