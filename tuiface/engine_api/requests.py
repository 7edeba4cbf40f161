"""What the engine is asked for besides pictures: faces that it finds, directions, strips, means, regions.

The engine alone can do any of it, since all need the network. No request names a file: what a user's file holds is sent
as numbers, and what becomes a file comes back as a value or as bytes, for the asker to write.

Shape legend: L = num_ws, w = w_dim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, Self, TypeVar, get_args

import numpy as np
from pydantic import Field, ValidationError, model_validator

from tuiface.core.errors import UsageError, quote, suggest_nearest
from tuiface.core.limits import MAX_CLUSTERS, MAX_DIRECTIONS, MAX_DRAWS, MAX_FACES, MIN_CLUSTERS
from tuiface.core.regions import REGION_NAMES
from tuiface.core.values import Value, describe_error
from tuiface.core.words import is_whole_number
from tuiface.directions.direction import Direction, DirectionOrigin, Labels, Name
from tuiface.engine_api.packed import ArrayMessage, PackedDirection, pack_directions, unpack_direction
from tuiface.faces.recipe import Recipe, Region, Rows, Seed

OnStep = Callable[[str], object]
"""Called between the steps of long work, with a line for people where there is something to say, else with "".
What it raises ends the work."""


def ignore_steps(_: str) -> None:
    """For whoever waits in silence."""


RequestType = TypeVar("RequestType", bound=Value)


def make_request(model: type[RequestType], where: str, **values: object) -> RequestType:
    """A request of what a user typed; raises UsageError, in one line that begins with `where`, for what is too much."""
    try:
        return model(**values)
    except ValidationError as error:
        raise UsageError(*describe_error(error, model, where)) from None


# --- faces -----------------------------------------------------------------------------------------------------------


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


class BakeRequest(_FaceRequestBase):
    """`face` as rows of W+ alone: with its edits there, and the step by which its locks turn them away."""

    METHOD = "bake"
    kind: Literal["bake"] = "bake"
    face: Recipe


FaceRequest = Annotated[ContourCorrectionRequest | CrossRequest | BakeRequest, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, eq=False)
class OptimisedFace:
    """What was found."""

    ws: np.ndarray
    """float32 [num_ws, w_dim]."""
    measures: dict[str, float]
    """By name; see docs/formats.md."""


# --- directions ------------------------------------------------------------------------------------------------------

MAX_SEARCH_COUNT = 64
"""Directions that a person looks through in the interface."""
MAX_STRIP_ROWS = 900
"""Directions times faces of one strip: a gigabyte of pictures, as many as an answer holds."""
DEFAULT_SEARCH_COUNT = 8

Method = Literal["sefa", "ganspace", "regional", "channels"]
METHODS: tuple[Method, ...] = get_args(Method)
REGIONAL_METHODS = ("regional", "channels")
"""Those that are told what they are to change."""
REGIONS: tuple[Region, ...] = tuple(r for r in get_args(Region) if r not in ("mask", "frame"))
"""What they may be told."""
LearningMethod = Literal["tangent", "boundary"]
"""A discriminant of gradients in W+, or InterFaceGAN's conditional boundary in W."""
Text = Annotated[str, Field(max_length=500)]
Names = Annotated[tuple[Text, ...], Field(max_length=1024)]


class AttributesRequest(Value):
    """Directions of what the attribute predictor reads, each verified on other faces."""

    kind: Literal["attributes"] = "attributes"
    names: Names = ()
    """Attributes of the predictor, or names of directions; empty for all that show."""
    held: Names | None = None
    """Attributes that directions leave alone; null for all others, empty for none."""
    draws: int = Field(4000, ge=1, le=MAX_DRAWS)
    """Faces that are read to learn from."""
    faces: int = Field(40, ge=1, le=MAX_FACES)
    """Faces whose gradients are taken, and on which steps are tried."""
    seeds: int = Field(200, ge=1, le=MAX_FACES)
    """Faces on which each direction is verified."""
    method: LearningMethod = "tangent"
    even: bool = False
    """Whether steps that are not monotone on enough faces are fitted through the network: minutes for each."""


