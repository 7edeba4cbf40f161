"""The trainer: stages in order, and between their steps what every run owes its user.

train:  settings -> state, from random weights, a start or a snapshot -> data -> Trainer.run
run:    for each stage that is left:  step, step, ..., tick, ..., evaluation and snapshot, ...
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch

from tuiface.core.durations import format_duration
from tuiface.core.errors import EngineError, UsageError, quote
from tuiface.core.files import new_folder
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.data.sources import TrainingData, open_data
from tuiface.engine.training.gan.adversarial import AdversarialStage
from tuiface.engine.training.gan.distillation import DistillationStage
from tuiface.engine.training.gan.evaluation import Evaluation
from tuiface.engine.training.gan.export import export_model
from tuiface.engine.training.gan.paired import RegressionStage
from tuiface.engine.training.gan.settings import SNAPSHOT_NAME, RunLimits, TrainingSettings
from tuiface.engine.training.gan.snapshots import load_snapshot, restore_optimizers, save_snapshot
from tuiface.engine.training.gan.state import STAGES, StageName, TrainingState
from tuiface.engine.training.gan.warm_start import WarmStart, apply_warm_start
from tuiface.engine.training.interruption import Interruption
from tuiface.engine.training.passes import Passes
from tuiface.engine.training.precision import use_precision
from tuiface.engine.training.ranks import ALONE, Ranks
from tuiface.engine.training.report import (
    CURVES_NAME,
    LOG_NAME,
    Report,
    SilentReport,
    write_curves,
)

MODEL_NAME = "best.safetensors"
_GO_ON, _LATE, _INTERRUPTED = range(3)


class Stage(Protocol):
    """One phase of training."""

    length: int
    """Pictures after which the stage is done."""
    cost: float
    """Of one of its pictures against a drawn one: ticks and evaluations are spaced by cost."""
    optimizers: dict[str, torch.optim.Adam]

    def step(self) -> None:
        """Train on one batch; count it in the state's progress, and its losses in the statistics."""

    def close(self) -> None:
        """Let go of what the stage reads ahead, and of the memory of its graphs."""


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """How a call of `train` ended."""

    finished: bool
    """All stages are done; else the run can be resumed."""
    interrupted: bool
    """A signal ended it."""
    progress: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """As plain JSON values."""
        return asdict(self)


