"""A file that shrinks while it is read is one clear line: users' files are not mapped, which would end the process."""

from __future__ import annotations

import os
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tuiface
from tests.checkpoints.golden import golden
from tuiface.core.errors import ModelError
from tuiface.core.safetensors_header import encode_header
from tuiface.core.tensor_file import StoredRows, read_header, read_tensor
from tuiface.engine.checkpoint import prepare_checkpoint
from tuiface.engine.checkpoints import inspect_checkpoint, native, read_checkpoint, read_native_header, write_native
from tuiface.engine.checkpoints.native import read_native_tensors
from tuiface.engine.checkpoints.source_file import HOLES_FROM_BYTES, refuse_holes

SOURCES = Path(tuiface.__file__).parent
MAPPERS = re.compile(r"\b(import .*|[a-z]+\.)(memmap|mmap|safe_open|load_file)\b")
#: A temporary file without a name, which nobody else can open.
ALLOWED = {"engine/training/data/pictures.py"}


def test_nothing_maps_a_file_that_has_a_name() -> None:
    mapping = {path for path in SOURCES.rglob("*.py") if MAPPERS.search(path.read_text())}
    assert {str(path.relative_to(SOURCES)) for path in mapping} == ALLOWED


def test_a_network_that_shrinks_between_its_header_and_its_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.safetensors"
    write_native(read_checkpoint(golden("a_ada_uncond32").path), path)
    assert len(read_native_tensors(path)[1]) > 20
    size, check = path.stat().st_size, native._check_header

    def cut_then_check(container: object) -> object:
        os.truncate(path, size - 5_000)
        return check(container)  # type: ignore[arg-type]

    monkeypatch.setattr(native, "_check_header", cut_then_check)
    with pytest.raises(ModelError, match=r"^m\.safetensors: cut off while it was read"):
        read_native_tensors(path)
    with pytest.raises(ModelError, match="tensors take"):
        read_native_header(path)


@pytest.mark.parametrize("kept", [0, 1, 8, 100, -1])
def test_rows_of_a_file_that_shrinks(kept: int, tmp_path: Path) -> None:
    path, values = tmp_path / "rows.safetensors", np.arange(30, dtype=np.float32).reshape(5, 3, 2)
    path.write_bytes(encode_header({}, [("rows", "F32", values.shape, values.nbytes)]) + values.tobytes())
    with path.open("rb") as file:
        header = read_header(file.fileno(), "a test")
        place = header.places["rows"]
        rows = StoredRows.of(path, header, place)
        assert np.array_equal(rows, values)
        assert np.array_equal(rows[-1], values[-1])
        assert np.array_equal(rows[1:3], values[1:3])
        with pytest.raises(IndexError):
            rows[5]
        os.truncate(path, kept if kept >= 0 else path.stat().st_size - 1)
        reads: tuple[Callable[[], object], ...] = (
            lambda: rows[4],
            lambda: np.array(rows),
            lambda: read_tensor(file.fileno(), header, place),
        )
        for read in reads:
            with pytest.raises(ModelError, match="cut off while it was read"):
                read()
        path.unlink()
        with pytest.raises(ModelError, match=r"rows\.safetensors' cannot be read any more: No such file"):
            rows[4]


HEADS = {
    "pickle.pkl": b"\x80\x04",
    "zip.pt": b"PK\x03\x04",
    "native.safetensors": (1 << 20).to_bytes(8, "little") + b"{",
}


@pytest.mark.parametrize("name", HEADS)
def test_a_download_that_broke_off_is_not_read_into_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(HEADS[name])
    os.truncate(path, 3 << 30)
    if path.stat().st_blocks > 1 << 20:
        pytest.skip("this file system keeps no holes")
    tracemalloc.start()
    try:
        for read in (read_checkpoint, inspect_checkpoint, lambda p: prepare_checkpoint(p, tmp_path)):
            with pytest.raises(ModelError, match=r"of its 3221225472 bytes only \d+ were ever written|header"):
                read(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_large_file_that_was_written_has_no_holes(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(HOLES_FROM_BYTES)
        file.seek(HOLES_FROM_BYTES // 2)
        file.write(bytes(HOLES_FROM_BYTES // 4))
    with path.open("rb") as file:
        refuse_holes(file.fileno())
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0
