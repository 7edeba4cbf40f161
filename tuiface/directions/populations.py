"""Populations: centres in W that faces are truncated towards instead of the network's own mean.

Truncation towards w_avg makes whoever is rare in the training data rarer still (Maluleke et al. 2022, arXiv
2209.02836). A researcher names the mean of the faces that a study is about, and low psi then keeps to those.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from tuiface.core.arrays import decode_floats, encode_floats
from tuiface.core.errors import ModelError, TuifaceError, quote, suggest_nearest
from tuiface.core.files import make_folder, write_file
from tuiface.core.limits import NAME_PATTERN, W_AVG
from tuiface.core.reading import is_there
from tuiface.core.values import Value, parse_json, read_bytes
from tuiface.directions.catalogue import SHORT_DIGEST
from tuiface.directions.direction import DirectionOrigin, Name
from tuiface.faces.recipe import ModelRef

SUFFIX = ".json"
MAX_FILE_BYTES = 1 << 20
_FOLDER = "populations"


class NamedPopulation(Value):
    """`tuiface.population/1`: the centre of a part of a network's faces."""

    format: Literal["tuiface.population/1"] = "tuiface.population/1"
    name: Name
    model: ModelRef
    """The network in whose W it lies."""
    centre: str = Field(max_length=65536)
    """float32 [w_dim], little-endian, base64."""
    origin: DirectionOrigin
    """How its faces were chosen, and how many they are."""

    @model_validator(mode="after")
    def _check(self) -> NamedPopulation:
        if self.name == W_AVG:
            raise ValueError(f"name '{W_AVG}' is the network's own mean")
        if not self.array().size:
            raise ValueError("centre holds no numbers")
        return self

    @classmethod
    def of(cls, name: str, model: ModelRef, centre: np.ndarray, origin: DirectionOrigin) -> NamedPopulation:
        """From the float centre [w_dim]. Raises pydantic's ValidationError for a name that cannot be one."""
        return cls(name=name, model=model, centre=encode_floats(centre), origin=origin)

    def array(self) -> np.ndarray:
        """float32 [w_dim]."""
        return decode_floats("centre", self.centre)


class Populations:
    """The user's populations, in a folder beside the directions; each network has its own."""

    def __init__(self, directions: Path) -> None:
        self._folder = directions / _FOLDER

    def of(self, model: ModelRef) -> tuple[NamedPopulation, ...]:
        """Those of a network, by name; files that cannot be read are left out (`find` says why)."""
        found = []
        for path in sorted(self._model_folder(model).glob(f"*{SUFFIX}")):
            try:
                found.append(self._read(path))
            except TuifaceError:
                continue
        return tuple(found)

    def find(self, name: str, model: ModelRef) -> NamedPopulation:
        """The population `name`. Raises ModelError, naming the nearest, or InputFileError for a damaged file."""
        path = self.path_for(name, model)
        if re.fullmatch(NAME_PATTERN, name) is None or not is_there(path):
            known = [population.name for population in self.of(model)]
            raise ModelError(
                f"no population {quote(name)} for this model; accepted: {', '.join([W_AVG, *known])}",
                suggest_nearest(name, known) or "tuiface population make NAME",
            )
        return self._read(path)

    def add(self, population: NamedPopulation, *, force: bool = False) -> Path:
        """Write it; returns its path. Raises OutputError if the name is taken."""
        path = self.path_for(population.name, population.model)
        make_folder(path.parent)
        write_file(path, (population.model_dump_json(indent=2) + "\n").encode(), force=force)
        return path

    def path_for(self, name: str, model: ModelRef) -> Path:
        """Where a population lies."""
        return self._model_folder(model) / f"{name}{SUFFIX}"

    def _model_folder(self, model: ModelRef) -> Path:
        return self._folder / model.sha256[:SHORT_DIGEST]

    @staticmethod
    def _read(path: Path) -> NamedPopulation:
        return parse_json(NamedPopulation, read_bytes(path, MAX_FILE_BYTES), path.name)
