"""The one place where picture files are decoded: a closed list of formats, and limits on what one may cost.

Pillow knows some forty formats and goes by the contents, so that PostScript named face.png would reach Ghostscript; and
it reads whatever else a file holds: EXIF whose entries all claim the same bytes, a thousand profiles that inflate to a
megabyte each, scans without end. So a decoder gets the parts that hold pixels, and nothing is decoded whose size, parts
or frames are not those of a picture that somebody took or drew.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterator, Sequence
from typing import Literal

from PIL import Image, UnidentifiedImageError

from tuiface.core.errors import InputFileError, TuifaceError
from tuiface.core.limits import MAX_SIDE_PX

Format = Literal["PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF"]
PHOTO_FORMATS: tuple[Format, ...] = ("PNG", "JPEG", "WEBP")
"""Each of these is found under the names of the others."""

MAX_PICTURE_BYTES = 64 * 1024 * 1024
"""More than 4096 x 4096 pixels take without compression."""
MAX_SCANS = 100
"""Of a progressive JPEG, each of which costs a pass over the whole picture; encoders write ten."""
MAX_PARTS = 1 << 16
"""Chunks, segments, strips."""
MAX_GIF_BYTES = 1 << 18
"""To walk from frame to frame takes long, and a GIF's colours are indexed: none is accepted anyway."""

KINDS = {
    "1": "black and white",
    "L": "greyscale",
    "LA": "greyscale with transparency",
    "P": "of indexed colours",
    "PA": "of indexed colours",
    "RGBA": "RGB with transparency",
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
    "LAB": "Lab",
    "HSV": "HSV",
    "F": "of floating-point values",
}
"""Pillow's modes in words."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_PIXELS = frozenset((b"IHDR", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"IDAT", b"IEND"))
_PNG_TEXTS = frozenset((b"tEXt", b"zTXt", b"iTXt"))
_JPEG_PIXELS = frozenset((*range(0xC0, 0xE1), 0xEE))
"""Tables and frames, JFIF, and Adobe's mark, which says how colours are coded."""
_JPEG_SCAN = b"\xff\xda"
"""Within the coded pixels 255 is followed by 0."""
_PPM_HEADER = re.compile(rb"P6(?:(?:\s|#[^\n]*\n)+\d{1,9}){2}(?:\s|#[^\n]*\n)+255\s")
"""What else there is of it, Pillow decodes number by number in Python."""
_TIFF_UNITS = (1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)
"""Bytes of a value by its type; Pillow skips further types."""


