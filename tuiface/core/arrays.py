"""Numbers inside JSON: float32, little-endian, base64, and nothing that is not finite."""

from __future__ import annotations

import base64
import math

import numpy as np


def encode_floats(array: np.ndarray) -> str:
    """The numbers of a float array of any shape, in C order."""
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode("ascii")


def decode_floats(name: str, text: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """float32 of `shape`, or [n] for as many as there are.

    Raises ValueError, which begins with `name`, for what is no base64, another number of numbers, or not finite.
    """
    raw = decode_base64(name, text)
    if shape is not None and len(raw) != 4 * math.prod(shape):
        raise ValueError(f"{name} holds {len(raw)} bytes, shape {list(shape)} needs {4 * math.prod(shape)}")
    if len(raw) % 4:
        raise ValueError(f"{name} holds {len(raw)} bytes; float32 numbers take 4 each")
    numbers = np.frombuffer(raw, "<f4").astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} holds NaN or infinity; numbers must be finite")
    return numbers if shape is None else numbers.reshape(shape)


def decode_base64(name: str, text: str) -> bytes:
    """The bytes in `text`. Raises ValueError, which begins with `name`, for what is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error is one too
        raise ValueError(f"{name} is not base64: {error}") from None
