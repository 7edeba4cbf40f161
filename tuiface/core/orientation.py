"""Which way up a picture is: the one entry of EXIF that changes what one sees.

Cameras write their sensor's rows as they are and note how the camera was held (EXIF 2.32, tag 0x0112). Nothing else of
EXIF is read, and this much by hand: what a picture's decoder gets holds none of it (pictures.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image

_TAG, _SHORT = 0x0112, 3
_MAX_ENTRIES = 1000
"""Of the first directory; cameras write a dozen."""
_MAX_PARTS = 1 << 12
"""Segments or chunks before the entry is given up."""

#: What turns a picture upright, by EXIF's number; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_orientation(data: bytes) -> int:
    """1 to 8 of a JPEG, PNG or WebP; 1 for any other file, and where nothing sound is said."""
    return next((_read_entry(exif) for exif in _find_exif(data)), 1)


def turn_upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture as it is to be seen."""
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def _find_exif(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"\xff\xd8\xff"):
        return _exif_of_jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _chunks(data, 8, b"eXIf", ">I4s", 4)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _chunks(data, 12, b"EXIF", "<4sI", 0)
    return iter(())


def _exif_of_jpeg(data: bytes) -> Iterator[bytes]:
    place = 2
    for _ in range(_MAX_PARTS):
        marker, length = data[place : place + 2], int.from_bytes(data[place + 2 : place + 4], "big")
        if len(marker) < 2 or marker[0] != 0xFF or marker[1] == 0xDA or length < 2:
            return
        body = data[place + 4 : place + 2 + length]
        if marker[1] == 0xE1 and body.startswith(b"Exif\0\0"):
            yield body[6:]
        place += 2 + length


def _chunks(data: bytes, place: int, kind: bytes, layout: str, trailer: int) -> Iterator[bytes]:
    """Bodies of the chunks `kind` of a PNG, with a checksum behind each, or of a RIFF, padded to even lengths."""
    for _ in range(_MAX_PARTS):
        if place + 8 > len(data):
            return
        first, second = struct.unpack_from(layout, data, place)
        name, length = (first, second) if isinstance(first, bytes) else (second, first)
        if name == kind:
            body = data[place + 8 : place + 8 + length]
            yield body.removeprefix(b"Exif\0\0")
        place += 8 + length + (trailer or length % 2)


def _read_entry(exif: bytes) -> int:
    """The orientation of a TIFF header and its first directory."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for number in range(min(count, _MAX_ENTRIES)):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * number)
            if (tag, kind) == (_TAG, _SHORT):
                return value if value in _TURNS else 1
    except struct.error:
        pass
    return 1
