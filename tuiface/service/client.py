"""The engine in another process, as an Engine: what the interface holds.

Cheap to import: the screen paints before any HTTP library is needed, and torch is never loaded on this side.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeVar

import numpy as np

from tuiface.core.errors import EngineError, TuifaceError
from tuiface.core.settings import Settings
from tuiface.engine_api import codec
from tuiface.engine_api.packed import ArrayMessage
from tuiface.engine_api.protocol import EngineInfo, RenderRequest, RenderResult
from tuiface.engine_api.requests import (
    ClusterSheetRequest,
    ConditionalMean,
    ConditionalMeanRequest,
    DirectionRequest,
    FaceRequest,
    LearnedRegions,
    LongRequest,
    LongResult,
    MadeDirection,
    OnStep,
    OptimisedFace,
    RegionsRequest,
    StripRequest,
    ignore_steps,
)
from tuiface.service import discovery
from tuiface.service.discovery import ANSWER_TIMEOUT_S, DiscoveredEngine
from tuiface.service.job_client import SharedJobs
from tuiface.service.preview_stream import PreviewStream, check_result
from tuiface.service.private_process import COMMAND, EngineProcess
from tuiface.service.unix_http import OK, UNREACHABLE, open_answer, request

if TYPE_CHECKING:
    from tuiface.faces.recipe import Recipe

__all__ = ["PreviewStream", "ResidentEngine"]

START_TIMEOUT_S = 60.0
ResultType = TypeVar("ResultType")
Residency = Literal["never", "preferred", "required"]
"""Whether a resident engine that runs already is taken: with `preferred`, a private one where none fits."""


class ResidentEngine:
    """An engine in another process: a resident one that is left running, or a private one.

    A private one is started by this object and gone with it, whatever ends this process. All methods may be called from
    any thread. `close` ends a `start` that is still waiting.
    """

    def __init__(self, settings: Settings, *, resident: Residency = "never", command: Sequence[str] = COMMAND) -> None:
        """Nothing runs before `start`; `command` is what a private child's own arguments are appended to."""
        self._settings = settings
        self._resident: Residency = resident
        self.remark = ""
        """One line on why a resident engine that runs is not the one in use."""
        self._command = tuple(command)
        self._lock = threading.Lock()
        """Held while the fields below change, never while waiting for the child."""
        self._process: EngineProcess | DiscoveredEngine | None = None
        self._info: EngineInfo | None = None
        self._streams: list[PreviewStream] = []
        self._closed = False

    @classmethod
    def start_private(
        cls, settings: Settings, *, timeout_s: float = START_TIMEOUT_S, command: Sequence[str] = COMMAND
    ) -> Self:
        """A new engine process that answers.

        Raises the error that opening the network ended with (ModelError, ...), or EngineError where the process died
        or did not answer within `timeout_s`.
        """
        engine = cls(settings, command=command)
        engine.start(timeout_s=timeout_s)
        return engine

    def start(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the process, or find a resident one, and wait until it answers.

        Raises as `start_private` does, with nothing left behind, or EngineError where a resident one is required.
        """
        found = self._find()
        with self._lock:
            if self._closed:
                raise _closed_error()
            assert self._process is None, "started already; restart replaces a process"
            self._process = process = found or EngineProcess(self._settings, self._command)
        try:
            process.wait_ready(timeout_s)
            self._info = codec.decode_info(self._request(process, "GET", codec.INFO_PATH, timeout_s=ANSWER_TIMEOUT_S))
        except BaseException as error:
            process.stop()
            with self._lock:
                if self._process is process:
                    self._process = None
                if self._closed and isinstance(error, TuifaceError):
                    raise _closed_error() from None
            raise

    def restart(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Replace the process by a new one with the same settings; its streams are closed and must be opened again."""
        was_shared = isinstance(self._process, DiscoveredEngine)
        self._stop()
        if was_shared:
            with suppress(TuifaceError):  # a folder that is not trusted: `start` says so
                discovery.wait_for_successor(self._settings)
        self.start(timeout_s=timeout_s)

    def close(self) -> None:
        """End the process and remove what it left; returns when it is gone. Calling it again changes nothing."""
        with self._lock:
            self._closed = True
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def shared_jobs(self) -> SharedJobs | None:
        """Long work in a resident engine; None for a private one, where work ends with this process."""
        process = self._process
        return SharedJobs(process.socket, self._settings.state) if isinstance(process, DiscoveredEngine) else None

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        process = self._process
        return process is not None and process.is_running

    @property
    def pid(self) -> int | None:
        """Process id of a private engine; None where there is none."""
        process = self._process
        return None if process is None else process.pid

    def info(self) -> EngineInfo:
        """What the engine answered when it started: costs nothing, and holds for as long as the process does."""
        info = self._info
        if info is None:
            raise self._not_running_error()
        return info

    def render(self, request: RenderRequest) -> RenderResult:
        """Render `request` behind the saves that came before, however long that takes; never dropped.

        Raises the engine's own error, or EngineError where the process died.
        """
        body = codec.encode(codec.RenderMessage(job=request))
        answer = self._request(self._require_process(), "POST", codec.RENDER_PATH, body)
        return check_result(codec.decode_render_result(answer), request, self.info().resolution)

    def map(self, z: np.ndarray, label: int | None = None) -> np.ndarray:
        """float [N, z_dim] -> w, float32 [N, w_dim]; raises as `render` does."""
        body = codec.encode(codec.MapMessage(z=ArrayMessage.of(z), label=label))
        answer = self._request(self._require_process(), "POST", codec.MAP_PATH, body)
        return _check_shape(codec.decode_array(answer), len(z), self.info().w_dim)

    def ws(self, recipe: Recipe) -> np.ndarray:
        """float32 [num_ws, w_dim] of a recipe; raises as `render` does."""
        body = codec.encode(codec.WsMessage(recipe=recipe))
        return self._check_ws(codec.decode_array(self._request(self._require_process(), "POST", codec.WS_PATH, body)))

    def features(self, seeds: Sequence[int]) -> np.ndarray:
        """float32 [N, F] of faces by number; raises as `render` does."""
        body = codec.encode(codec.FeaturesMessage(seeds=tuple(seeds)))
        features = codec.decode_array(self._request(self._require_process(), "POST", codec.FEATURES_PATH, body))
        return _check_shape(features, len(seeds), features.shape[1])

    def make_directions(self, request: DirectionRequest, on_step: OnStep = ignore_steps) -> Iterator[MadeDirection]:
        """Directions as they are made, however long that takes; raises as `render` does."""
        for result in self._work(request, on_step):
            yield _expect(MadeDirection, result)

    def draw_strip(self, request: StripRequest) -> np.ndarray:
        """uint8 [H, W, 3]; raises as `render` does."""
        return _expect(np.ndarray, self._work_once(request))

    def estimate_conditional_mean(
        self, request: ConditionalMeanRequest, on_step: OnStep = ignore_steps
    ) -> ConditionalMean:
        """The mean of a part of the population; raises as `render` does."""
        mean = _expect(ConditionalMean, self._work_once(request, on_step))
        _check_shape(mean.centre[None], 1, self.info().w_dim)
        return mean

    def draw_cluster_sheet(self, request: ClusterSheetRequest) -> np.ndarray:
        """uint8 [H, W, 3]; raises as `render` does."""
        return _expect(np.ndarray, self._work_once(request))

    def learn_regions(self, request: RegionsRequest, on_step: OnStep = ignore_steps) -> LearnedRegions:
        """A segmenter as a file's bytes; raises as `render` does."""
        return _expect(LearnedRegions, self._work_once(request, on_step))

    def find_face(self, request: FaceRequest) -> OptimisedFace:
        """A face that is found by its gradient; raises as `render` does."""
        body = codec.encode(codec.FaceRequestMessage(request=request))
        answer = self._request(self._require_process(), "POST", codec.FACES_PATH, body)
        face = codec.decode_optimised_face(answer)
        self._check_ws(face.ws)
        return face

    def stream(
        self, on_result: Callable[[RenderResult], None], on_error: Callable[[TuifaceError], None]
    ) -> PreviewStream:
        """Open a stream of previews; the callbacks run on its thread and should only post messages."""
        process = self._require_process()
        side = self.info().resolution
        stream = PreviewStream(process.socket, on_result, on_error, lambda: self._end_error(process), side)
        with self._lock:
            self._streams = [*(s for s in self._streams if s.is_open), stream]
        return stream

    def _check_ws(self, ws: np.ndarray) -> np.ndarray:
        info = self.info()
        return _check_shape(ws, info.num_ws, info.w_dim)

    def _work(self, request: LongRequest, on_step: OnStep = ignore_steps) -> Iterator[LongResult]:
        """Results as they come; closing the iterator, or what `on_step` raises, gives the work up."""
        with closing(self._read_parts(request)) as parts:
            for part, payload in parts:
                if isinstance(part, codec.StepPart):
                    on_step(part.text)
                elif isinstance(part, codec.ErrorPart):
                    raise codec.to_error(part.error)
                elif not isinstance(part, codec.EndPart):
                    yield codec.decode_result(part, payload)

    def _read_parts(self, request: LongRequest) -> Generator[tuple[codec.WorkPart, bytes]]:
        process = self._require_process()
        body = codec.encode(codec.WorkMessage(request=request))
        try:
            with open_answer(process.socket, "POST", codec.WORK_PATH, body) as answer:
                if not answer.is_ok:
                    raise codec.decode_error(answer.read_error())
                yield from codec.read_parts(answer.read, request, answer.expect_part)
        except (*UNREACHABLE, EOFError):
            raise self._end_error(process) from None

    def _work_once(self, request: LongRequest, on_step: OnStep = ignore_steps) -> LongResult:
        results = list(self._work(request, on_step))
        if len(results) != 1:
            raise EngineError(f"the engine's answer is not understood: {len(results)} results in place of one")
        return results[0]

    def _find(self) -> DiscoveredEngine | None:
        self.remark = ""
        if self._resident == "never":
            return None
        if self._resident == "required":
            return discovery.require_engine(self._settings)
        try:
            return discovery.find_engine(self._settings)
        except TuifaceError as error:
            self.remark = str(error)
            return None

    def _stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            streams, self._streams = self._streams, []
        for stream in streams:
            stream.close()
        if process is not None:
            process.stop()

    def _require_process(self) -> EngineProcess | DiscoveredEngine:
        process = self._process
        if process is None:
            raise self._not_running_error()
        return process

    def _not_running_error(self) -> EngineError:
        return _closed_error() if self._closed else EngineError("the engine is not running", "start it first")

    def _end_error(self, process: EngineProcess | DiscoveredEngine) -> EngineError:
        """Why `process` does not answer any more."""
        return process.stopped_error() if self._process is process else _closed_error()

    def _request(
        self,
        process: EngineProcess | DiscoveredEngine,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
    ) -> bytes:
        try:
            status, answer = request(process.socket, method, path, body, timeout_s=timeout_s)
        except UNREACHABLE:
            raise self._end_error(process) from None
        if status != OK:
            raise codec.decode_error(answer)
        return answer


def _expect(kind: type[ResultType], result: LongResult) -> ResultType:
    """`result`, which the engine's answer should be."""
    if not isinstance(result, kind):
        raise EngineError(f"the engine's answer is not understood: {type(result).__name__} in place of {kind.__name__}")
    return result


def _check_shape(array: np.ndarray, num_rows: int, num_columns: int) -> np.ndarray:
    """`array`, whose numbers are read by rows that were asked for."""
    if array.shape != (num_rows, num_columns):
        raise EngineError(
            f"the engine's answer is not understood: shape {list(array.shape)} in place of {[num_rows, num_columns]}"
        )
    return array


def _closed_error() -> EngineError:
    return EngineError("the engine is closed")
