"""The adversarial stage, step by step as the papers write it.

    repeat
        x, z      <- the next pictures; latents, a share of them the pictures' own (anchors)
        theta_G   <- Adam:  softplus(-D(T(G(z))))  (+ what holds anchors to their pictures: L1, features of D, readings)
        theta_G   <- Adam:  path length, every 4th step
        G_ema     <- G_ema moved towards G
        theta_D   <- Adam:  softplus(-D(T(x))) + softplus(D(T(G(z))))        T: augmentation with strength p
        theta_D   <- Adam:  R1 at T(x), every 16th step
        p         <- up while E[sign D(T(x))] > 0.6, else down, every 4th step

Sources: Karras et al. 2020 (arXiv 1912.04958), appendix B; 2020b (2006.06676), section 3. One departure: the
pictures of the generator's step serve the discriminator's too, which saves a forward pass and changes no expectation.

Of several ranks (`training.ranks`) each does this with its rows of the batch; `TrainingState.descend` and the means of
what moves with the pictures make one step of them.

Shape legend: N = the rank's rows of the batch, R = resolution, L = num_ws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from tuiface.engine.pixels import normalise
from tuiface.engine.predictors.attributes import AttributePredictor
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.data.sources import TrainingData
from tuiface.engine.training.gan.augment import adjust_probability, augment
from tuiface.engine.training.gan.losses import (
    discriminator_loss,
    feature_distance,
    generator_loss,
    path_length_penalty,
    path_lengths,
    prediction_distance,
    r1_penalty,
)
from tuiface.engine.training.gan.paired import Anchors
from tuiface.engine.training.gan.state import TrainingState

Losses = dict[str, Tensor]


class AdversarialStage:
    """Generator against discriminator; with `warmup`, the discriminator against a generator that stands still."""

    cost = 1.0

    def __init__(self, state: TrainingState, data: TrainingData, length: int, *, warmup: bool = False) -> None:
        self._state, self._data, self.length, self._warmup = state, data, length, warmup
        settings = state.settings.adversarial
        self._discriminator_optimizer = lazy_adam(
            state.discriminator.parameters(),
            settings.discriminator_lr,
            settings.r1_interval,
            beta1=settings.discriminator_beta1,
        )
        self.optimizers = {"discriminator": self._discriminator_optimizer}
        reads = settings.reading_weight and not warmup
        self._predictor = AttributePredictor.load(device=str(state.device)) if reads else None
        if not warmup:
            interval = settings.path_length_interval if settings.path_length_weight else None
            self._generator_optimizer = lazy_adam(state.generator.parameters(), settings.generator_lr, interval)
            self._generator_lr = self._generator_optimizer.param_groups[0]["lr"]
            self.optimizers["generator"] = self._generator_optimizer

    def step(self) -> Mapping[str, Tensor]:
        """One step of both networks; returns its losses and mean logits."""
        state, settings = self._state, self._state.settings.adversarial
        num, steps = state.settings.batch, state.progress.steps
        state.discriminator.alpha = fade_alpha(state)
        indices = state.take_indices(self._data.count_available())
        pictures = normalise(self._data.pixels(indices), state.device)
        z, anchors = self._draw_latents(indices)
        losses: Losses = {}
        if self._warmup:
            with torch.no_grad():
                fakes = self._synthesize(self._draw_mixed_ws(z, anchors))
        else:
            self._generator_optimizer.param_groups[0]["lr"] = self._generator_lr * generator_ramp(state)
            fakes = self.update_generator(z, anchors, losses)
            if settings.path_length_weight and steps % settings.path_length_interval == 0:
                self.regularise_path_length(losses)
        self.update_discriminator(pictures, fakes, losses)
        if steps % settings.r1_interval == 0:
            self.regularise_gradient(pictures, losses)
        state.count_step(num)
        if not self._warmup:
            state.update_average(num)
        self._adapt_augmentation()
        return losses

    def _draw_latents(self, indices: Tensor) -> tuple[Tensor, Anchors | None]:
        """z [N, z_dim], and the anchors: as many of the batch's own heads as the settings say, whose z come first."""
        state = self._state
        z = state.rng.normal(len(indices), state.settings.network.z_dim)
        num_anchors = round(state.settings.adversarial.anchor_share * len(indices))
        if not num_anchors:
            return z, None
        assert isinstance(self._data, HeadData)
        anchors = Anchors.of(self._data, indices[:num_anchors], state)
        z[:num_anchors] = anchors.latents
        return z, anchors

    def _draw_mixed_ws(self, z: Tensor, anchors: Anchors | None = None) -> Tensor:
        """ws [N, L, w_dim]: rows from a cut upwards come from a second latent (style mixing), anchors' never."""
        state, num = self._state, len(z)
        w = state.generator.mapping(z)
        state.track_w_avg(w)
        num_ws, probability = state.generator.num_ws, state.settings.adversarial.style_mixing
        mixed = state.rng.bernoulli(num, probability)
        if anchors is not None:
            mixed[: len(anchors)] = False
        cuts = torch.where(mixed, state.rng.integers(1, num_ws, num), num_ws)
        other = state.generator.mapping(state.rng.normal(num, z.shape[1]))
        from_first = torch.arange(num_ws, device=w.device)[None] < cuts[:, None]  # [N, L]
        return torch.where(from_first[:, :, None], w[:, None], other[:, None])

    def _synthesize(self, ws: Tensor) -> Tensor:
        """ws [N, L, w_dim] -> pictures [N, 3, R, R], with fresh noise where the settings want noise."""
        state = self._state
        synthesis, resolution = state.generator.synthesis, state.settings.resolution
        if state.settings.adversarial.noise:
            noise = state.noise_maps(len(ws))
        else:
            noise = state.generator.noise_maps("none", resolution)
        return synthesis(synthesis.styles(ws), noise, resolution, state.dtype)  # type: ignore[no-any-return]

    def _discriminate(self, images: Tensor) -> Tensor:
        """Logits [N, 1] of pictures that were augmented already."""
        return self._state.discriminator(images, self._state.dtype)  # type: ignore[no-any-return]

    def _augment(self, images: Tensor) -> Tensor:
        return augment(images, self._state.progress.augment_p, self._state.rng)

    def update_generator(self, z: Tensor, anchors: Anchors | None, losses: Losses) -> Tensor:
        """One Adam step on the generator; returns its pictures, detached."""
        state = self._state
        state.discriminator.requires_grad_(requires_grad=False)  # its weights' gradients are a third of the work
        fakes = self._synthesize(self._draw_mixed_ws(z, anchors))
        loss = losses["generator"] = generator_loss(self._discriminate(self._augment(fakes)))
        if anchors is not None:
            loss = loss + self._anchor_loss(fakes[: len(anchors)], anchors, losses)
        state.descend(loss, self._generator_optimizer)
        state.discriminator.requires_grad_(requires_grad=True)
        return fakes.detach()

    def _anchor_loss(self, drawn: Tensor, anchors: Anchors, losses: Losses) -> Tensor:
        """What holds pictures [A, 3, R, R] to the heads whose latents they come from, weighted."""
        settings = self._state.settings.adversarial
        losses["anchor"] = anchors.loss(drawn, self._state.ranks)
        loss = settings.anchor_weight * losses["anchor"]
        if settings.feature_weight:
            with torch.no_grad():
                wanted = self._coarse_features(anchors.heads)
            losses["features"] = feature_distance(self._coarse_features(drawn), wanted, self._state.ranks)
            loss = loss + settings.feature_weight * losses["features"]
        if self._predictor is not None:
            losses["readings"] = prediction_distance(self._predictor, drawn, anchors.heads, self._state.rng)
            loss = loss + settings.reading_weight * losses["readings"]
        return loss

    def _coarse_features(self, images: Tensor) -> list[Tensor]:
        """The discriminator's from R / 4 down: its first block sees single hairs, which no latent determines."""
        features = self._state.discriminator.features(images, self._state.dtype)
        return features[1:] or features

    def regularise_path_length(self, losses: Losses) -> None:
        """One Adam step on the generator's path length penalty."""
        state, settings = self._state, self._state.settings.adversarial
        num = max(state.batch_share // settings.path_length_shrink, 1)
        ws = self._draw_mixed_ws(state.rng.normal(num, state.settings.network.z_dim))
        side = state.settings.resolution
        directions = state.rng.normal(num, 3, side, side)
        lengths = path_lengths(self._synthesize, ws, directions)
        penalty, state.path_length_mean = path_length_penalty(
            lengths, state.path_length_mean, settings.path_length_decay, state.ranks
        )
        losses["path_length"], losses["path_length_penalty"] = lengths.mean(), penalty
        weight = settings.path_length_weight * settings.path_length_interval
        state.descend(penalty * weight, self._generator_optimizer)

    def update_discriminator(self, reals: Tensor, fakes: Tensor, losses: Losses) -> None:
        """One Adam step on the discriminator."""
        fake_logits = self._discriminate(self._augment(fakes))
        real_logits = self._discriminate(self._augment(reals))
        losses["discriminator"] = discriminator_loss(real_logits, fake_logits)
        losses["real_logit"], losses["fake_logit"] = real_logits.mean(), fake_logits.mean()
        state = self._state
        state.descend(losses["discriminator"], self._discriminator_optimizer)
        done, num = state.progress, state.settings.batch
        signs = float(state.ranks.mean(real_logits.detach().sign().sum())) * state.ranks.count
        state.advance(sign_sum=done.sign_sum + signs, sign_count=done.sign_count + num)

    def regularise_gradient(self, reals: Tensor, losses: Losses) -> None:
        """One Adam step on the discriminator's R1 penalty."""
        settings = self._state.settings
        losses["r1"] = r1_penalty(self._discriminate, self._augment(reals))
        weight = settings.gamma / 2 * settings.adversarial.r1_interval
        self._state.descend(losses["r1"] * weight, self._discriminator_optimizer)

    def _adapt_augmentation(self) -> None:
        """Move p towards its target, by what the discriminator said of real pictures since the last time."""
        settings, done = self._state.settings.augment, self._state.progress
        if self._warmup or not settings.target or done.steps % settings.interval:
            return
        p = adjust_probability(
            done.augment_p, done.sign_sum / done.sign_count, settings.target, done.sign_count, settings.ramp_kimg * 1000
        )
        self._state.advance(augment_p=p, sign_sum=0.0, sign_count=0)


def lazy_adam(
    parameters: Iterable[nn.Parameter], lr: float, interval: int | None, beta1: float = 0.0
) -> torch.optim.Adam:
    """Adam for a loss whose regulariser takes every `interval`-th extra step (Karras et al. 2020, appendix B).

    With c = k / (k + 1), lr * c and beta ** c make k + 1 steps change as much as k would.
    """
    c = 1.0 if interval is None else interval / (interval + 1)
    return torch.optim.Adam(parameters, lr=lr * c, betas=(beta1**c, 0.99**c), eps=1e-8, fused=True)


def generator_ramp(state: TrainingState) -> float:
    """Share of its learning rate that the generator has now."""
    ramp = state.settings.adversarial.generator_ramp_kimg * 1000
    return 1.0 if not ramp else min((state.progress.images + state.settings.batch) / ramp, 1.0)


def fade_alpha(state: TrainingState) -> float:
    """Weight of a grown discriminator's new block; one without growth."""
    fade = state.settings.adversarial.fade_kimg * 1000
    if not fade:
        return 1.0
    return 0.0 if state.progress.stage != "adversarial" else min(state.progress.images / fade, 1.0)
