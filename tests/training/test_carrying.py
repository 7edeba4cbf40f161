"""Carrying: w is given room for labels that it does not tell."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from tuiface.engine.networks.config import GeneratorConfig
from tuiface.engine.networks.generator import Generator
from tuiface.engine.predictors.attributes import PROBABILITY
from tuiface.engine.training.gan.distillation import LabelInjection, fit_label_injection, min_norm_steps, style_metric
from tuiface.engine.training.predictors.attributes import TARGETS, target_values
from tuiface.heads import HeadParameters, sample_parameters

NAMES = ("smile", "mouth_open", "glasses")


@dataclass(frozen=True)
class Column:
    name: str
    centre: float
    spread: float
    unit: str


@dataclass
class ColourReader:
    """Reads one label from the mean of each colour: its deviations are ten times the channel's mean."""

    attributes: tuple[Column, ...] = field(default_factory=tuple)

    def features(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))

    def scores(self, features: Tensor) -> Tensor:
        return 10 * features


@pytest.fixture(scope="module")
def heads() -> HeadParameters:
    return sample_parameters(256, seed=3)


@pytest.fixture(scope="module")
def reader(heads: HeadParameters) -> ColourReader:
    values = target_values(heads)[:, [[t.name for t in TARGETS].index(name) for name in NAMES]]
    units = ("fraction", "fraction", PROBABILITY)
    return ColourReader(
        tuple(
            Column(name, float(column.mean()), float(column.std()), unit)
            for name, column, unit in zip(NAMES, values.unbind(1), units, strict=True)
        )
    )


def tiny_generator() -> Generator:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(16, 0, 16, 8, 3, channels=(8, 8), mapping_features=(16,)))
    return generator.eval().requires_grad_(requires_grad=False)


def covariances(generator: Generator, reader: ColourReader, w: Tensor, labels: Tensor) -> Tensor:
    images = generator.synthesize(w[:, None].expand(-1, generator.num_ws, -1), "none").clamp(-1, 1)
    readings = reader.scores(reader.features(images))
    return ((readings - readings.mean(dim=0)) * labels).mean(dim=0)


def carried(
    share: float, reader: ColourReader, heads: HeadParameters
) -> tuple[Generator, Tensor, LabelInjection, Tensor]:
    """A generator that knows nothing of the labels, its w, what is added, and the labels in deviations."""
    generator = tiny_generator()
    metric = style_metric(generator)
    w = 0.3 * torch.randn(len(heads), 16, generator=torch.Generator().manual_seed(1))
    w[:, 8:] = 0  # as much room as a trained mapping network leaves
    blank = LabelInjection(
        torch.zeros(3, 16), tuple([t.name for t in TARGETS].index(n) for n in NAMES), *_scale(reader)
    )
    labels = blank.deviations(heads)
    pictures = (labels / 10)[:, :, None, None].expand(-1, -1, 8, 8)
    return generator, w, fit_label_injection(generator, reader, w, pictures, heads, metric, share), labels  # type: ignore[arg-type]


def _scale(reader: ColourReader) -> tuple[Tensor, Tensor]:
    return torch.tensor([a.centre for a in reader.attributes]), torch.tensor([a.spread for a in reader.attributes])


def test_w_tells_a_label_afterwards_and_the_picture_shows_some_of_it(
    reader: ColourReader, heads: HeadParameters
) -> None:
    generator, w, added, labels = carried(1.0, reader, heads)
    moved = w + added.compute_shifts(heads)
    before, after = (covariances(generator, reader, x, labels) for x in (w, moved))
    assert before.abs().max() < 0.2
    assert (after[:2] > before[:2] + 0.1).all()
    design = torch.cat([moved, torch.ones(len(w), 1)], dim=1).double()
    rest = labels - (design @ torch.linalg.pinv(design, rtol=1e-6) @ labels.double())  # w's room is of low rank
    unexplained = rest.var(dim=0) / labels.var(dim=0)
    assert unexplained[0] < 0.7
    assert unexplained[2] > 0.8, "yes and no are left alone"
    assert (added.steps[2] == 0).all()


def test_half_the_share_is_half_the_step_and_no_label_takes_much(reader: ColourReader, heads: HeadParameters) -> None:
    generator, w, whole, _ = carried(1e-3, reader, heads)
    half = carried(5e-4, reader, heads)[2]
    assert torch.allclose(half.steps, whole.steps / 2, rtol=1e-4)
    metric, most = style_metric(generator), carried(1.0, reader, heads)[2].steps
    shares = ((most @ metric) * most).sum(dim=1) / (((w - w.mean(0)) @ metric) * (w - w.mean(0))).sum(dim=1).mean()
    assert shares.max() <= 0.0101


def test_what_is_drawn_already_is_not_added(reader: ColourReader, heads: HeadParameters) -> None:
    """Asked for pictures that are what it draws, nothing is missing."""
    generator, w, usual, _ = carried(1.0, reader, heads)
    pictures = generator.synthesize(w[:, None].expand(-1, generator.num_ws, -1), "none")
    again = fit_label_injection(generator, reader, w, pictures, heads, style_metric(generator), 1.0)  # type: ignore[arg-type]
    assert again.steps.abs().max() < 1e-3 * usual.steps.abs().max()


def test_the_shortest_step_moves_one_reading_and_no_other() -> None:
    rng = torch.Generator().manual_seed(5)
    slopes, root = torch.randn(4, 12, generator=rng), torch.randn(12, 12, generator=rng)
    metric = root @ root.t() / 12 + torch.eye(12)
    steps = min_norm_steps(slopes, metric)
    effect = steps @ slopes.t()
    assert (effect.diagonal() > 0.7).all()
    assert (effect - effect.diagonal().diag()).abs().max() < 0.15
    plain = torch.linalg.pinv(slopes).t() * effect.diagonal()[:, None]
    lengths = [((x @ metric) * x).sum(dim=1) for x in (steps, plain)]
    assert (lengths[0] < lengths[1]).all()


def test_labels_that_do_not_show_add_nothing_and_far_ones_are_held(heads: HeadParameters) -> None:
    names = [target.name for target in TARGETS]
    columns = (names.index("hairline_height"), names.index("mouth_open"))
    added = LabelInjection(torch.eye(2), columns, torch.zeros(2), torch.full((2,), 0.01))
    values = target_values(heads)[:, columns]
    deviations = added.compute_shifts(heads)
    assert values[:, 0].isnan().any()
    assert (deviations[values[:, 0].isnan(), 0] == 0).all()
    assert deviations.abs().max() == 3.0