class ScoresRequest(Value):
    """The direction along which scores of faces grow."""

    kind: Literal["scores"] = "scores"
    name: Name
    labels: Labels | None = None
    """Null for those of the table of concepts."""
    seeds: tuple[Seed, ...] = Field(min_length=2, max_length=MAX_FACES)
    scores: tuple[float, ...] = Field(min_length=2, max_length=MAX_FACES)
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
    count: int = Field(DEFAULT_SEARCH_COUNT, ge=1, le=MAX_DIRECTIONS)

    @model_validator(mode="after")
    def _check_region(self) -> Self:
        if (self.region is not None) != (self.method in REGIONAL_METHODS):
            raise ValueError(f"region {self.region} with method {self.method}")
        return self


class ImportRequest(Value):
    """The direction of a user's array, in standard deviations of w along it."""

    kind: Literal["import"] = "import"
    name: Text
    step: ArrayMessage
    """[1, w] for every row, or [L, w]."""
    rows: Rows | None = None
    """Rows that move; null for all."""
    raw: bool = False
    """Amount 1 is the array as it is, not a standard deviation."""
    file: Text
    """Name of the file that the array comes from, for the record."""
    system: Literal["first", "later"] | None = None
    """Which of the lab's earlier systems it belongs to."""
    licence: str = Field("unknown", max_length=2000)
    paper: Text = ""


class PublishedChannelsRequest(Value):
    """The published style channels of the original FFHQ network; refused for a network of another shape."""

    kind: Literal["published"] = "published"
    licence: str = Field("unknown", max_length=2000)


DirectionRequest = Annotated[
    AttributesRequest | ScoresRequest | SearchRequest | ImportRequest | PublishedChannelsRequest,
    Field(discriminator="kind"),
]


@dataclass(frozen=True, slots=True, eq=False)
class MadeDirection:
    """A direction, which has no file yet."""

    direction: Direction
    holds: bool = True
    """Whether it was found to do what its name says; True for what is not verified."""
    figures: dict[str, float] = field(default_factory=dict)
    """Of a search: `weight`, how strongly the method speaks for it; of channels `share` and `change`. Not rounded."""


class StripRequest(Value):
    """A contact strip of directions that have no file yet, which move rows of W or W+."""

    kind: Literal["strip"] = "strip"
    directions: tuple[PackedDirection, ...] = Field(min_length=1, max_length=MAX_DIRECTIONS)
    seeds: tuple[Seed, ...] = Field(min_length=1, max_length=MAX_DIRECTIONS)
    """Faces for each."""

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if len(self.directions) * len(self.seeds) > MAX_STRIP_ROWS:
            raise ValueError(
                f"{len(self.directions)} directions on {len(self.seeds)} faces each; "
                f"a strip has at most {MAX_STRIP_ROWS} rows"
            )
        return self

    @classmethod
    def of(cls, directions: Sequence[Direction], seeds: Sequence[int]) -> StripRequest:
        """From directions, numbered from 1 on the strip. Raises UsageError for too many."""
        return make_request(cls, "strip", directions=pack_directions(directions), seeds=tuple(seeds))

    def unpacked(self) -> tuple[Direction, ...]:
        """The directions. Raises InputFileError for what is none."""
        return tuple(unpack_direction(text) for text in self.directions)


# --- a part of the population ----------------------------------------------------------------------------------------


class ConditionalMeanRequest(Value):
    """The mean of w over drawn faces whose attributes lie within bounds."""

    kind: Literal["conditional_mean"] = "conditional_mean"
    bounds: Annotated[dict[Text, tuple[float | None, float | None]], Field(max_length=1024)]
    """(low, high) by attribute or direction name, in the predictor's units; null for an open end."""
    draws: int = Field(ge=1, le=MAX_DRAWS)
    min_faces: int = Field(ge=1, le=MAX_DRAWS)
    """Faces that must lie within."""


@dataclass(frozen=True, slots=True, eq=False)
class ConditionalMean:
    """The centre of a part of the population."""

    centre: np.ndarray
    """float32 [w]."""
    num_faces: int
    """Of which it is the mean."""


