"""Direction files: one direction, the same bytes; whatever is damaged or hostile is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.directions.directions import make_direction
from tuiface.core.errors import InputFileError, OutputError
from tuiface.directions.direction import decode_direction, encode_direction, read_direction, write_direction


@given(array=arrays(np.float32, (3, 4), elements=st.floats(-10, 10, width=32)), rows=st.sampled_from([None, (0, 2)]))
def test_direction_survives_its_file(array: np.ndarray, rows: tuple[int, int] | None) -> None:
    array[0, 0] = 1
    made = make_direction(array=array, rows=rows, leakage={"age": 0.25}, measures={"monotone_percent": 97.5})
    data = encode_direction(made)
    read = decode_direction(data, "file")
    assert read.header == made.header
    assert np.array_equal(read.step, array)
    assert read.sha256 == made.sha256
    assert encode_direction(read) == data


def test_any_safetensors_reader_finds_the_arrays(tmp_path: Path) -> None:
    layers = {"b8.conv1": np.arange(5, dtype=np.float32), "b4.conv1": np.ones(3, np.float32)}
    path = tmp_path / "x.safetensors"
    write_direction(make_direction(space="styles", arrays=layers), path)
    found = safetensors.numpy.load_file(path)
    assert {name: array.tolist() for name, array in found.items()} == {k: v.tolist() for k, v in layers.items()}


def test_digest_is_of_what_moves_pixels() -> None:
    one = make_direction()
    assert make_direction("grin", licence="ours", limit=5.0).sha256 == one.sha256
    assert make_direction(array=np.array([2, 0, 0, 0.0])).sha256 != one.sha256
    assert make_direction(rows=(0, 2)).sha256 != one.sha256


def test_writing_refuses_to_replace(tmp_path: Path) -> None:
    path = tmp_path / "smile.safetensors"
    write_direction(make_direction(), path)
    with pytest.raises(OutputError, match="exists already"):
        write_direction(make_direction(), path)
    write_direction(make_direction(licence="other"), path, force=True)
    assert read_direction(path).header.licence == "other"


def damaged(**changes: object) -> bytes:
    """A direction's file whose entry for the array was changed."""
    data = encode_direction(make_direction())
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    entries["step"] |= changes
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 20,
        (2**62).to_bytes(8, "little") + b"{}",
        damaged(data_offsets=[0, 1 << 40], shape=[1 << 38]),
        damaged(data_offsets=[-16, 0]),
        damaged(data_offsets=[8, 24]),
        damaged(shape=[4, 0]),
        damaged(shape=[True, 4]),
        damaged(shape="4"),
        damaged(dtype="F16"),
        encode_direction(make_direction())[:-4],
        b"\x10\x00\x00\x00\x00\x00\x00\x00" + b"[[[[[[[[]]]]]]]]",
        b"\x02\x00\x00\x00\x00\x00\x00\x00" + b"{}",
    ],
)
def test_damaged_files_are_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(InputFileError, match=r"^bad: ") as refused:
        decode_direction(data, "bad")
    assert "\n" not in str(refused.value)


def test_what_is_no_direction_is_refused() -> None:
    for array, reason in (
        (np.zeros(4), "would move nothing"),
        (np.array([np.nan, 1, 1, 1]), "NaN"),
        (np.array([np.inf, 1, 1, 1]), "NaN"),
    ):
        with pytest.raises(ValueError, match=reason):
            make_direction(array=array)
    with pytest.raises(ValueError, match="takes one array"):
        make_direction(arrays={"steps": np.ones(4, np.float32)})
    with pytest.raises(ValueError, match=r"float32 \[4\]; space 'w\+' takes"):
        make_direction(space="w+")