class Trainer:
    """One session of one run."""

    def __init__(
        self, state: TrainingState, data: TrainingData, limits: RunLimits, report: Report, *, resumed: Path | None
    ) -> None:
        self.state, self.data, self.limits = state, data, limits
        self._report, self._resumed = report, resumed
        self._evaluation = Evaluation(state, data, report) if state.ranks.leads else None
        self._interruption = Interruption()
        self._stop = _GO_ON
        self._began = self._last_snapshot = self._tick_time = time.monotonic()
        self._tick_images = state.progress.images

    def run(self) -> TrainingOutcome:
        """Go through the stages that are left; ends with a snapshot in any case."""
        with self._interruption:
            first = STAGES.index(self.state.progress.stage)
            finished = all(self._run_stage(name) for name in STAGES[first:])
            self.state.ranks.wait()  # until the last files are written
        return TrainingOutcome(finished, self._stop == _INTERRUPTED, self.state.progress.model_dump(mode="json"))

    def _run_stage(self, name: StageName) -> bool:
        """Run one stage to its end; False where it was stopped before."""
        state = self.state
        if self.limits.stage == "paired" and name in ("warmup", "adversarial"):
            return False
        begins = state.progress.stage != name
        if begins:
            state.advance(stage=name, images=0, steps=0, tick_images=0, sample_images=0, sign_count=0)
            state.augmentation.sign_sum.zero_()
            state.statistics.sums.clear()
            self._tick_images = 0
            if name == "adversarial":
                wake_noise(state)
        stage = self._build_stage(name)
        if stage is None:
            return True
        with contextlib.closing(stage):
            return self._go_through(stage, restores=self._resumed is not None and not begins)

    def _go_through(self, stage: Stage, *, restores: bool) -> bool:
        """Step until `stage` is done, or must stop; `restores` its optimisers from the snapshot of the run."""
        state = self.state
        _transfer_optimizers(state.optimizers, stage.optimizers)
        state.optimizers = stage.optimizers
        if restores:
            assert self._resumed is not None
            restore_optimizers(state, self._resumed)
        began, spent = time.monotonic(), state.progress.seconds
        while state.progress.images < stage.length and not self._must_stop():
            stage.step()
            state.advance(seconds=spent + time.monotonic() - began)
            self._run_due_tasks(stage)
        if state.progress.images < stage.length:
            self._save()
        return state.progress.images >= stage.length

    def _build_stage(self, name: StageName) -> Stage | None:
        """The stage `name`; None where the settings leave it out."""
        state, settings = self.state, self.state.settings
        passes = Passes.on(state.rng, self._report.note)
        if name == "regression":
            if not settings.paired.regression_kimg:
                return None
            assert isinstance(self.data, HeadData)
            return RegressionStage(state, self.data, passes)
        if name == "distillation":
            if not settings.paired.distillation_kimg:
                return None
            assert isinstance(self.data, HeadData)
            return DistillationStage(state, self.data, passes)
        if name == "warmup":
            length = round(settings.adversarial.warmup_kimg * 1000)
            return AdversarialStage(state, self.data, length, passes, warmup=True) if length else None
        return AdversarialStage(state, self.data, round(self.limits.kimg * 1000), passes)

    def _run_due_tasks(self, stage: Stage) -> None:
        """What is due between two steps: a tick, an evaluation with a snapshot, a snapshot."""
        progress, limits = self.state.progress, self.limits
        over = progress.images >= stage.length
        if over or (progress.images - progress.tick_images) * stage.cost >= limits.tick_kimg * 1000:
            self._tick(stage)
            self.state.advance(tick_images=progress.images)
        if over or (progress.images - progress.sample_images) * stage.cost >= limits.sample_kimg * 1000:
            self.state.advance(sample_images=progress.images)
            self._check_ranks()
            self._evaluate()
            self._save()
        elif time.monotonic() - self._last_snapshot >= limits.snapshot_minutes * 60:  # by each rank's clock: one saves
            self._save()

    def _check_ranks(self) -> None:
        """Raise EngineError unless all ranks still train the same networks: nothing else would show it."""
        networks = self.state.modules().values()
        if not self.state.ranks.have_equal(tensor for network in networks for tensor in network.state_dict().values()):
            raise EngineError(
                "the processes of this training have come to different networks, so a GPU computes wrongly",
                "go on from the last snapshot with one: tuiface train --resume RUN",
            )

    def _must_stop(self) -> bool:
        """Whether time is up or a signal came, on any rank: all stop behind the same step."""
        minutes = self.limits.minutes
        late = minutes is not None and time.monotonic() - self._began >= minutes * 60
        wish = _INTERRUPTED if self._interruption.is_requested else _LATE if late else _GO_ON
        self._stop = self.state.ranks.largest(wish)
        return self._stop != _GO_ON

    def _tick(self, stage: Stage) -> None:
        """Progress line and JSONL record."""
        means = self.state.statistics.take()
        self.state.read_controllers()
        progress = self.state.progress
        now = time.monotonic()
        speed = (progress.images - self._tick_images) / max(now - self._tick_time, 1e-6)
        self._tick_images, self._tick_time = progress.images, now
        measures = {"images_per_s": round(speed, 1), "augment_p": progress.augment_p, "data": progress.epoch_size}
        self._report.record({**self._describe_position(), **measures, **means})
        left = format_duration(max(stage.length - progress.images, 0) / max(speed, 1e-6))
        losses = "  ".join(f"{key} {value:.3g}" for key, value in list(means.items())[:4])
        kimg = f"{progress.images / 1000:.1f} of {stage.length / 1000:g} kimg"
        self._report.line(f"{progress.stage}  {kimg}  {speed:.1f} img/s  {left} left  {losses}")

    def _evaluate(self) -> None:
        """Record the measures, and keep the network if it is the best so far. Other ranks wait at their next step."""
        if self._evaluation is None:
            return
        measures = self._evaluation.evaluate()
        self._report.record({**self._describe_position(), **measures})
        write_curves(self.limits.out / LOG_NAME, self.limits.out / CURVES_NAME)
        distance, best = measures.get("patch_swd"), self.state.progress.best_distance
        if isinstance(distance, float) and (best is None or distance < best):
            self.state.advance(best_distance=distance)
            export_model(self.state, self.limits.out / MODEL_NAME, measures, self.limits.model_precision)

    def _save(self) -> None:
        if self.state.ranks.leads:
            save_snapshot(self.state, self.limits.out / SNAPSHOT_NAME)
        self._last_snapshot = time.monotonic()

    def _describe_position(self) -> dict[str, object]:
        """Where the run is: the first fields of each record."""
        progress = self.state.progress
        return {
            "stage": progress.stage,
            "images": progress.images,
            "step": progress.total_steps,
            "total_images": progress.total_images,
            "seconds": round(progress.seconds, 1),
        }


