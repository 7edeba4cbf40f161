"""Pictures that others made: each opens or is refused in one line, at a bounded cost; no other decoder is reached."""

from __future__ import annotations

import ast
import io
import os
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.test_layering import SOURCES
from tests.test_processes import dotted_names
from tuiface.commands.edits import read_mask
from tuiface.core import pictures
from tuiface.core.errors import InputFileError
from tuiface.core.limits import MAX_SIDE_PX
from tuiface.core.pictures import Format, decode_picture
from tuiface.engine.training.data.picture_listing import FORMATS
from tuiface.engine.training.data.pictures import PictureData
from tuiface.faces.provenance import PNG_TEXT_KEY, encode_png, read_png
from tuiface.screens.library.screen import read_thumbnail

SIDE = 8
PIXELS = np.random.RandomState(0).randint(0, 256, (SIDE, SIDE, 3), np.uint8)
SIGNATURE = b"\x89PNG\r\n\x1a\n"
BOMB = zlib.compress(bytes(64 << 20))
"""64 KiB that inflate to 64 MiB."""


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(*extra: bytes, width: int = SIDE, height: int = SIDE, bits: int = 8, pixels: bytes | None = None) -> bytes:
    """An RGB PNG with chunks between its header and its pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in PIXELS) if pixels is None else pixels
    return (
        SIGNATURE + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def saved(kind: str, mode: str = "RGB", side: int = SIDE, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, kind, **options)
    return buffer.getvalue()


def animation(kind: str) -> bytes:
    frames = [Image.new("RGB", (SIDE, SIDE), (i, 0, 0)) for i in (0, 99, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def jpeg(*segments: tuple[int, bytes], scans: int = 1) -> bytes:
    """A JPEG with segments of its own behind the first marker, and its scan repeated."""
    data = saved("JPEG")
    start = data.index(b"\xff\xda")
    extra = b"".join(bytes((0xFF, kind)) + struct.pack(">H", len(body) + 2) + body for kind, body in segments)
    return data[:2] + extra + data[2:start] + data[start:-2] * scans + data[-2:]


def tiff(entries: list[tuple[int, int, int, int]], *, magic: bytes = b"II*\0", size: int = 4096) -> bytes:
    """An uncompressed RGB TIFF, then tags of one's own: (tag, type, count, place)."""
    own = [(256, 3, 1, SIDE), (257, 3, 1, SIDE), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8)]
    own += [(277, 3, 1, 3), (278, 3, 1, SIDE), (279, 4, 1, SIDE * SIDE * 3)]
    tags = sorted({**{tag[0]: tag for tag in own}, **{tag[0]: tag for tag in entries}}.values())
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return (magic + struct.pack("<I", 8 + size) + bytes(size) + directory).ljust(2 * size, b"\0")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
CARDS = ("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 8", "END")
FITS = b"".join(f"{card:<80}".encode() for card in CARDS).ljust(2880) + bytes(64)
PSD = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, SIDE, SIDE, 8, 3) + bytes(12) + bytes(2 + 3 * SIDE * SIDE)
EXIF = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 5000) + struct.pack("<HHII", 9, 1, 60000, 0) * 5000

