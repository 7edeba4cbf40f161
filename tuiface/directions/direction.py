"""A direction: a step in a network's latent space that changes one concept of a face, as a value.

    space "w"        array "step" [w_dim], added to the rows that move
    space "w+"       array "step" [num_ws, w_dim], a step of its own for each row
    space "styles"   one array a style layer, named as in the checkpoint ("b16.conv1"), [channels]

The arrays hold the step of amount 1. With unit "sigma" that is one standard deviation of the network's own population
(psi 1) along it, on the row that moves most where rows differ, so that amounts of different directions compare.

Direction files, `tuiface.direction/1`: safetensors with one JSON text in the metadata, under "direction", and float32
arrays in the order of their names, so that one direction always becomes the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from tuiface.core.bounds import Figures, SettingValues
from tuiface.core.errors import InputFileError, ModelError, quote
from tuiface.core.files import write_file
from tuiface.core.limits import NAME_PATTERN
from tuiface.core.reading import read_regular
from tuiface.core.safetensors_header import encode_header, read_places, split_header
from tuiface.core.tensor_file import view_tensor
from tuiface.core.values import Value, parse_json, read_bytes
from tuiface.directions.concepts import concept_ends
from tuiface.faces.direction_numbers import (
    MAX_NUMBERS,
    STEP,
    DirectionNumbers,
    Space,
    check_arrays,
    digest_direction,
)
from tuiface.faces.recipe import ModelRef, Recipe, Rows

DEFAULT_LIMIT = 3.0

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Text = Annotated[str, Field(max_length=500)]
Ends = tuple[Text, Text]


class Labels(Value):
    """What both ends of a direction look like: (at negative amounts, at positive amounts)."""

    en: Ends
    es: Ends


def labels_of(name: str) -> Labels:
    """The ends of a concept; for one that the table has not, less and more of its name."""
    en, es = concept_ends(name)
    return Labels(en=en, es=es)


def labels_from(name: str, en: Ends, es: Ends) -> Labels | None:
    """The words that a user gave for the ends, each possibly empty: one language stands in for the other.

    None where no word was given at all; the table of concepts fills what is missing.
    """
    known = labels_of(name)
    if not any((*en, *es)):
        return None
    low, high = ((e or s or k_en, s or e or k_es) for e, s, k_en, k_es in zip(en, es, known.en, known.es, strict=True))
    return Labels(en=(low[0], high[0]), es=(low[1], high[1]))


class DirectionOrigin(Value):
    """Where a direction came from."""

    method: str = Field(min_length=1, max_length=200)
    """`attributes`, `answers`, `ratings`, `sefa`, `ganspace`, `resefa`, `channel`, `import`, ..."""
    data: Text = ""
    """What it was learned from: draws, answers, a file."""
    paper: Text = ""
    settings: SettingValues = Field(default_factory=dict)
    """Everything that it takes to make it again."""


class DirectionHeader(Value):
    """Everything about a direction besides its arrays."""

    format: Literal["tuiface.direction/1"] = "tuiface.direction/1"
    name: Name
    labels: Labels
    space: Space
    rows: Rows | None = None
    """Rows of W+ that move unless an edit names others; null for all."""
    unit: Literal["sigma", "range", "raw"] = "sigma"
    """`range`: amount 3 is as far as the concept was found to grow, less than three deviations. `raw`: amount 1 is the
    array as it was found in a file, whatever that meant."""
    sigma: float | None = Field(None, gt=0)
    """Length in latent space of one standard deviation of the population along the step."""
    limit: float = Field(DEFAULT_LIMIT, gt=0)
    """Largest amount, either way, that is accepted without asking for more."""
    origin: DirectionOrigin
    licence: str = Field(min_length=1, max_length=2000)
    model: ModelRef
    """The network that it was made for."""
    leakage: Figures = Field(default_factory=dict)
    """What one unit changes, by concept, in standard deviations of that concept; the concept itself is among them."""
    measures: Figures = Field(default_factory=dict)
    """How it was verified, by name; see docs/formats.md."""

    @model_validator(mode="after")
    def _check_rows(self) -> DirectionHeader:
        if self.rows is not None and self.rows[0] >= self.rows[1]:
            raise ValueError(f"rows {list(self.rows)} are empty: they are half-open [start, stop) with start < stop")
        if self.rows is not None and self.space == "styles":
            raise ValueError("rows belong to space 'w' and 'w+'; a direction of styles names its layers")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """A direction with its arrays, which are float32 and finite."""

    header: DirectionHeader
    arrays: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        check_arrays(self.header.space, self.arrays)

    @property
    def name(self) -> str:
        """How people and edits call it."""
        return self.header.name

    @property
    def sha256(self) -> str:
        """Digest of what moves pixels: space, rows, arrays and the network; another label is no other direction."""
        return digest_direction(self.header.space, self.header.rows, self.header.model.sha256, self.arrays)

    @property
    def numbers(self) -> DirectionNumbers:
        """What its digest covers, for recipes to hold."""
        header = self.header
        return DirectionNumbers.of(header.space, header.rows, header.model.sha256, self.arrays)

    @classmethod
    def from_numbers(cls, numbers: DirectionNumbers) -> Direction:
        """A direction whose file is not at hand, from what a recipe holds of it."""
        digest = numbers.digest
        header = DirectionHeader(
            name=f"d{digest[:9]}",
            labels=Labels(en=("less", "more"), es=("menos", "más")),
            space=numbers.space,
            rows=numbers.rows,
            origin=DirectionOrigin(method="recipe"),
            licence="unknown",
            model=ModelRef(sha256=numbers.model_sha256, name="unknown"),
        )
        return cls(header, numbers.decode())

    @property
    def step(self) -> np.ndarray:
        """float32 [w_dim] or [num_ws, w_dim]: the step of amount 1, for the spaces "w" and "w+"."""
        assert self.header.space != "styles"
        return self.arrays[STEP]

    def is_foreign(self, model: ModelRef) -> bool:
        """Whether it was made for another network."""
        return self.header.model.sha256 != model.sha256

    def refuse_foreign(self, model: ModelRef) -> None:
        """Raise ModelError if it was made for another network."""
        if self.is_foreign(model):
            own = self.header.model
            raise ModelError(
                f"direction '{self.name}' was made for the model '{own.name}' ({own.sha256[:10]}), "
                f"opened is '{model.name}' ({model.sha256[:10]})",
                "open that one with --model, or use --foreign to apply it all the same",
            )

    def refuse_misfit(self, num_ws: int, w_dim: int, layers: dict[str, int]) -> None:
        """Raise ModelError if its arrays do not fit a network of that shape, one clear line."""
        if self.header.space == "styles":
            for layer, array in self.arrays.items():
                if layers.get(layer) != array.shape[0]:
                    has = f"{layers[layer]} channels there" if layer in layers else "no such layer"
                    raise ModelError(
                        f"direction '{self.name}': {layer} with {array.shape[0]} channels; this model has {has}"
                    )
            return
        expected = (w_dim,) if self.header.space == "w" else (num_ws, w_dim)
        if self.step.shape != expected:
            raise ModelError(
                f"direction '{self.name}' has shape {list(self.step.shape)}; this model takes {list(expected)}"
            )
        rows = self.header.rows
        if rows is not None and rows[1] > num_ws:
            raise ModelError(f"direction '{self.name}': rows {list(rows)} end beyond the model's {num_ws}")


def find_embedded(recipe: Recipe, sha256: str) -> Direction | None:
    """The direction of that digest as `recipe` itself holds it; None where it does not."""
    held = next((numbers for numbers in recipe.directions if numbers.digest == sha256), None)
    return None if held is None else Direction.from_numbers(held)


SUFFIX = ".safetensors"
MAX_FILE_BYTES = 8 * MAX_NUMBERS
_KEY = "direction"


def encode_direction(direction: Direction) -> bytes:
    """The bytes of a direction's file; equal directions give equal bytes."""
    blobs = {name: np.ascontiguousarray(array, "<f4") for name, array in sorted(direction.arrays.items())}
    places = ((name, "F32", blob.shape, blob.nbytes) for name, blob in blobs.items())
    header = encode_header({_KEY: direction.header.model_dump_json()}, places)
    return header + b"".join(blob.tobytes() for blob in blobs.values())


