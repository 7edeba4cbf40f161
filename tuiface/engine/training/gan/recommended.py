"""Settings that work, for each kind of data: what `tuiface train` starts from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tuiface.core.errors import UsageError
from tuiface.core.values import ValueType, describe_error
from tuiface.engine.training.gan.settings import (
    HEADS,
    AdversarialSettings,
    AugmentSettings,
    NetworkSettings,
    PairedSettings,
    RunLimits,
    TrainingSettings,
)
from tuiface.engine.training.gan.warm_start import WarmStart
from tuiface.heads.sampling.priors import stream_names

_ADVERSARIAL_ON_PICTURES = AdversarialSettings(
    # The published interval and batch take 13 % of a CPU's time; these take 3 %.
    path_length_interval=8,
    path_length_shrink=4,
)
_ADVERSARIAL_ON_HEADS = _ADVERSARIAL_ON_PICTURES.model_copy(
    update={
        # Taught by regression, the generator outruns a fresh discriminator: at the usual rates the loss of D stays at
        # chance (1.38) while pictures turn grainy. So D goes ahead, and G follows slowly. At a tenth of this gamma, G
        # finds within 16 kimg that doubled contours deceive D, and D does not recover.
        "gamma": 1.0,
        "warmup_kimg": 10.0,
        "generator_lr": 0.0003,
        "discriminator_lr": 0.002,
        "discriminator_beta1": 0.5,
        "r1_interval": 8,
        "generator_ramp_kimg": 2.0,
        # The first thing that a taught generator finds is grain: it comes and goes, and D learns nothing else.
        "noise": False,
        "ema_kimg": 5.0,
        "style_mixing": 0.5,
        "anchor_share": 0.5,
        "anchor_weight": 1.0,
        # Its gradient in the picture is then about twice as long as that of the adversarial loss.
        "feature_weight": 10.0,
        # Likewise. Without, smiles and open mouths of known heads come out half as strong as they are.
        "reading_weight": 2.0,
    }
)
# Without the stretch, recall is 0.43 where it is 0.6 with it, at a smaller distance (KID 0.010, before 0.018).
# Without what is carried, w tells nothing of gaze, lids and open mouths, and no later stage draws them.
_PAIRED = PairedSettings(
    regression_kimg=260.0, distillation_kimg=4000.0, carried_share=0.5, encoder_width=512, stretch=1.1
)
# The way from 117 draws to a head is a long one: four layers of 256 left a fifth of the styles unexplained. With their
# channels both networks just fit 16 MB in half precision.
_NETWORK_FOR_HEADS = NetworkSettings(channel_base=4096, channel_max=192, w_dim=192, mapping_layers=6, mapping_width=512)
_FADE_KIMG = 20.0


def recommend_settings(
    data: str, resolution: int, *, paired: bool, start: WarmStart | None, changes: Mapping[str, object]
) -> TrainingSettings:
    """Settings for `data` at `resolution`, with `changes` by path ("adversarial.gamma") on top.

    Heads get the paired start, unless they begin from trained networks, and anchors; pictures get neither. Raises
    UsageError for a value that is not accepted.
    """
    on_heads = data == HEADS and paired
    adversarial = (_ADVERSARIAL_ON_HEADS if on_heads else _ADVERSARIAL_ON_PICTURES).model_dump()
    network = _NETWORK_FOR_HEADS if on_heads else NetworkSettings()
    taught = _PAIRED if on_heads else PairedSettings()
    if start is not None:
        network, taught = start.network, PairedSettings()
        if start.discriminator is not None:
            adversarial["warmup_kimg"] = 0.0
        if start.resolution != resolution:
            adversarial["fade_kimg"] = _FADE_KIMG
    values: dict[str, Any] = {
        "data": data if data == HEADS else os.path.realpath(data),
        "resolution": resolution,
        "mirror": data == HEADS,
        "latent_names": stream_names() if data == HEADS else (),
        "start": None if start is None else start.sha256,
        "network": network.model_dump(),
        "adversarial": adversarial,
        "augment": AugmentSettings().model_dump(),
        "paired": taught.model_dump(),
    }
    return _validate(TrainingSettings, _apply_changes(values, changes))


def override_settings(settings: TrainingSettings, changes: Mapping[str, object]) -> TrainingSettings:
    """`settings` with `changes` by path on top; raises UsageError for a value that is not accepted."""
    return _validate(TrainingSettings, _apply_changes(settings.model_dump(), changes))


def build_run_limits(values: Mapping[str, object]) -> RunLimits:
    """Limits from `values`; raises UsageError for one that is not accepted."""
    return _validate(RunLimits, values)


def _apply_changes(values: dict[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    for path, value in changes.items():
        *groups, name = path.split(".")
        target = values
        for group in groups:
            target = target[group]
        target[name] = value
    return values


def _validate(model: type[ValueType], values: Mapping[str, object]) -> ValueType:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(*describe_error(error, model, "train")) from None
