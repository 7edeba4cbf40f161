"""Arrays and directions inside JSON messages: their bytes as base64."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from tuiface.core.arrays import decode_base64, decode_floats, encode_floats
from tuiface.core.errors import InputFileError
from tuiface.core.strict_json import MAX_JSON_BYTES
from tuiface.core.values import Value
from tuiface.directions.direction import MAX_FILE_BYTES, Direction, decode_direction, encode_direction

PackedDirection = Annotated[str, Field(max_length=MAX_FILE_BYTES * 4 // 3 + 4)]
"""A direction's file (tuiface.direction/1), base64."""


class ArrayMessage(Value):
    """A matrix of float32."""

    shape: tuple[Annotated[int, Field(ge=0, le=65536)], Annotated[int, Field(ge=1, le=65536)]]
    data: str = Field(max_length=MAX_JSON_BYTES)
    """Little-endian, base64."""

    @classmethod
    def of(cls, array: np.ndarray) -> ArrayMessage:
        """From float [N, M]."""
        rows, columns = array.shape
        return cls(shape=(rows, columns), data=encode_floats(array))

    @model_validator(mode="after")
    def _check_numbers(self) -> ArrayMessage:
        decode_floats("data", self.data, self.shape)
        return self

    def array(self) -> np.ndarray:
        """float32 [N, M]."""
        return decode_floats("data", self.data, self.shape)


def pack_directions(directions: Iterable[Direction]) -> tuple[str, ...]:
    """Directions, which need no file for it, as text."""
    return tuple(base64.b64encode(encode_direction(direction)).decode("ascii") for direction in directions)


def unpack_direction(text: str) -> Direction:
    """The direction in a text; raises InputFileError for anything else."""
    try:
        data = decode_base64("direction", text)
    except ValueError as error:
        raise InputFileError(str(error)) from None
    return decode_direction(data, "direction")
