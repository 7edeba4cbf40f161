"""Readers learn what tiny pictures plainly show, and what they record of it is true."""

from __future__ import annotations

import functools
import itertools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tuiface.cli import main
from tuiface.core.errors import EngineError, UsageError
from tuiface.core.regions import REGION_NAMES, Region
from tuiface.engine.pixels import normalise
from tuiface.engine.predictors import AttributePredictor, PredictorCard, Segmenter
from tuiface.engine.predictors.files import load_predictor, write_predictor
from tuiface.engine.predictors.networks import AttributeNetwork
from tuiface.engine.training import RunLimits
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.data.head_shards import SHARD_HEADS, HeadShard, ShardKey, open_shard, write_shard
from tuiface.engine.training.predictors.attributes import TARGETS, AttributeTask
from tuiface.engine.training.predictors.segmenter import mean_iou, region_ious, segmentation_loss
from tuiface.engine.training.predictors.settings import (
    PredictorSettings,
    open_predictor_warm_start,
    recommend_predictor_settings,
)
from tuiface.engine.training.predictors.training import (
    PredictorOutcome,
    PredictorTraining,
    learning_rate_factor,
    train_predictor,
    train_predictor_on,
)
from tuiface.heads import HeadBatch, sample_parameters

SIDE = 32
Trained = Callable[[str], PredictorOutcome]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of each of two populations of stand-ins for heads.

    A disc as dark as the skin, at the height of the pitch, on a light ground.
    """
    folder = tmp_path_factory.mktemp("heads")
    ys, xs = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    for population, index in itertools.product(range(2), range(2)):
        parameters = sample_parameters(SHARD_HEADS, seed=population, start=index * SHARD_HEADS)
        centre = SIDE / 2 + parameters["pitch"].clamp(-12, 12) / 3
        disc = ((ys - centre[:, None, None]) ** 2 + (xs - SIDE / 2) ** 2).sqrt() < SIDE / 4
        shade = 20 + 160 * (1 - parameters["melanin"])
        pixels = torch.where(disc, shade[:, None, None], 230.0).to(torch.uint8)[..., None].expand(-1, -1, -1, 3)
        regions = torch.where(disc, int(Region.SKIN), int(Region.BACKGROUND)).to(torch.uint8)
        heads = HeadBatch(pixels.contiguous(), regions, parameters)
        write_shard(folder / ShardKey(SIDE, population, index).file_name, heads)
    return folder


def settings(kind: str, **changes: object) -> PredictorSettings:
    values: dict[str, object] = {
        "resolution": SIDE,
        "num_heads": 2 * SHARD_HEADS,
        "widths": (8, 12, 16, 16),
        "feature_width": 24,
        "batch": 32,
        "kimg": 2.5,
        "learning_rate": 0.01,
        "misalignment": 0.1,
        "recasting": 0.05,
        "name": "tiny",
        "licence": "CC0-1.0",
    }
    return recommend_predictor_settings("segmenter" if kind == "segmenter" else "attributes", {**values, **changes})


def limits(out: Path, cache: Path, **changes: object) -> RunLimits:
    return RunLimits.model_validate({"out": out, "cache": cache, "workers": 0, "threads": 1, **changes})


@pytest.fixture(scope="module")
def trained(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The one finished training of each kind of reader; no test changes anything in its folder."""

    @functools.cache
    def once(kind: str) -> PredictorOutcome:
        return train_predictor(settings(kind), limits(tmp_path_factory.mktemp(kind) / "run", cache))

    return once


def held_out_heads(cache: Path) -> tuple[HeadShard, torch.Tensor]:
    """Shard 0, and its pictures float32 [512, 3, R, R]."""
    shard = open_shard(cache / ShardKey(SIDE, 0, 0).file_name)
    return shard, normalise(torch.from_numpy(np.array(shard.pixels)), torch.device("cpu"))


