"""The whole loop on tiny data: it learns, reports, exports and keeps its averages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from tests.training.conftest import RESOLUTION, tiny_limits, tiny_settings, write_pictures
from tests.training.test_resume import read_log
from tuiface.engine import load_checkpoint
from tuiface.engine.pixels import normalise
from tuiface.engine.training import SNAPSHOT_NAME, open_warm_start, train
from tuiface.engine.training.data.pictures import PictureData
from tuiface.engine.training.gan.adversarial import fade_alpha
from tuiface.engine.training.gan.evaluation import Evaluation, Measures
from tuiface.engine.training.gan.settings import AdversarialSettings, AugmentSettings
from tuiface.engine.training.gan.snapshots import read_networks
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.gan.trainer import MODEL_NAME
from tuiface.engine.training.report import Report
from tuiface.engine.training.rng import SampleOrder

pytestmark = pytest.mark.usefixtures("few_projections")


def test_a_tiny_run_learns_a_trivial_data_set(pictures: Path, tmp_path: Path) -> None:
    """Discs on a dark ground: the mean of the generated pictures comes far nearer to the data's."""
    adversarial = AdversarialSettings(
        gamma=0.5, generator_lr=0.01, discriminator_lr=0.01, r1_interval=4, ema_kimg=0.1, path_length_weight=0
    )
    settings = tiny_settings(pictures, adversarial=adversarial, augment=AugmentSettings(target=0))
    out = tmp_path / "run"
    distances: list[float] = []
    for kimg in (0.008, 0.8):
        resume = out / SNAPSHOT_NAME if distances else None
        train(settings, tiny_limits(out, kimg=kimg, tick_kimg=1, sample_kimg=2), resume=resume)
        distances.append(distance_of_means(out, pictures))
    assert distances[1] < 0.55 * distances[0]


def distance_of_means(out: Path, pictures: Path) -> float:
    """L1 between the mean generated picture of a run and the mean picture of its data."""
    _, averaged, _ = read_networks(out / SNAPSHOT_NAME)
    with torch.no_grad():
        z = torch.randn(256, averaged.config.z_dim, generator=torch.Generator().manual_seed(0))
        fakes = averaged.synthesize(averaged.map(z))
    data = PictureData.open(pictures, RESOLUTION, out)
    reals = normalise(data.pixels(torch.arange(data.count_available())), torch.device("cpu"))
    return float((fakes.mean(dim=0) - reals.mean(dim=0)).abs().mean())


