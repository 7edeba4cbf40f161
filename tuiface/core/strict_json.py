"""JSON from strangers: bounded in every way before it becomes values.

A few megabytes of brackets or of unknown keys become gigabytes of objects and of error messages. Here the text is
measured first, by a few passes over its bytes that cost less than parsing it, and what no honest writer makes is
refused in one line: more bytes, values or keys, deeper nesting, longer numbers, a key twice, NaN and infinity, half a
character, another encoding than UTF-8.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from typing import Any, Final, NoReturn

from tuiface.core.errors import quote

MAX_JSON_BYTES: Final = 16 * 1024 * 1024
"""A recipe may carry latents, a few megabytes of base64."""
MAX_JSON_VALUES: Final = 500_000
"""A session of 300 faces with a hundred edits each holds half of them; as objects and errors they take 200 MB."""
MAX_JSON_KEYS: Final = 4096
"""Of one object."""
MAX_KEY_LENGTH: Final = 1000
MAX_JSON_DEPTH: Final = 64
"""The deepest format here takes ten."""
MAX_NUMBER_LENGTH: Final = 1100
"""Characters: more than any double takes that is written out to its last digit."""

_STRING = re.compile(rb'"[^"]*"?')  # an unclosed one ends with the text: each byte is looked at once
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NUMBERS = bytes(ord("0") if byte in b"0123456789.eE+-" else ord(" ") for byte in range(256))
_PAIRED_SURROGATES = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"|[^\s"\[\]{},:]++')


class JsonError(ValueError):
    """Text that is refused: one line, which says why."""


class JsonNumberError(JsonError):
    """Sound text with a number that is too large; a format may know the name of its place."""


def parse_strict_json(
    text: str | bytes,
    max_values: int = MAX_JSON_VALUES,
    *,
    max_integer: int | None = None,
    finite: bool = True,
    file_names: bool = False,
) -> Any:
    """The value that `text` holds; raises JsonError, whose text is one line that names the reason.

    Integers are bounded by `max_integer`; without `finite`, NaN and infinity are numbers too, as Python writes them.
    With `file_names` texts may hold half characters: so our own commands print the bytes of names that are no UTF-8.
    """
    if len(text) > MAX_JSON_BYTES:
        raise JsonError(f"{len(text)} bytes of JSON, accepted are at most {MAX_JSON_BYTES}")
    data = text if isinstance(text, bytes) else _encode_utf8(text)
    if not file_names:
        _refuse_half_characters(data)
    _check_bounds(data, max_values)
    decoded = _decode_utf8(text) if isinstance(text, bytes) else text

    def to_integer(digits: str) -> int | float:
        if digits == "-0":  # no integer has a signed zero: other readers take it for a float, and so for no size
            return -0.0
        number = int(digits)
        if max_integer is not None and abs(number) > max_integer:
            raise JsonNumberError(f"integer {quote(digits)} is beyond {max_integer}{_place_of(digits, decoded)}")
        return number

    def to_float(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            raise JsonNumberError(f"number {quote(digits)}: numbers must be finite{_place_of(digits, decoded)}")
        return number

    def refuse_constant(name: str) -> NoReturn:
        raise JsonError(f"{name} is not accepted; numbers must be finite{_place_of(name, decoded)}")

    try:
        return json.loads(
            decoded,
            object_pairs_hook=_to_object,
            parse_constant=refuse_constant if finite else float,
            parse_int=to_integer,
            parse_float=to_float if finite else float,
        )
    except json.JSONDecodeError as error:
        reason = "it is empty" if not decoded.strip() else f"{error.msg} in line {error.lineno}, column {error.colno}"
        raise JsonError(f"not JSON: {reason}") from None


def _encode_utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise JsonError(f"half a character (a lone surrogate) at character {error.start}") from None


def _decode_utf8(data: bytes) -> str:
    """json.loads itself would guess other encodings."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise JsonError("not JSON: it begins with a byte-order mark; accepted is UTF-8 without one")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        raise JsonError("not JSON: not UTF-8, but UTF-16 or UTF-32")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise JsonError(f"not JSON: byte {error.start} is not UTF-8") from None


def _refuse_half_characters(data: bytes) -> None:
    unescaped = data.replace(rb"\\", b"")
    if rb"\u" in unescaped and _SURROGATE.search(_PAIRED_SURROGATES.sub(b"", unescaped)):
        raise JsonError(r"half a character (a lone surrogate, \ud800 to \udfff) in a text")


def _check_bounds(data: bytes, max_values: int) -> None:
    """Raise JsonError for more than is accepted, in time and memory that grow with the bytes alone.

    What is no JSON may pass; all that a parser reads of it before it finds the fault keeps to the bounds.
    """
    # Pairs of backslashes go first, then each quote behind a single one: those that are left open and close texts.
    unescaped = data.replace(rb"\\", b"").replace(rb"\"", b"")
    if (num_texts := unescaped.count(b'"') // 2) > 2 * max_values:  # a key and a text for each value
        raise JsonError(f"JSON of {num_texts} texts as values or keys, accepted are at most {2 * max_values}")
    outside = _STRING.sub(b"", unescaped)
    num_openings = outside.count(b"[") + outside.count(b"{")
    if (num_values := outside.count(b",") + num_openings + 1) > max_values:
        raise JsonError(f"JSON of up to {num_values} values, accepted are at most {max_values}")
    # Each opening bracket has one that closes it; no parser comes to what stands behind these.
    brackets = outside.translate(None, _NO_BRACKETS)[: 2 * num_openings]
    if max(itertools.accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_JSON_DEPTH:
        raise JsonError(f"JSON nested too deeply, accepted are {MAX_JSON_DEPTH} levels")
    if b"0" * (MAX_NUMBER_LENGTH + 1) in outside.translate(_NUMBERS):
        raise JsonError(f"a number of more than {MAX_NUMBER_LENGTH} characters")


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_JSON_KEYS:
        raise JsonError(f"an object of {len(pairs)} keys, accepted are at most {MAX_JSON_KEYS}")
    found = dict(pairs)
    for key in found:
        if len(key) > MAX_KEY_LENGTH:
            raise JsonError(f"a key of {len(key)} characters, accepted are at most {MAX_KEY_LENGTH}: {quote(key)}")
    if len(found) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise JsonError(f"key {quote(twice)} stands twice")
    return found


def _place_of(token: str, text: str) -> str:
    """Where a number or word first stands outside a text: the end of an error's line."""
    start = next((found.start() for found in _TOKENS.finditer(text) if found[0] == token), None)
    return "" if start is None else f" (line {text.count(chr(10), 0, start) + 1})"
