"""Our parser of safetensors beside the format's library: whatever ours accepts is the same file to both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import safetensors

from tuiface.core.errors import InputFileError, ModelError
from tuiface.core.safetensors_header import ITEM_SIZES, LENGTH_BYTES, encode_header, read_places, split_header
from tuiface.core.tensor_file import view_tensor
from tuiface.directions.direction import decode_direction
from tuiface.engine.checkpoints import read_checkpoint, read_native_header

DATA = Path(__file__).parent / "data"
TENSORS = {"a": ("F32", (2, 3)), "b": ("F16", (4,)), "c": ("U8", (3, 1, 2)), "d": ("I64", ()), "e": ("BF16", (1, 5))}
BODY = bytes(range(24 + 8 + 6 + 8 + 10))
METADATA = {"format": "x", "other": "\u00e4"}

#: What a number, a list or a word of a header is replaced by, as JSON.
VALUES = [
    *(
        "0",
        "1",
        "2",
        "3",
        "6",
        "24",
        "-1",
        "-0",
        "8.0",
        "1e0",
        "1e400",
        "true",
        "false",
        "null",
        '""',
        '"2"',
        "[]",
        "{}",
    ),
    *("18446744073709551615", "18446744073709551616", "9223372036854775808", "1" + "0" * 30, "281474976710656", "00"),
    *(
        "[2,3]",
        "[6,1]",
        "[1,1,1,1,1,1,1,1,6]",
        "[4294967296,4294967296]",
        "[0]",
        "[0,24]",
        "[24,0]",
        "[[2],3]",
        "[2,3,]",
    ),
    *('"F32"', '"f32"', '"F64"', '"I8"', '"BOOL"', '"F8_E4M3"', '"F4"', '["F32"]', '"F32\\u0000"', '"\\ud800"', "NaN"),
]
EXTRA = [
    *('"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}', '"x":{"dtype":"F32","shape":[1],"data_offsets":[56,60]}'),
    *('"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}', '"__metadata__":{}', '"__metadata__":{"format":1}'),
    *(
        '"\\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}',
        '"x":null',
        '"":{}',
        '"__metadata__":null',
        '"\x01":1',
    ),
]


def header_text() -> str:
    encoded = encode_header(METADATA, _sized())
    return encoded[LENGTH_BYTES:].decode().rstrip()


def _sized() -> list[tuple[str, str, tuple[int, ...], int]]:
    return [
        (n, dtype, shape, int(np.prod(shape, dtype=int)) * ITEM_SIZES[dtype]) for n, (dtype, shape) in TENSORS.items()
    ]


def mutated(random: Random) -> bytes:
    """A file whose header has one to three flaws, or none."""
    text, body = header_text(), BODY
    for _ in range(random.randrange(4)):
        at = random.randrange(len(text))
        match random.randrange(7):
            case 0:
                text = _replace_value(text, random)
            case 1:
                text = "{" + random.choice(EXTRA) + "," + text[1:]
            case 2:
                text = text[:-1] + "," + random.choice(EXTRA) + "}"
            case 3:
                text = text[:at] + random.choice('{}[]",:0-9. \t\n\x00e') + text[at + 1 :]
            case 4:
                text = (
                    random.choice((" ", "\ufeff", "[", "")) + text + random.choice(("", " ", "\n", "}", "\x00", ",{}"))
                )
            case 5:
                body = random.choice((body[:-1], body + b"\0", body[8:], b"", body + bytes(8)))
            case 6:
                text = text.replace(
                    random.choice(("shape", "dtype", "data_offsets", "a", "}}")),
                    random.choice(("shape", "", "x", "}")),
                    1,
                )
    encoded = text.encode()
    length = len(encoded) + (random.choice((-1, 1, 8, 1 << 31, -len(encoded))) if random.random() < 0.1 else 0)
    return max(0, length).to_bytes(LENGTH_BYTES, "little") + encoded + body


def _replace_value(text: str, random: Random) -> str:
    spans = [i for i, letter in enumerate(text) if letter in ":[,"]
    start = random.choice(spans) + 1
    stop = min((text.find(end, start) for end in ",]}" if text.find(end, start) > 0), default=len(text))
    return text[:start] + random.choice(VALUES) + text[stop:]


def read_ours(data: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    header = split_header(data, len(data), "a test")
    places = read_places(header, tuple(ITEM_SIZES))
    return {n: (p.dtype, p.shape, view_tensor(data, header, p).tobytes()) for n, p in places.items()}


def read_theirs(data: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    entries = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    return {name: (entry["dtype"], tuple(entry["shape"]), bytes(entry["data"])) for name, entry in entries}


def test_what_is_accepted_here_the_library_accepts_with_the_same_tensors() -> None:
    random, accepted = Random(0), 0
    for number in range(1500):
        data = mutated(random)
        try:
            ours = read_ours(data)
        except ModelError:
            continue
        accepted += 1
        assert read_theirs(data) == ours, (number, data)
    assert 300 < accepted < 1200


FLAWS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a list as type": lambda h: h["a"].update(dtype=["F32"]),
    "an object as type": lambda h: h["a"].update(dtype={}),
    "no type": lambda h: h["a"].pop("dtype"),
    "a type of a later release": lambda h: h["a"].update(dtype="F8_E5M2"),
    "floats as sides": lambda h: h["a"].update(shape=[2.0, 3.0]),
    "true as a side": lambda h: h["d"].update(shape=[True]),
    "a side of 10^30": lambda h: h["a"].update(shape=[10**30, 3]),
    "a side of 1,000 digits": lambda h: h["a"].update(shape=[int("9" * 1000)]),
    "sides whose product overflows": lambda h: h["a"].update(shape=[1 << 47] * 8),
    "a hundred sides": lambda h: h["a"].update(shape=[1] * 100),
    "text as shape": lambda h: h["a"].update(shape="23"),
    "offsets of 1,000 digits": lambda h: h["a"].update(data_offsets=[-int("9" * 1000), int("9" * 1000)]),
    "three offsets": lambda h: h["a"].update(data_offsets=[0, 24, 24]),
    "offsets in the wrong order": lambda h: h["a"].update(data_offsets=[24, 0]),
    "true as an offset": lambda h: h["a"].update(data_offsets=[False, 24]),
    "another key": lambda h: h["a"].update(payload=0),
    "null as metadata": lambda h: h.update(__metadata__=None),
    "a hole": lambda h: h.pop("b"),
    "an overlap": lambda h: h["b"].update(data_offsets=[20, 28]),
    "half a character": lambda h: h.update({"\ud800": h.pop("a")}),
    "half a character in the metadata": lambda h: h["__metadata__"].update(format="\udc00"),
    "a tensor that is text": lambda h: h.update(a="F32"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_flaw_is_one_line(flaw: str) -> None:
    header = json.loads(header_text())
    assert read_ours(framed(header)) == read_theirs(framed(header))
    FLAWS[flaw](header)
    with pytest.raises(ModelError) as refused:
        read_ours(framed(header))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


def test_minus_zero_and_doubled_keys_are_refused() -> None:
    text = header_text()
    for bad in (text.replace("[0,24]", "[-0,24]"), text.replace("[2,3]", '[2,3],"shape":[2,3]'), " " + text):
        assert bad != text
        with pytest.raises(ModelError):
            read_ours(len(bad).to_bytes(8, "little") + bad.encode() + BODY)


def framed(header: dict[str, Any]) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + BODY


@pytest.mark.parametrize("name", ["s01_dtype_list", "s01d_extra_entry_dtype", "s03_shape_floats"])
def test_seen_checkpoints_are_refused_by_their_header(name: str) -> None:
    path = DATA / f"{name}.safetensors"
    for read in (read_native_header, read_checkpoint):
        with pytest.raises(
            ModelError,
            match=rf"^{path.name}: tensor \S+ (is of type a list|is described by a dict|has the shape \[8\.0)",
        ):
            read(path)


@pytest.mark.parametrize("rows", ["[0, 1000000000000000000]", "[99999, 100000]", "[0, 9007199254740993]"])
def test_a_direction_of_endless_rows_is_refused(rows: str) -> None:
    name = "dir_t07_rows_huge.safetensors"
    data = (DATA / name).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    inner = header["__metadata__"]["direction"]
    assert "1000000000000000000" in inner
    header["__metadata__"]["direction"] = inner.replace(str(json.loads(inner)["rows"]).replace(" ", ""), rows)
    text = json.dumps(header).encode()
    with pytest.raises(InputFileError, match=f"^{name}: .*rows"):
        decode_direction(len(text).to_bytes(8, "little") + text + data[8 + length :], name)
