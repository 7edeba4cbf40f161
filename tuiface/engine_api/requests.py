"""What the engine is asked to find a face for: another's frame, or an inner face in another's contour.

The engine alone can do either, since both follow the gradient through the network; what comes back is rows of W+.

What the engine is asked to make directions of: scores of faces, or a search without labels.

The engine alone can do either, since both need the network; what comes back is directions as values, without a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self, get_args

import numpy as np
from pydantic import Field, model_validator

from tuiface.core.errors import UsageError, quote, suggest_nearest
from tuiface.core.values import Value
from tuiface.directions.direction import DirectionOrigin, Labels, Name
from tuiface.faces.recipe import Recipe, Region, Rows, Seed


class _FaceRequestBase(Value):
    """Recipes by what they are there for."""

    METHOD: ClassVar[str]
    """As the origin of the face that is found names it."""

    def recipes(self) -> dict[str, Recipe]:
        """All of them."""
        return {name: value for name, value in self if isinstance(value, Recipe)}


class ContourCorrectionRequest(_FaceRequestBase):
    """`face` with coarse rows changed until its frame is that of `reference`."""

    METHOD = "frame correction"
    kind: Literal["frame"] = "frame"
    face: Recipe
    reference: Recipe
    """Without its edits."""


class CrossRequest(_FaceRequestBase):
    """`contour` with the inner face of `inner`."""

    METHOD = "cross"
    kind: Literal["cross"] = "cross"
    contour: Recipe
    inner: Recipe


FaceRequest = Annotated[ContourCorrectionRequest | CrossRequest, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, eq=False)
class OptimisedFace:
    """What was found."""

    ws: np.ndarray
    """float32 [num_ws, w_dim]."""
    measures: dict[str, float]
    """By name; see docs/formats.md."""


MAX_FACES = 10_000
MAX_SEARCH_COUNT = 64
DEFAULT_SEARCH_COUNT = 8

Method = Literal["sefa", "ganspace", "regional", "channels"]
METHODS: tuple[Method, ...] = get_args(Method)
REGIONAL_METHODS = ("regional", "channels")
"""Those that are told what they are to change."""
REGIONS: tuple[Region, ...] = tuple(r for r in get_args(Region) if r not in ("mask", "frame"))
"""What they may be told."""


class ScoresRequest(Value):
    """The direction along which scores of faces grow."""

    kind: Literal["scores"] = "scores"
    name: Name
    labels: Labels | None = None
    """Null for those of the table of concepts."""
    seeds: tuple[Seed, ...] = Field(min_length=2, max_length=MAX_FACES)
    scores: tuple[float, ...]
    """One a seed, in any unit."""
    origin: DirectionOrigin

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if len(self.scores) != len(self.seeds):
            raise ValueError(f"{len(self.scores)} scores for {len(self.seeds)} seeds")
        return self


class SearchRequest(Value):
    """Directions that a method finds without labels; each is called after the method, with its number."""

    kind: Literal["search"] = "search"
    method: Method
    region: Region | None = None
    """What is to change; for `regional` and `channels`."""
    rows: Rows | None = None
    """Rows that move; null for all."""
    count: int = Field(DEFAULT_SEARCH_COUNT, ge=1, le=MAX_SEARCH_COUNT)

    @model_validator(mode="after")
    def _check_region(self) -> Self:
        if (self.region is not None) != (self.method in REGIONAL_METHODS):
            raise ValueError(f"region {self.region} with method {self.method}")
        return self


DirectionRequest = Annotated[ScoresRequest | SearchRequest, Field(discriminator="kind")]


def parse_search(words: Sequence[str]) -> SearchRequest:
    """`ganspace`, `regional mouth`, `sefa 2-8 12`: method, region, rows, number, in this order. Raises UsageError."""
    rest = list(words) or [""]
    method = next((m for m in METHODS if m == rest[0]), None)
    if method is None:
        raise UsageError(f"method {quote(rest[0])}; accepted: {', '.join(METHODS)}", suggest_nearest(rest[0], METHODS))
    del rest[0]
    region: Region | None = None
    if method in REGIONAL_METHODS:
        given = rest.pop(0) if rest else ""
        region = next((r for r in REGIONS if r == given), None)
        if region is None:
            raise UsageError(f"{method} needs a region: {', '.join(REGIONS)}", suggest_nearest(given, REGIONS))
    rows: Rows | None = None
    if rest and "-" in rest[0]:
        start, _, stop = rest.pop(0).partition("-")
        if not (start.isdecimal() and stop.isdecimal() and int(start) < int(stop)):
            raise UsageError(f"rows {quote(f'{start}-{stop}')}; accepted: A-B with A < B")
        rows = (int(start), int(stop))
    count = rest.pop(0) if rest else str(DEFAULT_SEARCH_COUNT)
    if rest or not (count.isdecimal() and 1 <= int(count) <= MAX_SEARCH_COUNT):
        raise UsageError(
            f"{quote(' '.join([count, *rest]))}; accepted: rows A-B, then a number from 1 to {MAX_SEARCH_COUNT}"
        )
    return SearchRequest(method=method, region=region, rows=rows, count=int(count))


def search_flags(order: SearchRequest) -> list[str]:
    """The flags of `tuiface directions discover` for the same search."""
    words = ["--method", order.method, "--count", str(order.count)]
    if order.region is not None:
        words += ["--region", order.region]
    if order.rows is not None:
        words += ["--rows", f"{order.rows[0]}-{order.rows[1]}"]
    return words
