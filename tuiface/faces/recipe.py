"""The recipe of a face: a frozen value that holds everything that determines the picture.

Order of application (fixed): source -> truncation -> mixes -> W+ directions (sum) -> affines -> channel edits (sum)
-> locks -> synthesis. Rows are rows of W+, half-open `[start, stop)`.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from tuiface.core.arrays import decode_floats, encode_floats
from tuiface.core.bounds import ChannelIndex, ClassLabel, Count, RowEnd, RowIndex, SettingValues
from tuiface.core.limits import DEFAULT_PSI, ID_LENGTH, MAX_NAME, MAX_SEED, PSI_RANGE, W_AVG
from tuiface.core.values import Value, canonical_json, parse_json
from tuiface.core.words import format_number
from tuiface.faces.direction_numbers import DirectionNumbers, Sha256

Region = Literal[
    "frame",
    "hairline",
    "hair",
    "face",
    "skin",
    "brows",
    "eyes",
    "nose",
    "mouth",
    "ears",
    "neck",
    "clothing",
    "background",
    "mask",
]

Guarantee = Literal["direction", "blend", "paste"]

MIN_MASK_SIDE = 4
MAX_MASK_SIDE = 1024

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Rows = tuple[RowIndex, RowEnd]


class ModelRef(Value):
    """The network that a recipe is for."""

    sha256: Sha256
    """Digest of the generator's configuration and tensors (not of a file): converting a checkpoint keeps it."""
    name: str = Field(min_length=1, max_length=MAX_NAME)
    """For people; only the digest decides."""


class SeedSource(Value):
    """A face drawn by number: z = numpy RandomState(seed).randn(1, z_dim), as everywhere in the field."""

    kind: Literal["seed"] = "seed"
    seed: Seed
    label: ClassLabel | None = None
    """Class index for a network with labels; left out of the JSON when there is none."""

    @model_serializer(mode="wrap")
    def _leave_out_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if not (k == "label" and v is None)}


class LatentOrigin(Value):
    """Where a latent came from: recorded, never needed to rebuild the face."""

    photo_sha256: Sha256 | None = None
    settings: SettingValues = Field(default_factory=dict)
    loss: float | None = None

    def __hash__(self) -> int:
        """Of the numbers and words, so that recipes with an origin can be told apart in sets as all others can."""
        return hash((self.photo_sha256, frozenset(self.settings.items()), self.loss))


class LatentSource(Value):
    """A face given by its numbers in W or W+, so that the JSON alone rebuilds it."""

    kind: Literal["latent"] = "latent"
    space: Literal["w", "w+"]
    shape: tuple[Count, ...] = Field(min_length=1, max_length=2)
    """[w_dim] for "w", [num_ws, w_dim] for "w+"."""
    data: str = Field(max_length=4 * 1024 * 1024)
    """float32, little-endian, base64."""
    origin: LatentOrigin | None = None

    @model_validator(mode="after")
    def _check_numbers(self) -> LatentSource:
        if len(self.shape) != (1 if self.space == "w" else 2) or any(n < 1 or n > 65536 for n in self.shape):
            raise ValueError(f"shape {list(self.shape)} does not fit space '{self.space}': [w_dim] or [num_ws, w_dim]")
        decode_floats("data", self.data, self.shape)
        return self

    @model_serializer(mode="wrap")
    def _leave_out_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if not (k == "origin" and v is None)}

    @classmethod
    def from_array(cls, w: np.ndarray, origin: LatentOrigin | None = None) -> LatentSource:
        """From float array [w_dim] (space "w") or [num_ws, w_dim] (space "w+")."""
        array = np.ascontiguousarray(w, dtype="<f4")
        space: Literal["w", "w+"] = "w" if array.ndim == 1 else "w+"
        return cls(space=space, shape=array.shape, data=encode_floats(array), origin=origin)

    def array(self) -> np.ndarray:
        """float32 [w_dim] or [num_ws, w_dim]."""
        return decode_floats("data", self.data, self.shape)


Source = Annotated[
    Annotated[SeedSource, Tag("tag:SeedSource")] | Annotated[LatentSource, Tag("tag:LatentSource")],
    Discriminator(
        lambda v: {"seed": "tag:SeedSource", "latent": "tag:LatentSource"}.get(str(_member(v, "kind"))),
        custom_error_type="source_kind",
        custom_error_message="kind must be 'seed' or 'latent'",
    ),
]


