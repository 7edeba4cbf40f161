"""Learning from a reader: the directions move what they are named for, and are verified on other faces."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.edits.fakes import PixelAttributes, QuarterRegions
from tuiface.core.errors import ModelError, UsageError
from tuiface.directions.direction import DirectionOrigin
from tuiface.directions.questionnaire import standardise
from tuiface.directions.regression import cosine
from tuiface.engine.learning import step_trial
from tuiface.engine.learning.from_scores import direction_from_scores, raw_features, seed_components
from tuiface.engine.learning.learn import LearnedDirection, learn_directions, verify_again
from tuiface.engine.learning.verification import monotone_fraction
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine_api.requests import AttributesRequest

PLAN = AttributesRequest(draws=240, faces=4, seeds=20)


@pytest.fixture(scope="module")
def learned_one_by_one(network: OpenedNetwork) -> list[tuple[LearnedDirection, int]]:
    """Each direction, and how many had been reported as verified when it came."""
    notes: list[str] = []
    made = learn_directions(network, PixelAttributes(), QuarterRegions(), PLAN, notes.append)
    return [(one, len([text for text in notes if "monotone on" in text])) for one in made]


@pytest.fixture(scope="module")
def learned(learned_one_by_one: list[tuple[LearnedDirection, int]]) -> list[LearnedDirection]:
    return [one for one, _ in learned_one_by_one]


def test_each_direction_moves_its_own_concept_most(learned: list[LearnedDirection]) -> None:
    assert [one.direction.name for one in learned] == list(PixelAttributes.names)
    for one in learned:
        leakage = one.direction.header.leakage
        assert max(leakage, key=lambda name: leakage[name]) == one.direction.name
        assert leakage[one.direction.name] == pytest.approx(one.direction.header.measures["slope_sigma"], abs=1e-3)
        assert one.verification.slope > 0.05


def test_each_direction_is_there_before_the_next_one_is_looked_for(
    learned_one_by_one: list[tuple[LearnedDirection, int]],
) -> None:
    seen = [(one.direction.name, verified) for one, verified in learned_one_by_one]
    assert seen == [(name, number) for number, name in enumerate(PixelAttributes.names, start=1)]


def test_direction_says_where_it_came_from(learned: list[LearnedDirection], network: OpenedNetwork) -> None:
    header = learned[0].direction.header
    assert header.origin.method == "attributes"
    assert header.origin.settings["draws"] == PLAN.draws
    assert header.model == network.model
    assert header.unit == "sigma"
    assert header.origin.settings["method"] == "tangent"
    assert header.origin.paper.startswith("after ")


def test_a_unit_is_one_deviation_of_the_population_on_the_row_that_moves_most(
    learned: list[LearnedDirection], network: OpenedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where amount 1 is a part of it, because the concept ends before three deviations."""
    population = network.population
    monkeypatch.setattr(step_trial, "STEP_SCALES", (0.5,))
    plan = PLAN.model_copy(update={"names": ("top_left",)})
    [half] = learn_directions(network, PixelAttributes(), QuarterRegions(), plan, lambda text: None)
    for one, share in ((learned[0], 1.0), (half, 0.5)):
        header, step = one.direction.header, torch.from_numpy(np.asarray(one.direction.step))
        lengths = (step @ population.axes / population.deviations).norm(dim=1)
        assert float(lengths.max()) == pytest.approx(share, abs=1e-4)
        assert header.sigma == pytest.approx(float(step.norm()) / share)
        assert header.unit == ("sigma" if share == 1 else "range")


def test_the_published_method_is_still_there(network: OpenedNetwork) -> None:
    plan = PLAN.model_copy(update={"names": ("top_left",), "method": "boundary"})
    [one] = learn_directions(network, PixelAttributes(), QuarterRegions(), plan, lambda text: None)
    origin = one.direction.header.origin
    assert origin.settings["method"] == "boundary"
    assert "strictness" not in origin.settings
    step = one.direction.step
    assert (step == step[:1]).all(), "a boundary of W is the same on all rows"
    assert one.verification.slope > 0.05


