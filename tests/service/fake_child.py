"""An engine process without a network: `python fake_child.py BEHAVIOUR --socket ...`, as ResidentEngine starts it.

The picture of a recipe is a function of its seed, so that a test can compute it too. What was rendered stands in
`state/rendered`, one sequence a line, written before the picture is made.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tuiface.core.errors import ModelError
from tuiface.core.settings import Settings
from tuiface.directions.direction import Direction, DirectionHeader, DirectionOrigin, labels_of
from tuiface.engine_api.protocol import EngineInfo, RenderRequest, RenderResult, Superseded
from tuiface.engine_api.requests import (
    ClusterSheetRequest,
    ConditionalMean,
    ConditionalMeanRequest,
    CrossRequest,
    DirectionRequest,
    FaceRequest,
    LearnedRegions,
    MadeDirection,
    OnStep,
    OptimisedFace,
    RegionsRequest,
    SearchRequest,
    StripRequest,
    ignore_steps,
)
from tuiface.faces.recipe import ModelRef, Recipe, SeedSource
from tuiface.service.engine_process import main

MODEL = ModelRef(sha256="0" * 64, name="fake")
GATED, BUSY, REFUSED, BROKEN, UNENDING = 1000, 1001, 1002, 1003, 1004
"""Seeds that wait until the file `state/gate` exists, never end, raise REFUSAL, raise what nobody foresaw, end when
they are superseded."""
UNENDING_S = 40.0
"""Longer than any test waits."""
REFUSAL = ModelError("edits[0].direction: no direction 'smil' for this model", "did you mean 'smile'?")
BAD_MODEL = ModelError("weights.pt: no generator in this file", "tuiface model inspect says what it holds")
INFO = EngineInfo(
    model=MODEL,
    licence="unknown",
    path="/nowhere/fake.safetensors",
    embedded=False,
    resolution=256,
    num_ws=14,
    z_dim=512,
    w_dim=512,
    c_dim=0,
    layers={"b4.conv1": 512},
    num_parameters=1,
    device="cpu",
    device_name="fake",
    dtype="float32",
    draft_dtype="bfloat16",
    kernels="torch",
    threads=1,
    software={"tuiface": "0"},
    notices=("an untrained model",),
)


def recipe(seed: int) -> Recipe:
    return Recipe(model=MODEL, source=SeedSource(seed=seed))


def direction(number: int) -> Direction:
    """One of those that a search finds."""
    header = DirectionHeader(
        name=f"found_{number}",
        labels=labels_of("found"),
        space="w",
        origin=DirectionOrigin(method="sefa", settings={"number": number}),
        licence="CC0-1.0",
        model=MODEL,
    )
    return Direction(header, {"step": np.full(INFO.w_dim, number + 1, np.float32)})


def picture(seed: int, side: int) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (side, side, 3), dtype=np.uint8)


def frame(job: RenderRequest) -> RenderResult:
    """What the engine makes of `job`."""
    assert isinstance(job.recipe.source, SeedSource)
    return RenderResult(
        pixels=picture(job.recipe.source.seed, job.resolution or INFO.resolution),
        recipe=job.recipe,
        sequence=job.sequence,
        dtype="bfloat16" if job.quality in ("preview", "draft") else "float32",
        elapsed_ms=1.5,
        measures={"frame_variation": 0.25},
        notices=("a notice",),
    )


class FakeEngine:
    def __init__(self, settings: Settings) -> None:
        self.state = settings.state

    def info(self) -> EngineInfo:
        return INFO

    def render(self, job: RenderRequest) -> RenderResult:
        assert isinstance(job.recipe.source, SeedSource)
        seed = job.recipe.source.seed
        with (self.state / "rendered").open("a") as file:
            file.write(f"{job.sequence}\n")
        while seed == BUSY:
            pass
        while seed == GATED and not (self.state / "gate").exists():
            time.sleep(0.002)
        if seed == REFUSED:
            raise REFUSAL
        if seed == BROKEN:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return frame(job)

    def render_while(self, is_wanted: Callable[[], bool], job: RenderRequest) -> RenderResult:
        assert isinstance(job.recipe.source, SeedSource)
        if job.recipe.source.seed != UNENDING:
            return self.render(job)
        with (self.state / "rendered").open("a") as file:
            file.write(f"{job.sequence}\n")
        deadline = time.monotonic() + UNENDING_S
        while is_wanted() and time.monotonic() < deadline:
            time.sleep(0.002)
        raise Superseded

    def map(self, z: np.ndarray, label: int | None = None) -> np.ndarray:
        if label is not None:
            raise REFUSAL
        return (z * 2).astype(np.float32)

    def ws(self, recipe: Recipe) -> np.ndarray:
        assert isinstance(recipe.source, SeedSource)
        return np.full((INFO.num_ws, INFO.w_dim), recipe.source.seed, np.float32)

    def features(self, seeds: Sequence[int]) -> np.ndarray:
        if BROKEN in seeds:
            raise REFUSAL
        return np.array([[seed, -seed] for seed in seeds], np.float32)

    def make_directions(self, request: DirectionRequest, on_step: OnStep = ignore_steps) -> Iterator[MadeDirection]:
        """Two of them, then what the method says: an error, no end, or the rest."""
        assert isinstance(request, SearchRequest)
        for number in range(request.count):
            on_step(f"number {number}")
            yield MadeDirection(direction(number), holds=number > 0, figures={"weight": 1 / 3})
            if number == 1 and request.method == "channels":
                raise REFUSAL
            while number == 1 and request.method == "ganspace":
                (self.state / "working").touch()
                try:
                    on_step("")
                except Superseded:
                    (self.state / "given-up").touch()
                    raise
                time.sleep(0.002)

    def draw_strip(self, request: StripRequest) -> np.ndarray:
        return np.full((len(request.unpacked()), 2, 3), request.seeds[0], np.uint8)

    def estimate_conditional_mean(
        self, request: ConditionalMeanRequest, on_step: OnStep = ignore_steps
    ) -> ConditionalMean:
        on_step("reading")
        return ConditionalMean(np.arange(INFO.w_dim, dtype=np.float32), request.draws)

    def draw_cluster_sheet(self, request: ClusterSheetRequest) -> np.ndarray:
        return np.full((request.clusters, 2, 3), 7, np.uint8)

    def learn_regions(self, request: RegionsRequest, on_step: OnStep = ignore_steps) -> LearnedRegions:
        on_step("learning")
        return LearnedRegions(", ".join(request.names).encode(), {"accuracy": 0.5})

    def find_face(self, request: FaceRequest) -> OptimisedFace:
        assert isinstance(request, CrossRequest)
        assert isinstance(request.inner.source, SeedSource)
        if request.inner.source.seed == REFUSED:
            raise REFUSAL
        return OptimisedFace(self.ws(request.contour) - self.ws(request.inner), {"frame_variation_percent": 0.5})

    def close(self) -> None:
        pass


def engine_that_prints(settings: Settings) -> FakeEngine:
    print("to stdout", flush=True)
    print("to stderr", file=sys.stderr)
    return FakeEngine(settings)


def bad_model(settings: Settings) -> FakeEngine:
    raise BAD_MODEL


def bug(settings: Settings) -> FakeEngine:
    raise ZeroDivisionError("a bug")


def death(settings: Settings) -> FakeEngine:
    sys.exit(7)


def endless_import(settings: Settings) -> FakeEngine:
    (settings.state / "importing").touch()
    while True:
        pass


BEHAVIOURS: dict[str, Callable[[Settings], FakeEngine]] = {
    function.__name__: function for function in (FakeEngine, engine_that_prints, bad_model, bug, death, endless_import)
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], engine_factory=BEHAVIOURS[sys.argv[1]]))
