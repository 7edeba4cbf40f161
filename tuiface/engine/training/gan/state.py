"""Everything that changes while training: what a snapshot must hold for the run to go on exactly."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from tuiface.core.bounds import ExactCount, Word
from tuiface.core.values import Value
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator
from tuiface.engine.networks.layers import FullyConnectedLayer
from tuiface.engine.training.gan.augment import AdaptiveAugmentation
from tuiface.engine.training.gan.growing import FadingDiscriminator
from tuiface.engine.training.gan.settings import HEADS, TrainingSettings
from tuiface.engine.training.precision import activation_dtype
from tuiface.engine.training.ranks import ALONE, Ranks
from tuiface.engine.training.rng import RandomGenerator, SampleOrder
from tuiface.heads import ENCODING


class ParameterEncoder(nn.Module):
    """From a head's known parameters to w: stands for the mapping network while pairs teach the synthesis."""

    def __init__(self, settings: TrainingSettings) -> None:
        super().__init__()
        width, w_dim = settings.paired.encoder_width, settings.network.w_dim
        self.fc0 = FullyConnectedLayer(len(ENCODING), width, activate=True)
        self.fc1 = FullyConnectedLayer(width, width, activate=True)
        self.fc2 = FullyConnectedLayer(width, w_dim, activate=True)

    def forward(self, encoded: Tensor) -> Tensor:
        """Parameters [N, F] as `tuiface.heads.encode` gives them -> w [N, w_dim]."""
        return self.fc2(self.fc1(self.fc0(encoded)))  # type: ignore[no-any-return]


StageName = Literal["regression", "distillation", "warmup", "adversarial"]
STAGES: tuple[StageName, ...] = ("regression", "distillation", "warmup", "adversarial")


class Progress(Value):
    """The numbers of a run's state, as JSON in each snapshot."""

    stage: StageName
    images: ExactCount = 0
    """Pictures (latents, in distillation) seen in this stage."""
    steps: ExactCount = 0
    """Steps taken in this stage."""
    total_images: ExactCount = 0
    """Pictures seen in all stages."""
    total_steps: ExactCount = 0
    """Steps taken in all stages."""
    ranks: ExactCount = Field(1, ge=1)
    """Processes among which the last session shared each batch."""
    kimg: float | None = Field(None, gt=0)
    """Thousands of pictures that the last session was to reach: one that goes on without a word means the same."""
    seconds: float = Field(0.0, ge=0)
    """Time spent training, over all sessions."""
    epoch: ExactCount = 0
    epoch_size: ExactCount = 0
    epoch_offset: ExactCount = 0
    augment_p: float = Field(0.0, ge=0, le=1)
    """p and the signs' sum as of `read_controllers`."""
    sign_sum: float = 0.0
    """Sum of sign D(x) since p was last adjusted."""
    sign_count: ExactCount = 0
    data_fingerprint: Word = ""
    """Of the pictures; empty before training began."""
    tick_images: ExactCount = 0
    """`images` at the last tick."""
    sample_images: ExactCount = 0
    """`images` at the last evaluation."""
    best_distance: float | None = None
    """Smallest patch-SWD so far."""


class Statistics:
    """Means of named losses between two ticks, as sums that stay on their device: a GPU is waited for at ticks."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        """float64 [2] by name: the sum, and how many were added. Tensors are kept, for CUDA graphs add to them."""

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Note one step's losses."""
        for name, value in losses.items():
            noted = torch.stack([value.detach().double(), torch.ones_like(value, dtype=torch.float64)])
            self.sums.setdefault(name, torch.zeros_like(noted)).add_(noted)

    def take(self) -> dict[str, float]:
        """Means by name of what was added; begins anew."""
        sums = self.read()
        for kept in self.sums.values():
            kept.zero_()
        return {name: total / count for name, (total, count) in sums.items()}

    def read(self) -> dict[str, tuple[float, float]]:
        """(sum, count) of each name that was added."""
        if not self.sums:
            return {}
        pairs: list[list[float]] = torch.stack(list(self.sums.values())).tolist()  # one wait for all
        return {name: (total, count) for name, (total, count) in zip(self.sums, pairs, strict=True) if count}


