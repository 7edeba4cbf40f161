"""Folding changes nothing, and any square picture fits."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.predictors.conftest import attributes_card, segmenter_card
from tuiface.engine.predictors.files import build_network
from tuiface.engine.predictors.networks import (
    AttributeNetwork,
    fold_batch_norms,
    pixel_shuffle,
    pixel_unshuffle,
    refold,
    resize_images,
)


@pytest.mark.parametrize("kind", ["segmenter", "attributes"])
def test_a_folded_network_gives_what_the_trained_one_does(kind: str) -> None:
    torch.manual_seed(0)
    network = build_network(segmenter_card() if kind == "segmenter" else attributes_card(), normalise=True)
    for _ in range(4):
        network(torch.randn(8, 3, 32, 32))  # running statistics away from their initial values
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
    network.eval()
    x = torch.randn(2, 3, 32, 32)
    short = fold_batch_norms(copy.deepcopy(network)).eval()
    assert torch.allclose(short(x), network(x), atol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in short.modules())


@pytest.mark.parametrize("kind", ["segmenter", "attributes"])
def test_a_reader_of_twice_the_side_begins_with_what_the_smaller_one_says(kind: str) -> None:
    torch.manual_seed(0)
    card = segmenter_card() if kind == "segmenter" else attributes_card()
    small = build_network(card).eval()
    large = build_network(card.model_copy(update={"resolution": 64, "scale": 2})).eval()
    grown = copy.deepcopy(small)
    refold(grown, 2)
    assert {n: t.shape for n, t in grown.state_dict().items()} == {n: t.shape for n, t in large.state_dict().items()}
    x = torch.randn(2, 3, 64, 64)
    wanted = small(resize_images(x, 32))
    if kind == "segmenter":
        wanted = wanted.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert torch.allclose(grown(x), wanted, atol=1e-5)


def test_features_have_mean_zero_and_deviation_one_over_what_was_trained_on() -> None:
    torch.manual_seed(0)
    network = build_network(attributes_card(), normalise=True)
    assert isinstance(network, AttributeNetwork)
    x = torch.randn(64, 3, 32, 32)
    for _ in range(60):
        network(x)
    features = fold_batch_norms(network.eval()).features(x)
    assert features.mean(dim=0).abs().max() < 0.2
    assert (features.std(dim=0) - 1).abs().max() < 0.2


@pytest.mark.parametrize("side", [16, 20, 31, 32, 33, 64, 100, 256])
def test_pictures_of_any_size_are_brought_to_the_working_side(side: int) -> None:
    images = torch.full((2, 3, side, side), 0.25)
    images[1] = -0.5
    fitted = resize_images(images, 32)
    assert fitted.shape == (2, 3, 32, 32)
    assert torch.allclose(fitted[:, 0, 0, 0], torch.tensor([0.25, -0.5]), atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 3, 32, 16)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="accepted is"):
        resize_images(torch.zeros(shape), 32)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("times", [2, 4])
def test_unfolding_undoes_folding(count: int, times: int) -> None:
    images = torch.randn(count, 3, 8, 8)
    folded_images = pixel_unshuffle(images, times)
    assert folded_images.shape == (count, 3 * times**2, 8 // times, 8 // times)
    assert torch.equal(pixel_shuffle(folded_images, times), images)
    if count:
        assert torch.equal(folded_images, torch.nn.functional.pixel_unshuffle(images, times))