def test_a_segmenter_finds_the_disc_and_says_how_well(trained: Trained) -> None:
    outcome = trained("segmenter")
    run = outcome.path.parent
    assert outcome.path == run / "segmenter.safetensors"
    assert run.name == "run"
    figures = outcome.card.figures
    assert figures["miou"] > 0.9
    assert set(figures) >= {"iou_skin", "iou_background", "group_accuracy", "miou_softened"}
    assert "iou_hair" not in figures
    segmenter = Segmenter.load(outcome.path)
    assert segmenter.card == outcome.card
    assert (segmenter.card.name, segmenter.card.licence, segmenter.card.regions) == ("tiny", "CC0-1.0", REGION_NAMES)
    assert segmenter.card.training["heads"] == SHARD_HEADS
    assert (run / "samples" / "segmenter.png").exists()


def test_the_recorded_figures_are_those_of_the_file(cache: Path, trained: Trained) -> None:
    outcome = trained("segmenter")
    held_out, images = held_out_heads(cache)
    found = Segmenter.load(outcome.path).regions(images)
    assert mean_iou(found, torch.from_numpy(np.array(held_out.regions))) == pytest.approx(
        outcome.card.figures["miou"], abs=1e-3
    )


def test_an_attribute_reader_reads_what_shows_and_leaves_out_what_does_not(cache: Path, trained: Trained) -> None:
    outcome = trained("attributes")
    reader = AttributePredictor.load(outcome.path)
    assert "melanin" in reader.names
    assert "smile" not in reader.names
    assert outcome.card.unreadable["smile"] < 0.5
    melanin = next(a for a in reader.attributes if a.name == "melanin")
    assert melanin.held_out_r2 > 0.8
    held_out, images = held_out_heads(cache)
    read = reader.read(images)[:, reader.names.index("melanin")]
    wanted = held_out.parameters["melanin"]
    r2 = 1 - (read - wanted).square().sum() / (wanted - wanted.mean()).square().sum()
    assert float(r2) == pytest.approx(melanin.held_out_r2, abs=2e-3)


