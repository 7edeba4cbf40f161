"""Pictures of a folder or a zip, checked one by one before training begins and unpacked for fast access.

Every picture must be a still, square 8-bit RGB picture of one common side that is the training resolution or a whole
multiple of it. Nothing is converted silently: a wrong file is named, with the remedy.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from tuiface.core.errors import InputFileError, quote
from tuiface.core.files import make_folder, translate_os_errors
from tuiface.core.pictures import MAX_PICTURE_BYTES, PHOTO_FORMATS, Format, decode_picture
from tuiface.core.reading import TooLargeError, is_folder, is_there, open_regular, read_regular

FORMATS: dict[str, tuple[Format, ...]] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp"), PHOTO_FORMATS),
    ".bmp": ("BMP",),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    ".ppm": ("PPM",),
    ".gif": ("GIF",),
}
"""What a file may hold, by the end of its name."""
MIN_PICTURES = 8
"""Pictures below which training is refused: one must be held out, and a discriminator compares groups of four."""
_HELD_OUT_FRACTION = 0.05
_MAX_HELD_OUT = 512


class PictureData:
    """Pictures as one array in an unnamed temporary file: the page cache keeps what fits, and nothing stays behind."""

    def __init__(self, pixels: npt.NDArray[np.uint8], names: list[str], fingerprint: str, *, mirror: bool) -> None:
        # By digest of the name, so that a picture stays held out when others are added.
        order = sorted(range(len(names)), key=lambda i: hashlib.sha256(os.fsencode(names[i])).digest())
        count = min(max(round(len(names) * _HELD_OUT_FRACTION), 1), _MAX_HELD_OUT)
        self._pixels = pixels
        self._held_out, self._training = np.array(order[:count]), np.array(order[count:])
        self.fingerprint = fingerprint
        self._mirror = mirror

    @classmethod
    def open(cls, source: Path, resolution: int, scratch: Path, *, mirror: bool = False) -> PictureData:
        """Check and unpack all pictures of `source`; `scratch` is a folder for the unpacked ones.

        With `mirror`, each training picture comes a second time, mirrored.

        Raises InputFileError, one line that names the first wrong file, and OutputError where `scratch` is full.
        """
        names, files = _list_pictures(source)
        if len(names) < MIN_PICTURES:
            found = "no picture" if not names else f"{len(names)} picture{'s' if len(names) > 1 else ''}"
            kinds = " ".join(FORMATS)
            raise InputFileError(
                f"{quote(source)} holds {found}; training needs at least {MIN_PICTURES}", f"accepted are {kinds}"
            )
        make_folder(scratch)
        digest = hashlib.sha256()
        shape = (len(names), resolution, resolution, 3)
        with translate_os_errors(scratch), tempfile.TemporaryFile(dir=scratch) as unpacked:
            side: int | None = None
            for name, data in files:
                picture = decode_picture(data, quote(name, 200), FORMATS[Path(name).suffix.lower()])
                side = _check_side(picture, name, side, names[0], resolution)
                pixels = np.asarray(picture.reduce(side // resolution) if side > resolution else picture)
                digest.update(os.fsencode(name) + b"\0" + pixels.tobytes())
                unpacked.write(pixels.tobytes())
            unpacked.flush()
            mapped = np.memmap(unpacked, np.uint8, "r", shape=shape)
        return cls(mapped, names, digest.hexdigest(), mirror=mirror)

    def count_available(self) -> int:
        """Training pictures."""
        return len(self._training) << self._mirror

    def pixels(self, indices: Tensor) -> Tensor:
        """uint8 [N, R, R, 3]."""
        pixels = torch.from_numpy(self._pixels[self._training[(indices >> int(self._mirror)).numpy()]])
        return flip_odd(pixels, indices) if self._mirror else pixels

    def held_out(self) -> Tensor:
        """uint8 [M, R, R, 3]."""
        return torch.from_numpy(self._pixels[self._held_out])

    def close(self) -> None:
        """Nothing to do: the temporary file ends with its mapping."""


def flip_odd(pixels: Tensor, indices: Tensor) -> Tensor:
    """Pixels or regions [N, R, R, ...], mirrored where the index int64 [N] is odd."""
    odd = (indices % 2 == 1).view(-1, *[1] * (pixels.dim() - 1))
    return torch.where(odd, pixels.flip(2), pixels)


def _list_pictures(source: Path) -> tuple[list[str], Iterator[tuple[str, bytes]]]:
    """Names of the pictures in a folder or zip, sorted, and an iterator over (name, bytes) in that order."""
    if is_folder(source):
        paths = sorted(folder / name for folder, names in _walk(source) for name in names if _is_picture(name))
        return [str(p.relative_to(source)) for p in paths], ((str(p), _read_file(p)) for p in paths)
    if not is_there(source):
        raise InputFileError(f"no folder or zip {quote(source)}", "--data takes heads, a folder or a zip")
    try:
        archive = zipfile.ZipFile(open_regular(source))
    except (OSError, ValueError, NotImplementedError, struct.error, zipfile.BadZipFile):
        raise InputFileError(f"{quote(source)} is neither a folder nor a sound zip", "pack it again") from None
    members = sorted(m.filename for m in archive.infolist() if _is_picture(Path(m.filename).name) and not m.is_dir())
    return members, ((f"{source}: {name}", _read_member(archive, name)) for name in members)


def _walk(source: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below `source` with the names of its files; one that cannot be read is not passed over."""

    def refuse(error: OSError) -> None:
        with _translate_read_errors(Path(error.filename)):
            raise error

    return ((Path(folder), names) for folder, _, names in os.walk(source, onerror=refuse))


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(tuple(FORMATS))


