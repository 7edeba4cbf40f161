"""Beads and grain are found where they lie, and nowhere else; noise that is off is said to be off."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.conftest import MODEL
from tuiface.benchmarks.quality import map_seeds
from tuiface.benchmarks.textures import Beads, measure_beads, measure_energy, measure_variants
from tuiface.core.regions import REGION_NAMES, Region
from tuiface.engine import load_checkpoint
from tuiface.engine.networks.layers import SynthesisLayer
from tuiface.engine.predictors import AttributePredictor, Segmenter

SIDE = 64


def disc(centre_y: float, radius: float) -> Tensor:
    """A soft disc [R, R], half covered at its rim."""
    ys, xs = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    return (radius - ((ys - centre_y) ** 2 + (xs - SIDE / 2) ** 2).sqrt() + 0.5).clamp(0, 1)


@functools.cache
def person() -> tuple[Tensor, Tensor]:
    """A picture [1, 3, R, R] of a face under a cap of hair, and how much of each region its pixels show."""
    face, cap = disc(36, 20), disc(24, 18) * (torch.arange(SIDE)[:, None] < 24)
    maps = torch.zeros(1, len(REGION_NAMES), SIDE, SIDE)
    maps[:, Region.HAIR] = cap
    maps[:, Region.SKIN] = face * (1 - cap)
    maps[:, Region.BACKGROUND] = 1 - maps.sum(dim=1)
    colours = torch.zeros(3, len(REGION_NAMES))
    colours[:, Region.HAIR] = torch.tensor([-0.7, -0.8, -0.8])
    colours[:, Region.SKIN] = torch.tensor([0.6, 0.3, 0.1])
    colours[:, Region.BACKGROUND] = torch.tensor([-0.1, 0.0, 0.1])
    return torch.einsum("cr,nryx->ncyx", colours, maps), maps


class Known(Segmenter):
    """Says what the picture of `person` shows, whatever was done to it."""

    def __init__(self) -> None:
        pass

    def probabilities(self, images: Tensor) -> Tensor:
        maps = F.adaptive_avg_pool2d(person()[1], images.shape[-1])
        return maps.expand(len(images), -1, -1, -1)


def checker(amount: float) -> Tensor:
    """Light and dark single pixels [R, R]."""
    ys, xs = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return amount * (1 - 2.0 * ((ys + xs) % 2))


def near(first: int, second: int, reach: int = 1) -> Tensor:
    """Where two regions meet, [R, R]."""
    maps = person()[1]
    grown = [F.max_pool2d((maps[:, i] > 0.5).float(), 2 * reach + 1, 1, reach)[0] for i in (first, second)]
    return grown[0] * grown[1]


@pytest.mark.parametrize(
    ("place", "regions"),
    [
        ("body", (Region.SKIN, Region.BACKGROUND)),
        ("hair", (Region.HAIR, Region.BACKGROUND)),
        ("hairline", (Region.HAIR, Region.SKIN)),
    ],
)
def test_beads_are_found_on_the_outline_that_has_them(place: str, regions: tuple[Region, Region]) -> None:
    clean = person()[0]
    beaded = clean + checker(0.15) * near(*regions)
    found = measure_beads(Known(), beaded, clean)
    assert getattr(found, place) > 3
    assert not found.reach_goal
    before, after = measure_energy(Known(), clean), measure_energy(Known(), beaded)
    risen = {kind: getattr(after, kind) - getattr(before, kind) for kind in ("body", "hair", "hairline")}
    assert max(risen, key=lambda kind: risen[kind]) == place


def test_soft_outlines_and_what_lies_off_them_have_no_beads() -> None:
    clean, maps = person()
    soft = F.avg_pool2d(F.pad(clean, (1, 1, 1, 1), mode="replicate"), 3, 1)
    assert measure_beads(Known(), soft, clean).reach_goal
    far = (1 - near(Region.SKIN, Region.BACKGROUND, 5)) * (1 - near(Region.HAIR, Region.BACKGROUND, 5))
    grain = checker(0.15) * far * (1 - near(Region.HAIR, Region.SKIN, 5)) * (maps[0, Region.BACKGROUND] > 0.5)
    found = measure_beads(Known(), clean + grain, clean)
    assert [found.body, found.hair, found.hairline] == pytest.approx([1, 1, 1], abs=0.05)
    assert measure_beads(Known(), clean, clean) == Beads(1, 1, 1)


def test_grain_counts_in_skin_alone() -> None:
    clean, maps = person()
    skin = checker(0.02) * (maps[0, Region.SKIN] > 0.5)
    rest = checker(0.02) * (maps[0, Region.SKIN] <= 0.5)
    assert measure_energy(Known(), clean + skin).skin == pytest.approx(0.02**2, rel=0.05)
    assert measure_energy(Known(), clean + rest).skin < 0.02**2 / 20


def test_pictures_without_a_person_have_no_energy_along_outlines(segmenter: Segmenter) -> None:
    nothing = measure_energy(segmenter, torch.zeros(2, 3, SIDE, SIDE))
    assert max(nothing.body, nothing.hair, nothing.hairline) < 1e-9


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load()


def test_noise_without_strength_gives_one_picture_and_noise_with_it_others(
    tmp_path: Path, segmenter: Segmenter
) -> None:
    checkpoint = load_checkpoint(MODEL, cache=tmp_path)
    generator, reader = checkpoint.generator, AttributePredictor.load()
    ws, heads = map_seeds(checkpoint, 8), F.avg_pool2d(person()[0], 2)
    layers = [x for _, x, _ in generator.synthesis.style_layers() if isinstance(x, SynthesisLayer)]
    for strength in (0.0, 0.05):
        for layer in layers:
            torch.nn.init.constant_(layer.noise_strength, strength)
        found = measure_variants(generator, Known(), reader, ws, heads, count=2)
        assert found.convolutions == len(layers)
        if strength:
            assert found.noise_inputs == len(layers)
            assert found.different == 1
            assert found.difference_levels > 0.5
        else:
            assert (found.noise_inputs, found.different, found.difference_levels) == (0, 0, 0)
            assert found.same_identity == 1
            assert found.grain == pytest.approx(found.grain_without_noise)
            assert not found.reach_goal
