"""An engine without a network, for everything above the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tests.directions.directions import make_direction
from tuiface.directions.direction import Direction, DirectionOrigin, labels_of
from tuiface.engine_api.protocol import EngineInfo, RenderRequest, RenderResult
from tuiface.engine_api.requests import (
    AttributesRequest,
    BakeRequest,
    ClusterSheetRequest,
    ConditionalMean,
    ConditionalMeanRequest,
    ContourCorrectionRequest,
    CrossRequest,
    DirectionRequest,
    FaceRequest,
    ImportRequest,
    LearnedRegions,
    MadeDirection,
    OnStep,
    OptimisedFace,
    RegionsRequest,
    ScoresRequest,
    SearchRequest,
    StripRequest,
    ignore_steps,
)
from tuiface.faces.recipe import LatentSource, ModelRef, Recipe, SeedSource


class FakeEngine:
    """Implements `Engine`; a picture is a gradient in a colour that depends on the whole recipe."""

    def __init__(self, resolution: int = 32, c_dim: int = 0, sha256: str = "e" * 64) -> None:
        self._info = EngineInfo(
            model=ModelRef(sha256=sha256, name="fake"),
            licence="CC0-1.0",
            path="fake.pkl",
            embedded=False,
            resolution=resolution,
            num_ws=8,
            z_dim=4,
            w_dim=4,
            c_dim=c_dim,
            layers={"b4.conv1": 8},
            num_parameters=100,
            device="cpu",
            device_name="a fake",
            dtype="float32",
            draft_dtype="float32",
            kernels="none",
            threads=1,
            software={"tuiface": "0"},
        )
        self.jobs: list[RenderRequest] = []
        self.closed = False

    def info(self) -> EngineInfo:
        return self._info

    def render(self, job: RenderRequest) -> RenderResult:
        self.jobs.append(job)
        side = job.resolution or self._info.resolution
        shade = int(job.recipe.digest[:2], 16)
        pixels = np.zeros((side, side, 3), np.uint8)
        pixels[..., 0] = np.arange(side)
        pixels[..., 1] = shade
        if isinstance(job.recipe.source, SeedSource):
            pixels[..., 2] = job.recipe.source.seed % 256
        return RenderResult(pixels, job.recipe, job.sequence)

    def map(self, z: np.ndarray, label: int | None = None) -> np.ndarray:
        return z.astype(np.float32)

    def ws(self, recipe: Recipe) -> np.ndarray:
        """Rows that depend on the source alone; a mix replaces its rows."""
        shape = (self._info.num_ws, self._info.w_dim)
        rows = np.array(np.broadcast_to(_source_w(recipe.source, shape[1]), shape)) * recipe.truncation.psi
        for mix in recipe.mixes:
            other = np.broadcast_to(_source_w(mix.source, shape[1]), shape)
            rows[slice(*mix.rows)] = other[slice(*mix.rows)] * recipe.truncation.psi
        return rows.astype(np.float32)

    def features(self, seeds: Sequence[int]) -> np.ndarray:
        """The first five numbers of each seed's draw."""
        return np.stack([np.random.RandomState(seed).randn(5) for seed in seeds]).astype(np.float32)

    def make_directions(self, request: DirectionRequest, on_step: OnStep = ignore_steps) -> Iterator[MadeDirection]:
        for direction in fake_directions(request, self._info.model):
            yield MadeDirection(direction)

    def draw_strip(self, request: StripRequest) -> np.ndarray:
        return np.zeros((len(request.directions), len(request.seeds), 3), np.uint8)

    def estimate_conditional_mean(
        self, request: ConditionalMeanRequest, on_step: OnStep = ignore_steps
    ) -> ConditionalMean:
        return ConditionalMean(np.zeros(self._info.w_dim, np.float32), request.draws)

    def draw_cluster_sheet(self, request: ClusterSheetRequest) -> np.ndarray:
        return np.zeros((request.clusters, 4, 3), np.uint8)

    def learn_regions(self, request: RegionsRequest, on_step: OnStep = ignore_steps) -> LearnedRegions:
        on_step("learning")
        return LearnedRegions(b"regions", {"accuracy": 0.5})

    def find_face(self, request: FaceRequest) -> OptimisedFace:
        """Halfway between the two; baked, the face itself."""
        if isinstance(request, BakeRequest):
            return OptimisedFace(self.ws(request.face), {})
        first, second = order_recipes(request)
        names = ("frame_variation_before", "frame_variation_after")
        if isinstance(request, CrossRequest):
            names = ("frame_variation_percent", "inner_difference_percent")
        return OptimisedFace((self.ws(first) + self.ws(second)) / 2, dict(zip(names, (0.75, 0.25), strict=True)))

    def close(self) -> None:
        self.closed = True


def order_recipes(order: CrossRequest | ContourCorrectionRequest) -> tuple[Recipe, Recipe]:
    if isinstance(order, CrossRequest):
        return order.contour, order.inner
    return order.face, order.reference


def fake_directions(order: DirectionRequest, model: ModelRef) -> tuple[Direction, ...]:
    """Of attributes, those asked for, or smile and age.

    Of scores, a step whose length is the number of positive ones; of a search, one along each axis in turn.
    """
    if isinstance(order, ScoresRequest):
        step = np.array([sum(score > 0 for score in order.scores), 0, 0, 0])
        labels = order.labels or labels_of(order.name)
        return (make_direction(order.name, step, model=model, origin=order.origin, labels=labels),)
    if isinstance(order, AttributesRequest):
        return tuple(make_direction(name, model=model) for name in order.names or ("smile", "age"))
    if isinstance(order, ImportRequest):
        return (make_direction(order.name, order.step.array()[0], model=model, licence=order.licence),)
    assert isinstance(order, SearchRequest)
    return tuple(
        make_direction(
            f"{order.method}_{number}",
            np.eye(4)[number % 4],
            model=model,
            origin=DirectionOrigin(method=order.method, settings={"number": number}),
            measures={"weight": 1 / number},
        )
        for number in range(1, order.count + 1)
    )


def _source_w(source: SeedSource | LatentSource, w_dim: int) -> np.ndarray:
    """float [w_dim], or [num_ws, w_dim] for a latent of W+."""
    if isinstance(source, SeedSource):
        return np.asarray(np.random.RandomState(source.seed).randn(1, w_dim)[0])
    rows: np.ndarray = source.array()
    return rows
