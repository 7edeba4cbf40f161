"""JSON from strangers: bounded in every way before it becomes values.

A few megabytes of brackets or of unknown keys become gigabytes of objects and of error messages. Here the text is
measured first, which costs a thousandth of parsing it, and what no honest writer makes is refused in one line: more
bytes, values or keys, deeper nesting, longer numbers, a key twice, NaN and infinity, another encoding than UTF-8.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

from tuiface.core.errors import quote

MAX_JSON_BYTES: Final = 16 * 1024 * 1024
"""A recipe may carry latents, a few megabytes of base64."""
MAX_JSON_VALUES: Final = 1_000_000
"""A session of a thousand faces holds half of them."""
MAX_JSON_KEYS: Final = 4096
"""Of one object."""
MAX_JSON_DEPTH: Final = 64
"""The deepest format here takes ten."""
MAX_NUMBER_LENGTH: Final = 1100
"""Characters: more than any double takes that is written out to its last digit."""


def parse_strict_json(text: str | bytes, max_values: int = MAX_JSON_VALUES) -> Any:
    """The value that `text` holds; raises ValueError whose text is one line that names the reason."""
    if len(text) > MAX_JSON_BYTES:
        raise ValueError(f"{len(text)} bytes of JSON, accepted are at most {MAX_JSON_BYTES}")
    if isinstance(text, bytes):
        text = _decode_utf8(text)
    # Commas in texts are counted too; this bounds the number of values from above.
    num_values = 1 + sum(map(text.count, ",[{"))
    if num_values > max_values:
        raise ValueError(f"JSON of up to {num_values} values, accepted are at most {max_values}")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_to_object,
            parse_constant=_refuse_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _refuse_depth(value)
    return value


_TOO_DEEP: Final = f"JSON nested too deeply, accepted are {MAX_JSON_DEPTH} levels"


def _decode_utf8(data: bytes) -> str:
    """json.loads itself would guess other encodings."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not JSON: byte {error.start} is not UTF-8") from None


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_JSON_DEPTH + 1):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent if isinstance(parent, list) else ())
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_JSON_KEYS:
        raise ValueError(f"an object of {len(pairs)} keys, accepted are at most {MAX_JSON_KEYS}")
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {quote(twice)} stands twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not accepted; numbers must be finite")


def _parse_int(text: str) -> int:
    return int(_check_length(text))


def _parse_float(text: str) -> float:
    value = float(_check_length(text))
    if math.isinf(value):
        _refuse_constant(text)
    return value


def _check_length(text: str) -> str:
    if len(text) > MAX_NUMBER_LENGTH:
        raise ValueError(f"a number of {len(text)} characters, accepted are at most {MAX_NUMBER_LENGTH}")
    return text
