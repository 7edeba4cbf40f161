"""JSON from anywhere: what no honest file holds is refused before it is parsed, in one line, at next to no cost."""

from __future__ import annotations

import json
import re
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tuiface.core.errors import EngineError, InputFileError, ModelError, TuifaceError
from tuiface.core.safetensors_header import parse_json_object
from tuiface.core.strict_json import (
    MAX_JSON_BYTES,
    MAX_JSON_DEPTH,
    MAX_JSON_KEYS,
    MAX_JSON_VALUES,
    MAX_NUMBER_LENGTH,
    JsonError,
    parse_strict_json,
)
from tuiface.core.values import Value, parse_json
from tuiface.directions.questionnaire import Answer, Answers
from tuiface.engine_api import codec
from tuiface.faces.library import Tags
from tuiface.faces.recipe import LatentOrigin, LatentSource, ModelRef, Recipe, SeedSource
from tuiface.service.messages import Offer, decode_offer

PACKAGE = Path(__file__).parents[2] / "tuiface"
FULL = MAX_JSON_BYTES - 16

HOSTILE = {
    "a full file of commas": (b"[" + b"," * FULL + b"]", "values"),
    "a full file of lists": (b"[" + b"[]," * (FULL // 3) + b"0]", "values"),
    "a full file of texts": (b"[" + b'"",' * (FULL // 3) + b"0]", "texts"),
    "a full file of quotes": (b'"' * FULL, "texts"),
    "a full file of escaped quotes": (b'"' + rb"\"" * (FULL // 2), "not JSON"),
    "a full file of backslashes": (b"\\" * FULL, "not JSON"),
    "a full file of closing brackets": (b"[]" + b"]" * FULL, "not JSON"),
    "nested lists": (b"[" * FULL, "values"),
    "nested lists, closed": (b"[" * (MAX_JSON_DEPTH + 1) + b"]" * (MAX_JSON_DEPTH + 1), "nested too deeply"),
    "nested objects": (b'{"a":' * 2000 + b"1" + b"}" * 2000, "nested too deeply"),
    "nested behind a text of brackets": (b'["]]]]\\"]]", ' + b"[" * 2000, "nested too deeply"),
    "a long key": (json.dumps({"k" * 5000: 1}).encode(), "a key of 5000 characters"),
    "5,000 digits": (b"[" + b"9" * 5000 + b"]", f"more than {MAX_NUMBER_LENGTH} characters"),
    "5,000 digits behind the point": (b"[0." + b"9" * 5000 + b"]", f"more than {MAX_NUMBER_LENGTH} characters"),
    "a full file of digits": (b"9" * FULL, f"more than {MAX_NUMBER_LENGTH} characters"),
    "NaN": (b'["NaN",\n\nNaN]', "NaN is not accepted; numbers must be finite (line 3)"),
    "minus infinity": (b"[-Infinity]", "-Infinity is not accepted"),
    "a key that stands twice": (b'{"a": 1, "b": {"c": 1, "c": 2}}', "key 'c' stands twice"),
    "a key that stands twice, once escaped": (rb'{"a": 1, "\u0061": 2}', "key 'a' stands twice"),
    "a lone surrogate": (rb'{"a": "\ud800"}', "lone surrogate"),
    "a lone low surrogate": (rb'{"\uDFFF": 1}', "lone surrogate"),
    "surrogates in the wrong order": (rb'["\udc00\ud800"]', "lone surrogate"),
    "a surrogate in UTF-8": (b'["\xed\xa0\x80"]', "byte 2 is not UTF-8"),
    "a byte-order mark": (b"\xef\xbb\xbf{}", "byte-order mark"),
    "UTF-16": ("{}".encode("utf-16"), "UTF-16"),
    "UTF-16 without a mark": ("{}".encode("utf-16-le"), "UTF-16"),
    "UTF-32": ("{}".encode("utf-32-be"), "UTF-32"),
    "Latin-1": ('["é"]'.encode("latin-1"), "byte 2 is not UTF-8"),
    "nothing": (b"", "empty"),
    "two values": (b"{}\n{}", "in line 2, column 1"),
    "a control character": (b'[1, "\x00"]', "not JSON"),
    "cut off": (b'{"a": [1, 2', "not JSON"),
}


@pytest.mark.parametrize("text", [text for text, _ in HOSTILE.values()], ids=list(HOSTILE))
def test_hostile_text_is_one_line_whoever_reads_it(text: bytes) -> None:
    message = next(message for other, message in HOSTILE.values() if other is text)
    readers = (
        ("r.json: ", lambda: parse_json(Recipe, text, "r.json")),
        ("the header is not sound JSON: ", lambda: parse_json_object(text, "the header")),
        ("the engine's answer is not understood: x: ", lambda: codec.parse_answer(Tags, text, "x")),
    )
    for start, read in readers[: 3 if len(text) < 1e6 else 1]:
        began = time.process_time()
        with pytest.raises(TuifaceError) as caught:
            read()
        assert time.process_time() - began < 2
        assert str(caught.value).startswith(start)
        assert message in str(caught.value)
        assert len(str(caught.value)) < 300
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", [b"[1]", b"null", b"3", b'"{}"', b"true"])
@pytest.mark.parametrize("model", [Recipe, Tags, Answers, codec.RenderMessage, codec.PartMessage])
def test_another_value_than_an_object_is_one_line(model: type[Recipe], text: bytes) -> None:
    with pytest.raises(InputFileError, match=r"^f\.json: .*object"):
        parse_json(model, text, "f.json")


MODEL = {"sha256": "0" * 64, "name": "m"}
SEED = {"model": MODEL, "source": {"kind": "seed", "seed": 1}}
MANY = 30_000
MANY_ERRORS: dict[str, tuple[type[Value], dict[str, object], str]] = {
    "wrong items": (Recipe, {**SEED, "edits": [{}] * MANY}, "edits[0].direction: missing"),
    "wrong items of an item": (Recipe, {**SEED, "mixes": [{"rows": [""] * MANY}]}, "mixes[0].source: missing"),
    "unknown keys": (Recipe, {**SEED, **dict.fromkeys(map("k{}".format, range(MAX_JSON_KEYS - 2)))}, "k0: unknown key"),
    "wrong tags": (Tags, {"tags": ["a b"] * MANY}, "tags[0]: 'a b'"),
    "wrong seeds": (codec.FeaturesMessage, {"seeds": ["a"] * MANY}, "seeds[0]: 'a'"),
    "wrong answers": (Answers, {"answers": [{}] * MANY}, "concept: missing"),
}


@pytest.mark.parametrize("kind", ["[]", "{}", "null", "1", '["seed"]', "true"])
def test_a_kind_that_is_no_text_is_one_line(kind: str) -> None:
    with pytest.raises(InputFileError, match=r"^r\.json: source: kind must be 'seed' or 'latent'$"):
        parse_json(Recipe, json.dumps({**SEED, "source": {"kind": json.loads(kind), "seed": 1}}), "r.json")
    with pytest.raises(InputFileError, match=r"^part: part"):
        parse_json(codec.PartMessage, f'{{"part": {{"kind": {kind}}}}}', "part")


@pytest.mark.parametrize("case", MANY_ERRORS)
def test_only_the_first_of_many_errors_is_built(case: str) -> None:
    model, value, message = MANY_ERRORS[case]
    text = json.dumps(value)
    with pytest.raises(InputFileError):  # validators are built when they are first used
        parse_json(model, "[]", "f.json")
    tracemalloc.start()
    try:
        with pytest.raises(InputFileError) as caught:
            parse_json(model, text, "f.json")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"f.json: {message}")
    assert peak < 30e6


def test_honest_values_at_the_bounds_are_read() -> None:
    deep = b"[" * MAX_JSON_DEPTH + b"]" * MAX_JSON_DEPTH
    assert parse_strict_json(b"[%s]" % deep[1:-1]) == json.loads(deep)
    assert len(parse_strict_json(b"[" + b"0," * (MAX_JSON_VALUES - 2) + b"0]")) == MAX_JSON_VALUES - 1
    assert parse_strict_json(b"9007199254740991") == 2**53 - 1
    assert parse_strict_json(b"[0." + b"3" * 100 + b"]") == [1 / 3]
    assert parse_strict_json(b"1" + b"0" * 308 + b".0") == 1e308
    text = '["[[[[{{{{,,,,9999", "\\\\", "\\"[", "\\ud83d\\ude00", "é😀", "\\\\ud800"]'
    assert parse_strict_json(text) == parse_strict_json(text.encode()) == json.loads(text)
    model = ModelRef(sha256="0" * 64, name="m")
    answers = tuple(Answer(seed=i, value=1.0, chosen="random", expected=0.123456789) for i in range(10_000))
    full = Answers(concept="old", scale="yes-no", model=model, answers=answers)
    assert parse_json(Answers, full.model_dump_json(indent=1), "a.json") == full


LATENT = LatentSource.from_array(np.zeros(4), LatentOrigin(loss=0.5))


@pytest.mark.parametrize("digits", ["1e999", "-1e999", "1" * 320 + ".0"])
def test_a_number_beyond_all_numbers_is_named_by_its_place(digits: str) -> None:
    with pytest.raises(InputFileError, match=r"^r\.json: origin\.loss: .*finite"):
        parse_json(LatentSource, LATENT.model_dump_json().replace("0.5", digits), "r.json")
    with pytest.raises(ModelError, match=r"^the header is .* number '-?1.*': numbers must be finite \(line 2\)$"):
        parse_json_object(f'{{"a": "{digits}",\n"b": {digits}}}', "the header")


class Unbounded(Value):
    text: str
    number: int


@pytest.mark.parametrize("digits", ["9007199254740992", "-9007199254740992", "1" + "0" * 30, "9" * MAX_NUMBER_LENGTH])
def test_an_integer_that_readers_of_json_disagree_on_is_one_line(digits: str) -> None:
    with pytest.raises(InputFileError, match=r"^r\.json: integer '-?\d+.*' is beyond 9007199254740991 \(line 2\)$"):
        parse_json(Unbounded, f'{{"text": "{digits}",\n"number": {digits}}}', "r.json")
    with pytest.raises(InputFileError, match=r"^r\.json: seed: '-?\d+.*': input should be"):
        parse_json(SeedSource, f'{{"seed": {digits}}}', "r.json")
    assert parse_json_object(f'{{"a": {digits}}}', "the header") == {"a": int(digits)}  # checked by name


def test_a_log_may_hold_what_training_could_not_count() -> None:
    assert parse_strict_json('{"loss": NaN}', finite=False)["loss"] != 0
    with pytest.raises(JsonError, match="nested"):
        parse_strict_json("[" * 1000, finite=False)


def test_the_time_of_an_engines_file_is_beyond_the_bound_of_other_integers() -> None:
    offer = Offer(model="/m", size=1, mtime_ns=1_763_000_000_123_456_789, directions="/d")
    assert decode_offer(codec.encode(offer)) == offer
    for text in (b"[" * 5000, b"[]", b"{}", b'{"protocol": [], "version": {}}', b"\xff", b"9" * 5000):
        with pytest.raises(EngineError):
            decode_offer(text)


def test_nothing_else_reads_json() -> None:
    """Whatever parses JSON by itself has no bounds."""
    own = {"core/strict_json.py", "core/values.py"}
    wrong = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if re.search(
            r"\bjson\.loads?\(|validate_json\(|JSONDecoder|from_json\(.*cache_strings", path.read_text("utf-8")
        )
    ]
    assert set(wrong) == own


def test_a_header_that_is_no_object_is_one_line() -> None:
    with pytest.raises(ModelError, match="instead of a JSON object"):
        parse_json_object("[]", "the header")
