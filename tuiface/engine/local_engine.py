"""The engine in this process: what one-shot commands and the resident process use."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from tuiface.core.assets import embedded_model_path
from tuiface.core.errors import EngineError, ModelError
from tuiface.core.regions import own_regions_path
from tuiface.core.visible import escape_bytes
from tuiface.directions.catalogue import Catalogue
from tuiface.engine.checkpoint import Checkpoint
from tuiface.engine.cuda.loaded import first_line
from tuiface.engine.device import describe_memory, device_name, draft_dtype, software_versions, use_threads
from tuiface.engine.edits.edit_renderer import EditRenderer, MeasuredPicture
from tuiface.engine.edits.face_cache import FaceCache
from tuiface.engine.edits.face_finder import FaceFinder
from tuiface.engine.edits.lock_solver import LockSolver
from tuiface.engine.edits.step_search import StepSearch
from tuiface.engine.latents import map_z, recipe_ws
from tuiface.engine.learning.conditional_mean import estimate_conditional_mean
from tuiface.engine.learning.direction_requests import make_requested_directions, seed_features
from tuiface.engine.learning.learn import LEARNING_REVISION
from tuiface.engine.learning.strips import draw_candidate_strip
from tuiface.engine.learning.work_cache import WorkCache
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.predictors.clusters import ActivationClusters, draw_cluster_sheet
from tuiface.engine.predictors.registry import attribute_names, attribute_reader_version, segmenter_version
from tuiface.engine.renderer import Renderer, remember_convolutions
from tuiface.engine.scheduler import Kind, Pause, Scheduler
from tuiface.engine_api.protocol import Dtype, EngineInfo, RenderRequest, RenderResult, Superseded
from tuiface.engine_api.requests import (
    BakeRequest,
    ClusterSheetRequest,
    ConditionalMean,
    ConditionalMeanRequest,
    ContourCorrectionRequest,
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
from tuiface.faces.recipe import Recipe


class LocalEngine:
    """Implements `Engine` and `InterruptibleEngine` of tuiface.engine_api.protocol; safe to call from any thread."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        catalogue: Catalogue,
        regions: Path,
        cache: Path,
        operators: tuple[str, tuple[str, ...]] = ("torch", ()),
    ) -> None:
        """`cache`: the user's cache folder. operators: of tuiface.engine.cuda.loaded.choose_operators."""
        own = own_regions_path(regions, checkpoint.info.network_sha256)
        network = self.network = OpenedNetwork(checkpoint, draft_dtype(device), own)
        self._info = _describe(checkpoint, network, device, operators)
        self.renderer = Renderer(network.generator, network.model, catalogue.by_digest, lambda: network.population)
        self.faces = FaceCache(self.renderer, lambda: network.regions)
        search = StepSearch()
        self.lock_solver = LockSolver(search)
        self.edit_renderer = EditRenderer(
            self.faces, self.lock_solver, network.discriminator, lambda: network.attributes_or_none
        )
        self.face_finder = FaceFinder(self.faces, search)
        self._work_cache = _open_work_cache(self._info, network.path, cache)
        self.scheduler = Scheduler(remember_convolutions())
        """Every computation has a turn of it, in whatever thread."""

    def info(self) -> EngineInfo:
        """What is loaded and where it runs."""
        return self._info

    def render(self, request: RenderRequest) -> RenderResult:
        """Render `request`; raises ModelError if the recipe is for another network, EngineError if memory runs out."""
        return self.render_while(lambda: True, request)

    def render_while(self, is_wanted: Callable[[], bool], request: RenderRequest) -> RenderResult:
        """As `render`, but looking for a lock's step ends with Superseded once `is_wanted` says no."""

        def pause() -> None:
            self.scheduler.let_others_go()
            if not is_wanted():
                raise Superseded

        dtype: Dtype = self._info.draft_dtype if request.quality in ("preview", "draft") else self._info.dtype
        with self._compute("save", request.threads):
            start = time.perf_counter()
            rendered = self._render(request, dtype, pause)
            elapsed_ms = (time.perf_counter() - start) * 1000
        return RenderResult(
            pixels=rendered.pixels,
            recipe=request.recipe,
            sequence=request.sequence,
            dtype=dtype,
            elapsed_ms=elapsed_ms,
            measures={"clipped_percent": clipped_percent(rendered.pixels), **rendered.measures},
            notices=rendered.notices,
        )

    def map(self, z: np.ndarray, label: int | None = None) -> np.ndarray:
        """float [N, z_dim] -> float32 [N, w_dim] at psi 1."""
        with self._compute("save"):
            return map_z(self.renderer.generator, z, label, self.scheduler.let_others_go)

    def ws(self, recipe: Recipe) -> np.ndarray:
        """float32 [num_ws, w_dim] after source, truncation and mixes; raises ModelError for a foreign recipe."""
        self._refuse_foreign(recipe)
        with self._compute("save"), torch.no_grad():
            rows: np.ndarray = recipe_ws(self.renderer.generator, recipe)[0].cpu().numpy()
            return rows

    def features(self, seeds: Sequence[int]) -> np.ndarray:
        """float32 [N, F]: what the attribute predictor sees in faces; the components of w where none is installed."""
        with self._compute("work"):
            return seed_features(self.network, seeds, self.scheduler.let_others_go)

    def make_directions(self, request: DirectionRequest, on_step: OnStep = ignore_steps) -> Iterator[MadeDirection]:
        """Directions of this network, one by one; raises UsageError, ModelError or InputFileError for what misfits."""
        made = make_requested_directions(self.network, request, on_step, self._pause(on_step), self._work_cache)
        while True:
            with self._compute("work"), _translate_device_errors(self._info):
                one = next(made, None)
            if one is None:
                return
            yield one

    def draw_strip(self, request: StripRequest) -> np.ndarray:
        """uint8 [H, W, 3]; raises UsageError, ModelError or InputFileError for directions that do not fit."""
        with self._compute("work"), _translate_device_errors(self._info):
            return draw_candidate_strip(self.network, request.unpacked(), request.seeds, self._pause())

    def estimate_conditional_mean(
        self, request: ConditionalMeanRequest, on_step: OnStep = ignore_steps
    ) -> ConditionalMean:
        """Raises UsageError for an unknown attribute, ModelError where too few faces lie within the bounds."""
        network = self.network
        with self._compute("work"), _translate_device_errors(self._info):
            return estimate_conditional_mean(
                network.generator, network.attributes, request, network.draft_dtype, self._pause(on_step)
            )

    def draw_cluster_sheet(self, request: ClusterSheetRequest) -> np.ndarray:
        """uint8 [H, W, 3]; equal requests give equal sheets."""
        generator = self.network.generator
        with self._compute("work"), _translate_device_errors(self._info):
            return draw_cluster_sheet(
                generator, ActivationClusters.of(generator, request.clusters, pause=self._pause())
            )

    def learn_regions(self, request: RegionsRequest, on_step: OnStep = ignore_steps) -> LearnedRegions:
        """A segmenter as a file's bytes, which this engine itself does not take up."""
        from tuiface.engine.training.predictors.named_clusters import train_own_regions  # what trains is slow to import

        generator = self.network.generator
        with self._compute("work"), _translate_device_errors(self._info):
            pause = self._pause(on_step)
            clusters = ActivationClusters.of(generator, len(request.names), pause=pause)
            return train_own_regions(generator, clusters, request.names, on_step, pause)

    def _pause(self, on_step: OnStep = ignore_steps) -> Pause:
        """What long work calls between its steps: it may be given up there, and whoever waits has a turn."""

        def pause() -> None:
            on_step("")
            self.scheduler.let_others_go()

        return pause

    def find_face(self, request: FaceRequest) -> OptimisedFace:
        """A face that is found through the network; raises ModelError for a foreign recipe.

        Pictures that are asked for meanwhile are rendered in between.
        """
        self._refuse_foreign(*request.recipes().values())
        pause = self.scheduler.let_others_go
        with self._compute("work"), _translate_device_errors(self._info):
            if isinstance(request, BakeRequest):
                return OptimisedFace(self.edit_renderer.bake(request.face, pause), {})
            if isinstance(request, ContourCorrectionRequest):
                return self.face_finder.correct_contour(request.face, request.reference, pause=pause)
            return self.face_finder.cross_faces(request.contour, request.inner, pause=pause)

    def close(self) -> None:
        """Fail what waits for its turn with EngineError."""
        self.scheduler.close()

    @contextlib.contextmanager
    def _compute(self, kind: Kind, threads: int | None = None) -> Iterator[None]:
        """A turn, with `threads` CPU threads, or the engine's own number: new threads of ours come with any other."""
        with self.scheduler.turn(kind), use_threads(threads or self._info.threads):
            yield

    def _render(self, request: RenderRequest, dtype: Dtype, pause: Pause) -> MeasuredPicture:
        self._refuse_foreign(request.recipe)
        with _translate_device_errors(self._info):
            return self.edit_renderer.render(
                request.recipe, request.resolution, dtype, quality=request.quality, pause=pause
            )

    def _refuse_foreign(self, *recipes: Recipe) -> None:
        opened = self._info.model
        for wanted in (recipe.model for recipe in recipes):
            if wanted.sha256 != opened.sha256:
                raise ModelError(
                    f"the recipe is for the model '{wanted.name}' ({wanted.sha256[:10]}), "
                    f"opened is '{opened.name}' ({opened.sha256[:10]})",
                    "open that one with --model",
                )


