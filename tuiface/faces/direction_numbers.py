"""The numbers of a direction, as a recipe holds them: all that its digest covers, and nothing else."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from tuiface.core.arrays import decode_floats, encode_floats
from tuiface.core.bounds import RowEnd, RowIndex
from tuiface.core.values import Value, canonical_json

Space = Literal["w", "w+", "styles"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Side = Annotated[int, Field(ge=1, le=65536)]

MAX_NUMBERS = 1 << 20
MAX_STEP = 1e6
"""Largest number of a step, as no latent or style comes near it: lengths and pictures of larger ones overflow."""
STEP = "step"


class StepArray(Value):
    """One array of a direction."""

    shape: tuple[Side, ...] = Field(min_length=1, max_length=2)
    data: str = Field(max_length=4 * MAX_NUMBERS * 4 // 3 + 4)
    """float32, little-endian, base64."""

    def array(self) -> np.ndarray:
        """float32 of `shape`."""
        return decode_floats("data", self.data, self.shape)


class DirectionNumbers(Value):
    """What a direction's digest covers, so that a face outlives the file of the direction that made it."""

    space: Space
    rows: tuple[RowIndex, RowEnd] | None = None
    model_sha256: Sha256
    """Digest of the network that the direction was made for."""
    arrays: dict[Annotated[str, Field(max_length=200)], StepArray] = Field(min_length=1, max_length=64)

    @field_validator("arrays")
    @classmethod
    def _check_size(cls, arrays: dict[str, StepArray]) -> dict[str, StepArray]:
        if sum(math.prod(one.shape) for one in arrays.values()) > MAX_NUMBERS:
            raise ValueError(f"more than {MAX_NUMBERS} numbers")
        return arrays

    @model_validator(mode="after")
    def _check_arrays(self) -> DirectionNumbers:
        check_arrays(self.space, self.decode())
        return self

    def __hash__(self) -> int:
        """Of what tells directions apart."""
        return hash(self.digest)

    @classmethod
    def of(
        cls, space: Space, rows: tuple[int, int] | None, model_sha256: str, arrays: Mapping[str, np.ndarray]
    ) -> DirectionNumbers:
        """From float32 arrays by name."""
        packed = {name: StepArray(shape=a.shape, data=encode_floats(a)) for name, a in sorted(arrays.items())}
        return cls(space=space, rows=rows, model_sha256=model_sha256, arrays=packed)

    def decode(self) -> dict[str, np.ndarray]:
        """float32 arrays by name."""
        return {name: packed.array() for name, packed in self.arrays.items()}

    @property
    def digest(self) -> str:
        """The direction's identity."""
        return digest_direction(self.space, self.rows, self.model_sha256, self.decode())


def digest_direction(
    space: Space, rows: tuple[int, int] | None, model_sha256: str, arrays: Mapping[str, np.ndarray]
) -> str:
    """SHA-256 of what moves pixels: space, rows, network and arrays."""
    fixed = {
        "space": space,
        "rows": None if rows is None else list(rows),
        "model": model_sha256,
        "arrays": {name: list(array.shape) for name, array in sorted(arrays.items())},
    }
    digest = hashlib.sha256(canonical_json(fixed))
    for _, array in sorted(arrays.items()):
        digest.update(np.ascontiguousarray(array, "<f4").tobytes())
    return digest.hexdigest()


def check_arrays(space: Space, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError for arrays that are no direction in `space`."""
    if space != "styles" and set(arrays) != {STEP}:
        raise ValueError(f"space '{space}' takes one array '{STEP}'; found: {', '.join(arrays) or 'none'}")
    if not arrays:
        raise ValueError("no arrays")
    dimensions = 2 if space == "w+" else 1
    for name, array in arrays.items():
        if array.ndim != dimensions or array.dtype != np.float32 or not 0 < array.size <= MAX_NUMBERS:
            raise ValueError(
                f"array '{name}' is {array.dtype} {list(array.shape)}; space '{space}' takes float32 with "
                f"{dimensions} dimension{'s' if dimensions > 1 else ''}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"array '{name}' holds NaN or infinity; numbers must be finite")
        if (largest := float(np.abs(array).max())) > MAX_STEP:
            raise ValueError(f"array '{name}' holds numbers up to {largest:.3g}; accepted are up to {MAX_STEP:.0f}")
    if not any(array.any() for array in arrays.values()):
        raise ValueError("all numbers are zero: it would move nothing")