#: What is in the file, its name, and what its refusal says.
REFUSED: dict[str, tuple[bytes, str, str]] = {
    "PostScript named png": (EPS, "z.png", "no picture of kind PNG"),
    "PostScript named jpg": (EPS, "z.jpg", "no picture of kind PNG, JPEG, WEBP"),
    "PostScript named tif": (EPS, "z.tif", "no picture of kind TIFF"),
    "Photoshop named png": (PSD, "z.png", "no picture of kind"),
    "FITS named png": (FITS, "z.png", "no picture of kind"),
    "TIFF named png": (saved("TIFF"), "z.png", "no picture of kind"),
    "icon named png": (saved("ICO"), "z.png", "no picture of kind"),
    "PDF named jpg": (saved("PDF"), "z.jpg", "no picture of kind"),
    "60000 x 60000 in 60 bytes": (png(width=60000, height=60000), "z.png", "at most 4096 x 4096 pixels"),
    "one row too many": (
        png(width=MAX_SIDE_PX, height=MAX_SIDE_PX + 1),
        "z.png",
        "4096 x 4097 pixels; accepted: at most",
    ),
    "a width of 2^31 - 1": (png(width=2**31 - 1), "z.png", "at most 4096 x 4096 pixels"),
    "no height": (png(height=0), "z.png", "z.png"),
    "cut within the pixels": (png()[:-60], "z.png", "damaged"),
    "cut within the header": (png()[:20], "z.png", "damaged"),
    "pixels of another picture": (png(pixels=b"\7" * 99), "z.png", "damaged"),
    "wrong checksum": (png().replace(b"IDAT", b"IDAT\1"), "z.png", "damaged"),
    "100000 chunks": (png(chunk(b"aaAa", b"") * 100_000), "z.png", "more than 65536 chunks"),
    "16 bits": (png(bits=16, pixels=(b"\0" + bytes(SIDE * 6)) * SIDE), "z.png", "16 bits a channel"),
    "16 bits of grey": (saved("PNG", "I;16"), "z.png", "16 bits a channel"),
    "greyscale": (saved("PNG", "L"), "z.png", "greyscale"),
    "palette": (saved("PNG", "P"), "z.png", "of indexed colours"),
    "CMYK": (saved("JPEG", "CMYK"), "z.jpg", "CMYK"),
    "animated PNG": (animation("PNG"), "z.png", "animated (3 frames)"),
    "animated WebP": (animation("WEBP"), "z.webp", "animated (3 frames)"),
    "pages": (animation("TIFF"), "z.tif", "animated"),
    "cut JPEG": (saved("JPEG", side=64)[:-40], "z.jpg", "damaged"),
    "a JPEG of 1000 scans": (jpeg(scans=1000), "z.jpg", "more than 100 scans"),
    "a JPEG of 100000 comments": (jpeg(*[(0xFE, b"")] * 100_000), "z.jpg", "more than 65536 segments"),
    "a JPEG of a marker alone": (b"\xff\xd8\xff\xff", "z.jpg", "damaged"),
    "tags that share their bytes": (
        tiff([(t, 1, 4000, 8) for t in range(40000, 40400)]),
        "z.tif",
        "its tags hold more",
    ),
    "a tag of 2^32 - 1 numbers": (tiff([(273, 4, 2**32 - 1, 8)]), "z.tif", "its tags hold more"),
    "a million strips": (tiff([(273, 4, 100_000, 8)], size=500_000), "z.tif", "its tags hold more"),
    "strips over one another": (tiff([(273, 4, 1000, 8)]), "z.tif", "its parts overlap"),
    "BigTIFF": (tiff([], magic=b"II+\0"), "z.tif", "BigTIFF"),
    "tags behind the end": (b"II*\0\xff\xff\xff\x7f", "z.tif", "damaged"),
    "PPM in words": (b"P3 8 8 255 " + b"1 " * 192, "z.ppm", "no binary RGB"),
    "PPM of other levels": (b"P6 8 8 65535 " + bytes(384), "z.ppm", "no binary RGB"),
    "PPM with a comment without end": (b"P6 #" + b"a" * 100_000, "z.ppm", "no binary RGB"),
    "GIF of 300 kB": (saved("GIF") + bytes(300_000), "z.gif", "of indexed colours"),
    "coded BMP": (saved("BMP", "P"), "z.bmp", "of indexed colours"),
    "nothing": (b"", "z.png", "no picture of kind"),
    "a signature": (SIGNATURE, "z.png", "damaged"),
}

#: What opens, with the pixels that are in it, whatever else is.
OPENED: dict[str, tuple[bytes, str]] = {
    "a text that inflates to 64 MiB": (png(chunk(b"zTXt", b"Comment\0\0" + BOMB)), "z.png"),
    "an international one": (png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB)), "z.png"),
    "300 profiles that inflate": (png(chunk(b"iCCP", b"p\0\0" + BOMB[:2000]) * 300), "z.png"),
    "EXIF that says its bytes 5000 times": (png(chunk(b"eXIf", EXIF[6:])), "z.png"),
    "JPEG named png": (saved("JPEG"), "z.png"),
    "a JPEG whose EXIF does": (jpeg((0xE1, EXIF), (0xE1, EXIF)), "z.jpg"),
    "a phone's JPEG of two pictures": (saved("MPO") + saved("JPEG"), "z.jpg"),
    "a progressive JPEG": (saved("JPEG", progressive=True), "z.jpg"),
    "WebP": (saved("WEBP", lossless=True), "z.webp"),
    "BMP 72 px wide": (saved("BMP", side=72), "z.bmp"),
    "TIFF": (saved("TIFF"), "z.tif"),
    "TIFF in LZW": (saved("TIFF", compression="tiff_lzw"), "z.tiff"),
    "PPM with a comment": (b"P6\n# made by hand\n8 8\n255\n" + bytes(192), "z.ppm"),
}


