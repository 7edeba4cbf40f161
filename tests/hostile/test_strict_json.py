"""JSON that is made to cost memory, time or the process: refused before it becomes objects."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from tuiface.core.errors import InputFileError, ModelError
from tuiface.core.safetensors_header import parse_json_object
from tuiface.core.strict_json import (
    MAX_JSON_BYTES,
    MAX_JSON_DEPTH,
    MAX_JSON_KEYS,
    MAX_JSON_VALUES,
    MAX_NUMBER_LENGTH,
    parse_strict_json,
)
from tuiface.core.values import parse_json
from tuiface.faces.recipe import Recipe

HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "more bytes": (" " * (MAX_JSON_BYTES + 1), "bytes of JSON"),
    "a million unknown keys": ("{" + ",".join(f'"k{i}":0' for i in range(10**6)) + "}", "values"),
    "a million empty lists": ("[" + ",".join(["[]"] * 10**6) + "]", "values"),
    "a million objects in a known list": ('{"edits":[' + ",".join(['{"a":0}'] * 10**6) + "]}", "values"),
    "many keys": (json.dumps(dict.fromkeys(map(str, range(MAX_JSON_KEYS + 1)))), f"{MAX_JSON_KEYS}$"),
    "deep lists": ("[" * 90 + "]" * 90, "nested too deeply"),
    "very deep lists": ("[" * 200_000, "nested too deeply"),
    "very deep objects": ('{"a":' * 200_000, "nested too deeply"),
    "an integer of many digits": ("9" * (MAX_NUMBER_LENGTH + 1), "a number of"),
    "an integer of a million digits": ("9" * 10**6, "a number of"),
    "a fraction of a million digits": ("0." + "9" * 10**6, "a number of"),
    "infinity as a number": ("1e999", "must be finite"),
    "infinity as a word": ("-Infinity", "must be finite"),
    "a key twice": ('{"a": 1, "b": 2, "a": 3}', "key 'a' stands twice"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "half a character": (b'{"a": "\xc3"}', "not UTF-8"),
    "full-width digits": ("１２", "not JSON"),
    "nothing": ("", "not JSON"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_json_is_refused_in_one_line_by_all_who_read_it(case: str) -> None:
    text, reason = HOSTILE[case]
    with pytest.raises(ValueError, match=reason):
        parse_strict_json(text)
    with pytest.raises(InputFileError, match=rf"^recipe\.json: .*{reason}") as refused:
        parse_json(Recipe, text, "recipe.json")
    with pytest.raises(ModelError, match=reason):
        parse_json_object(text, "the header")
    assert len(str(refused.value)) < 300


def test_what_stays_within_the_bounds_is_read() -> None:
    deep = "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH
    assert json.dumps(parse_strict_json(deep)) == deep
    assert parse_strict_json('{"a": [1, -2.5e3, "\\u00e4,[{", null]}') == {"a": [1, -2500.0, "ä,[{", None]}
    assert parse_strict_json(b'"\xc3\xa4"') == "ä"
    assert parse_strict_json("1" + "0" * 99) == 10**99


def test_text_at_the_limit_takes_little_memory() -> None:
    share = 20
    text = "[" + ",".join(["[]"] * (MAX_JSON_VALUES // 2 // share - 1)) + "]"
    tracemalloc.start()
    try:
        parse_strict_json(text)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20 / share
    finally:
        tracemalloc.stop()
