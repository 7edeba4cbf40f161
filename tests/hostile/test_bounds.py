"""Everything that crosses a border is bounded by its type, in every format and every message."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tuiface
from tests.fake_engine import FakeEngine
from tuiface.core.errors import InputFileError
from tuiface.core.settings import Settings
from tuiface.core.values import Value, canonical_json, parse_json
from tuiface.engine_api.codec import RenderMessage
from tuiface.engine_api.protocol import RenderRequest
from tuiface.faces.provenance import Provenance
from tuiface.faces.recipe import LatentOrigin, Recipe
from tuiface.faces.studio import Studio

OWN = {"Settings", "RunLimits"}
"""One's own settings and flags: they hold paths, which the system bounds."""


def all_formats() -> list[type[Value]]:
    """Every subclass of Value in the program."""
    for module in pkgutil.walk_packages(tuiface.__path__, "tuiface."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: dict[str, type[Value]] = {}
    waiting = Value.__subclasses__()
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if model.__module__.startswith("tuiface.") and model.__name__ not in OWN:
            found[f"{model.__module__}.{model.__qualname__}"] = model
    return list(found.values())


def unbounded(schema: Any, where: str) -> Iterator[str]:
    """The places in a core schema of pydantic that accept something of any size."""
    if isinstance(schema, list | tuple):
        for index, part in enumerate(schema):
            yield from unbounded(part, f"{where}[{index}]")
        return
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    if kind == "int" and not ({"ge", "gt"} & set(schema) and {"le", "lt"} & set(schema)):
        yield f"{where}: int"
    elif kind == "str" and "max_length" not in schema and not is_bounded(schema.get("pattern", ".*")):
        yield f"{where}: str"
    elif kind == "str" and r"\d" in schema.get("pattern", ""):
        yield f"{where}: a pattern that accepts digits of every script"
    elif kind == "dict" and "max_length" not in schema:
        yield f"{where}: dict"
    elif kind in ("list", "set", "frozenset") or (kind == "tuple" and "variadic_item_index" in schema):
        if "max_length" not in schema:
            yield f"{where}: {kind}"
        if not schema.get("fail_fast"):
            yield f"{where}: {kind} without fail_fast"
    elif kind in ("any", "bytes", "generator"):
        yield f"{where}: {kind}"
    for key, part in schema.items():
        if key not in ("metadata", "serialization", "default", "ref"):
            yield from unbounded(part, f"{where}.{key}")


def is_bounded(pattern: str) -> bool:
    """Whether only texts of a limited length can match."""
    return pattern.startswith("^") and pattern.endswith("$") and not re.search(r"[*+]|,\}", pattern)


def test_no_format_and_no_message_accepts_anything_of_any_size() -> None:
    formats = all_formats()
    assert len(formats) > 60, "the walk finds the formats"
    found: list[str] = []
    for model in formats:
        model.model_rebuild(force=True)
        found += unbounded(model.__pydantic_core_schema__, model.__qualname__)
    assert found == []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[type[Value], dict[str, Any]]:
    """What the program itself writes, by format."""
    folder = tmp_path_factory.mktemp("faces")
    studio = Studio(FakeEngine(c_dim=2), Settings(library=folder, cache=folder, state=folder, directions=folder))
    face = studio.face(seed=1, label=1).mix(studio.face(seed=2), (0, 3)).edit("b4.conv1:2", 1.5)
    provenance = json.loads(face.save(folder).with_suffix(".json").read_text())
    message = json.loads(RenderMessage(job=RenderRequest(face.recipe)).model_dump_json())
    return {Recipe: provenance["recipe"], Provenance: provenance, RenderMessage: message}


HUGE = (2**32, 2**53 + 1, 10**30, -1, -(10**30))
RECIPE: dict[str, Callable[[dict[str, Any], Any], object]] = {
    "label": lambda v, n: v["source"].update(label=n),
    "cutoff": lambda v, n: v["truncation"].update(cutoff=n),
    "rows": lambda v, n: v["mixes"][0].update(rows=[0, n]),
    "channel": lambda v, n: v["edits"][0].update(channel=["b4.conv1", n]),
    "seed": lambda v, n: v["source"].update(seed=n),
    "shape": lambda v, n: v.update(source={"kind": "latent", "space": "w", "shape": [n], "data": ""}),
}


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("place", RECIPE)
def test_a_number_that_no_face_has_is_refused_in_one_line(
    written: dict[type[Value], dict[str, Any]], place: str, number: int
) -> None:
    value = json.loads(json.dumps(written[Recipe]))
    RECIPE[place](value, number)
    with pytest.raises(InputFileError, match=r"^r\.json: ") as refused:
        parse_json(Recipe, json.dumps(value), "r.json").digest  # noqa: B018 - canonical JSON is made there
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("threads", [0, 1025, 100_000, *HUGE])
def test_threads_that_no_machine_has_are_refused(written: dict[type[Value], dict[str, Any]], threads: int) -> None:
    provenance = written[Provenance] | {"device": written[Provenance]["device"] | {"threads": threads}}
    with pytest.raises(InputFileError, match=r"^f\.png: device\.threads: "):
        parse_json(Provenance, json.dumps(provenance), "f.png")
    message = {"job": written[RenderMessage]["job"] | {"threads": threads}}
    with pytest.raises(InputFileError, match=r"^render job: job\.threads: "):
        parse_json(RenderMessage, json.dumps(message), "render job")


@pytest.mark.parametrize("layer", ["b４.conv1", "b٤.conv1", "b4.conv1\n", "b99999999.conv1", "B4.conv1"])
def test_a_layer_in_other_digits_is_refused(written: dict[type[Value], dict[str, Any]], layer: str) -> None:
    value = written[Recipe] | {"edits": [{"channel": [layer, 2], "amount": 1.0}]}
    with pytest.raises(InputFileError, match=r"^r\.json: edits\[0\]"):
        parse_json(Recipe, json.dumps(value), "r.json")


def test_a_million_wrong_edits_are_refused_by_the_first(written: dict[type[Value], dict[str, Any]]) -> None:
    value = written[Recipe] | {"edits": [{"a": 0}] * 100_000}
    with pytest.raises(InputFileError, match=r"^r\.json: edits\[0\]\.") as refused:
        parse_json(Recipe, json.dumps(value), "r.json")
    assert "edits[1]" not in str(refused.value)


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**30])
def test_whole_numbers_that_json_does_not_hold_are_refused_where_digests_are_made(number: int) -> None:
    with pytest.raises(InputFileError, match="safe integer"):
        canonical_json({"n": number})
    origin = {"settings": {"steps": number}}
    with pytest.raises(InputFileError, match=r"2\^53 - 1"):
        parse_json(LatentOrigin, json.dumps(origin), "o.json")


def test_settings_of_an_origin_keep_their_types() -> None:
    settings = {"n": 2**53 - 1, "x": 1.5, "b": True, "s": "adam", "whole": 2.0}
    read = parse_json(LatentOrigin, json.dumps({"settings": settings}), "o.json").settings
    assert read == settings
    assert [type(value) for value in read.values()] == [int, float, bool, str, float]