def decode_picture(
    data: bytes, name: str, formats: Sequence[Format] = ("PNG",), *, text_key: str = "", rgb: bool = True
) -> Image.Image:
    """A still picture of 8 bits a channel, decoded: RGB, or with `rgb` false in the file's own mode.

    name: of the file, as it is to stand in errors. text_key: of the one text of a PNG that is read too.
    Raises InputFileError in one line for any other file.
    """
    try:
        pixels = _keep_pixels(data, name, text_key)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes that are refused below, and of oddities in what is not used
            picture = Image.open(io.BytesIO(pixels), formats=tuple(formats))
            _refuse_costly(picture, pixels, name)
            if rgb and picture.mode != "RGB":
                kind = KINDS.get(picture.mode, picture.mode)
                raise InputFileError(f"{name} is {kind}; accepted is 8-bit RGB", "convert it to 8-bit RGB")
            picture.load()  # type: ignore[no-untyped-call]
    except (TuifaceError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except UnidentifiedImageError:
        raise InputFileError(f"{name} is damaged: no picture of kind {', '.join(formats)}", "replace it") from None
    except Exception as error:  # noqa: BLE001 - what a decoder raises for a foreign file is not known to anybody
        raise InputFileError(f"{name} is damaged: {error or type(error).__name__}", "replace it") from None
    return picture


def _refuse_costly(picture: Image.Image, data: bytes, name: str) -> None:
    """Raise InputFileError for what must not be decoded, or would lose something."""
    width, height = picture.size
    if width * height > MAX_SIDE_PX**2:
        raise _too_large(name, f"{width} x {height} pixels; ")
    if getattr(picture, "is_animated", False):
        # TIFFs of many pages are walked from one to the next, so they are not counted.
        frames = "" if picture.format == "TIFF" else f" ({getattr(picture, 'n_frames', 0)} frames)"
        raise InputFileError(f"{name} is animated{frames}", "keep one frame, as a PNG")
    tiles = picture.tile  # type: ignore[attr-defined]
    if len(tiles) > MAX_PARTS or sum((x1 - x0) * (y1 - y0) for _, (x0, y0, x1, y1), *_ in tiles) > 8 * width * height:
        raise InputFileError(f"{name} is damaged: its parts overlap", "replace it")
    is_jpeg = picture.format == "JPEG" or str(picture.info.get("compression")).endswith("jpeg")  # so may a TIFF be
    if is_jpeg and data.count(_JPEG_SCAN) > MAX_SCANS:
        raise InputFileError(f"{name} is damaged: more than {MAX_SCANS} scans", "replace it")
    # Pillow drops the lower half of each value of 16-bit RGB, and says so in the tiles alone.
    modes = [mode for *_, how in tiles[:1] for mode in (how if isinstance(how, tuple) else (how,))]
    if picture.mode.startswith("I") or any(";16" in mode for mode in modes if isinstance(mode, str)):
        raise InputFileError(f"{name} has 16 bits a channel; accepted: 8", "convert it to 8 bits a channel")


def _too_large(name: str, size: str = "") -> InputFileError:
    return InputFileError(f"{name}: {size}accepted: at most {MAX_SIDE_PX} x {MAX_SIDE_PX} pixels", "make it smaller")


def _keep_pixels(data: bytes, name: str, text_key: str) -> bytes:
    """The parts of a file that decide its pixels, as far as the format has others that cost something."""
    if data.startswith(_PNG_SIGNATURE):
        return _PNG_SIGNATURE + b"".join(_png_chunks(data, name, text_key))
    if data.startswith(b"\xff\xd8\xff"):
        return data[:2] + b"".join(_jpeg_segments(data, name))
    if data.startswith((b"II", b"MM")) and data[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+"):
        _refuse_costly_tags(data, name)
    elif data.startswith(b"GIF8") and len(data) > MAX_GIF_BYTES:
        raise InputFileError(f"{name} is of indexed colours, as every GIF", "convert it to 8-bit RGB, as a PNG")
    elif data.startswith((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7")) and not _PPM_HEADER.match(data[:1024]):
        raise InputFileError(f"{name} is no binary RGB of 8 bits (P6)", "convert it to a PNG")
    return data


def _png_chunks(data: bytes, name: str, text_key: str) -> Iterator[bytes]:
    """The chunks that hold pixels, and the texts of `text_key`."""
    kept = _PNG_PIXELS | _PNG_TEXTS if text_key else _PNG_PIXELS
    text_start, place = text_key.encode("latin-1") + b"\0", len(_PNG_SIGNATURE)
    for _ in range(MAX_PARTS):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        end = place + 12 + length
        if kind in kept and (kind not in _PNG_TEXTS or data.startswith(text_start, place + 8)):
            yield data[place:end]
        if kind == b"IEND" or end >= len(data):
            return
        place = end
    raise InputFileError(f"{name} is damaged: more than {MAX_PARTS} chunks", "replace it")


def _jpeg_segments(data: bytes, name: str) -> Iterator[bytes]:
    """The segments that hold pixels; the first picture of several, as a phone's file has them."""
    place = 2
    for _ in range(MAX_PARTS):
        marker = data[place : place + 2]
        if len(marker) < 2 or marker[0] != 0xFF or marker == _JPEG_SCAN:
            yield data[place:]
            return
        is_fill = marker[1] == 0xFF
        end = place + (1 if is_fill else 2 + int.from_bytes(data[place + 2 : place + 4], "big"))
        if marker[1] in _JPEG_PIXELS:
            yield data[place:end]
        place = end
    raise InputFileError(f"{name} is damaged: more than {MAX_PARTS} segments", "replace it")


def _refuse_costly_tags(data: bytes, name: str) -> None:
    """Raise InputFileError for a TIFF whose tags hold more than its file, or more numbers than a picture has strips."""
    order = "<" if data.startswith(b"II") else ">"
    if b"+" in data[2:4]:
        raise InputFileError(f"{name} is a BigTIFF; accepted: TIFF", "convert it to 8-bit RGB, as a PNG")
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        tags = list(struct.iter_unpack(f"{order}HHII", data[start + 2 : start + 2 + 12 * count]))
    except struct.error as error:
        raise InputFileError(f"{name} is damaged: {error}", "replace it") from None
    sizes = [(_TIFF_UNITS[kind] if kind < len(_TIFF_UNITS) else 1, number) for _, kind, number, _ in tags]
    if sum(unit * number for unit, number in sizes) > len(data) or any(
        unit > 1 and number > MAX_PARTS for unit, number in sizes
    ):
        raise InputFileError(f"{name} is damaged: its tags hold more than the file", "replace it")
