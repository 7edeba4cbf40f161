"""An engine without a network: faces of smooth colour, deaths and errors on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tests.fake_engine import FakeEngine as SmallEngine
from tests.fake_engine import fake_directions
from tuiface.core.errors import EngineError, TuifaceError
from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import EngineInfo, RenderRequest, RenderResult
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
from tuiface.faces.recipe import ModelRef, Recipe, SeedSource
from tuiface.service.job_client import SharedJobs

INFO = replace(
    SmallEngine(resolution=256).info(),
    model=ModelRef(sha256="ab" * 32, name="fake-256"),
    path="/models/fake-256.safetensors",
    device_name="Fake Processor",
    threads=2,
)


def paint(recipe: Recipe, size: int) -> np.ndarray:
    """uint8 [size, size, 3]: an oval on a background, whose colours tell seed and psi."""
    seed = recipe.source.seed if isinstance(recipe.source, SeedSource) else 0
    rng = np.random.RandomState(seed)
    skin, back = rng.uniform(90, 230, 3), rng.uniform(20, 120, 3)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    inside = ((x / 0.3) ** 2 + (y / 0.4) ** 2 < 1)[..., None]
    edited = sum(edit.amount for edit in recipe.edits)
    picture = np.where(inside, skin * (0.6 + 0.4 * recipe.truncation.psi) + 9 * edited, back)
    return picture.clip(0, 255).astype(np.uint8)


@dataclass
class FakeStream:
    """Answers on a thread of its own, as the real one; `hold` keeps answers back until `release`."""

    engine: FakeEngine
    on_result: Callable[[RenderResult], None]
    on_error: Callable[[TuifaceError], None]
    is_open: bool = True

    def submit(self, job: RenderRequest) -> None:
        self.engine.jobs.append(job)
        if self.engine.holds:
            self.engine.held.append((self, job))
        else:
            self.answer(job)

    def answer(self, job: RenderRequest) -> None:
        threading.Thread(target=self._answer, args=(job,)).start()

    def _answer(self, job: RenderRequest) -> None:
        error = self.engine.preview_error
        if error is not None:
            self.on_error(error)
        elif self.is_open and self.engine.is_alive:
            self.on_result(self.engine.frame(job))

    def close(self) -> None:
        self.is_open = False


@dataclass
class FakeEngine:
    """Counts starts and keeps what was asked of it."""

    settings: Settings
    engine_info: EngineInfo = INFO
    start_error: TuifaceError | None = None
    preview_error: TuifaceError | None = None
    save_error: TuifaceError | None = None
    work_error: TuifaceError | None = None
    may_start: threading.Event = field(default_factory=threading.Event)
    may_save: threading.Event = field(default_factory=threading.Event)
    dies_on_start: bool = False
    holds: bool = False
    is_alive: bool = False
    num_starts: int = 0
    is_closed: bool = False
    jobs: list[RenderRequest] = field(default_factory=list)
    held: list[tuple[FakeStream, RenderRequest]] = field(default_factory=list)
    orders: list[DirectionRequest] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)
    picture: Callable[[Recipe, int], np.ndarray] = paint
    remark: str = ""
    shared_jobs: SharedJobs | None = None
    measures: dict[str, float] = field(default_factory=dict)
    """Of edited faces, in all but previews."""

    def __post_init__(self) -> None:
        self.may_start.set()
        self.may_save.set()

    def start(self) -> None:
        self.may_start.wait(10)
        self.num_starts += 1
        if self.start_error is not None:
            raise self.start_error
        self.is_alive = True

    def restart(self) -> None:
        self.is_alive = False
        self.start()

    def close(self) -> None:
        self.is_closed = True
        self.is_alive = False
        self.may_start.set()
        self.may_save.set()
        for stream in self.streams:
            stream.close()

    def info(self) -> EngineInfo:
        return self.engine_info

    def render(self, job: RenderRequest) -> RenderResult:
        self.may_save.wait(10)
        if self.save_error is not None:
            raise self.save_error
        if not self.is_alive:
            raise EngineError("the engine stopped (signal 9)")
        return self.frame(job)

    def map(self, z: np.ndarray, label: int | None = None) -> np.ndarray:
        return z.astype(np.float32)

    def ws(self, recipe: Recipe) -> np.ndarray:
        return SmallEngine().ws(recipe)

    def features(self, seeds: Sequence[int]) -> np.ndarray:
        if self.work_error is not None:
            raise self.work_error
        return SmallEngine().features(seeds)

    def make_directions(self, request: DirectionRequest, on_step: OnStep = ignore_steps) -> Iterator[MadeDirection]:
        self.orders.append(request)
        if self.work_error is not None:
            raise self.work_error
        for direction in fake_directions(request, self.engine_info.model):
            yield MadeDirection(direction, holds=direction.name != "age")

    def draw_strip(self, request: StripRequest) -> np.ndarray:
        return SmallEngine().draw_strip(request)

    def estimate_conditional_mean(
        self, request: ConditionalMeanRequest, on_step: OnStep = ignore_steps
    ) -> ConditionalMean:
        return SmallEngine().estimate_conditional_mean(request)

    def draw_cluster_sheet(self, request: ClusterSheetRequest) -> np.ndarray:
        return SmallEngine().draw_cluster_sheet(request)

    def learn_regions(self, request: RegionsRequest, on_step: OnStep = ignore_steps) -> LearnedRegions:
        return SmallEngine().learn_regions(request)

    def find_face(self, request: FaceRequest) -> OptimisedFace:
        if self.work_error is not None:
            raise self.work_error
        return SmallEngine().find_face(request)

    def frame(self, job: RenderRequest) -> RenderResult:
        size = job.resolution or self.engine_info.resolution
        measures = self.measures if job.recipe.edits and job.quality != "preview" else {}
        pixels = self.picture(job.recipe, size)
        return RenderResult(pixels, job.recipe, job.sequence, elapsed_ms=12.0, measures=measures)

    def stream(self, on_result: Callable[[RenderResult], None], on_error: Callable[[TuifaceError], None]) -> FakeStream:
        stream = FakeStream(self, on_result, on_error)
        self.streams.append(stream)
        return stream

    def die(self) -> None:
        """End as a killed process does: the stream tells, then is over."""
        self.is_alive = False
        stream = self.streams[-1]
        stream.is_open = False
        threading.Thread(target=stream.on_error, args=(EngineError("the engine stopped (signal 9)"),)).start()

    def release(self, index: int = 0) -> None:
        """Answer one of the jobs that are held."""
        stream, job = self.held.pop(index)
        stream.answer(job)


def with_notices(*notices: str) -> EngineInfo:
    return replace(INFO, embedded=True, notices=notices)
