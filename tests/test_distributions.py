"""KID, precision and recall on sets whose answers are known."""

from __future__ import annotations

import pytest
import torch

from tuiface.benchmarks.quality import (
    histogram,
    histogram_intersection,
    kernel_distance,
    mean_distance,
    precision_and_recall,
)

SIZE, WIDTH = 400, 8


def normals(seed: int, count: int = SIZE) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


def test_kid_is_unbiased_for_one_distribution() -> None:
    estimates = torch.tensor([kernel_distance(normals(2 * s, 60), normals(2 * s + 1, 60)) for s in range(200)])
    assert abs(float(estimates.mean())) < 3 * float(estimates.std()) / 200**0.5
    assert (estimates < 0).any()


def test_kid_is_the_expected_value_for_a_shifted_constant() -> None:
    """Constants a and b: k(a, a) + k(b, b) - 2 k(a, b), by hand."""
    a, b = torch.full((5, 4), 1.0), torch.full((7, 4), 2.0)
    assert kernel_distance(a, b) == pytest.approx((1 + 1) ** 3 + (4 + 1) ** 3 - 2 * (2 + 1) ** 3)


def test_kid_grows_with_the_shift() -> None:
    distances = [kernel_distance(normals(1) + shift, normals(2)) for shift in (0.0, 0.2, 0.5, 1.0)]
    assert distances == sorted(distances)
    assert distances[-1] > 50 * abs(distances[0])


def test_samples_of_one_distribution_cover_each_other() -> None:
    precision, recall = precision_and_recall(normals(1), normals(2))
    assert precision > 0.7
    assert recall > 0.7


def test_disjoint_sets_have_neither_precision_nor_recall() -> None:
    assert precision_and_recall(normals(1) + 100, normals(2)) == (0.0, 0.0)


def test_dropped_modes_cost_recall_and_not_precision() -> None:
    """The data have four modes, the generated set one of them."""
    centres = 20 * torch.eye(4, WIDTH)
    data = torch.cat([centre + normals(seed, 100) for seed, centre in enumerate(centres)])
    generated = centres[0] + normals(9, 400)
    precision, recall = precision_and_recall(generated, data)
    assert precision > 0.7
    assert recall == pytest.approx(0.25, abs=0.05)


def test_inventions_cost_precision_and_not_recall() -> None:
    """Half of the generated set lies where no data are."""
    generated = torch.cat([normals(1, 400), normals(2, 400) + 100])
    precision, recall = precision_and_recall(generated, normals(3))
    assert precision == pytest.approx(0.5, abs=0.15)
    assert recall > 0.7


def test_a_collapsed_set_has_no_diversity() -> None:
    assert mean_distance(normals(1)[:1].expand(50, -1)) == pytest.approx(0, abs=1e-6)
    assert mean_distance(2 * normals(1)) == pytest.approx(2 * mean_distance(normals(1)))


def test_histograms_share_what_they_have_in_common() -> None:
    edges = torch.linspace(0, 1, 5)
    x = torch.tensor([-3.0, 0.1, 0.3, 0.6, 0.9, 7.0])
    assert histogram(x, edges).tolist() == pytest.approx([2 / 6, 1 / 6, 1 / 6, 2 / 6])
    assert histogram_intersection(x, x, edges) == pytest.approx(1)
    assert histogram_intersection(torch.full((4,), 0.1), torch.full((4,), 0.9), edges) == 0
    assert histogram_intersection(torch.tensor([0.1, 0.9]), torch.tensor([0.1, 0.1]), edges) == pytest.approx(0.5)