def test_a_run_leaves_samples_a_log_and_a_model_that_the_engine_opens(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    outcome = train(tiny_settings(pictures, name="Tiny", licence="CC0-1.0"), tiny_limits(out))
    assert outcome.finished
    assert not outcome.interrupted
    grids = sorted((out / "samples").glob("*.png"))
    assert Image.open(grids[-1]).size == (8 * RESOLUTION, 6 * RESOLUTION)
    checkpoint = load_checkpoint(out / MODEL_NAME, cache=tmp_path / "cache")
    assert checkpoint.discriminator is not None
    assert checkpoint.info.licence == "CC0-1.0"
    summary = json.loads((out / "best.json").read_text())
    assert summary["name"] == "Tiny"
    assert summary["settings"]["resolution"] == RESOLUTION
    assert summary["measures"]["patch_swd"] > 0


def test_the_best_network_is_kept(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of three: so short a run by itself gets better each time."""
    evaluate, surplus = Evaluation.evaluate, iter((2000.0, 0.0, 1000.0))

    def evaluate_worse(evaluation: Evaluation) -> Measures:
        measures = evaluate(evaluation)
        return {**measures, "patch_swd": float(str(measures["patch_swd"])) + next(surplus)}

    monkeypatch.setattr(Evaluation, "evaluate", evaluate_worse)
    out = tmp_path / "run"
    train(tiny_settings(pictures), tiny_limits(out, kimg=0.3))
    distances = [r["patch_swd"] for r in read_log(out) if "patch_swd" in r]
    assert json.loads((out / "best.json").read_text())["measures"]["patch_swd"] == min(distances)  # type: ignore[type-var]


def test_a_discriminator_that_learns_by_heart_is_reported(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in that knows which pictures it was trained on: it doubts the held-out ones alone."""
    settings = tiny_settings(pictures)
    data = PictureData.open(pictures, RESOLUTION, tmp_path)
    state = TrainingState(settings)
    state.advance(stage="adversarial")
    trained = normalise(data.pixels(torch.arange(data.count_available())), state.device)

    def discriminate(images: Tensor) -> Tensor:
        by_heart = (images[:, None] == trained[None]).flatten(2).all(dim=2).any(dim=1)
        return torch.where(by_heart, 2.0, -2.0)[:, None]

    monkeypatch.setattr(state.discriminator, "forward", discriminate)
    measures = Evaluation(state, data, Report(tmp_path, resumed_at=None)).evaluate()
    assert measures["overfitting"] == 1.0
    assert "by heart" in capsys.readouterr().err


def test_minutes_stop_a_run_resumably(pictures: Path, tmp_path: Path) -> None:
    outcome = train(tiny_settings(pictures), tiny_limits(tmp_path / "run", kimg=1000, minutes=0.01))
    assert not outcome.finished
    assert not outcome.interrupted
    assert (tmp_path / "run" / SNAPSHOT_NAME).exists()


def test_the_average_follows_the_published_half_life(pictures: Path) -> None:
    """After as many pictures as the half-life, half of a step of the weights has been taken over."""
    state = TrainingState(tiny_settings(pictures, adversarial=AdversarialSettings(ema_kimg=1.0, ema_rampup=1.0)))
    state.advance(images=100_000)
    name = "synthesis.b4.conv1.weight"
    averaged, current = state.generator_ema.get_parameter(name), state.generator.get_parameter(name)
    before = averaged.clone()
    with torch.no_grad():
        current.add_(1.0)
    for _ in range(10):
        state.update_average(100)
    assert (averaged - before).mean().item() == pytest.approx(0.5, abs=1e-4)


def test_the_average_forgets_the_start_while_it_ramps_up(pictures: Path) -> None:
    state = TrainingState(tiny_settings(pictures))
    name = "synthesis.b4.conv1.weight"
    with torch.no_grad():
        state.generator.get_parameter(name).add_(1.0)
    state.update_average(8)  # half-life: 5 % of the 8 pictures seen
    assert torch.allclose(state.generator_ema.get_parameter(name), state.generator.get_parameter(name), atol=1e-4)


def test_the_averages_latent_mean_is_that_of_the_generator(pictures: Path) -> None:
    state = TrainingState(tiny_settings(pictures))
    state.track_w_avg(torch.ones(4, 8), rate=0.5)
    state.update_average(8)
    assert torch.equal(state.generator_ema.mapping.w_avg, torch.full((8,), 0.5))


def take(order: SampleOrder, count: int, available: int) -> tuple[Tensor, SampleOrder]:
    place = order.place(count, available)
    return place.indices(count), place.after(count)


def test_each_epoch_shows_every_picture_once_in_another_order() -> None:
    order, epochs = SampleOrder(seed=3), []
    for _ in range(3):
        taken = []
        for _ in range(4):
            indices, order = take(order, 5, available=20)
            taken += indices.tolist()
        assert sorted(taken) == list(range(20))
        epochs.append(taken)
    assert epochs[0] != epochs[1] != epochs[2]


def test_an_epoch_takes_in_pictures_that_arrived_meanwhile() -> None:
    _, order = take(SampleOrder(seed=0), 8, available=8)
    indices, order = take(order, 8, available=16)
    assert order.size == 16
    assert len(set(indices.tolist())) == 8


def test_a_batch_larger_than_the_data_repeats_it() -> None:
    indices, _ = take(SampleOrder(seed=0), 8, available=3)
    assert len(indices) == 8
    assert set(indices.tolist()) == {0, 1, 2}


def test_a_run_starts_from_anothers_networks(pictures: Path, tmp_path: Path) -> None:
    train(tiny_settings(pictures), tiny_limits(tmp_path / "first", kimg=0.016))
    start = open_warm_start(tmp_path / "first")
    again = tiny_settings(pictures, start=start.sha256)
    train(again, tiny_limits(tmp_path / "second", kimg=0.008), start=start)
    assert (tmp_path / "second" / MODEL_NAME).exists()


def test_a_new_block_is_faded_in_over_the_pictures_of_the_adversarial_stage(pictures: Path) -> None:
    state = TrainingState(tiny_settings(pictures, adversarial=AdversarialSettings(fade_kimg=0.05)))
    state.advance(stage="warmup", images=25)
    assert fade_alpha(state) == 0
    shares = []
    for images in (0, 25, 50, 75):
        state.advance(stage="adversarial", images=images)
        shares.append(fade_alpha(state))
    assert shares == [0, 0.5, 1, 1]


def test_a_grown_run_fades_its_new_block_in_and_resumes_exactly(tmp_path: Path) -> None:
    small = write_pictures(tmp_path / "small", side=8)
    large = write_pictures(tmp_path / "large", side=16)
    train(tiny_settings(small), tiny_limits(tmp_path / "first", kimg=0.016))
    start = open_warm_start(tmp_path / "first")
    settings = tiny_settings(
        large,
        resolution=16,
        start=start.sha256,
        adversarial=AdversarialSettings(fade_kimg=0.05, r1_interval=3, path_length_interval=2),
    )
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    train(settings, tiny_limits(whole, kimg=0.08), start=start)
    for kimg in (0.032, 0.08):
        snapshot = pieces / SNAPSHOT_NAME
        limits = tiny_limits(pieces, kimg=kimg, sample_kimg=0.032)
        train(settings, limits, start=start, resume=snapshot if snapshot.exists() else None)
    one, other = load_file(whole / SNAPSHOT_NAME), load_file(pieces / SNAPSHOT_NAME)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert one["D.old_fromrgb.weight"].shape[0] == 8
