"""Our own StyleGAN2 trainer. Where to read on:

    gan/adversarial   the algorithm, step by step; gan/losses and gan/augment its formulas
    gan/paired        the start on heads whose parameters are known; gan/distillation its second half
    gan/trainer       stages, ticks, evaluation; gan/state, gan/snapshots and rng what makes a resume exact
    gan/growing       from a trained network to one of twice its size; gan/warm_start opens what a run starts from
    gan/settings      every number; gan/recommended the ones that work; gan/export the model that is written
    data/sources      what is trained on: data/head_data with data/head_shards, or data/pictures
    predictors/       training of the segmenter and of the attribute predictor, on data/degradation of rendered heads
    passes            the passes of a step, captured as CUDA graphs on a GPU; data/feed reads their batches ahead
    ranks             one training in several processes
    report            progress line, log, sample grids and curves, for both; precision and interruption likewise

from tuiface.engine.training import RunLimits, recommend_settings, train
train(recommend_settings("heads", 64, paired=True, start=None, changes={}), RunLimits(out=Path("run")))
"""

from __future__ import annotations

from tuiface.engine.training.gan.recommended import build_run_limits, override_settings, recommend_settings
from tuiface.engine.training.gan.settings import HEADS, SNAPSHOT_NAME, RunLimits, TrainingSettings
from tuiface.engine.training.gan.snapshots import read_snapshot_header
from tuiface.engine.training.gan.trainer import TrainingOutcome, train
from tuiface.engine.training.gan.warm_start import WarmStart, open_warm_start
from tuiface.engine.training.precision import choose_precision

__all__ = [
    "HEADS",
    "SNAPSHOT_NAME",
    "RunLimits",
    "TrainingOutcome",
    "TrainingSettings",
    "WarmStart",
    "build_run_limits",
    "choose_precision",
    "open_warm_start",
    "override_settings",
    "read_snapshot_header",
    "recommend_settings",
    "train",
]
