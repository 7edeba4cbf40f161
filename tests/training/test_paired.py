"""The paired start: latents that determine the head, a regression that learns, a distillation that follows it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.conftest import RESOLUTION, tiny_limits, tiny_settings, write_heads
from tests.training.test_resume import assert_same_run, read_log
from tuiface.core.errors import EngineError, InputFileError, UsageError
from tuiface.core.regions import Region
from tuiface.engine.training import SNAPSHOT_NAME, TrainingSettings, open_warm_start, read_snapshot_header, train
from tuiface.engine.training.data.head_data import head_latents
from tuiface.engine.training.data.head_shards import SHARD_HEADS, ShardKey, open_shard
from tuiface.engine.training.gan import distillation
from tuiface.engine.training.gan.distillation import style_metric
from tuiface.engine.training.gan.paired import Anchors, RegressionStage, region_weights, regression_loss, resolution_at
from tuiface.engine.training.gan.settings import (
    HEADS,
    AdversarialSettings,
    NetworkSettings,
    PairedSettings,
    RunLimits,
)
from tuiface.engine.training.gan.snapshots import read_networks
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.gan.trainer import Trainer
from tuiface.heads import sample_parameters
from tuiface.heads.sampling import priors
from tuiface.heads.sampling.priors import stream_names

pytestmark = pytest.mark.usefixtures("few_projections")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_heads(tmp_path_factory.mktemp("heads"), num_shards=3)


def settings_for_heads(**paired: float) -> TrainingSettings:
    return tiny_settings(
        Path(HEADS),
        num_heads=3 * SHARD_HEADS,
        paired=PairedSettings(**{"regression_lr": 0.01, **paired}),  # type: ignore[arg-type]
        adversarial=AdversarialSettings(
            warmup_kimg=0.04, anchor_share=0.5, anchor_weight=1.0, feature_weight=1.0, reading_weight=0.5, r1_interval=3
        ),
    )


def limits(out: Path, cache: Path, **changes: object) -> RunLimits:
    return tiny_limits(out, cache=cache, workers=0, kimg=0.04, **changes)


@pytest.fixture(scope="module")
def trained(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run on heads, which no test changes."""
    out = tmp_path_factory.mktemp("trained") / "run"
    train(settings_for_heads(), limits(out, cache))
    return out


def test_latents_are_standard_normal() -> None:
    z = head_latents(sample_parameters(4000, seed=1), 128)
    assert z.mean(dim=0).abs().max() < 0.08
    assert (z.std(dim=0) - 1).abs().max() < 0.08
    correlations = torch.corrcoef(z.t()) - torch.eye(128)
    assert correlations.abs().max() < 0.1


def test_latents_know_every_draw_of_the_sampler() -> None:
    """Spearman's correlation of a parameter with the latent of its own stream is one."""
    parameters = sample_parameters(500, seed=2)
    z = head_latents(parameters, 128)
    for name in ("face_width", "yaw", "hairline_height", "light_key"):
        latent = z[:, stream_names().index(name)]
        order = latent.argsort()
        assert (parameters[name][order].diff() >= 0).all()
    assert torch.equal(z, head_latents(parameters, 128))


