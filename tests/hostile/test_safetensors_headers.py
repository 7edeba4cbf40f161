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

from tests.fuzz.mutations import mutated_safetensors
from tuiface.core.errors import InputFileError, ModelError
from tuiface.core.safetensors_header import ITEM_SIZES, LENGTH_BYTES, encode_header, read_places, split_header
from tuiface.core.tensor_file import view_tensor
from tuiface.directions.direction import decode_direction
from tuiface.engine.checkpoints import read_checkpoint, read_native_header

DATA = Path(__file__).parent / "data"
TENSORS = {"a": ("F32", (2, 3)), "b": ("F16", (4,)), "c": ("U8", (3, 1, 2)), "d": ("I64", ()), "e": ("BF16", (1, 5))}
BODY = bytes(range(24 + 8 + 6 + 8 + 10))
METADATA = {"format": "x", "other": "\u00e4"}


def header_text() -> str:
    encoded = encode_header(METADATA, _sized())
    return encoded[LENGTH_BYTES:].decode().rstrip()


def _sized() -> list[tuple[str, str, tuple[int, ...], int]]:
    return [
        (n, dtype, shape, int(np.prod(shape, dtype=int)) * ITEM_SIZES[dtype]) for n, (dtype, shape) in TENSORS.items()
    ]


def read_ours(data: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    header = split_header(data, len(data), "a test")
    places = read_places(header, tuple(ITEM_SIZES))
    return {n: (p.dtype, p.shape, view_tensor(data, header, p).tobytes()) for n, p in places.items()}


def read_theirs(data: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    entries = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    return {name: (entry["dtype"], tuple(entry["shape"]), bytes(entry["data"])) for name, entry in entries}


def test_what_is_accepted_here_the_library_accepts_with_the_same_tensors() -> None:
    random, accepted, sound = Random(0), 0, framed(json.loads(header_text()))
    for number in range(1500):
        data = mutated_safetensors(sound, random)
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
