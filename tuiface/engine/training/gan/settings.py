"""The value that determines a training run, and the one that says how long and how noisily it goes.

Two runs with equal `TrainingSettings` and equal data are the same run: a snapshot records them and is refused under
others. `RunLimits` may change at every resume.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tuiface.core.bounds import MAX_COUNT, Line, PathText, Word
from tuiface.core.limits import MAX_EXACT_INTEGER, MAX_THREADS, MAX_WORKERS
from tuiface.core.values import Value
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig, block_resolutions

HEADS = "heads"
"""`data` of a run on procedural heads; anything else is the path of a folder or a zip."""

SNAPSHOT_NAME = "snapshot.safetensors"
"""In a run's folder."""

Precision = Literal["float32", "tf32", "bfloat16"]
"""See `training.precision`."""


class NetworkSettings(Value):
    """Shapes of both networks."""

    channel_base: int = Field(2048, ge=64, le=65536)
    """C(r) = min(channel_base / r, channel_max)."""
    channel_max: int = Field(128, ge=8, le=1024)
    z_dim: int = Field(128, ge=4, le=1024)
    w_dim: int = Field(128, ge=4, le=1024)
    mapping_layers: int = Field(4, ge=1, le=16)
    mapping_width: int = Field(256, ge=4, le=1024)
    """Width of the hidden mapping layers."""
    conv_clamp: float | None = Field(None, gt=0)
    """Activations are clamped to +-this; only for networks that were trained so elsewhere."""

    def channels(self, resolution: int) -> tuple[int, ...]:
        """C(4), ..., C(resolution)."""
        return tuple(min(self.channel_base // r, self.channel_max) for r in block_resolutions(resolution))


class AdversarialSettings(Value):
    """The adversarial stage (Karras et al. 2020, appendix B; 2020b, appendix D)."""

    gamma: float | None = Field(None, gt=0)
    """Weight of R1; None for 0.0002 R^2 / batch, the heuristic of Karras et al. 2020b."""
    generator_lr: float = Field(0.0025, gt=0, le=0.1)
    discriminator_lr: float = Field(0.0025, gt=0, le=0.1)
    discriminator_beta1: float = Field(0.0, ge=0, lt=1)
    """Momentum of the discriminator's Adam."""
    r1_interval: int = Field(16, ge=1, le=MAX_COUNT)
    """Steps between R1 passes ("lazy regularisation")."""
    path_length_interval: int = Field(4, ge=1, le=MAX_COUNT)
    path_length_weight: float = Field(2.0, ge=0)
    path_length_decay: float = Field(0.01, gt=0, le=1)
    path_length_shrink: int = Field(2, ge=1, le=MAX_COUNT)
    """The path-length pass takes batch / this: it costs the most memory."""
    style_mixing: float = Field(0.9, ge=0, le=1)
    """Share of pictures whose rows come from two latents."""
    ema_kimg: float = Field(10.0, gt=0)
    """Half-life of the averaged generator."""
    ema_rampup: float = Field(0.05, gt=0)
    """The half-life is at most this share of the pictures seen so far."""
    warmup_kimg: float = Field(0.0, ge=0)
    """The discriminator trains alone for so long: for a generator that comes trained from elsewhere."""
    generator_ramp_kimg: float = Field(0.0, ge=0)
    """The generator's learning rate rises linearly for so long: Adam's first steps are as large as the rate allows, all
    of them in the direction that deceives D, and would leave it behind at once."""
    fade_kimg: float = Field(0.0, ge=0)
    """A grown discriminator's new block is faded in over so many pictures."""
    noise: bool = True
    """Fresh noise in each convolution; without, the strengths stay as they are, at zero from the start."""
    noise_start: float = Field(0.0, ge=0, le=1)
    """Strengths that are all zero when the stage begins are set to this: at zero, the sign of noise's use is a draw."""
    blur_px: float = Field(0.0, ge=0, le=8)
    """Standard deviation, at first, of the blur on what the discriminator sees (see `blur`); 0 for none."""
    blur_kimg: float = Field(0.0, ge=0)
    """Pictures after which nothing of it is left."""
    anchor_share: float = Field(0.0, ge=0, lt=1)
    """Heads: share of each batch whose latents are those of the batch's own heads (see `paired`)."""
    anchor_weight: float = Field(0.0, ge=0)
    """Heads: weight of the distance between those pictures and their heads."""
    feature_weight: float = Field(0.0, ge=0)
    """Heads: weight of the distance between the discriminator's features of those pictures and of their heads."""
    reading_weight: float = Field(0.0, ge=0)
    """Heads: weight of the distance between what the attribute predictor sees in those pictures and in their heads."""


class AugmentSettings(Value):
    """Adaptive discriminator augmentation (Karras et al. 2020b)."""

    target: float = Field(0.6, ge=0, le=1)
    """r_t, the share of surplus "real" signs among real pictures that p is steered to; 0 switches augmentation off."""
    interval: int = Field(4, ge=1, le=MAX_COUNT)
    """Steps between adjustments of p."""
    ramp_kimg: float = Field(500.0, gt=0)
    """Pictures in which p may go from 0 to 1."""


class PairedSettings(Value):
    """The paired start on heads, before the adversarial stage (see `paired`)."""

    regression_kimg: float = Field(0.0, ge=0)
    regression_lr: float = Field(0.02, gt=0)
    distillation_kimg: float = Field(0.0, ge=0)
    """Latents, in thousands: this stage renders nothing."""
    distillation_lr: float = Field(0.024, gt=0)
    distillation_batch: int = Field(256, ge=1, le=MAX_COUNT)
    carried_share: float = Field(0.0, ge=0, le=1)
    """How far w is moved towards telling the labels that it hardly tells, before distillation (see there)."""
    through_mapping: bool = False
    """The regression draws each head from its z, through a mapping network that comes trained: no encoder is needed,
    and no distillation."""
    frozen_share: float = Field(0.0, ge=0, le=1)
    """Share of the regression in which the synthesis stands still: one that comes trained would forget what it draws
    while the encoder, which never does, knows nothing."""
    encoder_width: int = Field(256, ge=4, le=MAX_COUNT)
    stretch: float = Field(1.0, gt=0, le=4)
    """Of w about its mean, in the model that is written (see `export`)."""


class TrainingSettings(Value):
    """Everything that determines the result."""

    data: PathText
    """HEADS, or the path of a folder or zip of pictures."""
    resolution: Literal[8, 16, 32, 64, 128, 256, 512, 1024]
    seed: int = Field(0, ge=0, le=MAX_EXACT_INTEGER)
    """Of the initial weights and of every random draw."""
    population: int = Field(0, ge=0, le=MAX_EXACT_INTEGER)
    """Seed of the population of heads."""
    num_heads: int = Field(50_176, ge=1024, le=MAX_COUNT)
    """Heads rendered in all."""
    mirror: bool = False
    """Every picture comes a second time, mirrored; of heads, the parameters too."""
    batch: int = Field(32, ge=2, le=MAX_COUNT)
    precision: Precision = "float32"
    """Of activations, and of products on a GPU; parameters, statistics, RGB sums, logits and penalties are float32."""
    name: Word = "untitled"
    """Recorded in the model."""
    licence: Line | None = None
    """Recorded in the model."""
    latent_names: Annotated[tuple[Word, ...], Field(max_length=4096)] = ()
    """Heads: the draws that the numbers of z stand for, in order; those behind them are of no consequence."""
    start: Word | None = None
    """SHA-256 of the network file that training started from; None for random weights."""
    network: NetworkSettings = NetworkSettings()
    adversarial: AdversarialSettings = AdversarialSettings()
    augment: AugmentSettings = AugmentSettings()
    paired: PairedSettings = PairedSettings()

    @model_validator(mode="after")
    def _check(self) -> TrainingSettings:
        if self.data != HEADS and (self.paired.regression_kimg or self.paired.distillation_kimg):
            raise ValueError("the paired start needs data whose parameters are known; accepted: data 'heads'")
        if self.data != HEADS and self.adversarial.anchor_share:
            raise ValueError("anchors need data whose parameters are known; accepted: data 'heads'")
        return self

    @property
    def gamma(self) -> float:
        """Weight of R1."""
        heuristic = 0.0002 * self.resolution**2 / self.batch
        return heuristic if self.adversarial.gamma is None else self.adversarial.gamma

    def generator_config(self) -> GeneratorConfig:
        """Of the generator that these settings train."""
        network = self.network
        return GeneratorConfig(
            z_dim=network.z_dim,
            c_dim=0,
            w_dim=network.w_dim,
            img_resolution=self.resolution,
            img_channels=3,
            channels=network.channels(self.resolution),
            mapping_features=(*[network.mapping_width] * (network.mapping_layers - 1), network.w_dim),
            conv_clamp=network.conv_clamp,
        )

    def discriminator_config(self) -> DiscriminatorConfig:
        """Of the discriminator that these settings train."""
        return DiscriminatorConfig(
            c_dim=0,
            img_resolution=self.resolution,
            img_channels=3,
            channels=self.network.channels(self.resolution),
            conv_clamp=self.network.conv_clamp,
        )


class RunLimits(Value):
    """How long to train now, where to, and what to report; none of it changes the result."""

    out: Path
    """The run's folder."""
    kimg: float = Field(1000.0, gt=0)
    """Thousands of pictures of the adversarial stage after which training is done."""
    minutes: float | None = Field(None, gt=0)
    """Stop, resumably, after so long."""
    stage: Literal["paired", "all"] = "all"
    """Stop before the adversarial stage, or go through all."""
    threads: int = Field(0, ge=0, le=MAX_THREADS)
    """CPU threads; 0 leaves torch's choice. Exact resume needs the same number."""
    workers: int = Field(1, ge=0, le=MAX_WORKERS)
    """Processes that render heads meanwhile; 0 when another program fills the cache."""
    cache: Path | None = None
    """Folder of rendered heads, shared by runs; None for the run's own."""
    device: str = "cpu"
    model_precision: Literal["float32", "float16"] = "float32"
    """Of the tensors in the exported model; half of the size, and another network digest, for float16."""
    tick_kimg: float = Field(1.0, gt=0)
    """Pictures between progress lines and JSONL records."""
    sample_kimg: float = Field(8.0, gt=0)
    """Pictures between sample grids, metrics and snapshots."""
    snapshot_minutes: float = Field(10.0, gt=0)
    """Longest time between snapshots."""