class TrainingState:
    """Networks, optimisers, controllers and random numbers of one run."""

    def __init__(self, settings: TrainingSettings, device: str = "cpu", ranks: Ranks = ALONE) -> None:
        self.settings, self.ranks = settings, ranks.sharing(settings.batch)
        self.batch_share = ranks.share_of(settings.batch)
        """Pictures of each batch that this rank trains on."""
        self.device = torch.device(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.generator = Generator(settings.generator_config()).to(self.device)
            discriminator = Discriminator(settings.discriminator_config())
            self.discriminator = FadingDiscriminator(discriminator).to(self.device)
            self.encoder = ParameterEncoder(settings).to(self.device) if settings.data == HEADS else None
        self.generator_ema = copy.deepcopy(self.generator).eval().requires_grad_(requires_grad=False)
        self._averaged: tuple[list[Tensor], list[Tensor]] = (
            list(self.generator_ema.parameters()),
            list(self.generator.parameters()),
        )
        self.optimizers: dict[str, torch.optim.Adam] = {}
        self.path_length_mean = torch.zeros([], device=self.device)
        self.augmentation = AdaptiveAugmentation(settings.augment, self.device)
        self.rng = RandomGenerator(settings.seed, device, self.ranks)
        self.progress = Progress(stage=STAGES[0], ranks=ranks.count)
        self.statistics = Statistics()

    @property
    def dtype(self) -> torch.dtype:
        """Of activations in the main passes."""
        return activation_dtype(self.settings.precision)

    def modules(self) -> dict[str, nn.Module]:
        """All modules by the prefix of their tensors in a snapshot."""
        modules = {"G": self.generator, "G_ema": self.generator_ema, "D": self.discriminator}
        return modules if self.encoder is None else {**modules, "E": self.encoder}

    def advance(self, **changes: object) -> None:
        """Replace fields of `progress`."""
        self.progress = self.progress.model_copy(update=changes)

    def count_step(self, num_images: int, *, drawn: bool = True) -> None:
        """One step is done, on `num_images` pictures, or on as many latents from which nothing was drawn."""
        done = self.progress
        self.advance(
            images=done.images + num_images,
            total_images=done.total_images + (num_images if drawn else 0),
            steps=done.steps + 1,
            total_steps=done.total_steps + 1,
        )

    def read_controllers(self) -> None:
        """Bring what is on the device into `progress`; waits for it."""
        augmentation = self.augmentation
        self.advance(augment_p=float(augmentation.p), sign_sum=float(augmentation.sign_sum))

    def next_places(self, available: int) -> tuple[SampleOrder, SampleOrder]:
        """Where the next batch and probably the one after it lie; goes on behind the next.

        This rank has `available` pictures there: what the rank has that has fewest counts.
        """
        done, num = self.progress, self.settings.batch
        available = self.ranks.smallest(available)
        place = SampleOrder(self.settings.seed, done.epoch, done.epoch_size, done.epoch_offset).place(num, available)
        behind = place.after(num)
        self.advance(epoch=behind.epoch, epoch_size=behind.size, epoch_offset=behind.offset)
        return place, behind.place(num, available)

    def indices_at(self, place: SampleOrder) -> Tensor:
        """Indices int64 [batch_share] of this rank's pictures of the batch at `place`."""
        return self.ranks.own_rows(place.indices(self.settings.batch))

    def noise_maps(self, count: int, until: int | None = None) -> dict[str, Tensor | None]:
        """Fresh standard normal noise [count, 1, r, r] for each convolution of the generator, by layer name."""
        shapes = self.generator.noise_maps("const", self.generator.check_resolution(until))
        return {
            name: None if stored is None else self.rng.normal(count, 1, *stored.shape)
            for name, stored in shapes.items()
        }

    def descend(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """One step of `optimizer` down the mean over ranks of a loss, each rank's a mean over its rows.

        Gradients are let go: passes that share weights then share the memory of these.
        """
        optimizer.zero_grad()  # of a pass that failed half-way, where there are any
        loss.backward()  # type: ignore[no-untyped-call]
        self.ranks.average_gradients(p for group in optimizer.param_groups for p in group["params"])
        optimizer.step()
        optimizer.zero_grad()

    def note_losses(self, losses: Mapping[str, Tensor]) -> None:
        """Add the means over ranks of one pass' losses to the statistics."""
        self.statistics.add(self.ranks.average(losses))

    def update_average(self, num_images: int) -> None:
        """G_ema moves towards G; its half-life is short at first, so that the start is forgotten."""
        adversarial = self.settings.adversarial
        seen = self.progress.images + num_images
        half_life = min(adversarial.ema_kimg * 1000, seen * adversarial.ema_rampup)
        decay = 0.5 ** (num_images / max(half_life, 1e-8))
        with torch.no_grad():
            averaged, current = self._averaged
            torch._foreach_lerp_(averaged, current, 1 - decay)
            torch._foreach_copy_(list(self.generator_ema.buffers()), list(self.generator.buffers()))

    def track_w_avg(self, w: Tensor, rate: float = 0.005) -> None:
        """Move the generator's latent mean towards the mean of w [N, w_dim] of all ranks."""
        self.generator.mapping.w_avg.lerp_(self.ranks.mean(w.detach().mean(dim=0)), rate)
