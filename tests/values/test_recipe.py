"""Recipes: round trips, digests, and errors that name the field, the value and the nearest name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuiface.core.errors import InputFileError
from tuiface.core.limits import MAX_SEED
from tuiface.faces.direction_numbers import DirectionNumbers
from tuiface.faces.recipe import (
    ChannelEdit,
    DirectionEdit,
    LatentOrigin,
    LatentSource,
    ModelRef,
    Noise,
    Recipe,
    RegionLock,
    SeedSource,
    StyleMix,
    Truncation,
)

MODEL = ModelRef(sha256="a" * 64, name="m")

seeds = st.integers(0, MAX_SEED)
numbers = st.floats(-3, 3)
rows = st.tuples(st.integers(0, 17), st.integers(1, 18)).filter(lambda r: r[0] < r[1])
sources = st.one_of(
    st.builds(SeedSource, seed=seeds),
    st.builds(SeedSource, seed=seeds, label=st.integers(0, 9)),
    st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=8).map(lambda v: LatentSource.from_array(np.array(v))),
    st.integers(1, 4).map(lambda n: LatentSource.from_array(np.full((n, 3), n / 7))),
)
edits = st.one_of(
    st.builds(
        DirectionEdit, direction=st.just("smile"), sha256=st.just("b" * 64), amount=numbers, rows=st.none() | rows
    ),
    st.builds(ChannelEdit, channel=st.tuples(st.just("b16.conv1"), st.integers(0, 511)), amount=numbers),
)
recipes = st.builds(
    Recipe,
    model=st.just(MODEL),
    source=sources,
    truncation=st.builds(Truncation, psi=numbers, cutoff=st.none() | st.integers(0, 18)),
    mixes=st.lists(st.builds(StyleMix, source=sources, rows=rows), max_size=3).map(tuple),
    edits=st.lists(edits, max_size=3).map(tuple),
    locks=st.lists(st.builds(RegionLock, region=st.just("frame"), strength=st.floats(0, 1)), max_size=2).map(tuple),
    noise=st.one_of(st.just(Noise()), st.builds(Noise, mode=st.just("random"), seed=seeds)),
)


@given(recipes)
def test_recipe_survives_json(recipe: Recipe) -> None:
    again = Recipe.from_json(recipe.canonical_json())
    assert again == recipe
    assert again.digest == recipe.digest
    assert Recipe.from_json(json.dumps(json.loads(recipe.canonical_json()), indent=3)).digest == recipe.digest


@given(recipes, recipes)
def test_digest_tells_recipes_apart(a: Recipe, b: Recipe) -> None:
    assert (a == b) == (a.digest == b.digest)


def test_digest_is_pinned() -> None:
    """Digests name faces for years: this one must never change."""
    recipe = Recipe(model=MODEL, source=SeedSource(seed=42))
    assert recipe.digest == "f3f35ed92a2bf5681400327c7626651a71f63229e9a96173419b0f3fb724a0f1"


def test_digest_ignores_the_models_name_alone() -> None:
    recipe = Recipe(model=MODEL, source=SeedSource(seed=42))
    assert recipe.derive(model=ModelRef(sha256="a" * 64, name="other")).digest == recipe.digest
    assert recipe.derive(model=ModelRef(sha256="b" * 64, name="m")).digest != recipe.digest


def test_design_example_is_accepted() -> None:
    text = """{"format": "tuiface.recipe/1", "model": {"sha256": "%s", "name": "n"},
      "source": {"kind": "seed", "seed": 42}, "truncation": {"psi": 0.7, "cutoff": null, "center": "w_avg"},
      "mixes": [{"source": {"kind": "seed", "seed": 7}, "rows": [6, 12]}],
      "edits": [{"direction": "smile", "sha256": "%s", "amount": 1.5, "rows": null},
                {"channel": ["b16.conv1", 501], "amount": 2.0}],
      "locks": [{"region": "frame", "strength": 1.0, "guarantee": "direction"}],
      "noise": {"mode": "const", "seed": null}}""" % ("c" * 64, "d" * 64)  # noqa: UP031 - JSON is full of braces
    recipe = Recipe.from_json(text)
    assert recipe.mixes[0].rows == (6, 12)
    assert isinstance(recipe.edits[1], ChannelEdit)


def test_recipes_with_an_origin_are_told_apart_in_sets() -> None:
    def latent(**settings: str | float) -> LatentSource:
        return LatentSource.from_array(np.zeros(4, np.float32), LatentOrigin(settings=dict(settings)))

    assert latent(a="x", b=1.5) == latent(b=1.5, a="x")
    assert len({latent(a="x", b=1.5), latent(b=1.5, a="x"), latent(a="x"), latent()}) == 3


def test_latent_array_round_trip_is_exact() -> None:
    array = np.random.default_rng(0).standard_normal((18, 512)).astype(np.float32)
    assert np.array_equal(LatentSource.from_array(array).array(), array)


def full() -> dict[str, Any]:
    recipe = Recipe(
        model=MODEL,
        source=SeedSource(seed=1),
        mixes=(StyleMix(source=LatentSource.from_array(np.zeros(4)), rows=(0, 2)),),
        edits=(
            DirectionEdit(direction="smile", sha256="b" * 64, amount=1.0),
            ChannelEdit(channel=("b16.conv1", 5), amount=1.0),
        ),
    )
    value: dict[str, Any] = json.loads(recipe.canonical_json())
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(trunction={}), "r.json: trunction: unknown key (did you mean 'truncation'?)"),
        (lambda v: v["edits"][0].update(amout=1), "r.json: edits[0].amout: unknown key (did you mean 'amount'?)"),
        (lambda v: v["edits"][1].update(rows=None), "r.json: edits[1].rows: unknown key (accepted: amount, channel)"),
        (lambda v: v["edits"][0].update(amount="1,5"), "r.json: edits[0].amount: '1,5': input should be a valid num"),
        (lambda v: v["edits"][1].update(channel=["b16.conv7", 3]), "r.json: edits[1].channel[0]: 'b16.conv7'"),
        (lambda v: v["truncation"].update(psi=float("nan")), "r.json: NaN is not accepted; numbers must be finite"),
        (lambda v: v["truncation"].update(psi=float("inf")), "r.json: Infinity is not accepted"),
        (lambda v: v["truncation"].update(psi=1e9), "r.json: truncation.psi: '1000000000.0': input should be less"),
        (lambda v: v["source"].update(kind="sed"), "r.json: source: kind must be 'seed' or 'latent'"),
        (lambda v: v["source"].update(seed=-1), "r.json: source.seed: '-1': input should be greater than"),
        (lambda v: v["source"].update(seed=2**32), "r.json: source.seed: '4294967296': input should be less"),
        (lambda v: v["source"].update(seed=1.5), "r.json: source.seed: '1.5'"),
        (lambda v: v["source"].pop("seed"), "r.json: source.seed: missing"),
        (lambda v: v["mixes"][0].update(rows=[3, 3]), "r.json: mixes[0].rows: rows [3, 3] are empty"),
        (lambda v: v["mixes"][0]["source"].update(data="AAAA"), "data holds 3 bytes, shape [4] needs 16"),
        (lambda v: v["mixes"][0]["source"].update(data="?"), "data is not base64"),
        (lambda v: v["mixes"][0]["source"].update(data="AADAfw" * 3 + "AADAfw=="[:6]), "data"),
        (lambda v: v["mixes"][0]["source"].update(shape=[70000]), "shape [70000] does not fit"),
        (lambda v: v["mixes"][0]["source"].update(space="z"), "r.json: mixes[0].source.space: 'z'"),
        (lambda v: v["noise"].update(mode="random"), "r.json: noise: seed is needed for mode 'random'"),
        (lambda v: v["noise"].update(seed=3), "r.json: noise: seed is needed for mode 'random' and only there"),
        (lambda v: v.update(locks=[{"region": "fringe"}]), "r.json: locks[0].region: 'fringe'"),
        (lambda v: v.update(format="tuiface.recipe/2"), "r.json: format: 'tuiface.recipe/2'"),
        (lambda v: v["model"].update(sha256="xyz"), "r.json: model.sha256: 'xyz'"),
        (lambda v: v.pop("model"), "r.json: model: missing"),
    ],
)  # fmt: skip
def test_bad_recipe_is_one_line(change: Callable[[dict[str, Any]], object], message: str) -> None:
    value = full()
    change(value)
    with pytest.raises(InputFileError) as caught:
        Recipe.from_json(json.dumps(value), "r.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'{"format": 1, "format": 2}',
        b"<html>", b"9" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_recipe_at_all_is_one_line(text: bytes) -> None:
    with pytest.raises(InputFileError) as caught:
        Recipe.from_json(text, "r.json")
    assert str(caught.value).startswith("r.json: ")
    assert len(str(caught.value)) < 300


@given(st.binary(max_size=200))
def test_any_bytes_are_a_recipe_or_one_line(text: bytes) -> None:
    with pytest.raises(InputFileError):
        Recipe.from_json(text)


def held_numbers(step: float = 1.0) -> DirectionNumbers:
    return DirectionNumbers.of("w", None, "e" * 64, {"step": np.full(4, step, np.float32)})


def edited(*held: DirectionNumbers, named: DirectionNumbers) -> Recipe:
    edit = DirectionEdit(direction="smile", sha256=named.digest, amount=1.0)
    return Recipe(model=MODEL, source=SeedSource(seed=3), edits=(edit,), directions=held)


def test_numbers_of_directions_do_not_change_who_a_face_is() -> None:
    with_numbers, without = edited(held_numbers(), named=held_numbers()), edited(named=held_numbers())
    assert with_numbers.digest == without.digest
    assert "directions" not in json.loads(without.model_dump_json())
    assert Recipe.from_json(with_numbers.model_dump_json()) == with_numbers
    assert with_numbers.derive(edits=()).directions == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one.update(space="w+"), "space 'w+' takes float32 with 2 dimensions"),
        (lambda one: one["arrays"]["step"].update(shape=[5]), "holds 16 bytes"),
        (lambda one: one.update(model_sha256="d" * 64), "no edit names the one whose numbers have the digest"),
        (lambda one: one["arrays"].update(step=held_numbers(2.0).model_dump()["arrays"]["step"]), "no edit names"),
        (lambda one: one["arrays"].clear(), "arrays"),
    ],
)
def test_numbers_that_are_not_those_of_an_edit_are_refused(
    change: Callable[[dict[str, Any]], object], message: str
) -> None:
    value = json.loads(edited(held_numbers(), named=held_numbers()).model_dump_json())
    change(value["directions"][0])
    with pytest.raises(InputFileError, match=re.escape(message)):
        Recipe.from_json(json.dumps(value))