@contextlib.contextmanager
def _translate_device_errors(info: EngineInfo) -> Iterator[None]:
    """EngineError in place of what devices raise when their memory runs out, or when they fail."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise EngineError(_memory_message(info), "close other programs, or use a smaller --size") from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error):  # the CPU allocator raises a plain RuntimeError
            raise EngineError(_memory_message(info), "close other programs, or use a smaller --size") from error
        if "CUDA error" in str(error):  # after one, no other work runs on the GPU in this process
            message = f"{info.device} ({info.device_name}) failed: {first_line(error)}"
            raise EngineError(message, "start again, or with --device cpu") from error
        raise


def clipped_percent(pixels: np.ndarray) -> float:
    """Share of colour values at 0 or 255, in percent: an edit far beyond the population drives it up."""
    return round(100.0 * float(np.mean((pixels == 0) | (pixels == 255))), 3)


def _describe(
    checkpoint: Checkpoint, network: OpenedNetwork, device: torch.device, operators: tuple[str, tuple[str, ...]]
) -> EngineInfo:
    kernels, notices = operators
    info, generator = checkpoint.info, network.generator
    config = generator.config
    return EngineInfo(
        model=network.model,
        licence=network.licence,
        path=escape_bytes(str(info.path)),
        embedded=info.path == embedded_model_path(),
        resolution=config.img_resolution,
        num_ws=config.num_ws,
        z_dim=config.z_dim,
        w_dim=config.w_dim,
        c_dim=config.c_dim,
        layers=network.layers,
        num_parameters=sum(p.numel() for p in generator.parameters()),
        device=str(device),
        device_name=device_name(device),
        dtype="float32",
        draft_dtype=network.draft_dtype,
        kernels=kernels,
        threads=torch.get_num_threads(),
        software={**software_versions(), "segmenter": segmenter_version(network.own_regions, network.path)},
        attributes=attribute_names(network.path),
        notices=(*info.notices, *notices),
    )


def _open_work_cache(info: EngineInfo, model: Path, cache: Path) -> WorkCache:
    """What was learned of this network on this stack: another one may round differently."""
    origin = {
        "revision": LEARNING_REVISION,
        "network": info.model.sha256,
        "reader": attribute_reader_version(model),
        "software": info.software,
        "device": info.device_name,
        "kernels": info.kernels,
        "threads": info.threads,
    }
    return WorkCache(cache / "learning", origin)


def _memory_message(info: EngineInfo) -> str:
    left = describe_memory(torch.device(info.device))
    return f"out of memory on {info.device} ({info.device_name}) at {info.resolution} px{left}"
