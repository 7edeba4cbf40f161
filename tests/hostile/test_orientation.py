"""The one entry of EXIF that is read, in files that lie about it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from tuiface.core.orientation import read_orientation


def jpeg(exif: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif
    return buffer.getvalue()[:2] + segment + buffer.getvalue()[2:]


def tiff(*entries: bytes, order: str = "<", start: int = 8, count: int | None = None) -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + struct.pack(f"{order}H", len(entries) if count is None else count) + b"".join(entries)


def entry(tag: int = 0x0112, kind: int = 3, value: int = 6, order: str = "<") -> bytes:
    return struct.pack(f"{order}HHIHH", tag, kind, 1, value, 0)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_entry_is_found_behind_others(order: str) -> None:
    other = entry(0x0110, 2, 0, order)
    assert read_orientation(jpeg(tiff(other, entry(order=order), order=order))) == 6


UNSOUND = {
    "no header": b"nonsense",
    "nothing": b"",
    "a directory beyond the end": tiff(entry(), start=1 << 31),
    "a directory that holds itself": tiff(entry(), start=0),
    "65,535 entries that are not there": tiff(entry(0x0110), count=65_535),
    "orientation 0": tiff(entry(value=0)),
    "orientation 9": tiff(entry(value=9)),
    "an orientation that is text": tiff(entry(kind=2)),
    "cut off": tiff(entry())[:-6],
}


@pytest.mark.parametrize("kind", UNSOUND)
def test_anything_unsound_is_upright(kind: str) -> None:
    assert read_orientation(jpeg(UNSOUND[kind])) == 1


def test_random_bytes_behind_a_signature_are_upright_or_turned() -> None:
    rng = np.random.default_rng(0)
    for start in (
        b"\xff\xd8\xff\xe1\x7f\xffExif\0\0II*\0\x08\0\0\0",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\0\0\0\0WEBP",
        b"GIF89a",
    ):
        for _ in range(200):
            assert 1 <= read_orientation(start + rng.bytes(200)) <= 8


def test_segments_without_end_are_given_up() -> None:
    assert read_orientation(b"\xff\xd8" + b"\xff\xe0\0\2" * 1_000_000) == 1
    assert read_orientation(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXtcrc!" * 1_000_000) == 1