def test_learning_again_gives_the_same_directions(learned: list[LearnedDirection], network: OpenedNetwork) -> None:
    again = next(learn_directions(network, PixelAttributes(), QuarterRegions(), PLAN, lambda text: None))
    assert again.direction.sha256 == learned[0].direction.sha256


def test_unknown_attribute_offers_the_nearest(network: OpenedNetwork) -> None:
    plan = AttributesRequest(names=("top_lift",), draws=240)
    with pytest.raises(UsageError, match=r"no attribute 'top_lift'; .* \(did you mean 'top_left'"):
        next(learn_directions(network, PixelAttributes(), QuarterRegions(), plan, lambda text: None))


class Noise(PixelAttributes):
    """Reads what no face shows."""

    def read(self, images):  # type: ignore[no-untyped-def]

        return torch.randn(images.shape[0], 4, generator=torch.Generator().manual_seed(int(images.sum() * 1e3)))


def test_what_no_face_shows_gives_no_direction(network: OpenedNetwork) -> None:
    with pytest.raises(ModelError, match="hardly explains top_left"):
        next(learn_directions(network, Noise(), QuarterRegions(), PLAN, lambda text: None))


class Reversed(PixelAttributes):
    """Reads everything the wrong way round."""

    def read(self, images):  # type: ignore[no-untyped-def]
        return -super().read(images)


def test_directions_are_verified_again_with_another_reader(
    learned: list[LearnedDirection], network: OpenedNetwork
) -> None:
    directions = [one.direction for one in learned]

    def again(reader: PixelAttributes) -> list[LearnedDirection]:
        return list(verify_again(network, reader, QuarterRegions(), directions, PLAN.draws, PLAN.seeds))

    assert [one.direction.header for one in again(PixelAttributes())] == [d.header for d in directions]
    for before, now in zip(learned, again(Reversed()), strict=True):
        assert now.direction.sha256 == before.direction.sha256
        assert now.verification.slope == pytest.approx(-before.verification.slope)
        assert now.verification.monotone_percent == 0
        assert not now.holds


def test_monotone_counts_faces_that_grow_at_every_step() -> None:
    grows = np.linspace(0, 6, 7)
    stops = np.minimum(grows, 3)
    falls = np.array([0, 1, 2, 1, 2, 3, 4.0])
    still = np.zeros(7)
    noisy = stops + np.array([0, 0, 0, 0, 0.05, 0, 0.02])
    assert monotone_fraction(np.stack([grows, stops, falls, still, noisy], axis=1)) == pytest.approx(3 / 5)


def test_direction_from_scores_finds_a_linear_concept(network: OpenedNetwork) -> None:
    seeds = tuple(range(200))
    white = seed_components(network, seeds)
    assert white.shape[0] == 200
    truth = np.random.RandomState(0).randn(white.shape[1])
    origin = DirectionOrigin(method="ratings")
    made = direction_from_scores(network, "kind", white, white @ truth, origin)
    basis = network.population.basis.numpy()
    assert cosine(made.step, basis @ truth) > 0.95
    moved = network.population.whiten(network.population.mean + torch.from_numpy(made.step)).numpy()
    assert moved @ truth / np.linalg.norm(truth) == pytest.approx(1, abs=0.1)  # one deviation of the concept
    with pytest.raises(ModelError, match="every face has the same score"):
        direction_from_scores(network, "kind", white, np.ones(200), origin)


def test_features_are_what_a_reader_sees_or_w_itself(network: OpenedNetwork) -> None:
    white = seed_components(network, (1, 2, 3))
    assert raw_features(network, white, None) is white
    seen = standardise(raw_features(network, white, PixelAttributes()))
    assert seen.shape == (3, 4)
    assert seen.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-6)