@pytest.fixture(autouse=True)
def no_program_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **_: object) -> None:
        pytest.fail(f"a picture started {arguments}")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "system", refuse)


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_one_line(what: str, tmp_path: Path) -> None:
    data, name, words = REFUSED[what]
    folder = tmp_path / "data"
    folder.mkdir()
    for index in range(7):
        (folder / f"{index}.png").write_bytes(png())
    (folder / name).write_bytes(data)
    with pytest.raises(InputFileError) as training:
        PictureData.open(folder, SIDE, tmp_path)
    assert words in training.value.message
    assert name in training.value.message
    assert len(str(training.value).splitlines()) == 1
    with pytest.raises(InputFileError, match=name):
        read_png(folder / name)
    assert read_thumbnail(folder / name, 4) is None or words in ("greyscale", "of indexed colours")


def test_rare_formats_are_found_under_their_own_names_alone() -> None:
    with pytest.raises(InputFileError, match="no picture of kind PPM"):
        decode_picture(png(), "z.ppm", FORMATS[".ppm"])


@pytest.mark.parametrize("what", OPENED)
def test_opened_without_what_else_is_there(what: str) -> None:
    data, name = OPENED[what]
    picture = decode_picture(data, name, FORMATS[Path(name).suffix])
    assert picture.mode == "RGB"
    assert "exif" not in picture.info
    assert "icc_profile" not in picture.info
    if data.startswith(SIGNATURE):
        assert np.array_equal(np.asarray(picture), PIXELS)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"zTXt", PNG_TEXT_KEY.encode() + b"\0\0" + BOMB),
        (b"iTXt", PNG_TEXT_KEY.encode() + b"\0\1\0\0\0" + BOMB),
        (b"iTXt", PNG_TEXT_KEY.encode() + b"\0\0\0\0\0" + b"[" * (17 << 20)),
        (b"tEXt", PNG_TEXT_KEY.encode() + b"\0" + b"[" * (17 << 20)),
        (b"zTXt", PNG_TEXT_KEY.encode() + b"\0\7" + BOMB[:99]),
    ],
)
def test_a_provenance_that_inflates_is_refused(kind: bytes, body: bytes, tmp_path: Path) -> None:
    (tmp_path / "z.png").write_bytes(png(chunk(kind, body)))
    with pytest.raises(InputFileError, match=r"z\.png"):
        read_png(tmp_path / "z.png")


def test_a_provenance_of_its_own_is_read_beside_texts_of_others(tmp_path: Path) -> None:
    (tmp_path / "z.png").write_bytes(encode_png(PIXELS, "what it is") + b"more")
    assert read_png(tmp_path / "z.png")[1] == "what it is"


def test_a_mask_may_be_of_any_mode_but_16_bits(tmp_path: Path) -> None:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        (tmp_path / "z.png").write_bytes(saved("PNG", mode))
        assert not read_mask(tmp_path / "z.png").any()
    (tmp_path / "z.png").write_bytes(saved("PNG", "I;16"))
    with pytest.raises(InputFileError, match=r"z\.png.*the mask.*16 bits"):
        read_mask(tmp_path / "z.png")


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    for index in range(8):
        (tmp_path / f"{index}.png").write_bytes(png())
    os.mkfifo(tmp_path / "z.png")
    with pytest.raises(InputFileError, match=r"z\.png.*regular file"):
        PictureData.open(tmp_path, SIDE, tmp_path)
    (tmp_path / "z.png").unlink()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")).write_bytes(png())
    assert PictureData.open(tmp_path, SIDE, tmp_path).count_available() == 8


def test_formats_are_those_of_the_closed_list() -> None:
    offered: set[Format] = {kind for kinds in FORMATS.values() for kind in kinds}
    assert offered == {"PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF"}


DOORS: tuple[str, ...] = (
    "PIL.Image.open",
    "PIL.ImageFile",
    "PIL.Image.frombytes",
    "PIL.Image.frombuffer",
    "PIL.ImageGrab",
    "imageio",
)
DOORS += ("PIL.Image.preinit", "PIL.Image.init", "torchvision", "cv2", "term_image.image.from_file", "PIL.Image.core")


@pytest.mark.parametrize("module", SOURCES)
def test_no_other_place_decodes_pictures(module: str) -> None:
    names = dotted_names(ast.parse(SOURCES[module].read_text("utf-8")))
    found = {name for name in names for door in DOORS if name == door or name.startswith(door + ".")}
    assert found == ({"PIL.Image.open"} if module == pictures.__name__ else set())
    assert not {name for name in names if name.startswith("PIL.") and name.endswith("ImageFile")}


def test_a_large_picture_costs_no_more_than_its_pixels(tmp_path: Path) -> None:
    import tracemalloc

    (tmp_path / "z.png").write_bytes(saved("PNG", side=64))
    tracemalloc.start()
    for data in (OPENED["a text that inflates to 64 MiB"][0], OPENED["a JPEG whose EXIF does"][0]):
        decode_picture(data, "z", ("PNG", "JPEG"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