@contextlib.contextmanager
def _translate_read_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into an InputFileError that names the path."""
    try:
        yield
    except OSError as error:
        raise InputFileError(
            f"cannot read {quote(path, 200)}: {error.strerror}", "make it readable, or move it out of the data"
        ) from None


def _read_file(path: Path) -> bytes:
    with _translate_read_errors(path):
        try:
            return read_regular(path, MAX_PICTURE_BYTES)
        except TooLargeError:
            raise InputFileError(
                f"{quote(path, 200)} is larger than {MAX_PICTURE_BYTES >> 20} MiB", "shrink it"
            ) from None


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    where = quote(f"{archive.filename}: {name}", 200)
    member = archive.getinfo(name)
    if member.file_size > MAX_PICTURE_BYTES:
        raise InputFileError(f"{where} is larger than {MAX_PICTURE_BYTES >> 20} MiB", "shrink it")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others take gigabytes on its word
        raise InputFileError(f"{where} is packed by method {member.compress_type}", "pack the zip again, as usual")
    try:
        return archive.read(name)
    except (OSError, EOFError, RuntimeError, ValueError, struct.error, zlib.error, zipfile.BadZipFile) as error:
        raise InputFileError(f"{where} cannot be unpacked: {error}", "pack the zip again, without a password") from None


def _check_side(picture: Image.Image, name: str, side: int | None, first: str, resolution: int) -> int:
    """The picture's side, if it is what it must be: square, as the first one's, a multiple of the resolution."""
    width, height = picture.size
    if width != height:
        raise InputFileError(f"{quote(name, 200)} has {width}x{height} pixels; accepted are squares", "crop it")
    if side is not None and width != side:
        raise InputFileError(
            f"{quote(name, 200)} has {width} px, {quote(first, 200)} has {side}; all must have the same size",
            "bring all pictures to one size",
        )
    if width < resolution or width % resolution:
        raise InputFileError(
            f"{quote(name, 200)} has {width} px; training at {resolution} px takes whole multiples of that",
            f"resize all pictures to {resolution} px, or choose another --res",
        )
    return width