@torch.no_grad()
def wake_noise(state: TrainingState) -> None:
    """Set the strengths of noise to what the settings begin with, if all of them are zero and noise is wanted."""
    settings = state.settings.adversarial
    if not settings.noise or not settings.noise_start:
        return
    for generator in (state.generator, state.generator_ema):
        strengths = [value for name, value in generator.synthesis.named_parameters() if name.endswith("noise_strength")]
        if not any(map(bool, strengths)):
            for strength in strengths:
                strength.fill_(settings.noise_start)


def _transfer_optimizers(before: Mapping[str, torch.optim.Adam], after: Mapping[str, torch.optim.Adam]) -> None:
    """Let an optimizer that two stages share keep its moments.

    Adam's first steps move every weight by the whole learning rate: begun afresh, they would undo a discriminator that
    was warmed up.
    """
    for name in before.keys() & after.keys():
        after[name].load_state_dict(before[name].state_dict())


def train(
    settings: TrainingSettings,
    limits: RunLimits,
    *,
    resume: Path | None = None,
    start: WarmStart | None = None,
    ranks: Ranks = ALONE,
) -> TrainingOutcome:
    """Begin a run in `limits.out`, from `start` or random weights, or go on from the snapshot `resume`.

    Every one of `ranks` calls it with the same arguments but for the device; rank 0 alone writes and reports. Raises
    UsageError for a snapshot of another configuration, other data or a batch that the ranks cannot share,
    InputFileError for the data, ModelError for a start that does not fit and OutputError for the folder.
    """
    if limits.threads:
        torch.set_num_threads(limits.threads)
    with new_folder(limits.out):
        return _train(settings, limits, resume, start, ranks)


def _train(
    settings: TrainingSettings, limits: RunLimits, resume: Path | None, start: WarmStart | None, ranks: Ranks
) -> TrainingOutcome:
    state = TrainingState(settings, limits.device, ranks)
    if resume is not None:
        load_snapshot(state, resume)
    elif start is not None:
        apply_warm_start(start, state)
    make_report = Report if ranks.leads else SilentReport
    report = make_report(limits.out, resumed_at=None if resume is None else state.progress)
    _tell_ranks(state, report)
    if not ranks.leads:
        limits = limits.model_copy(update={"workers": 0})  # heads are rendered for all by rank 0
    at_least = state.progress.epoch_size
    data = ranks.make_in_turn(lambda: open_data(settings, limits, at_least, report.note))
    try:
        known = state.progress.data_fingerprint
        if known not in ("", data.fingerprint):
            raise UsageError(
                f"{quote(settings.data)} does not hold what the snapshot was trained on",
                "name where that lies with --data, or begin a new run with --from",
            )
        state.advance(data_fingerprint=data.fingerprint, kimg=limits.kimg)
        with use_precision(settings.precision):
            return Trainer(state, data, limits, report, resumed=resume).run()
    except torch.OutOfMemoryError:
        raise EngineError(*_describe_shortage(state)) from None
    finally:
        data.close()


def _describe_shortage(state: TrainingState) -> tuple[str, str]:
    """What a user is told whose device ran out of memory, and what to do."""
    free, total = (amount / 2**30 for amount in torch.cuda.mem_get_info(state.device))
    settings = state.settings
    return (
        f"{settings.resolution} px in batches of {state.batch_share}, {settings.precision}, take more memory than "
        f"{state.device} has: {total:.1f} GiB, of which {free:.1f} are free",
        f"a smaller --batch than {settings.batch}, --precision bfloat16, or more --gpus",
    )


def _tell_ranks(state: TrainingState, report: Report) -> None:
    """Record among how many ranks a batch is shared, and say so where there are several, or were."""
    ranks, before = state.ranks, state.progress.ranks
    state.advance(ranks=ranks.count)
    if ranks.count > 1:
        report.note(f"{ranks.count} processes, {state.batch_share} pictures of each batch of {state.settings.batch}")
    if before != ranks.count:
        report.note(
            f"note: the snapshot is of {before} process{'es' if before > 1 else ''}: "
            f"the run goes on with {ranks.count}, but its last bits differ from then on"
        )
