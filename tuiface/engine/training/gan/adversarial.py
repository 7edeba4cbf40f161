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

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tuiface.engine.pixels import normalise
from tuiface.engine.predictors.attributes import AttributePredictor
from tuiface.engine.training.data.feed import Batch, BatchFeed
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.data.sources import TrainingData
from tuiface.engine.training.gan.augment import augment
from tuiface.engine.training.gan.blur import FadingBlur
from tuiface.engine.training.gan.losses import (
    discriminator_loss,
    feature_distance,
    generator_loss,
    path_length_penalty,
    path_lengths,
    prediction_distance,
    r1_penalty,
)
from tuiface.engine.training.gan.optimizers import capturable_adam, set_learning_rate
from tuiface.engine.training.gan.paired import Anchors, find_features
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.passes import Passes
from tuiface.engine.training.rng import SampleOrder


class AdversarialStage:
    """Generator against discriminator; with `warmup`, the discriminator against a generator that stands still.

    Passes (`draw_fakes`, `update_...`, `regularise_...`) are functions of tensors that note their losses in the state's
    statistics: on a GPU each is captured as a graph (`passes`).
    """

    cost = 1.0

    def __init__(
        self, state: TrainingState, data: TrainingData, length: int, passes: Passes, *, warmup: bool = False
    ) -> None:
        self._state, self._data, self.length, self._warmup = state, data, length, warmup
        self._passes = passes
        self._feed = BatchFeed(self._read_batch, state.device)
        settings = state.settings.adversarial
        self._discriminator_optimizer = lazy_adam(
            state.discriminator.parameters(),
            settings.discriminator_lr,
            settings.r1_interval,
            beta1=settings.discriminator_beta1,
        )
        self.optimizers = {"discriminator": self._discriminator_optimizer}
        self._blur = FadingBlur(settings.blur_px, settings.blur_kimg, state.device)
        self._num_anchors = round(settings.anchor_share * state.batch_share)
        reads = settings.reading_weight and not warmup
        self._predictor = AttributePredictor.load(device=str(state.device)) if reads else None
        if not warmup:
            interval = settings.path_length_interval if settings.path_length_weight else None
            self._generator_optimizer = lazy_adam(state.generator.parameters(), settings.generator_lr, interval)
            self._generator_lr = float(self._generator_optimizer.param_groups[0]["lr"])
            self.optimizers["generator"] = self._generator_optimizer

    def step(self) -> None:
        """One step of both networks, whose losses and mean logits go into the statistics."""
        state, settings = self._state, self._state.settings.adversarial
        num, steps = state.settings.batch, state.progress.steps
        state.discriminator.set_alpha(fade_alpha(state))
        self._blur.set_progress(0 if self._warmup else state.progress.images)
        kind = (state.discriminator.is_fading, self._blur.is_active)
        pictures, anchors = self._take_batch()
        if self._warmup:
            fakes = self._passes.run(self.draw_fakes, *anchors)
        else:
            set_learning_rate(self._generator_optimizer, self._generator_lr * generator_ramp(state))
            fakes = self._passes.run(self.update_generator, *anchors, kind=kind)
            if settings.path_length_weight and steps % settings.path_length_interval == 0:
                self._passes.run(self.regularise_path_length)
        self._passes.run(self.update_discriminator, pictures, fakes, kind=kind)
        if steps % settings.r1_interval == 0:
            self._passes.run(self.regularise_gradient, pictures, kind=kind)
        state.advance(sign_count=state.progress.sign_count + num)
        state.count_step(num)
        if not self._warmup:
            state.update_average(num)
            self._adapt_augmentation()

    def close(self) -> None:
        """Let the data and the graphs go."""
        self._feed.close()
        self._passes.close()

    def _take_batch(self) -> tuple[Tensor, Anchors | tuple[()]]:
        """Real pictures [N, 3, R, R], and the anchors: as many of the batch's own heads as the settings say."""
        pixels, *of_anchors = self._feed.take(*self._state.next_places(self._data.count_available()))
        pictures = normalise(pixels, self._state.device)
        if not of_anchors:
            return pictures, ()
        latents, features = of_anchors
        return pictures, Anchors(latents, pictures[: self._num_anchors], features.float())

    def _read_batch(self, place: SampleOrder) -> Batch:
        """The next pixels and, of the heads that are anchors, latents and where their features are."""
        indices = self._state.indices_at(place)
        pixels = self._data.pixels(indices)
        if not self._num_anchors:
            return (pixels,)
        assert isinstance(self._data, HeadData)
        heads = indices[: self._num_anchors]
        latents = self._data.latents(heads, self._state.settings.network.z_dim)
        return pixels, latents, find_features(self._data.regions(heads))

    def _draw_ws(self, anchors: Anchors | None) -> Tensor:
        """ws [N, L, w_dim] of a batch's latents, of which the anchors' come first."""
        z = self._state.rng.normal(self._state.batch_share, self._state.settings.network.z_dim)
        if anchors is not None:
            z[: anchors.num_heads] = anchors.latents
        return self._draw_mixed_ws(z, 0 if anchors is None else anchors.num_heads)

    def _draw_mixed_ws(self, z: Tensor, num_anchors: int = 0) -> Tensor:
        """ws [N, L, w_dim]: rows from a cut upwards come from a second latent (style mixing), anchors' never."""
        state, num = self._state, len(z)
        w = state.generator.mapping(z)
        state.track_w_avg(w)
        num_ws, probability = state.generator.num_ws, state.settings.adversarial.style_mixing
        mixed = state.rng.bernoulli(num, probability)
        mixed[:num_anchors] = False
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
        """Pictures [N, 3, R, R] as the discriminator is to see them; it is never augmented for while it warms up."""
        images = self._blur.apply(images)
        augmentation = self._state.augmentation
        if self._warmup or not augmentation.may_act:
            return images
        return augment(images, augmentation.p, self._state.rng)

    @torch.no_grad()
    def draw_fakes(self, *anchors: Tensor) -> Tensor:
        """Pictures [N, 3, R, R] of the generator; `anchors`: none, or the tensors of `Anchors`."""
        return self._synthesize(self._draw_ws(Anchors(*anchors) if anchors else None))

    def update_generator(self, *anchors: Tensor) -> Tensor:
        """One Adam step on the generator; returns its pictures, detached. `anchors` as in `draw_fakes`."""
        held = Anchors(*anchors) if anchors else None
        self._state.discriminator.requires_grad_(requires_grad=False)  # its weights' gradients are a third of the work
        fakes = self._synthesize(self._draw_ws(held))
        loss = generator_loss(self._discriminate(self._augment(fakes)))
        losses = {"generator": loss}
        if held is not None:
            loss = loss + self._anchor_loss(fakes[: held.num_heads], held, losses)
        self._state.descend(loss, self._generator_optimizer)
        self._state.discriminator.requires_grad_(requires_grad=True)
        self._state.note_losses(losses)
        return fakes.detach()

    def _anchor_loss(self, drawn: Tensor, anchors: Anchors, losses: dict[str, Tensor]) -> Tensor:
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
        features = self._state.discriminator.features(self._blur.apply(images), self._state.dtype)
        return features[1:] or features

    def regularise_path_length(self) -> None:
        """One Adam step on the generator's path length penalty."""
        state, settings = self._state, self._state.settings.adversarial
        num = max(state.batch_share // settings.path_length_shrink, 1)
        ws = self._draw_mixed_ws(state.rng.normal(num, state.settings.network.z_dim))
        side = state.settings.resolution
        directions = state.rng.normal(num, 3, side, side)
        lengths = path_lengths(self._synthesize, ws, directions)
        penalty, mean = path_length_penalty(lengths, state.path_length_mean, settings.path_length_decay, state.ranks)
        state.path_length_mean.copy_(mean)
        weight = settings.path_length_weight * settings.path_length_interval
        state.descend(penalty * weight, self._generator_optimizer)
        state.note_losses({"path_length": lengths.mean(), "path_length_penalty": penalty})

    def update_discriminator(self, reals: Tensor, fakes: Tensor) -> None:
        """One Adam step on the discriminator, by pictures [N, 3, R, R]."""
        fake_logits = self._discriminate(self._augment(fakes))
        real_logits = self._discriminate(self._augment(reals))
        loss = discriminator_loss(real_logits, fake_logits)
        self._state.descend(loss, self._discriminator_optimizer)
        signs = self._state.ranks.mean(real_logits.detach().sign().sum())
        self._state.augmentation.sign_sum.add_(signs * self._state.ranks.count)
        means = {"real_logit": real_logits.mean(), "fake_logit": fake_logits.mean()}
        self._state.note_losses({"discriminator": loss, **means})

    def regularise_gradient(self, reals: Tensor) -> None:
        """One Adam step on the discriminator's R1 penalty at pictures [N, 3, R, R]."""
        settings = self._state.settings
        penalty = r1_penalty(self._discriminate, self._augment(reals))
        weight = settings.gamma / 2 * settings.adversarial.r1_interval
        self._state.descend(penalty * weight, self._discriminator_optimizer)
        self._state.note_losses({"r1": penalty})

    def _adapt_augmentation(self) -> None:
        """Move p towards its target, by what the discriminator said of real pictures since the last time."""
        settings, done = self._state.settings.augment, self._state.progress
        if settings.target and done.steps % settings.interval == 0:
            self._state.augmentation.adjust(done.sign_count)
            self._state.advance(sign_count=0)


def lazy_adam(
    parameters: Iterable[nn.Parameter], lr: float, interval: int | None, beta1: float = 0.0
) -> torch.optim.Adam:
    """Adam for a loss whose regulariser takes every `interval`-th extra step (Karras et al. 2020, appendix B).

    With c = k / (k + 1), lr * c and beta ** c make k + 1 steps change as much as k would.
    """
    c = 1.0 if interval is None else interval / (interval + 1)
    return capturable_adam(parameters, lr * c, (beta1**c, 0.99**c))


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