def test_latents_cover_all_streams_that_the_sampler_draws_from(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for function in ("draw_uniforms", "draw_normals"):
        original = getattr(priors, function)

        def listen(seeds: Tensor, stream: str, *rest: object, original: Callable[..., Tensor] = original) -> Tensor:
            drawn.append(stream)
            return original(seeds, stream, *rest)

        monkeypatch.setattr(priors, function, listen)
    sample_parameters(2, seed=0)
    assert set(stream_names()) == set(drawn)


def test_latents_depend_on_the_head_alone() -> None:
    together = head_latents(sample_parameters(10, seed=5), 128)
    assert torch.equal(together[7:8], head_latents(sample_parameters(1, seed=5, start=7), 128))


def test_the_regression_goes_from_coarse_to_fine() -> None:
    assert [resolution_at(done, 64) for done in (0.0, 0.14, 0.16, 0.29, 0.31, 1.0)] == [16, 16, 32, 32, 64, 64]
    assert resolution_at(0.0, 8) == 8


def test_features_weigh_more_than_background() -> None:
    regions = torch.zeros(1, 9, 9, dtype=torch.uint8)
    regions[0, 4, 4] = int(Region.EYES)
    weights = region_weights(regions)
    assert weights[0, 0, 4, 4] > 5 * weights[0, 0, 0, 0]


def test_the_regression_loss_is_zero_for_the_same_picture_alone() -> None:
    x = torch.rand(2, 3, 16, 16)
    weights = torch.ones(2, 1, 16, 16)
    assert regression_loss(x, x, weights) == 0
    assert regression_loss(x, x.flip(3), weights) > 0


def test_the_style_metric_measures_the_change_of_all_styles() -> None:
    state = TrainingState(settings_for_heads())
    ws, offset = torch.randn(2, 1, 8).expand(-1, state.generator.num_ws, -1), torch.randn(8)
    one, other = state.generator.synthesis.styles(ws), state.generator.synthesis.styles(ws + offset)
    change = torch.cat([other[name] - one[name] for name in one], dim=1)[0]
    expected = offset @ style_metric(state.generator) @ offset
    assert change.square().mean().item() == pytest.approx(expected.item(), rel=1e-4)


def test_anchors_hold_coarse_colours_and_features_but_leave_texture_alone() -> None:
    heads = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    features = torch.zeros(2, 1, 64, 64)
    features[:, :, 20:24, 20:30] = 1
    anchors = Anchors(torch.zeros(2, 8), heads, features)
    assert anchors.loss(heads) == 0
    checks = torch.ones(64, 64)
    checks[::2, 1::2] = checks[1::2, ::2] = -1
    assert anchors.loss(heads + 0.3 * checks) < 1e-5, "the finest scale belongs to the discriminator"
    moved_feature, moved_background = heads.clone(), heads.clone()
    moved_feature[:, :, 20:24, 20:30] += 0.3
    moved_background[:, :, 50:54, 20:30] += 0.3
    assert anchors.loss(moved_feature) > 10 * anchors.loss(moved_background)


def test_the_paired_start_learns_and_hands_over(cache: Path, tmp_path: Path) -> None:
    """After it, the mapping network draws from z what the encoder drew from the parameters."""
    out = tmp_path / "run"
    network = NetworkSettings(channel_base=64, channel_max=8, z_dim=128, w_dim=8, mapping_layers=2, mapping_width=64)
    settings = settings_for_heads(regression_kimg=0.6, distillation_kimg=30.0, distillation_batch=256)
    settings = settings.model_copy(update={"network": network})
    outcome = train(settings, limits(out, cache, stage="paired", tick_kimg=0.1))
    assert not outcome.finished
    records = read_log(out)
    regression = [float(r["regression"]) for r in records if "regression" in r]  # type: ignore[arg-type]
    unexplained = [float(r["distillation_unexplained"]) for r in records if "distillation" in r]  # type: ignore[arg-type]
    assert regression[-1] < 0.5 * regression[0]
    assert unexplained[-1] < 0.3 * unexplained[0]
    assert unexplained[-1] < 1, "what the mean of w alone would leave, whatever z is"


def test_a_network_that_comes_trained_stands_still_until_the_encoder_knows_it(cache: Path, tmp_path: Path) -> None:
    """Only then is it taught the new heads; its mapping network, of another z, begins anew."""
    first, second = tmp_path / "first", tmp_path / "second"
    train(settings_for_heads(regression_kimg=0.04), limits(first, cache, stage="paired"))
    start = open_warm_start(first)
    settings = settings_for_heads(regression_kimg=0.08, frozen_share=0.5)
    network = settings.network.model_copy(update={"z_dim": 12})
    settings = settings.model_copy(update={"network": network, "start": start.sha256})
    held: list[bool] = []
    regress = RegressionStage.regress

    def watch(stage: RegressionStage, *batch: Tensor) -> None:
        before = [p.detach().clone() for p in stage._state.generator.synthesis.parameters()]
        regress(stage, *batch)
        after = stage._state.generator.synthesis.parameters()
        held.append(all(torch.equal(a, b) for a, b in zip(before, after, strict=True)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RegressionStage, "regress", watch)
        train(settings, limits(second, cache, stage="paired"), start=start)
    assert held == [True] * 5 + [False] * 5
    assert read_networks(second / SNAPSHOT_NAME)[0].config.z_dim == 12


def test_a_trained_network_is_taught_new_heads_through_its_own_mapping(cache: Path, tmp_path: Path) -> None:
    """Without an encoder, at the full side from the first step; an exact resume in the middle."""
    names = tuple(stream_names())
    network = NetworkSettings(channel_base=64, channel_max=8, z_dim=128, w_dim=8, mapping_layers=2, mapping_width=64)
    first = settings_for_heads(regression_kimg=0.4, distillation_kimg=8.0, distillation_batch=256)
    first = first.model_copy(update={"network": network, "latent_names": names})
    train(first, limits(tmp_path / "first", cache, stage="paired"))
    start = open_warm_start(tmp_path / "first")
    assert start.latent_names == names
    again = settings_for_heads(regression_kimg=0.4, through_mapping=True)
    again = again.model_copy(update={"network": network, "latent_names": names, "start": start.sha256})
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    train(again, limits(whole, cache, stage="paired", tick_kimg=0.08), start=start)
    losses = [float(r["regression"]) for r in read_log(whole) if "regression" in r]  # type: ignore[arg-type]
    assert losses[-1] < 0.95 * losses[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_must_stop", lambda trainer: trainer.state.progress.steps == 20)
        train(again, limits(pieces, cache, stage="paired", tick_kimg=0.08), start=start)
    train(again, limits(pieces, cache, stage="paired", tick_kimg=0.08), resume=pieces / SNAPSHOT_NAME)
    assert_same_run(whole, pieces)


def test_a_run_on_heads_resumes_exactly_in_every_stage(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped once in each stage, after another number of its steps, it passes all as the uninterrupted one."""
    settings = settings_for_heads(regression_kimg=0.04, distillation_kimg=2.5, carried_share=0.5, frozen_share=0.5)
    finer = {"blur_px": 1.0, "blur_kimg": 0.03, "noise_start": 0.05}
    settings = settings.model_copy(update={"adversarial": settings.adversarial.model_copy(update=finer)})
    monkeypatch.setattr(distillation, "_NUM_INJECTION_HEADS", 8)
    monkeypatch.setattr(distillation, "_NUM_SLOPES", 1)
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    assert train(settings, limits(whole, cache)).finished
    left = {"regression": 2, "distillation": 4, "warmup": 1, "adversarial": 3}
    stops = dict(left)

    def must_stop(trainer: Trainer) -> bool:
        progress = trainer.state.progress
        return progress.steps == left.get(progress.stage) and left.pop(progress.stage) > 0

    monkeypatch.setattr(Trainer, "_must_stop", must_stop)
    stopped: dict[str, int] = {}
    resume, finished = None, False
    while not finished:
        finished = train(settings, limits(pieces, cache), resume=resume).finished
        resume = pieces / SNAPSHOT_NAME
        progress = read_snapshot_header(resume)[1]
        if not finished:
            stopped[progress.stage] = progress.steps
    assert stopped == stops
    assert_same_run(whole, pieces)


def test_missing_heads_are_named_when_nobody_renders_them(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="only 0 shards of heads of 8 px"):
        train(settings_for_heads(), limits(tmp_path / "run", tmp_path / "empty"))


def test_a_resumed_run_asks_for_the_heads_that_its_epoch_needs(cache: Path, trained: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(cache.iterdir())[:2]:
        (few / path.name).symlink_to(path)
    with pytest.raises(EngineError, match=r"only 2 shards of heads of 8 px .* needed are 3"):
        train(settings_for_heads(), limits(tmp_path / "run", few), resume=trained / SNAPSHOT_NAME)


def test_a_shared_cache_is_found_again_without_naming_it(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    again = tiny_limits(out, workers=0, kimg=0.08)
    assert train(settings_for_heads(), again, resume=out / SNAPSHOT_NAME).finished


def test_a_damaged_shard_is_named(tmp_path: Path, cache: Path) -> None:
    path = next(cache.iterdir())
    damaged = tmp_path / path.name
    damaged.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputFileError, match="not a sound shard"):
        open_shard(damaged)


def test_heads_in_a_shard_are_those_of_their_parameters(cache: Path) -> None:
    shard = open_shard(cache / ShardKey(RESOLUTION, 0, 1).file_name)
    assert torch.equal(shard.parameters.values, sample_parameters(SHARD_HEADS, seed=0, start=SHARD_HEADS).values)
    assert shard.pixels.shape == (SHARD_HEADS, RESOLUTION, RESOLUTION, 3)


def test_pictures_have_no_paired_start(pictures: Path) -> None:
    from tuiface.engine.training import recommend_settings

    with pytest.raises(UsageError, match="paired start needs data whose parameters are known"):
        recommend_settings(str(pictures), 8, paired=True, start=None, changes={"paired.regression_kimg": 1.0})