def test_a_training_too_short_to_read_anything_says_so(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no attribute can be read"):
        train_predictor(settings("attributes", kimg=0.032), limits(tmp_path / "run", cache))
    assert not (tmp_path / "run" / "attributes.safetensors").exists()


def test_equal_settings_give_equal_readers(cache: Path, tmp_path: Path) -> None:
    paths = [train_predictor(settings("segmenter", kimg=0.1), limits(tmp_path / n, cache)).path for n in ("a", "b")]
    networks = [Segmenter.load(path).probabilities(torch.zeros(1, 3, SIDE, SIDE)) for path in paths]
    assert torch.equal(*networks)


def test_ctrl_c_ends_with_a_reader(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, before = PredictorTraining.step, signal.getsignal(signal.SIGINT)

    def step(run: PredictorTraining) -> float:
        if run.images == 288:
            os.kill(os.getpid(), signal.SIGINT)
        return real(run)

    monkeypatch.setattr(PredictorTraining, "step", step)
    outcome = train_predictor(settings("segmenter"), limits(tmp_path / "run", cache))
    assert outcome.interrupted
    assert outcome.card.training["images"] == 320
    assert Segmenter.load(outcome.path).card == outcome.card
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("kind", ["segmenter", "attributes"])
def test_a_training_in_parts_ends_with_the_reader_of_one_in_a_piece(
    kind: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = settings(kind, kimg=1.6)
    whole = train_predictor_on(short, limits(tmp_path / "whole", cache))
    assert whole is not None
    real = PredictorTraining.step

    def step(run: PredictorTraining) -> float:
        loss = real(run)
        if run.images in (224, 480):
            os.kill(os.getpid(), signal.SIGINT)
        return loss

    monkeypatch.setattr(PredictorTraining, "step", step)
    parts = [train_predictor_on(short, limits(tmp_path / "parts", cache)) for _ in range(3)]
    assert parts[:2] == [None, None]
    assert parts[2] is not None
    again = (load_predictor(outcome.path, outcome.card.kind)[1].state_dict() for outcome in (whole, parts[2]))
    assert all(torch.equal(a, b) for a, b in zip(*(state.values() for state in again), strict=True))
    with pytest.raises(UsageError, match=r"another training: kimg: 1.6 there, 0.9 here"):
        train_predictor_on(settings(kind, kimg=0.9), limits(tmp_path / "parts", cache))


def test_the_learning_rate_rises_then_falls_to_zero() -> None:
    rates = [learning_rate_factor(i / 100) for i in range(101)]
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert [rates[top], rates[-1], learning_rate_factor(2.0)] == pytest.approx([1, 0, 0], abs=0.01)


def test_regions_in_neither_map_do_not_count() -> None:
    wanted = torch.zeros(1, 4, 4, dtype=torch.uint8)
    wanted[:, :2] = int(Region.HAIR)
    found = wanted.clone()
    found[:, 0] = int(Region.EYES)  # in the found map alone: an error, so it counts
    assert region_ious(found, wanted) == {"background": 1.0, "hair": 0.5, "eyes": 0.0}
    assert mean_iou(found, wanted) == pytest.approx(0.5)


def test_the_segmentation_loss_is_least_where_all_is_right() -> None:
    regions = torch.randint(0, 4, (2, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    right = torch.nn.functional.one_hot(regions.long(), 12).permute(0, 3, 1, 2).float() * 40
    assert float(segmentation_loss(right, regions)) == pytest.approx(0, abs=1e-3)
    assert segmentation_loss(right.roll(1, dims=1), regions) > 1
    logits = torch.zeros_like(right).requires_grad_()
    segmentation_loss(logits, regions).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert (logits.grad.gather(1, regions.long()[:, None]) < 0).all()  # towards the right region everywhere


def test_the_command_trains_and_reports(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    flags = ["--out", str(out), "--cache", str(cache), "--workers", "0", "--heads", "1024", "--threads", "1"]
    with pytest.raises(UsageError, match="kimg"):
        recommend_predictor_settings("segmenter", {"kimg": -1.0})
    assert main(["train", "segmenter", *flags, "--kimg", "-1", "--precision", "float32"]) == 2
    assert "--kimg -1; accepted: numbers above 0" in capsys.readouterr().err
    assert main(["train", "segmenter", "--kimg", "1"]) == 2
    assert "--out" in capsys.readouterr().err
    code = main(["train", "segmenter", *flags, "--kimg", "0.1", "--precision", "float32", "--json"])
    assert code == 5  # the cache holds heads of 32 px, and the readers take 128
    report = json.loads(capsys.readouterr().out)
    assert "128 px" in report["error"]


@pytest.mark.parametrize("kind", ["segmenter", "attributes"])
def test_a_reader_can_be_trained_further(kind: str, cache: Path, trained: Trained, tmp_path: Path) -> None:
    first = trained(kind)
    start = open_predictor_warm_start(first.path, first.card.kind)
    further = settings(kind, kimg=0.5, learning_rate=0.002, start=start.sha256)
    second = train_predictor(further, limits(tmp_path / "second", cache), start)
    assert how_good(second.card, first.card) > how_good(first.card, first.card) - 0.02
    assert second.card.training["start"] == start.sha256
    assert second.card.training["images"] == first.card.training["images"] + 512  # type: ignore[operator]
    assert {a.name for a in second.card.attributes} >= {a.name for a in first.card.attributes if a.is_visible}


def test_a_reader_can_be_trained_further_on_other_heads(cache: Path, trained: Trained, tmp_path: Path) -> None:
    path = trained("segmenter").path
    for number, population in enumerate((0, 1, 1), start=1):
        start = open_predictor_warm_start(path, "segmenter")
        further = settings("segmenter", kimg=0.1, population=population, start=start.sha256)
        path = train_predictor(further, limits(tmp_path / str(number), cache), start).path
        training = open_predictor_warm_start(path, "segmenter").card.training
        seen = ("0", SHARD_HEADS) if number == 1 else ("0, 1", 2 * SHARD_HEADS)
        assert (str(training["population"]), training["heads"]) == seen


@pytest.mark.parametrize("kind", ["segmenter", "attributes"])
def test_a_reader_of_twice_the_side_is_trained_from_a_smaller_one(
    kind: str, cache: Path, trained: Trained, tmp_path: Path
) -> None:
    large = tmp_path / "heads"
    large.mkdir()
    for index in range(2):
        shard = open_shard(cache / ShardKey(SIDE, 0, index).file_name)
        pixels, regions = (torch.from_numpy(np.array(x)) for x in (shard.pixels, shard.regions))
        doubled = [x.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2) for x in (pixels, regions)]
        write_shard(large / ShardKey(2 * SIDE, 0, index).file_name, HeadBatch(doubled[0], doubled[1], shard.parameters))
    first = trained(kind)
    start = open_predictor_warm_start(first.path, first.card.kind)
    twice = settings(kind, resolution=2 * SIDE, scale=2, kimg=0.25, learning_rate=1e-4, start=start.sha256)
    card = train_predictor(twice, limits(tmp_path / "second", large), start).card
    assert (card.resolution, card.scale) == (2 * SIDE, 2)
    assert how_good(card, first.card) > how_good(first.card, first.card) - 0.02


@pytest.mark.parametrize("kind", ["segmenter", "attributes"])
def test_a_reader_of_another_shape_is_not_trained_further(
    kind: str, cache: Path, trained: Trained, tmp_path: Path
) -> None:
    first = trained(kind)
    start = open_predictor_warm_start(first.path, first.card.kind)
    with pytest.raises(UsageError, match="other widths"):
        train_predictor(settings(kind, widths=(8, 8, 8, 8)), limits(tmp_path / "second", cache), start)


def test_a_reader_is_trained_further_by_the_names_of_what_it_read(
    cache: Path, trained: Trained, tmp_path: Path
) -> None:
    """An older reader knows fewer attributes, in another order, by means and deviations of other heads."""
    first = trained("attributes")
    card, network = load_predictor(first.path, "attributes")
    kept = [i for i, a in enumerate(card.attributes) if a.name in ("melanin", "pitch")][::-1]
    assert len(kept) == 2
    old = [card.attributes[i] for i in kept]
    read = AttributePredictor(card, as_reader(network)).read(images := held_out_heads(cache)[1][:8])[:, kept]
    renamed = [a.model_copy(update={"centre": a.centre - 0.5 * a.spread, "spread": 2 * a.spread}) for a in old]
    shorter = torch.nn.Linear(card.feature_width, 2)
    with torch.no_grad():  # the same readings, told by other means and deviations
        shorter.weight.copy_(as_reader(network).out.weight[kept] / 2)
        shorter.bias.copy_((as_reader(network).out.bias[kept] + 0.5) / 2)
    as_reader(network).out = shorter
    write_predictor(tmp_path / "old", card.model_copy(update={"attributes": tuple(renamed)}), network)
    start = open_predictor_warm_start(tmp_path / "old", "attributes")
    data = HeadData.open(settings("attributes").heads(), limits(tmp_path, cache), 32, print)
    run = PredictorTraining(settings("attributes", start=start.sha256), data, torch.device("cpu"), start)
    outputs = as_reader(run.network).out(as_reader(run.network).features(images).relu())
    names = [target.name for target in TARGETS]
    task = run.task
    assert isinstance(task, AttributeTask)
    values = outputs * task.spread + task.centre
    assert torch.allclose(values[:, [names.index(a.name) for a in old]], read, atol=5e-3)
    unknown = [i for i, name in enumerate(names) if name not in ("melanin", "pitch")]
    assert not outputs[:, unknown].any()


def how_good(card: PredictorCard, first: PredictorCard) -> float:
    """mIoU, or the mean R2 of what the reader `first` reads."""
    if card.kind == "segmenter":
        return card.figures["miou"]
    r2 = {a.name: a.held_out_r2 for a in card.attributes}
    return sum(r2[a.name] for a in first.attributes) / len(first.attributes)


def as_reader(network: torch.nn.Module) -> AttributeNetwork:
    assert isinstance(network, AttributeNetwork)
    return network
