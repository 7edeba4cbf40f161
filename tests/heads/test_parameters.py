"""Head parameters as a value: overriding, JSON, and errors that a user can act on."""

from __future__ import annotations

import json

import pytest
import torch

from tuiface.core.errors import UsageError
from tuiface.heads import (
    COLUMN,
    EMOTIONS,
    ENCODING,
    LABELS,
    SPECIFICATION,
    HeadParameters,
    compute_labels,
    concatenate,
    encode,
    express,
    sample_parameters,
)
from tuiface.heads.sampling.emotions import ACTION_UNITS


@pytest.mark.parametrize(("start", "count"), [(7, 1), (0, 5), (31, 16), (3, 77)])
def test_sample_i_of_a_seed_is_the_same_in_any_batch(start: int, count: int) -> None:
    many = sample_parameters(96, seed=4)
    few = sample_parameters(count, seed=4, start=start)
    assert torch.equal(many.values[start : start + count], few.values)
    assert torch.equal(many.seeds[start : start + count], few.seeds)


def test_other_seeds_and_other_samples_differ() -> None:
    values = torch.cat([sample_parameters(50, seed=seed).values for seed in (0, 1, 2**40)])
    assert len(set(map(tuple, values.tolist()))) == 150


def test_every_draw_lies_in_its_range_and_choices_are_whole() -> None:
    parameters = sample_parameters(2000, seed=0)
    for spec in SPECIFICATION:
        column = parameters[spec.name]
        assert column.isfinite().all(), spec.name
        assert column.min() >= spec.low - 1e-6, spec.name
        assert column.max() <= spec.high + 1e-6, spec.name
        assert column.std() > 0, f"{spec.name} never varies"
        if spec.choices:
            assert len(spec.choices) == int(spec.high) + 1
            assert set(column.tolist()) == set(range(len(spec.choices))), f"{spec.name}: a choice is never drawn"


def test_the_population_covers_all_skins_ages_and_both_builds() -> None:
    parameters = sample_parameters(4000, seed=1)
    tenths = (parameters["melanin"] * 10).long().clamp(max=9).bincount(minlength=10)
    assert (tenths[:-1] > 40).all(), tenths
    assert 0.45 < (parameters["masculinity"] > 0).float().mean() < 0.55
    assert parameters["age"].quantile(0.1) < 25
    assert parameters["age"].quantile(0.9) > 60
    assert (parameters["beard_density"][parameters["masculinity"] < 0] == 0).all()


def test_overriding_changes_that_column_only() -> None:
    before = sample_parameters(3, seed=2)
    after = before.override(smile=0.75, hair_style="bob")
    changed = (before.values != after.values).any(0).nonzero()[:, 0].tolist()
    assert set(changed) <= {COLUMN["smile"], COLUMN["hair_style"]}
    assert after["smile"].tolist() == [0.75] * 3


def test_json_gives_back_the_same_parameters() -> None:
    parameters = sample_parameters(20, seed=3)
    extremes = HeadParameters(torch.tensor([[s.low for s in SPECIFICATION], [s.high for s in SPECIFICATION]]),
                              torch.tensor([0, 2**32 - 1]))  # fmt: skip
    for batch in (parameters, extremes):
        again = HeadParameters.from_json(*(batch.to_json(i) for i in range(len(batch))))
        assert torch.equal(again.values, batch.values)
        assert torch.equal(again.seeds, batch.seeds)


def test_lines_from_before_a_parameter_came_are_read_without_it() -> None:
    parameters = sample_parameters(1, seed=3).override(mole=0.5, scar=0.5, wrinkles=2)
    document = json.loads(parameters.to_json(0))
    came_later = {spec.name: spec.absent for spec in SPECIFICATION if spec.absent is not None}
    assert {"wrinkles", "mole", "scar"} <= set(came_later)
    for name in came_later:
        del document["parameters"][name]
    old = HeadParameters.from_json(json.dumps(document))
    assert torch.equal(old.values, parameters.override(**came_later).values)


