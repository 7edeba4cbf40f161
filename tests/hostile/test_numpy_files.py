"""Our reader of .npy and .npz beside numpy's: whatever is accepted here is the same array to both."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.lib import format as npy

from tests.directions.directions import make_direction
from tests.fuzz.mutations import mutated_npy
from tuiface.core.errors import InputFileError
from tuiface.directions.importing import to_step
from tuiface.directions.numpy_files import MAX_MEMBERS, parse_npy, read_numpy_arrays

DATA = Path(__file__).parent / "data"
SEEN = sorted(path.name for path in DATA.glob("n*.np[yz]"))


def npy_bytes(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    buffer = io.BytesIO()
    npy.write_array(buffer, array, version)
    return buffer.getvalue()


SOUND = {
    "float32": npy_bytes(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "big-endian": npy_bytes(np.arange(6, dtype=">f8").reshape(1, 2, 3)),
    "columns first": npy_bytes(np.asfortranarray(np.arange(6, dtype="<i2").reshape(2, 3))),
    "bytes": npy_bytes(np.arange(5, dtype=np.uint8)),
    "one number": npy_bytes(np.array(2.5, "<f2")),
    "version 2": npy_bytes(np.arange(6.0), (2, 0)),
    "version 3": npy_bytes(np.arange(6.0), (3, 0)),
}


def test_what_is_accepted_here_numpy_accepts_with_the_same_numbers() -> None:
    random, accepted = Random(0), 0
    for number in range(1400):
        data = mutated_npy(random.choice(list(SOUND.values())), random)
        try:
            ours = parse_npy(data, "d")
        except InputFileError:
            continue
        accepted += 1
        theirs = np.load(io.BytesIO(data), allow_pickle=False)
        assert ours.shape == theirs.shape, (number, data)
        np.testing.assert_array_equal(ours, theirs.astype(np.float32))
    assert 400 < accepted < 1200


@pytest.mark.parametrize("name", SOUND)
def test_what_numpy_writes_is_read(name: str, tmp_path: Path) -> None:
    expected = np.load(io.BytesIO(SOUND[name])).astype(np.float32)
    np.testing.assert_array_equal(parse_npy(SOUND[name], name), expected)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "d.npz", first=expected, second=np.ones(3))
        arrays = read_numpy_arrays(tmp_path / "d.npz")
        assert arrays.keys() == {"first", "second"}
        np.testing.assert_array_equal(arrays["first"], expected)


@pytest.mark.parametrize("name", SEEN)
def test_seen_files_are_one_line(name: str) -> None:
    with pytest.raises(InputFileError, match=f"^{name}: ") as refused:
        read_numpy_arrays(DATA / name)
    assert len(str(refused.value)) < 300


def headed(header: str, body: bytes = bytes(24), version: int = 1, length: int | None = None) -> bytes:
    text = header.encode()
    width = 2 if version == 1 else 4
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + (len(text) if length is None else length).to_bytes(width, "little")
        + text
        + body
    )


def of(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


HEADERS = {
    "both sides negative": headed(of("(-2, -3)")),
    "one side negative": headed(of("(-6,)")),
    "truth as a side": headed(of("(True, 6)")),
    "a float as a side": headed(of("(6.0,)")),
    "sides of 4,000 digits": headed(of(f"({'9' * 4000}, {'9' * 4000})")),
    "sides whose product overflows": headed(of("(4294967296, 4294967296, 4294967296)")),
    "no numbers in endless rows": headed(of("(0, 9999999999, 9999999999, 9999999999)"), b""),
    "a shape without a comma": headed(of("(6)")),
    "a list as shape": headed(of("[6]")),
    "a number as shape": headed(of("6")),
    "an unclosed bracket": headed(of("(6,)")[:-4]),
    "brackets without end": headed("{" + "(" * 9_000),
    "braces without end": headed("{" * 9_000),
    "a key twice": headed("{'shape': (6,), 'shape': (6,), 'descr': '<f4', 'fortran_order': False}"),
    "no order": headed("{'shape': (6,), 'descr': '<f4'}"),
    "another key": headed("{'shape': (6,), 'descr': '<f4', 'fortran_order': False, 'x': 1}"),
    "an expression": headed(of("(2*3,)")),
    "a call": headed("__import__('os').system('touch tuiface_pwned')"),
    "objects": headed(of("(3,)", "'|O'")),
    "records": headed(of("(3,)", "[('x', '<f4'), ('y', '<f4')]")),
    "nested records": headed(of("(3,)", "[('x', [('y', '|O')])]")),
    "text": headed(of("(6,)", "'<U1'")),
    "dates": headed(of("(3,)", "'<M8[ns]'")),
    "complex numbers": headed(of("(3,)", "'<c8'")),
    "a version without one": headed(of("(6,)"), version=9),
    "a header of 2^31 bytes": headed(of("(6,)"), version=2, length=1 << 31),
    "a header of 2^32 - 1 bytes": headed(of("(6,)"), version=3, length=(1 << 32) - 1),
    "a header of 60,000 bytes": headed(of("(6,)") + " " * 60_000),
    "too few numbers": headed(of("(7,)")),
    "too many numbers": headed(of("(5,)")),
    "cut off in its magic": b"\x93NUMPY",
    "cut off in its length": b"\x93NUMPY\x02\x00\x01",
    "nothing": b"",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_lies_is_one_line(name: str) -> None:
    assert parse_npy(headed(of("(2, 3)")), "d").shape == (2, 3)
    with pytest.raises(InputFileError, match=r"^d\.npy: ") as refused:
        parse_npy(HEADERS[name], "d.npy")
    assert len(str(refused.value)) < 300


ONE = npy_bytes(np.arange(200, dtype=np.float32))


def archive(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in (members or {"a": ONE}).items():
            file.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def patched(data: bytes, signature: bytes, offset: int, layout: str, value: int) -> bytes:
    """The archive with one number changed in every record of that signature."""
    changed, at = bytearray(data), data.find(signature)
    while at >= 0:
        struct.pack_into(layout, changed, at + offset, value)
        at = data.find(signature, at + 4)
    return bytes(changed)


CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.npy", ONE)
        file.filelist.append(file.getinfo("a.npy"))
    return buffer.getvalue()


def overlapping() -> bytes:
    """Forty names for one packed member, as bombs have them."""
    data = archive()
    directory = data.index(CENTRAL)
    entry = data[directory : data.index(END)]
    entries = b"".join(entry.replace(b"a.npy", b"%c.npy" % letter) for letter in range(65, 105))
    end = bytearray(data[data.index(END) :])
    struct.pack_into("<2H2I", end, 8, 40, 40, len(entries), directory)
    return data[:directory] + entries + bytes(end)


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "an unknown method": lambda: patched(archive(), CENTRAL, 10, "<H", 99),
    "bzip2": lambda: archive(zipfile.ZIP_BZIP2),
    "lzma": lambda: archive(zipfile.ZIP_LZMA),
    "lzma with a dictionary of 4 GB": lambda: patched(archive(), CENTRAL, 10, "<H", 14),
    "an encrypted member": lambda: patched(archive(), CENTRAL, 8, "<H", 1),
    "a wrong checksum": lambda: patched(archive(), CENTRAL, 16, "<I", 1),
    "stored with a wrong checksum": lambda: patched(archive(zipfile.ZIP_STORED), CENTRAL, 16, "<I", 1),
    "a broken deflate stream": lambda: _broken(),
    "a size that is too small": lambda: patched(archive(), CENTRAL, 24, "<I", 100),
    "a size that is too large": lambda: patched(archive(), CENTRAL, 24, "<I", 1 << 20),
    "a size of 4 GB": lambda: patched(archive(), CENTRAL, 24, "<I", (1 << 32) - 2),
    "zip64 sizes that are not there": lambda: patched(archive(), CENTRAL, 24, "<I", (1 << 32) - 1),
    "packed bytes beyond the file": lambda: patched(archive(), CENTRAL, 20, "<I", 1 << 20),
    "a header beyond the file": lambda: patched(archive(), CENTRAL, 42, "<I", 1 << 30),
    "a header at another place": lambda: patched(archive(), CENTRAL, 42, "<I", 5),
    "no local header": lambda: patched(archive(), LOCAL, 0, "<I", 0),
    "more members than there are": lambda: patched(archive(), END, 10, "<H", 9),
    "60,000 members": lambda: patched(archive(), END, 10, "<H", 60_000),
    "a directory beyond the file": lambda: patched(archive(), END, 16, "<I", 1 << 30),
    "zip64 without its record": lambda: patched(archive(), END, 16, "<I", (1 << 32) - 1),
    "one name twice": twice,
    "members over each other": overlapping,
    "a name that is no text": lambda: archive().replace(b"a.npy", b"\xff.npy"),
    "a bomb": lambda: archive(a=b"\0" * (80 << 20)),
    "a bomb that says it is small": lambda: patched(archive(a=b"\0" * (8 << 20)), CENTRAL, 24, "<I", 1000),
    "more members than accepted": lambda: archive(zipfile.ZIP_STORED, **{f"m{n}": b"" for n in range(MAX_MEMBERS + 1)}),
    "an end alone": lambda: END + b"\xff" * 18,
    "an array of objects": lambda: archive(a=headed(of("(3,)", "'|O'"))),
    "cut off": lambda: archive()[:-30],
}


def _broken() -> bytes:
    data = bytearray(archive())
    start = 30 + len("a.npy")
    data[start : start + 4] = b"\x07\xff\xff\xff"  # a block type that does not exist
    return bytes(data)


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_lies_is_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    path.write_bytes(archive())
    assert read_numpy_arrays(path)["a"].shape == (200,)
    path.write_bytes(ARCHIVES[name]())
    with pytest.raises(InputFileError, match=r"^d\.npz: ") as refused:
        read_numpy_arrays(path)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("shape", [(6,), (4, 6)])
@pytest.mark.parametrize("value", [1.1e6, -3e38, 1e20])
def test_steps_whose_length_overflows_are_refused_from_arrays_and_files(value: float, shape: tuple[int, ...]) -> None:
    array = np.ones(shape, np.float32)
    array[..., 0] = value
    with pytest.raises(InputFileError, match=r"^d\.npy: holds numbers up to .*; accepted are up to 1000000"):
        to_step(array, 4, 6, "d.npy")
    with pytest.raises(ValueError, match=r"array 'step' holds numbers up to .*; accepted are up to 1000000"):
        make_direction(array=array)


def test_an_array_of_no_numbers_is_refused() -> None:
    with pytest.raises(InputFileError, match=r"^d\.pt: all numbers are zero"):
        to_step(np.zeros((1, 0), np.float32), 4, 0, "d.pt")
