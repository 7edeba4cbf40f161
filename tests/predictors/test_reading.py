"""What the two readers promise to those who build on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tuiface.core.regions import Region
from tuiface.engine.predictors import AttributePredictor, Segmenter
from tuiface.engine.predictors.segmenter import GROUPS, group_probabilities, group_regions


def pictures(side: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(side)) * 2 - 1


@pytest.mark.parametrize("side", [16, 31, 32, 64, 100])
def test_every_pixel_has_a_probability_of_each_region(side: int, segmenter_file: Path) -> None:
    segmenter, images = Segmenter.load(segmenter_file), pictures(side)
    probabilities = segmenter.probabilities(images)
    assert probabilities.shape == (2, len(Region), side, side)
    assert probabilities.dtype == torch.float32
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(2, side, side), atol=1e-5)
    regions = segmenter.regions(images)
    assert regions.dtype == torch.uint8
    assert torch.equal(regions.long(), probabilities.argmax(dim=1))
    assert torch.allclose(segmenter.groups(images).sum(dim=1), torch.ones(2, side, side), atol=1e-5)


def test_no_pictures_give_no_regions(segmenter_file: Path, attributes_file: Path) -> None:
    none = torch.empty(0, 3, 32, 32)
    assert Segmenter.load(segmenter_file).regions(none).shape == (0, 32, 32)
    assert AttributePredictor.load(attributes_file).read(none).shape == (0, 3)


def test_a_picture_is_read_alike_alone_and_in_a_batch(segmenter_file: Path, attributes_file: Path) -> None:
    images = pictures(32, 5)
    segmenter, reader = Segmenter.load(segmenter_file), AttributePredictor.load(attributes_file)
    assert torch.allclose(segmenter.probabilities(images)[3:4], segmenter.probabilities(images[3:4]), atol=1e-5)
    assert torch.allclose(reader.read(images)[3:4], reader.read(images[3:4]), atol=1e-4)


def test_soft_and_hard_groups_agree() -> None:
    regions = torch.arange(len(Region), dtype=torch.uint8).view(1, 3, -1)
    certain = F.one_hot(regions.long(), len(Region)).permute(0, 3, 1, 2).float()
    assert torch.equal(group_probabilities(certain).argmax(dim=1).to(torch.uint8), group_regions(regions))


@pytest.mark.parametrize(
    ("region", "group"),
    [
        (Region.HAIR, "hair"),
        (Region.SKIN, "face"),
        (Region.BEARD, "face"),
        (Region.GLASSES, "face"),
        (Region.EARS, "face"),
        (Region.NECK, "background"),
        (Region.CLOTHING, "background"),
        (Region.BACKGROUND, "background"),
    ],
)
def test_a_face_frame_is_the_outline_of_face_and_hair(region: Region, group: str) -> None:
    assert group_regions(torch.tensor([int(region)])).item() == GROUPS.index(group)


def test_attributes_are_in_their_units(attributes_file: Path) -> None:
    reader, images = AttributePredictor.load(attributes_file), pictures(32, 64)
    assert reader.names == ("smile", "yaw", "glasses")
    assert [attribute.is_visible for attribute in reader.attributes] == [True, True, False]
    values, features = reader.read(images), reader.features(images)
    assert values.shape == (64, 3)
    assert features.shape == (64, 10)
    assert torch.equal(reader.predict_from_features(features), values)
    assert values[:, 2].min() >= 0
    assert values[:, 2].max() <= 1
    standard = (values[:, 1] - 2) / 12  # the card's centre and spread
    assert standard.abs().max() < 3


def test_gradients_reach_the_picture(segmenter_file: Path, attributes_file: Path) -> None:
    segmenter, reader = Segmenter.load(segmenter_file), AttributePredictor.load(attributes_file)
    readings: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
        lambda x: segmenter.probabilities(x)[:, Region.HAIR],
        lambda x: reader.read(x)[:, 0],
    )
    for read in readings:
        images = pictures(40).requires_grad_()
        (gradient,) = torch.autograd.grad(read(images).sum(), images)
        assert gradient.abs().amax() > 0
        direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            step = 1e-3 * direction
            difference = (read(images + step).double() - read(images - step).double()).sum() / 2e-3
        assert float((gradient * direction).sum()) == pytest.approx(float(difference), rel=0.05, abs=2e-3)