class Truncation(Value):
    """Pulls w towards a centre: w' = center + psi * (w - center), on rows below `cutoff`."""

    psi: float = Field(DEFAULT_PSI, ge=PSI_RANGE[0], le=PSI_RANGE[1])
    cutoff: RowIndex | None = None
    """Rows `[0, cutoff)` are truncated; null for all."""
    center: str = Field(W_AVG, min_length=1, max_length=200)
    """`w_avg` or the name of a population."""
    center_w: str | None = Field(None, max_length=65536)
    """The population's centre [w_dim], float32, little-endian, base64; left out of the JSON for `w_avg`."""

    @model_validator(mode="after")
    def _check_center(self) -> Truncation:
        if self.center_w is not None:
            if self.center == W_AVG:
                raise ValueError("center_w belongs to a named population, not to w_avg")
            decode_floats("center_w", self.center_w)
        return self

    @model_serializer(mode="wrap")
    def _leave_out_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if not (k == "center_w" and v is None)}

    def towards(self, name: str, centre: np.ndarray | None) -> Truncation:
        """The same truncation towards the centre float [w_dim] of the population `name`; None and `w_avg` go back."""
        return self.model_copy(update={"center": name, "center_w": None if centre is None else encode_floats(centre)})

    def centre(self) -> np.ndarray | None:
        """float32 [w_dim] of the named population; None where the recipe holds none."""
        return None if self.center_w is None else decode_floats("center_w", self.center_w)


class StyleMix(Value):
    """Rows of W+ taken from another face, truncated as the first one is."""

    source: Source
    rows: Rows

    @field_validator("rows")
    @classmethod
    def _check_row_range(cls, rows: Rows) -> Rows:
        return _check_rows(rows)


class DirectionEdit(Value):
    """A step along a named direction, in standard deviations of its concept unless its file says otherwise."""

    direction: str = Field(min_length=1, max_length=200)
    sha256: Sha256
    amount: float
    rows: Rows | None = None
    """Rows that move; null for the direction's own."""
    foreign: bool = False
    """Whether a direction made for another network is applied all the same; left out of the JSON when it is not."""

    @model_serializer(mode="wrap")
    def _leave_out_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if not (k == "foreign" and v is False)}

    @field_validator("rows")
    @classmethod
    def _check_row_range(cls, rows: Rows | None) -> Rows | None:
        return rows if rows is None else _check_rows(rows)


class ChannelEdit(Value):
    """A step of one style channel, in standard deviations of that channel over the population (psi 1)."""

    channel: tuple[Annotated[str, Field(pattern=r"^b[0-9]{1,5}\.(conv0|conv1|torgb)$")], ChannelIndex]
    """Layer by the checkpoint's own name (`b16.conv1`) and channel index."""
    amount: float


Edit = Annotated[
    Annotated[DirectionEdit, Tag("tag:DirectionEdit")] | Annotated[ChannelEdit, Tag("tag:ChannelEdit")],
    Discriminator(lambda v: "tag:ChannelEdit" if _member(v, "channel") is not None else "tag:DirectionEdit"),
]


class LockMask(Value):
    """A region drawn by the user: one bit a pixel of the full picture, set where the face must stay as it is."""

    side: int = Field(ge=MIN_MASK_SIDE, le=MAX_MASK_SIDE)
    """Side in pixels."""
    data: str = Field(max_length=1024 * 1024)
    """Bits row by row from the top left, packed, deflated (zlib), base64."""

    @model_validator(mode="after")
    def _check_bits(self) -> LockMask:
        expected = -(-self.side * self.side // 8)
        try:
            inflate = zlib.decompressobj()
            raw = inflate.decompress(base64.b64decode(self.data, validate=True), expected + 1)
        except (ValueError, zlib.error) as error:
            raise ValueError(f"data is not deflated base64: {error}") from None
        if len(raw) != expected or not inflate.eof:
            raise ValueError(f"data does not hold the {expected} bytes that {self.side} x {self.side} bits need")
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), count=self.side * self.side)
        if bits.all() or not bits.any():
            raise ValueError("the mask is empty" if not bits.any() else "the mask leaves nothing that may change")
        return self

    @classmethod
    def from_array(cls, mask: np.ndarray) -> LockMask:
        """From bool [side, side], true where nothing may change."""
        assert mask.dtype == bool
        assert mask.shape[0] == mask.shape[1]
        packed = zlib.compress(np.packbits(mask).tobytes(), 9)
        return cls(side=mask.shape[0], data=base64.b64encode(packed).decode("ascii"))

    def array(self) -> np.ndarray:
        """bool [side, side], true where nothing may change."""
        raw = np.frombuffer(zlib.decompress(base64.b64decode(self.data)), np.uint8)
        return np.unpackbits(raw, count=self.side * self.side).astype(bool).reshape(self.side, self.side)


