"""The readers that ship keep what their cards say, on heads that nothing was trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tools import write_reader_cards
from tuiface.core.assets import asset_path
from tuiface.engine.pixels import normalise
from tuiface.engine.predictors import AttributePredictor, Segmenter
from tuiface.engine.predictors.attributes import ATTRIBUTES_ASSET
from tuiface.engine.predictors.segmenter import SEGMENTER_ASSET, group_regions
from tuiface.engine.training.predictors.attributes import TARGETS
from tuiface.engine.training.predictors.segmenter import mean_iou
from tuiface.heads import HeadParameters, render_heads, sample_parameters

DOCS = Path(__file__).parent.parent.parent / "docs"
SIDE = 128


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load()


@pytest.fixture(scope="module")
def reader() -> AttributePredictor:
    return AttributePredictor.load()


@pytest.fixture(scope="module")
def heads() -> HeadParameters:
    return sample_parameters(16, seed=77)


def render(parameters: HeadParameters) -> tuple[torch.Tensor, torch.Tensor]:
    batch = render_heads(parameters, SIDE)
    return normalise(batch.pixels, torch.device("cpu")), batch.regions


@pytest.fixture(scope="module")
def rendered(heads: HeadParameters) -> tuple[torch.Tensor, torch.Tensor]:
    """The pictures and regions of the heads; no test changes them."""
    return render(heads)


def test_files_are_small_and_free() -> None:
    assert asset_path(SEGMENTER_ASSET).stat().st_size <= 2e6
    assert asset_path(ATTRIBUTES_ASSET).stat().st_size <= 4.5e6
    assert {Segmenter.load().card.licence, AttributePredictor.load().card.licence} == {"Apache-2.0"}


def test_the_cards_do_not_fall_behind(segmenter: Segmenter, reader: AttributePredictor) -> None:
    assert segmenter.card.figures["miou"] >= 0.85
    assert segmenter.card.figures["group_accuracy"] >= 0.97
    seen = {attribute.name for attribute in reader.attributes if attribute.is_visible}
    assert seen >= {"masculinity", "melanin", "yaw", "pitch", "hair_length", "fringe", "beard", "glasses", "teeth"}


def test_documents_are_as_the_files_say(segmenter: Segmenter, reader: AttributePredictor) -> None:
    remedy = "run `python -m tools.write_reader_cards`"
    assert (DOCS / "segmenter-card.md").read_text("utf-8") == write_reader_cards.segmenter_text(segmenter.card), remedy
    assert (DOCS / "attributes-card.md").read_text("utf-8") == write_reader_cards.attributes_text(reader.card), remedy


def test_unseen_heads_are_segmented(segmenter: Segmenter, rendered: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, regions = rendered
    found = segmenter.regions(images)
    assert mean_iou(found, regions) > 0.8
    assert (group_regions(found) == group_regions(regions)).float().mean() > 0.96


@pytest.mark.parametrize("side", [64, 256])
def test_other_sizes_are_read_alike(
    side: int, segmenter: Segmenter, reader: AttributePredictor, rendered: tuple[torch.Tensor, torch.Tensor]
) -> None:
    images, regions = rendered
    resized = F.interpolate(images, size=side, mode="bilinear", antialias=side < SIDE)
    wanted = F.interpolate(regions[:, None].float(), size=side, mode="nearest")[:, 0].to(torch.uint8)
    assert (group_regions(segmenter.regions(resized)) == group_regions(wanted)).float().mean() > 0.94
    spreads = torch.tensor([a.spread for a in reader.attributes if a.is_visible])
    seen = torch.tensor([a.is_visible for a in reader.attributes])
    difference = (reader.read(resized) - reader.read(images))[:, seen] / spreads
    assert difference.square().mean() < 0.15


@pytest.mark.parametrize(
    ("name", "less", "more"), [("smile", 0.0, 0.9), ("yaw", -20.0, 20.0), ("melanin", 0.15, 0.8), ("age", 22.0, 70.0)]
)
def test_a_changed_head_is_read_as_changed(
    name: str, less: float, more: float, reader: AttributePredictor, heads: HeadParameters
) -> None:
    few = heads.select(slice(0, 6))
    low, high = (reader.read(render(few.override(**{name: value}))[0]) for value in (less, more))
    change = (high - low)[:, reader.names.index(name)]
    assert (change > 0).sum() >= 5
    assert 0.2 * (more - less) < change.mean() < 1.4 * (more - less)  # readings lean towards the mean


def test_what_was_tried_can_be_trained_on(reader: AttributePredictor) -> None:
    """Heads learn to show more than a reader was trained for; what it was, training knows."""
    assert {target.name for target in TARGETS} >= {*reader.names, *reader.card.unreadable}
