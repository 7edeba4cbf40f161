"""Our own StyleGAN2 trainer. Where to read on:

    adversarial.py   the algorithm, step by step; losses.py and augment.py its formulas
    paired.py        the start on heads whose parameters are known; distillation.py, label_injection.py its second half
    trainer.py       stages, ticks, evaluation; state.py and snapshots.py what makes a resume exact
    data/            what is trained on: head_shards.py and head_workers.py, or pictures.py
    growing.py       from a trained network to one of twice its size
    settings.py      every number; recommended.py the ones that work

from tuiface.engine.training import RunLimits, recommend_settings, train
train(recommend_settings("heads", 64, paired=True, start=None, changes={}), RunLimits(out=Path("run")))
"""

from __future__ import annotations

from tuiface.engine.training.gan.recommended import build_run_limits, override_settings, recommend_settings
from tuiface.engine.training.gan.settings import HEADS, RunLimits, TrainingSettings
from tuiface.engine.training.gan.snapshots import SNAPSHOT_NAME, read_snapshot_header
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