class RegionLock(Value):
    """A region that edits must not change."""

    region: Region
    """`mask` is the one drawn in `mask`."""
    strength: float = Field(1.0, ge=0, le=1)
    """0 asks for nothing; 1 holds the region as well as the guarantee can."""
    guarantee: Guarantee = "direction"
    """`direction` turns the edit away from the region; `blend` also keeps its features, `paste` also its pixels."""
    mask: LockMask | None = None

    @model_validator(mode="after")
    def _check_mask(self) -> RegionLock:
        if (self.region == "mask") != (self.mask is not None):
            raise ValueError("a mask is needed for region 'mask' and only there")
        return self

    def as_flag(self) -> str:
        """`frame`, `hair=0.5` or `frame:blend`: the value of the flag `--lock`, but for a mask's own."""
        strength = "" if self.strength == 1 else f"={format_number(self.strength)}"
        guarantee = "" if self.guarantee == "direction" else f":{self.guarantee}"
        return f"{self.region}{strength}{guarantee}"

    @model_serializer(mode="wrap")
    def _leave_out_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if not (k == "mask" and v is None)}


class Noise(Value):
    """The per-pixel noise inputs: stored maps, none, or drawn from a recorded seed."""

    mode: Literal["const", "none", "random"] = "const"
    seed: Seed | None = None

    @model_validator(mode="after")
    def _check_seed(self) -> Noise:
        if (self.mode == "random") != (self.seed is not None):
            raise ValueError("seed is needed for mode 'random' and only there: a picture must be rebuilt exactly")
        return self


def face_id(digest: str) -> str:
    """The beginning of a recipe's digest that names its face: ten characters, and on to the first letter.

    Digits alone are a seed number: one face in a hundred would have the name of another person.
    """
    length = ID_LENGTH
    while digest[:length].isdecimal() and length < len(digest):
        length += 1
    return digest[:length]


class Recipe(Value):
    """Everything that determines a picture; equal recipes give equal pictures."""

    format: Literal["tuiface.recipe/1"] = "tuiface.recipe/1"
    model: ModelRef
    source: Source
    truncation: Truncation = Truncation()
    mixes: tuple[StyleMix, ...] = Field((), max_length=64)
    edits: tuple[Edit, ...] = Field((), max_length=1024)
    locks: tuple[RegionLock, ...] = Field((), max_length=64)
    noise: Noise = Noise()
    directions: tuple[DirectionNumbers, ...] = Field((), max_length=1024)
    """Numbers of directions that `edits` name, so that the face outlives their files; left out of the JSON where none.

    Saved faces hold those of all. In memory, only those that are not at hand."""

    @model_validator(mode="after")
    def _check_directions(self) -> Recipe:
        if self.directions:
            named = {edit.sha256 for edit in self.edits if isinstance(edit, DirectionEdit)}
            held = [numbers.digest for numbers in self.directions]
            if len(set(held)) < len(held):
                raise ValueError("directions: one of them stands there twice")
            if other := next((digest for digest in held if digest not in named), None):
                raise ValueError(f"directions: no edit names the one whose numbers have the digest {other[:10]}")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if not (k == "directions" and not v)}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON without the model's name and the numbers of directions: a face's identity.

        A network keeps its digest when its file is renamed or converted, and so must the faces that it makes. The
        digests of directions are in it, and stand for their numbers.
        """
        values = self.model_dump(mode="json", exclude={"directions"})
        del values["model"]["name"]
        return hashlib.sha256(canonical_json(values)).hexdigest()

    @property
    def id(self) -> str:
        """How the library names this face."""
        return face_id(self.digest)

    def derive(self, **changes: object) -> Recipe:
        """A new, validated recipe with some fields replaced; numbers of directions that no edit names any more go."""
        if "edits" in changes and self.directions:
            edits: Any = changes["edits"]
            changes = {"directions": hold_directions((self,), edits), **changes}
        return Recipe.model_validate({**{name: getattr(self, name) for name in type(self).model_fields}, **changes})

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "recipe") -> Recipe:
        """Parse and validate; raises InputFileError with one line that begins with `where`."""
        return parse_json(cls, text, where)


def hold_directions(recipes: Iterable[Recipe], edits: Sequence[Edit]) -> tuple[DirectionNumbers, ...]:
    """Of the numbers that `recipes` hold, those that `edits` name, each once."""
    named = {edit.sha256 for edit in edits if isinstance(edit, DirectionEdit)}
    held = {numbers.digest: numbers for recipe in recipes for numbers in recipe.directions}
    return tuple(numbers for digest, numbers in held.items() if digest in named)


def _check_rows(rows: Rows) -> Rows:
    if rows[0] >= rows[1]:
        raise ValueError(f"rows {list(rows)} are empty: they are half-open [start, stop) with start < stop")
    return rows


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)
