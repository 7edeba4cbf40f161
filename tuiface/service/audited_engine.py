"""The engine that several users share, which records what it makes for each before they get it.

Whoever asks is the client whose turn it is (engine/scheduler.py): the Unix user by the kernel's word.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tuiface.core.errors import OutputError, TuifaceError
from tuiface.engine.scheduler import scheduler_of
from tuiface.engine_api.protocol import Engine, EngineInfo, InterruptibleEngine, RenderRequest, RenderResult
from tuiface.engine_api.requests import (
    ClusterSheetRequest,
    ConditionalMean,
    ConditionalMeanRequest,
    DirectionRequest,
    FaceRequest,
    LearnedRegions,
    MadeDirection,
    OnStep,
    OptimisedFace,
    RegionsRequest,
    StripRequest,
    ignore_steps,
)
from tuiface.faces.provenance import pixels_digest
from tuiface.faces.recipe import Recipe
from tuiface.service.audit_log import AuditLog, Event
from tuiface.service.runtime_folder import user_name


class AuditedEngine:
    """Implements `Engine` and `InterruptibleEngine`; raises OutputError for what cannot be recorded."""

    def __init__(self, engine: Engine, audit: AuditLog) -> None:
        self.scheduler = scheduler_of(engine)
        self._engine = engine
        self._audit = audit

    def render(self, request: RenderRequest) -> RenderResult:
        """A picture to keep, with the digests of its recipe and of its pixels; one to look at is counted."""
        result = self._engine.render(request)
        if request.quality in ("preview", "draft"):
            self._audit.count_preview()
        else:
            height, width = result.pixels.shape[:2]
            recipe, pixels = request.recipe.digest, pixels_digest(result.pixels)
            self._record("render", f"{width} x {height} px, {request.quality}", recipe=recipe, pixels=pixels)
        return result

    def render_while(self, is_wanted: Callable[[], bool], request: RenderRequest) -> RenderResult:
        """A preview, which is counted."""
        if isinstance(self._engine, InterruptibleEngine):
            result = self._engine.render_while(is_wanted, request)
        else:
            result = self._engine.render(request)
        self._audit.count_preview()
        return result

    def find_face(self, request: FaceRequest) -> OptimisedFace:
        """A face, with the digests of those that it was found from."""
        face = self._engine.find_face(request)
        sources = ", ".join(f"{name} {recipe.digest}" for name, recipe in request.recipes().items())
        self._record("face", f"{request.METHOD} of {sources}")
        return face

    def make_directions(self, request: DirectionRequest, on_step: OnStep = ignore_steps) -> Iterator[MadeDirection]:
        """Directions, an entry each."""
        with self._refusals():
            for made in self._engine.make_directions(request, on_step):
                direction = made.direction
                self._record("direction", f"{direction.sha256} {direction.name}, by {direction.header.origin.method}")
                yield made

    def estimate_conditional_mean(
        self, request: ConditionalMeanRequest, on_step: OnStep = ignore_steps
    ) -> ConditionalMean:
        """A part of the population."""
        with self._refusals():
            mean = self._engine.estimate_conditional_mean(request, on_step)
        self._record("population", f"mean of {mean.num_faces} faces by {', '.join(request.bounds)}")
        return mean

    def learn_regions(self, request: RegionsRequest, on_step: OnStep = ignore_steps) -> LearnedRegions:
        """A segmenter."""
        with self._refusals():
            regions = self._engine.learn_regions(request, on_step)
        self._record("regions", ", ".join(sorted(set(request.names))))
        return regions

    def info(self) -> EngineInfo:
        """As it is."""
        return self._engine.info()

    def map(self, z: np.ndarray, label: int | None = None) -> np.ndarray:
        """As it is: numbers are no faces yet."""
        return self._engine.map(z, label)

    def ws(self, recipe: Recipe) -> np.ndarray:
        """As it is."""
        return self._engine.ws(recipe)

    def features(self, seeds: Sequence[int]) -> np.ndarray:
        """As it is."""
        return self._engine.features(seeds)

    def draw_strip(self, request: StripRequest) -> np.ndarray:
        """As it is: a sheet to look at."""
        return self._engine.draw_strip(request)

    def draw_cluster_sheet(self, request: ClusterSheetRequest) -> np.ndarray:
        """As it is: a sheet to look at."""
        return self._engine.draw_cluster_sheet(request)

    def close(self) -> None:
        """The engine; its log is closed by whoever opened it."""
        self._engine.close()

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """Record why long work is refused: its answer began well, so that nobody else sees it (sharing.py)."""
        try:
            yield
        except OutputError:
            raise  # the log's own
        except TuifaceError as error:
            self._record("refusal", error.message)
            raise

    def _record(self, event: Event, what: str, *, recipe: str | None = None, pixels: str | None = None) -> None:
        uid = self.scheduler.client
        assert isinstance(uid, int), "a turn of the server"
        self._audit.append(event, uid, user_name(uid), what, recipe=recipe, pixels=pixels)
