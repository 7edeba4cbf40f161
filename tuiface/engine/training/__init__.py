"""Our own StyleGAN2 trainer. Where to read on:

    adversarial.py   the algorithm, step by step; losses.py and augment.py its formulas
    paired.py        the start on heads whose parameters are known; distillation.py and carrying.py its second half
    trainer.py       stages, ticks, evaluation; state.py and snapshots.py what makes a resume exact
    data.py          what is trained on: head_shards.py and head_workers.py, or pictures.py
    growing.py       from a trained network to one of twice its size
    settings.py      every number; recommended.py the ones that work

from tuiface.engine.training import RunLimits, recommended_settings, train
train(recommended_settings("heads", 64, paired=True, start=None, changes={}), RunLimits(out=Path("run")))
"""

from __future__ import annotations

from tuiface.engine.training.gan.recommended import changed_settings, recommended_settings, run_limits
from tuiface.engine.training.gan.settings import HEADS, RunLimits, TrainingSettings
from tuiface.engine.training.gan.snapshots import FILE_NAME, read_header
from tuiface.engine.training.gan.trainer import Outcome, train
from tuiface.engine.training.gan.warm_start import Start, open_start
from tuiface.engine.training.precision import choose_precision

__all__ = [
    "FILE_NAME",
    "HEADS",
    "Outcome",
    "RunLimits",
    "Start",
    "TrainingSettings",
    "changed_settings",
    "choose_precision",
    "open_start",
    "read_header",
    "recommended_settings",
    "run_limits",
    "train",
]
