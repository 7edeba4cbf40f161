"""Training the readers: supervised, on rendered heads with the faults of other pictures.

AdamW with a warm-up and a cosine to 0; an average of the weights is what ships. Shard 0 of the population is held out.
`train_predictor` is for minutes: Ctrl-C, or the end of its time, ends it early with the average so far.
`train_predictor_on` is for hours in parts: it keeps a snapshot and goes on from it, with the same bits where all heads
are there. A predictor can be trained further: it is a folded network then, and goes on without normalisation.
"""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from tuiface.core.files import make_folder
from tuiface.engine.optimizers import EagerAdamW
from tuiface.engine.pixels import normalise
from tuiface.engine.predictors.files import PredictorCard, write_predictor
from tuiface.engine.predictors.networks import fold_batch_norms
from tuiface.engine.training.data.degradation import degrade, misalign, recast
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.data.sources import LabelledPictures
from tuiface.engine.training.gan.settings import SNAPSHOT_NAME, RunLimits
from tuiface.engine.training.interruption import Interruption
from tuiface.engine.training.precision import use_precision
from tuiface.engine.training.predictors.attributes import AttributeTask
from tuiface.engine.training.predictors.segmenter import SegmenterTask
from tuiface.engine.training.predictors.settings import PredictorSettings, PredictorWarmStart
from tuiface.engine.training.predictors.snapshots import (
    PredictorProgress,
    load_predictor_snapshot,
    read_predictor_progress,
    save_predictor_snapshot,
)
from tuiface.engine.training.report import Report
from tuiface.engine.training.rng import RandomGenerator

_WARMUP_FRACTION = 0.04
_EVALUATION_KIMG = 10.0
"""Pictures between looks at the held-out heads."""
_NUM_SHEET_HEADS = 16


class PredictorTask(Protocol):
    """What differs between the readers."""

    def new_network(self, start: PredictorWarmStart | None) -> nn.Module:
        """With normalisation and initial values, or that of `start`."""

    def loss(self, outputs: Tensor, regions: Tensor, indices: Tensor, flipped: Tensor) -> Tensor:
        """Of outputs for the training heads `indices` int64 [N], mirrored where `flipped` bool [N]; regions as moved
        uint8 [N, R, R]."""

    def compute_figures(self, network: nn.Module, precision: torch.dtype) -> dict[str, float]:
        """Of a network on the held-out heads."""

    def finish(self, network: nn.Module, training: dict[str, str | int | float]) -> tuple[PredictorCard, nn.Module]:
        """The card and the network to ship, from the folded average."""

    def draw_sheet(self, network: nn.Module, count: int) -> Tensor | None:
        """Pictures [N, 3, R, R] of what it reads in `count` held-out heads, where that can be shown."""


@dataclass(frozen=True, slots=True)
class PredictorOutcome:
    """A finished training."""

    path: Path
    """The predictor's file."""
    card: PredictorCard
    interrupted: bool
    """Whether Ctrl-C ended it early."""