# --- regions that a user names ---------------------------------------------------------------------------------------

RegionName = Literal[
    "background", "hair", "skin", "brows", "eyes", "nose", "mouth", "ears", "neck", "clothing", "glasses", "beard"
]


class ClusterSheetRequest(Value):
    """The sheet of a network's clustered activations, for a person to name them."""

    kind: Literal["cluster_sheet"] = "cluster_sheet"
    clusters: int = Field(ge=MIN_CLUSTERS, le=MAX_CLUSTERS)


class RegionsRequest(Value):
    """A segmenter that is taught by clusters with names; equal numbers of clusters are equal clusters."""

    kind: Literal["regions"] = "regions"
    names: tuple[RegionName, ...] = Field(min_length=MIN_CLUSTERS, max_length=MAX_CLUSTERS)
    """What each cluster shows, in the order of their numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class LearnedRegions:
    """A segmenter of a network's faces."""

    file: bytes
    """To be written where `core.regions.own_regions_path` says; the engine reads it when it is opened."""
    figures: dict[str, float]
    """On held-out faces, against the clusters."""


LongRequest = Annotated[
    AttributesRequest
    | ScoresRequest
    | SearchRequest
    | ImportRequest
    | PublishedChannelsRequest
    | StripRequest
    | ConditionalMeanRequest
    | ClusterSheetRequest
    | RegionsRequest,
    Field(discriminator="kind"),
]
"""Whatever may take long: it is answered in parts."""
LongResult = MadeDirection | ConditionalMean | LearnedRegions | np.ndarray
"""A part of the answer; an array is a picture, uint8 [H, W, 3]."""


def parse_cluster_names(texts: Sequence[str], count: int) -> RegionsRequest:
    """From texts like "1,4=hair"; raises UsageError unless each of `count` clusters has one name."""
    names: dict[int, RegionName] = {}
    for text in texts:
        numbers, _, given = text.partition("=")
        region = next((name for name in get_args(RegionName) if name == given), None)
        if region is None:
            raise UsageError(
                f"--name {text}: accepted: {', '.join(REGION_NAMES)}", suggest_nearest(given, REGION_NAMES)
            )
        for number in numbers.split(","):
            if not is_whole_number(number) or int(number) >= count:
                raise UsageError(f"--name {text}: '{number}' is no cluster", f"accepted: 0 to {count - 1}")
            if int(number) in names:
                raise UsageError(f"--name {text}: cluster {number} has a name already")
            names[int(number)] = region
    missing = [str(number) for number in range(count) if number not in names]
    if missing:
        raise UsageError(f"clusters {', '.join(missing)} have no name", f"--name {','.join(missing)}=background")
    if len(set(names.values())) == 1:
        raise UsageError("all clusters have one name, so no region differs from another", "look at the sheet: --out")
    return RegionsRequest(names=tuple(names[number] for number in range(count)))


# --- searches as people write them -----------------------------------------------------------------------------------


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
        if not (is_whole_number(start) and is_whole_number(stop) and int(start) < int(stop)):
            raise UsageError(f"rows {quote(f'{start}-{stop}')}; accepted: A-B with A < B")
        rows = (int(start), int(stop))
    count = rest.pop(0) if rest else str(DEFAULT_SEARCH_COUNT)
    if rest or not (is_whole_number(count) and 1 <= int(count) <= MAX_SEARCH_COUNT):
        raise UsageError(
            f"{quote(' '.join([count, *rest]))}; accepted: rows A-B, then a number from 1 to {MAX_SEARCH_COUNT}"
        )
    return SearchRequest(method=method, region=region, rows=rows, count=int(count))


def search_flags(request: SearchRequest) -> list[str]:
    """The flags of `tuiface directions discover` for the same search."""
    words = ["--method", request.method, "--count", str(request.count)]
    if request.region is not None:
        words += ["--region", request.region]
    if request.rows is not None:
        words += ["--rows", f"{request.rows[0]}-{request.rows[1]}"]
    return words