def decode_direction(data: bytes, where: str) -> Direction:
    """The direction in a file's bytes. Raises InputFileError in one line that begins with `where`."""
    try:
        container = split_header(data, len(data), "a direction")
    except ModelError:
        raise InputFileError(f"{where}: not a safetensors file, or cut off") from None
    try:
        places, metadata = read_places(container, ("F32",)), container.metadata[_KEY]
    except (ModelError, KeyError):
        raise InputFileError(
            f"{where}: not a direction of tuiface", "tuiface directions import reads .npy, .npz and .pt"
        ) from None
    header = parse_json(DirectionHeader, metadata, where)
    arrays = {name: view_tensor(data, container, place).astype(np.float32) for name, place in places.items()}
    try:
        return Direction(header, arrays)
    except ValueError as error:
        raise InputFileError(f"{where}: {error}") from None


def read_direction(path: Path) -> Direction:
    """The direction in the file at `path`; raises InputFileError in one line."""
    return decode_direction(read_bytes(path, MAX_FILE_BYTES), path.name)


def is_written(direction: Direction, path: Path) -> bool:
    """Whether the file at `path` is just what `write_direction` would write there."""
    try:
        return read_regular(path, MAX_FILE_BYTES) == encode_direction(direction)
    except OSError:
        return False


def write_direction(direction: Direction, path: Path, *, force: bool = False) -> None:
    """Write a direction's file, whose folder must exist; raises OutputError."""
    if path.suffix != SUFFIX:
        raise InputFileError(f"{quote(path)}: a direction's file ends in {SUFFIX}")
    write_file(path, encode_direction(direction), force=force)