class PredictorTraining:
    """One run."""

    def __init__(
        self,
        settings: PredictorSettings,
        data: LabelledPictures,
        device: torch.device,
        start: PredictorWarmStart | None = None,
    ) -> None:
        self.settings, self._data, self._device = settings, data, device
        self.rng = RandomGenerator(settings.seed, str(device))
        self._dtype = torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
        self.task = _make_task(settings, data)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = self.task.new_network(start).to(device)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network_ema = copy.deepcopy(self.network).eval().requires_grad_(requires_grad=False)
        self.optimizer: torch.optim.AdamW = EagerAdamW(
            self.network.requires_grad_().parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.progress = PredictorProgress(available=data.count_available())

    @property
    def images(self) -> int:
        """Pictures that were trained on."""
        return self.progress.images

    def advance(self, **changes: object) -> None:
        """Replace fields of `progress`."""
        self.progress = self.progress.model_copy(update=changes)

    def look_for_heads(self) -> None:
        """Draw from all heads that are there now: they may be rendered meanwhile."""
        self.advance(available=self._data.count_available())

    def step(self) -> float:
        """Train on one batch; returns its loss."""
        settings = self.settings
        pictures, regions, indices, flipped = self._draw_batch()
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_factor(self.images / (1000 * settings.kimg))
        with self._autocast():
            outputs = self.network(pictures)
        loss = self.task.loss(outputs.float(), regions, indices, flipped)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.advance(images=self.images + settings.batch)
        self._update_average()
        return float(loss.detach())

    def compute_figures(self) -> dict[str, float]:
        """Held-out figures of the average so far."""
        return self.task.compute_figures(self.network_ema, self._dtype)

    def finish(self, training: dict[str, str | int | float]) -> tuple[PredictorCard, nn.Module]:
        """The card and the network to ship."""
        return self.task.finish(fold_batch_norms(copy.deepcopy(self.network_ema).cpu()), training)

    def _draw_batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pictures [N, 3, R, R], regions [N, R, R], indices [N] and which are mirrored [N]."""
        rng, settings = self.rng, self.settings
        indices = rng.integers(0, self.progress.available, settings.batch).cpu()
        pictures = normalise(self._data.pixels(indices), self._device)
        regions = self._data.regions(indices).to(self._device)
        flipped = rng.bernoulli(settings.batch, 0.5)
        pictures = torch.where(flipped[:, None, None, None], pictures.flip(3), pictures)
        regions = torch.where(flipped[:, None, None], regions.flip(2), regions)
        pictures, regions = misalign(pictures, regions, settings.misalignment, rng)
        pictures = degrade(recast(pictures, settings.recasting, rng), rng)
        return pictures.contiguous(memory_format=torch.channels_last), regions, indices, flipped

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move the average, at first fast, by its half-life; running statistics with the weights."""
        half_life = min(1000 * self.settings.ema_kimg, 0.2 * self.images)
        keep = 0.5 ** (self.settings.batch / half_life)
        for mean, value in zip(self.network_ema.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32)


def _make_task(settings: PredictorSettings, data: LabelledPictures) -> PredictorTask:
    if settings.kind == "segmenter":
        return SegmenterTask(settings, data)
    assert isinstance(data, HeadData)  # attributes are known of heads alone
    return AttributeTask(settings, data)


def learning_rate_factor(progress: float) -> float:
    """Share of the learning rate after `progress`, 0 to 1, of a run: a warm-up, then a cosine to 0."""
    if progress < _WARMUP_FRACTION:
        return (progress + 0.01) / (_WARMUP_FRACTION + 0.01)
    return 0.5 + 0.5 * math.cos(math.pi * min((progress - _WARMUP_FRACTION) / (1 - _WARMUP_FRACTION), 1.0))


def train_predictor(
    settings: PredictorSettings, limits: RunLimits, start: PredictorWarmStart | None = None
) -> PredictorOutcome:
    """Train a predictor into `limits.out`: KIND.safetensors, log.jsonl, and a sheet where there is something to see.

    Raises EngineError where heads cannot be rendered and OutputError where results cannot be written.
    """
    with _begin(settings, limits, start) as (run, report):
        interrupted = _train(run, report, limits)
        return _finish(run, limits, report, start, interrupted=interrupted)


def train_predictor_on(
    settings: PredictorSettings, limits: RunLimits, start: PredictorWarmStart | None = None
) -> PredictorOutcome | None:
    """Begin as `train_predictor` does, or go on with what `limits.out` holds; None where it is not finished.

    Out of time or interrupted, it leaves a snapshot, and while it trains one every `limits.snapshot_minutes`. Raises
    UsageError for a snapshot of other settings, InputFileError for a damaged one.
    """
    with _begin(settings, limits, start, resumes=True) as (run, report):
        interrupted = _train(run, report, limits, keeps=True)
        if run.images < 1000 * settings.kimg:
            return None
        return _finish(run, limits, report, start, interrupted=interrupted)


@contextlib.contextmanager
def _begin(
    settings: PredictorSettings, limits: RunLimits, start: PredictorWarmStart | None, *, resumes: bool = False
) -> Iterator[tuple[PredictorTraining, Report]]:
    """A run and its report, with the heads that it needs; `resumes` from its folder's snapshot where there is one."""
    if limits.threads:
        torch.set_num_threads(limits.threads)
    make_folder(limits.out)
    report = Report(limits.out, resumed_at=None)
    snapshot = limits.out / SNAPSHOT_NAME
    goes_on = resumes and snapshot.exists()
    at_least = read_predictor_progress(snapshot).available if goes_on else settings.batch
    data = HeadData.open(settings.heads(), limits, at_least, report.note)
    try:
        with use_precision(settings.precision):
            run = PredictorTraining(settings, data, torch.device(limits.device), start)
            if goes_on:
                load_predictor_snapshot(run, snapshot)
            yield run, report
    finally:
        data.close()


def _finish(
    run: PredictorTraining,
    limits: RunLimits,
    report: Report,
    start: PredictorWarmStart | None,
    *,
    interrupted: bool,
) -> PredictorOutcome:
    """Write the reader, and its sheet."""
    settings, progress = run.settings, run.progress
    course = _record_course(settings, run.images, progress.available, progress.seconds)
    card, network = run.finish(course if start is None else _merge_courses(start.card, course))
    path = limits.out / f"{settings.kind}.safetensors"
    write_predictor(path, card, network)
    sheet = run.task.draw_sheet(network, _NUM_SHEET_HEADS)
    if sheet is not None:
        report.grid(sheet, 8, settings.kind)
    return PredictorOutcome(path, card, interrupted)


def _train(run: PredictorTraining, report: Report, limits: RunLimits, *, keeps: bool = False) -> bool:
    """Step to the end, looking now and then, and with `keeps` leaving snapshots; returns whether a signal ended it."""
    settings, losses = run.settings, [0.0]
    began = saved = time.monotonic()
    spent, first = run.progress.seconds, run.images
    looks = int(run.images / (1000 * _EVALUATION_KIMG))
    with Interruption() as interruption:
        while run.images < 1000 * settings.kimg and not interruption.is_requested:
            now = time.monotonic()
            if limits.minutes is not None and now - began > 60 * limits.minutes:
                break
            losses.append(run.step())
            run.advance(seconds=spent + time.monotonic() - began)
            if int(run.images / (1000 * _EVALUATION_KIMG)) > looks:
                looks += 1
                run.look_for_heads()
                speed = (run.images - first) / max(time.monotonic() - began, 1e-6)
                _look(run, report, sum(losses) / max(len(losses) - 1, 1), speed)
                losses = [0.0]
            if keeps and now - saved > 60 * limits.snapshot_minutes:
                save_predictor_snapshot(run, limits.out / SNAPSHOT_NAME)
                saved = now
    if keeps:
        save_predictor_snapshot(run, limits.out / SNAPSHOT_NAME)
    if interruption.is_requested and not keeps:
        report.note("interrupted: finishing with what was learned so far")
    return interruption.is_requested


def _look(run: PredictorTraining, report: Report, loss: float, speed: float) -> None:
    """Record the held-out figures so far."""
    seconds = run.progress.seconds
    figures = {name: round(value, 4) for name, value in run.compute_figures().items()}
    report.record({"images": run.images, "seconds": round(seconds, 1), "loss": round(loss, 4), **figures})
    shown = "  ".join(f"{name} {value:.3f}" for name, value in list(figures.items())[:3])
    report.line(f"{run.images / 1000:.0f} kimg  loss {loss:.3f}  {shown}  {speed:.0f} img/s")


def _record_course(
    settings: PredictorSettings, images: int, heads: int, seconds: float
) -> dict[str, str | int | float]:
    """Settings and course, as the card records them."""
    recorded = settings.model_dump(
        mode="json", exclude_none=True, exclude={"kind", "scale", "widths", "feature_width", "name", "licence"}
    )
    return {**recorded, "images": images, "heads": heads, "minutes": round(seconds / 60, 1)}


def _merge_courses(before: PredictorCard, course: dict[str, str | int | float]) -> dict[str, str | int | float]:
    """The course of this run with the pictures, minutes and populations of the earlier ones in it."""
    added = dict(course)
    populations = str(before.training.get("population", "")).split(", ")
    if str(course["population"]) not in populations:
        added["population"] = ", ".join([*filter(None, populations), str(course["population"])])
        added["heads"] = _add_counts(before.training.get("heads", 0), course["heads"])
    elif len(populations) > 1:
        added |= {name: before.training[name] for name in ("population", "heads")}
    for name in ("images", "minutes"):
        added[name] = _add_counts(before.training.get(name, 0), course[name])
    return added


def _add_counts(earlier: str | float, now: str | float) -> float:
    assert isinstance(now, int | float)
    return now + earlier if isinstance(earlier, int | float) else now