def test_one_head_in_eight_has_a_mole_and_as_many_a_scar() -> None:
    parameters = sample_parameters(4000, seed=9)
    for mark in ("mole", "scar"):
        has = parameters[mark] > 0
        assert 0.10 < has.float().mean() < 0.15
        assert parameters[mark][has].min() >= 0.25


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("melanin", 1.7, ["melanin", "1.7", "0 to 1"]),
        ("yaw", -90, ["yaw", "-90", "-45 to 45", "degrees"]),
        ("smile", float("nan"), ["smile", "nan"]),
        ("hair_style", "mohawk", ["hair_style", "mohawk", "afro"]),
        ("hair_style", 99, ["hair_style", "99"]),
        ("hair_style", 1.5, ["hair_style", "1.5", "whole"]),
        ("melanin", "dark", ["melanin", "dark", "0 to 1"]),
        ("smil", 1, ["smil", "did you mean 'smile'?"]),
    ],
)
def test_a_wrong_value_is_one_line_that_says_what_is_accepted(name: str, value: float | str, said: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        sample_parameters(1, seed=0).override(**{name: value})
    line = str(caught.value)
    assert "\n" not in line
    for words in said:
        assert words in line


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: "{", "not JSON"),
        (lambda d: "[]", "tuiface.head/1"),
        (lambda d: json.dumps({**d, "format": "other"}), "tuiface.head/1"),
        (lambda d: json.dumps({**d, "seed": -1}), "seed"),
        (lambda d: json.dumps({**d, "seed": True}), "seed"),
        (lambda d: json.dumps({**d, "parameters": None}), "parameters"),
        (lambda d: json.dumps({**d, "parameters": {"smile": 0}}), "missing"),
        (lambda d: json.dumps({**d, "parameters": {**d["parameters"], "smile": 3}}), "0 to 1"),
        (lambda d: json.dumps({**d, "parameters": {**d["parameters"], "smile": None}}), "not a number"),
        (lambda d: json.dumps({**d, "parameters": {**d["parameters"], "horns": 3}}), "horns"),
        (lambda d: json.dumps({**d, "parameters": {**d["parameters"], "hair_style": "mohawk"}}), "mohawk"),
    ],
)
def test_a_broken_line_of_labels_is_refused(change: object, said: str) -> None:
    document = json.loads(sample_parameters(1, seed=0).to_json(0))
    assert callable(change)
    with pytest.raises(UsageError, match=said):
        HeadParameters.from_json(change(document))


def test_teeth_show_clearly_or_not_at_all() -> None:
    parameters = sample_parameters(2000, seed=6)
    teeth = parameters["teeth"]
    assert 0.25 < (teeth > 0).float().mean() < 0.6
    assert teeth[teeth > 0].min() > 0.5
    assert (parameters["smile"][teeth > 0] > 0.4).all()


def test_encoding_is_standardised_and_named() -> None:
    parameters = sample_parameters(1500, seed=5)
    encoded = encode(parameters)
    assert encoded.shape == (1500, len(ENCODING))
    assert encoded.abs().max() < 6
    one_hot = encoded[:, [i for i, name in enumerate(ENCODING) if name.startswith("hair_style=")]]
    assert torch.equal(one_hot.argmax(1).float(), parameters["hair_style"])
    assert (one_hot.sum(1) == 1).all()


def test_concatenating_and_selecting_keep_the_order() -> None:
    parameters = sample_parameters(6, seed=6)
    joined = concatenate([parameters.select(slice(3, 6)), parameters.select(slice(0, 3))])
    assert torch.equal(joined.values, parameters.values[[3, 4, 5, 0, 1, 2]])


def test_labels_say_what_shows() -> None:
    """A label follows the traits behind it: long hair is long in dm, age greys, recession lifts the hairline."""
    base = sample_parameters(4, seed=8).override(hair_style="crop", hairline_recession=0, age=25, greying=0)

    def label(name: str, **changes: float | str) -> torch.Tensor:
        return compute_labels(base.override(**changes))[:, LABELS.index(name)]

    assert compute_labels(base).isfinite().all()
    assert (label("hair_length", hair_style="long_straight") > label("hair_length") + 1).all()
    assert (label("hair_length", hair_style="bald") == 0).all()
    assert (label("grey", age=80) > label("grey") + 0.5).all()
    assert (label("hairline_height", hairline_recession=1) > label("hairline_height") + 0.05).all()
    assert (label("hairline_height", hairline_height=2) > label("hairline_height", hairline_height=-2) + 0.1).all()
    assert (label("jaw_width", masculinity=1) > label("jaw_width", masculinity=-1) + 1).all()
    assert (label("wrinkles", age=75) > label("wrinkles") + 0.5).all()
    assert (label("wrinkles", wrinkles=3) > label("wrinkles", wrinkles=-3) + 0.05).all()
    assert torch.equal(label("scar", scar=0.7), torch.full((4,), 0.7))
    assert (label("hair_lightness", hair_eumelanin=0.0) > label("hair_lightness", hair_eumelanin=1.0) + 0.2).all()


def test_labels_tell_each_emotion_and_the_action_units_that_it_is_made_of() -> None:
    base = sample_parameters(4, seed=8)
    for emotion, units in EMOTIONS.items():
        shown = compute_labels(express(base, emotion, 0.9))
        assert torch.allclose(shown[:, LABELS.index(emotion)], torch.tensor(0.9), atol=0.02)
        for unit in units.keys() & set(ACTION_UNITS):
            assert torch.allclose(shown[:, LABELS.index(unit)], torch.tensor(0.9 * units[unit]), atol=1e-5)
