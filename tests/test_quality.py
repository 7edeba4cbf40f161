"""`tuiface bench quality`: its figures tell good from bad, its report is complete, its heads are rendered once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import MODEL
from tests.predictors.conftest import attributes_card, write
from tuiface.benchmarks import quality
from tuiface.benchmarks.quality import (
    BINS,
    HEAD_SEED,
    compare,
    discriminator_features,
    measure,
    measure_coverage,
    write_report,
)
from tuiface.cli import main
from tuiface.engine import load_checkpoint
from tuiface.engine.predictors import AttributePredictor, Segmenter
from tuiface.engine.training.data import head_shards
from tuiface.engine.training.data.head_shards import SHARD_HEADS, ShardKey, open_shard, write_shard
from tuiface.heads import HeadBatch, sample_parameters

COUNT, SIDE = 40, 32


@pytest.fixture
def reader(attributes_file: Path) -> AttributePredictor:
    return AttributePredictor.load(attributes_file)


@pytest.fixture
def attributes_file(tmp_path: Path) -> Path:
    return write(tmp_path / "attributes.safetensors", attributes_card())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of noise in the place of held-out heads."""
    folder = tmp_path_factory.mktemp("heads")
    for index in range(2):
        parameters = sample_parameters(SHARD_HEADS, seed=HEAD_SEED, start=index * SHARD_HEADS)
        noise = torch.randint(0, 256, (SHARD_HEADS, SIDE, SIDE, 3), generator=torch.Generator().manual_seed(index))
        pixels = noise.to(torch.uint8)
        write_shard(
            folder / ShardKey(SIDE, HEAD_SEED, index).file_name, HeadBatch(pixels, pixels[..., 0].clone(), parameters)
        )
    return folder


def noise(count: int, seed: int) -> torch.Tensor:
    """Fine noise on grounds of any brightness."""
    rng = torch.Generator().manual_seed(seed)
    ground = torch.rand(count, 3, 1, 1, generator=rng) * 1.6 - 0.8
    return ground + 0.2 * (torch.rand(count, 3, SIDE, SIDE, generator=rng) * 2 - 1)


def test_another_sample_of_the_data_scores_as_such_and_a_network_of_noise_worse(cache: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    checkpoint = load_checkpoint(MODEL, cache=tmp_path)
    result = measure(checkpoint, AttributePredictor.load(), Segmenter.load(), COUNT, cache, notes.append)
    assert notes == []  # nothing was rendered
    assert set(result.generated) == set(result.rendered) == {"reader", "discriminator"}
    for kind, comparison in result.generated.items():
        assert comparison.kid > 10 * abs(result.rendered[kind].kid)
        assert comparison.precision < result.rendered[kind].precision
    assert result.rendered["reader"].diversity == pytest.approx(1, abs=0.1)
    expected = torch.from_numpy(np.array(open_shard(cache / ShardKey(SIDE, HEAD_SEED, 0).file_name).pixels[:COUNT]))
    assert torch.equal(((result.heads + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1), expected)


def test_attributes_that_the_reader_does_not_see_well_are_left_out(reader: AttributePredictor) -> None:
    rows = measure_coverage(reader, noise(64, 0), noise(64, 1))
    assert [row.name for row in rows] == ["smile", "yaw"]  # glasses are below the bar in the card


def test_equal_sets_cover_each_other_and_a_collapsed_one_does_not() -> None:
    reader, images = AttributePredictor.load(), noise(64, 0)
    for row in measure_coverage(reader, images, images):
        assert [row.spread, row.overlap] == pytest.approx([1, 1], abs=1e-4)
        assert row.generated == row.data
        assert sum(row.data) == pytest.approx(1, abs=0.01)
        assert len(row.edges) == BINS + 1
    for row in measure_coverage(reader, images[:1].expand(64, -1, -1, -1), images):
        assert row.spread == pytest.approx(0, abs=0.01)
        assert row.overlap == pytest.approx(row.data[row.generated.index(1)], abs=1e-3)  # all in one bin


def test_comparison_is_of_the_first_with_the_second() -> None:
    data = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    one_mode = 0.1 * torch.randn(200, 6, generator=torch.Generator().manual_seed(1))
    result = compare(one_mode, data)
    assert result.precision > 0.9
    assert result.recall < 0.1
    assert result.diversity == pytest.approx(0.1, abs=0.03)


def test_discriminator_features_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    discriminator = load_checkpoint(MODEL, cache=tmp_path).discriminator
    assert discriminator is not None
    images = noise(5, 2)
    with torch.no_grad():
        alone = discriminator_features(discriminator, images[2:3])
        assert torch.allclose(discriminator_features(discriminator, images)[2:3], alone, atol=1e-4)
    assert alone.shape == (1, 4 * discriminator.config.channels_at(4))


def test_the_report_holds_every_figure_and_two_pictures(
    cache: Path, reader: AttributePredictor, tmp_path: Path
) -> None:
    result = measure(load_checkpoint(MODEL, cache=tmp_path), reader, Segmenter.load(), COUNT, cache, print)
    report = write_report(tmp_path / "report", result, {"name": "tiny", "sha256": "0" * 64})
    assert json.loads((tmp_path / "report" / "quality.json").read_text()) == json.loads(json.dumps(report))
    assert report["goals"] == {
        "beads": result.beads["generated"].reach_goal,
        "noise": result.variants.reach_goal,
        "recall": result.generated["reader"].recall >= 0.5,
        "spread": all(row.spread >= 0.8 for row in result.coverage),
        "narrow": [row.name for row in result.coverage if row.spread < 0.8],
    }
    assert Image.open(tmp_path / "report" / "quality-sheet.png").size == (2 * 6 * 128 + 16, 6 * 128)
    assert Image.open(tmp_path / "report" / "quality-histograms.png").size[1] == 96


def test_heads_are_rendered_once_and_those_of_another_renderer_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_shards, "SHARD_HEADS", 2)
    notes: list[str] = []
    key = ShardKey(SIDE, HEAD_SEED, 0)
    first = quality._open_or_render_shard(tmp_path, key, notes.append)
    assert [note.split()[0] for note in notes] == ["rendering"]
    assert np.array_equal(quality._open_or_render_shard(tmp_path, key, notes.append).pixels, first.pixels)
    assert len(notes) == 1
    monkeypatch.setattr(quality, "renderer_digest", lambda: "another")
    assert np.array_equal(quality._open_or_render_shard(tmp_path, key, notes.append).pixels, first.pixels)
    assert "another version of the renderer" in notes[1]


@pytest.mark.parametrize("count", ["7", "513", "-1"])
def test_counts_that_measure_nothing_are_refused(count: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "quality", "--count", count]) == 2
    assert f"--count {count}; accepted: 8 to 512" in capfd.readouterr().err
