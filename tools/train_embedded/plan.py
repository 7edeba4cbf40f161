"""What is trained: settings of all stages, fixed when a work is begun and carried with it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tuiface.core.assets import asset_path, embedded_model_path
from tuiface.core.bounds import MAX_COUNT, Word
from tuiface.core.errors import UsageError
from tuiface.core.values import Value
from tuiface.engine.predictors.attributes import ATTRIBUTES_ASSET
from tuiface.engine.predictors.files import Kind
from tuiface.engine.predictors.segmenter import SEGMENTER_ASSET
from tuiface.engine.training import (
    HEADS,
    TrainingSettings,
    WarmStart,
    choose_precision,
    open_warm_start,
    recommend_settings,
)
from tuiface.engine.training.predictors.settings import (
    PredictorSettings,
    PredictorWarmStart,
    open_predictor_warm_start,
    recommend_predictor_settings,
)

ASSET_OF: dict[Kind, str] = {"attributes": ATTRIBUTES_ASSET, "segmenter": SEGMENTER_ASSET}
"""The shipped file of each reader."""
TRIAL_SIDE_PX = 32


class Plan(Value):
    """Everything that determines what comes of a work; the same on every machine that does a part of it."""

    name: Word
    """Recorded in what is made."""
    faces: TrainingSettings
    """Of the network."""
    faces_kimg: float = Field(gt=0)
    """Thousands of pictures of its adversarial stage."""
    attributes: PredictorSettings
    """Of the attribute reader; `start` names the shipped one where it goes on from that."""
    segmenter: PredictorSettings
    """Of the segmenter."""
    draws: int = Field(ge=1, le=MAX_COUNT)
    """Faces that directions are learned from, and verified against."""
    seeds: int = Field(ge=1, le=MAX_COUNT)
    """Faces that each direction is verified on."""
    keep_weak: bool = False
    """Whether directions are kept that fail their verification."""
    compared: int = Field(ge=8, le=512)
    """Faces, and heads, that the figures of quality are taken on."""

    def reader(self, kind: Kind) -> PredictorSettings:
        """The settings of one of the two."""
        return self.attributes if kind == "attributes" else self.segmenter


def standard_plan(resolution: int, device: str) -> Plan:
    """The second edition: all go on from what ships. The faces are taught the new heads, then given noise, no beads."""
    name = f"tuiface embedded faces, {resolution} px"
    changes: dict[str, object] = {
        "name": name,
        "licence": "Apache-2.0",
        "num_heads": 16_384,
        # What ships draws each new head as it was, from its z: so no encoder, and a fifth of the rate from nothing.
        "paired.through_mapping": True,
        "paired.regression_kimg": 24.0,
        "paired.regression_lr": 0.004,
        "paired.stretch": 1.1,
        "adversarial.warmup_kimg": 6.0,
        "adversarial.noise": True,
        "adversarial.noise_start": 0.03,
        "adversarial.blur_px": 2.0,
        "adversarial.blur_kimg": 60.0,
        "adversarial.reading_weight": 0.0,  # of a predictor that knows today's heads: it is trained beside them
    }
    start = open_warm_start(embedded_model_path())
    faces = recommend_settings(HEADS, resolution, paired=True, start=start, changes=changes)
    precision = choose_precision(faces, device)
    # On from the shipped readers, the rates are those of the last parts of these: lower ones than from nothing.
    rates: tuple[tuple[Kind, float, float], ...] = (("attributes", 320.0, 0.0012), ("segmenter", 80.0, 0.0007))
    attributes, segmenter = (
        recommend_predictor_settings(kind, {
            "resolution": resolution, "kimg": kimg, "learning_rate": rate, "num_heads": faces.num_heads,
            "precision": precision, "start": _open_shipped(kind).sha256, "name": f"tuiface {kind}, {resolution} px",
            "licence": "Apache-2.0",
        })
        for kind, kimg, rate in rates
    )  # fmt: skip
    return Plan(
        name=name,
        faces=faces.model_copy(update={"precision": precision}),
        faces_kimg=400.0,
        attributes=attributes,
        segmenter=segmenter,
        draws=2000,
        seeds=100,
        compared=256,
    )


def trial_plan() -> Plan:
    """All stages, of tiny networks that learn next to nothing: to see within seconds that the whole way is open."""
    changes: dict[str, object] = {
        "name": "trial", "licence": "CC0-1.0", "batch": 16, "num_heads": 1024, "network.channel_base": 256,
        "network.channel_max": 8, "network.mapping_layers": 2, "network.mapping_width": 16, "network.w_dim": 16,
        "paired.regression_kimg": 0.2, "paired.distillation_kimg": 1.0, "paired.carried_share": 0.0,
        "paired.encoder_width": 16, "adversarial.warmup_kimg": 0.05,
    }  # fmt: skip
    tiny: Mapping[str, object] = {
        "resolution": TRIAL_SIDE_PX, "num_heads": 1024, "widths": (8, 12, 16, 16), "feature_width": 24, "batch": 32,
        "learning_rate": 0.01, "misalignment": 0.1, "recasting": 0.05, "name": "trial", "licence": "CC0-1.0",
    }  # fmt: skip
    return Plan(
        name="trial",
        faces=recommend_settings(HEADS, TRIAL_SIDE_PX, paired=True, start=None, changes=changes),
        faces_kimg=0.1,
        attributes=recommend_predictor_settings("attributes", {**tiny, "kimg": 2.5}),
        segmenter=recommend_predictor_settings("segmenter", {**tiny, "kimg": 0.3}),
        draws=200,
        seeds=20,
        keep_weak=True,
        compared=16,
    )


def open_start(settings: PredictorSettings) -> PredictorWarmStart | None:
    """The shipped reader that a training goes on from, where it does; raises UsageError where another one ships."""
    if settings.start is None:
        return None
    start = _open_shipped(settings.kind)
    _check_start(f"{settings.kind} reader", start.sha256, settings.start)
    return start


def open_faces_start(settings: TrainingSettings) -> WarmStart | None:
    """The shipped network that a training goes on from, where it does; raises UsageError where another one ships."""
    if settings.start is None:
        return None
    start = open_warm_start(embedded_model_path())
    _check_start("network", start.sha256, settings.start)
    return start


def _check_start(what: str, sha256: str, wanted: str) -> None:
    if sha256 != wanted:
        raise UsageError(
            f"the shipped {what} is another one ({sha256[:10]}) than this work goes on from ({wanted[:10]})",
            "work with the version of tuiface that the work was begun with",
        )


def _open_shipped(kind: Kind) -> PredictorWarmStart:
    return open_predictor_warm_start(asset_path(ASSET_OF[kind]), kind)
