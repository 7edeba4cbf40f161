"""What crosses the engine boundary: values without tensors, the same in one process or over a socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, runtime_checkable

import numpy as np
from pydantic import Field

from tuiface.core.bounds import (
    Count,
    Figures,
    LargeCount,
    Line,
    Notices,
    PathText,
    RowEnd,
    Side,
    ThreadCount,
    Versions,
    Width,
    Word,
)
from tuiface.faces.recipe import ModelRef, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
    )

Dtype = Literal["float32", "bfloat16", "float16"]

Quality = Literal["preview", "draft", "unmeasured", "final"]
"""What a picture is for.

`preview`: another picture is asked for soon, as while a key is held. The engine's quicker arithmetic; nothing is
measured or blended, and locks take the step that the last picture found, in proportion.
`draft`: a picture to look at. The quicker arithmetic; locks and measures as in the final picture.
`unmeasured`: the pixels of the final picture alone; measuring takes several times as long as rendering.
`final`: a picture that anyone keeps, or whose measures are read.
"""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine holds and runs on."""

    model: ModelRef
    """Digest and name of the network."""
    licence: Line
    """Licence of the weights as recorded, or "unknown"."""
    path: PathText
    """File that the network was opened from."""
    embedded: bool
    """True for the model that ships with tuiface."""
    resolution: Side
    """Side of a full picture in pixels."""
    num_ws: RowEnd
    """Rows of W+."""
    z_dim: Width
    w_dim: Width
    c_dim: Width
    """Number of classes; 0 for a network without labels."""
    layers: Annotated[dict[Word, Width], Field(max_length=256)]
    """Style layers by the checkpoint's own names, with their channel counts."""
    num_parameters: LargeCount
    device: Word
    """`cpu` or `cuda:0`, with the device's name in `device_name`."""
    device_name: Word
    dtype: Dtype
    """Arithmetic of final pictures."""
    draft_dtype: Dtype
    """Arithmetic of previews and drafts: bfloat16 where a measurement at start found it faster."""
    kernels: Word
    """Which operators run: `torch`, or `cuda` and twelve digits of our kernels' digest."""
    threads: ThreadCount
    software: Versions
    """Versions that may change pixels: tuiface, torch, numpy, python, the segmenter that locks go by."""
    attributes: Annotated[tuple[Word, ...], Field(max_length=1024, fail_fast=True)] = ()
    """What the attribute predictor reads, by its own names; empty where none is installed."""
    notices: Notices = ()
    """What a user must know: a latent mean that was estimated, an untrained model, a slow path."""


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One picture to render."""

    recipe: Recipe
    resolution: Side | None = None
    """Block to stop at: 4, 8, ... the network's; None for the full picture."""
    quality: Quality = "final"
    threads: ThreadCount | None = None
    """CPU threads to compute with; None for the engine's own number. The last bit of a sum depends on how many threads
    share it, so an exact rebuild takes the recorded number, whatever the machine has."""
    sequence: LargeCount = 0
    """Grows with each request of one client; a result older than the newest one that arrived is stale."""


@dataclass(frozen=True, slots=True)
class RenderResult:
    """A rendered picture and what was measured of it."""

    pixels: np.ndarray
    """uint8 [H, W, 3], RGB."""
    recipe: Recipe
    sequence: LargeCount = 0
    dtype: Dtype = "float32"
    """Arithmetic that this picture was rendered in."""
    elapsed_ms: float = 0.0
    """Time in the engine, without transport."""
    measures: Figures = field(default_factory=dict)
    """By name; see docs/formats.md."""
    notices: Notices = ()


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far long work is: a series, a conversion."""

    id: LargeCount
    """Counts up in one session."""
    label: Line
    """What is done, for people."""
    state: Literal["waiting", "running", "done", "failed", "cancelled"] = "waiting"
    done: Count = 0
    total: Count = 0
    """Steps in all; 0 where nobody knows."""
    elapsed_s: float = 0.0
    """Since it began to run."""
    message: Line = ""
    """Where the result lies, or why there is none."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def remaining_s(self) -> float | None:
        """From the pace so far; None while there is none."""
        if self.state != "running" or not self.done or not self.total:
            return None
        return self.elapsed_s / self.done * (self.total - self.done)


class Superseded(Exception):  # noqa: N818 - nothing went wrong
    """A picture was given up because nobody waits for it any more."""


@runtime_checkable
class InterruptibleEngine(Protocol):
    """An Engine whose long pictures can be given up."""

    def render_while(self, is_wanted: Callable[[], bool], request: RenderRequest) -> RenderResult:
        """As `Engine.render`; raises Superseded some time after `is_wanted` has begun to say no, or ends as usual."""
        ...


@runtime_checkable
class Engine(Protocol):
    """A generator behind either transport. Methods raise EngineError or ModelError."""

    def info(self) -> EngineInfo:
        """What is loaded and where it runs."""
        ...

    def render(self, request: RenderRequest) -> RenderResult:
        """Render `request` and wait for it; never dropped."""
        ...

    def map(self, z: np.ndarray, label: int | None = None) -> np.ndarray:
        """float [N, z_dim] -> w, float32 [N, w_dim] at psi 1; `label` is the class for a network with labels."""
        ...

    def ws(self, recipe: Recipe) -> np.ndarray:
        """float32 [num_ws, w_dim]: the rows of W+ after source, truncation and mixes."""
        ...

    def features(self, seeds: Sequence[int]) -> np.ndarray:
        """float32 [N, F], N >= 1: what is known of the faces of `seeds`, for a questionnaire to learn a concept over.

        Columns mean the same in every call; they are not standardised.
        """
        ...

    def make_directions(self, request: DirectionRequest, on_step: OnStep = ...) -> Iterator[MadeDirection]:
        """Directions of this network, without files yet, each as soon as it is made; pictures come in between.

        Closing the iterator, or raising in `on_step`, gives the rest up.
        """
        ...

    def draw_strip(self, request: StripRequest) -> np.ndarray:
        """uint8 [H, W, 3]: faces moved along directions that have no file yet, a row each."""
        ...

    def find_face(self, request: FaceRequest) -> OptimisedFace:
        """A face of this network that is found by its gradient; seconds, and pictures come in between."""
        ...

    def estimate_conditional_mean(self, request: ConditionalMeanRequest, on_step: OnStep = ...) -> ConditionalMean:
        """The mean of those drawn faces whose attributes lie within bounds."""
        ...

    def draw_cluster_sheet(self, request: ClusterSheetRequest) -> np.ndarray:
        """uint8 [H, W, 3]: what the clusters of the network's activations show, a row each."""
        ...

    def learn_regions(self, request: RegionsRequest, on_step: OnStep = ...) -> LearnedRegions:
        """A segmenter of this network's faces, taught by named clusters; minutes, and pictures come in between."""
        ...

    def close(self) -> None:
        """Release the engine; the object cannot be used afterwards."""
        ...
