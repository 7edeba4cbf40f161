"""Targets are what shows: in the renderer's units, absent where it cannot be seen, right when mirrored."""

from __future__ import annotations

import pytest
import torch

from tuiface.engine.training.predictors.attributes import (
    TARGETS,
    explained_variance,
    mirror_values,
    probability_mask,
    target_values,
)
from tuiface.heads import LABELS, HeadParameters, compute_labels, sample_parameters

NAMES = [target.name for target in TARGETS]


def column(parameters: HeadParameters, name: str) -> torch.Tensor:
    return target_values(parameters)[:, NAMES.index(name)]


def test_every_name_stands_once_and_has_a_meaning() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(target.meaning and target.unit for target in TARGETS)
    assert all(bool(target.shown_where) == (target.shown is not None) for target in TARGETS)


def test_labels_keep_their_values() -> None:
    parameters = sample_parameters(64, seed=3)
    expected = compute_labels(parameters)
    for name in ("smile", "yaw", "melanin", "jaw_width", "hair_length", "glasses"):
        assert torch.equal(column(parameters, name), expected[:, LABELS.index(name)])


def test_age_is_in_years() -> None:
    parameters = sample_parameters(64, seed=3)
    assert torch.allclose(column(parameters, "age"), parameters["age"], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "hidden", "shown"),
    [
        ("hairline_height", {"hair_style": "bald"}, {"hair_style": "swept_back", "crown_thinning": 0.0}),
        ("hairline_height", {"hair_style": "fringed_bob"}, {"hair_style": "tied_back", "crown_thinning": 0.0}),
        ("hairline_recession", {"hair_style": "caesar"}, {"hair_style": "quiff", "crown_thinning": 0.0}),
        ("grey", {"hair_style": "bald"}, {"hair_style": "bob"}),
        ("beard_length", {"beard_density": 0.1}, {"beard_density": 0.9}),
        ("gaze_x", {"eye_opening": 0.05}, {"eye_opening": 1.1, "smile": 0.0, "glasses": "none"}),
        ("gaze_x", {"glasses": "thin", "tint": 0.9}, {"glasses": "thin", "tint": 0.0, "eye_opening": 1.0}),
    ],
)
def test_what_cannot_be_seen_is_absent(
    name: str, hidden: dict[str, float | str], shown: dict[str, float | str]
) -> None:
    parameters = sample_parameters(16, seed=1)
    assert column(parameters.override(**hidden), name).isnan().all()
    assert not column(parameters.override(**shown), name).isnan().any()


def test_a_mirrored_head_looks_the_other_way() -> None:
    values = target_values(sample_parameters(32, seed=5))
    turned = mirror_values(values)
    changed = {name for name, a, b in zip(NAMES, values.unbind(1), turned.unbind(1), strict=True) if not _same(a, b)}
    assert changed == {"yaw", "gaze_x", "light_azimuth"}
    assert _same(mirror_values(turned), values)


def test_yes_or_no_targets_are_zero_or_one() -> None:
    values = target_values(sample_parameters(256, seed=2))[:, probability_mask()]
    assert set(values.flatten().tolist()) == {0.0, 1.0}


def test_explained_variance_counts_only_what_shows() -> None:
    wanted = target_values(sample_parameters(128, seed=4))
    assert all(r2 == pytest.approx(1) for r2 in explained_variance(wanted.nan_to_num(1e6), wanted).values())
    means = wanted.nanmean(dim=0).expand_as(wanted)
    assert all(r2 == pytest.approx(0, abs=1e-4) for r2 in explained_variance(means, wanted).values())


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a, b, equal_nan=True)
