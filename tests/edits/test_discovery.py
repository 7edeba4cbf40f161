"""Discovery without labels: each method finds what it says it looks for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.edits.fakes import QuarterRegions
from tuiface.engine.edits.masks import build_lock_mask
from tuiface.engine.latents import LatentPopulation, draw_w
from tuiface.engine.learning.batch_predict import synthesize_images
from tuiface.engine.learning.discovery import ganspace, rank_channels, resefa, sefa
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine.networks.generator import Generator
from tuiface.faces.recipe import RegionLock

MOUTH = RegionLock(region="mouth")


@pytest.fixture
def generator(engine: LocalEngine) -> Generator:
    return engine.renderer.generator


@pytest.fixture
def population(engine: LocalEngine) -> LatentPopulation:
    return engine.renderer.population()


def test_principal_components_hold_most_of_the_spread(generator: Generator, population: LatentPopulation) -> None:
    found = ganspace(population, 5)
    w = draw_w(generator, seed=77, count=3000)
    spreads = [float((w @ (one.step / one.step.norm())).std()) for one in found]
    assert [one.weight for one in found] == sorted((one.weight for one in found), reverse=True)
    for one, spread in zip(found, spreads, strict=True):
        assert float(one.step.norm()) == pytest.approx(spread, rel=0.1)


def test_sefa_directions_amplify_more_than_others_and_are_orthogonal(
    generator: Generator, population: LatentPopulation
) -> None:
    found = sefa(generator, population, (2, 5), 4)
    units = torch.stack([one.step / one.step.norm() for one in found])
    assert torch.allclose(units @ units.t(), torch.eye(4), atol=1e-4)
    weights = [layer.affine.weight for _, layer, row in generator.synthesis.style_layers() if 2 <= row < 5]
    stacked = torch.cat([w.detach() for w in weights])
    stacked = stacked / stacked.norm(dim=0, keepdim=True)
    gains = (stacked @ units.t()).norm(dim=0)
    others = torch.nn.functional.normalize(torch.randn(50, stacked.shape[1]), dim=1)
    assert gains[0] > (stacked @ others.t()).norm(dim=0).max()
    assert gains.tolist() == sorted(gains.tolist(), reverse=True)


def test_regional_directions_change_their_region_for_what_they_change_elsewhere(
    generator: Generator, population: LatentPopulation
) -> None:
    found = resefa(generator, population, QuarterRegions(), MOUTH, (0, 8), 2, faces=1)
    rng = torch.randn(8, population.basis.shape[1], generator=torch.Generator().manual_seed(0))
    random = [population.basis @ (c / c.norm()) for c in rng]
    ratios = [inside_ratio(generator, step) for step in (found[0].step, *random)]
    assert ratios[0] > 2 * np.mean(ratios[1:])


def inside_ratio(generator: Generator, step: torch.Tensor) -> float:
    w = draw_w(generator, 4_000_003, 1)[:, None].expand(-1, 8, -1)
    ws = generator.truncate(w, 0.7)
    plus, minus = synthesize_images(generator, ws + 0.1 * step), synthesize_images(generator, ws - 0.1 * step)
    change = (plus - minus).square().sum(dim=1, keepdim=True)
    mask = build_lock_mask(QuarterRegions().probabilities(plus), (MOUTH,), 32)
    return float((change * mask).sum() / (change * (1 - mask)).sum())


def test_ranked_channels_really_move_the_region(generator: Generator, population: LatentPopulation) -> None:
    ranks = rank_channels(generator, population, QuarterRegions(), MOUTH, 400, faces=1, probes=24)
    ws = generator.truncate(draw_w(generator, 4_000_003, 1)[:, None].expand(-1, 8, -1), 0.7)
    styles = generator.synthesis.styles(ws)
    mask = build_lock_mask(QuarterRegions().probabilities(torch.zeros(1, 3, 32, 32)), (MOUTH,), 32)
    measured = []
    for rank in ranks[::40]:
        layer = generator.synthesis.get_submodule(rank.layer)
        step = 0.2 * population.channel_sigma(layer)[rank.channel]  # type: ignore[arg-type]
        moved = []
        for sign in (1, -1):
            edited = {name: style.clone() for name, style in styles.items()}
            edited[rank.layer][:, rank.channel] += sign * step
            moved.append(generator.synthesize_styles(edited))
        change = ((moved[0] - moved[1]) / 0.4).square()
        measured.append(127.5 * float(((change * mask).sum() / (3 * mask.sum())).sqrt()))
    found = [rank.change for rank in ranks[::40]]
    assert np.corrcoef(np.log(found), np.log(measured))[0, 1] > 0.8
    assert found == pytest.approx(measured, rel=0.8)
