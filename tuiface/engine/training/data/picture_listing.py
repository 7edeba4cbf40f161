"""Which files of a folder or a zip are trained on, and which are not.

One policy: every file whose name ends as a picture's, in every folder below, also behind links, each folder once. Left
out, and said: what is hidden (.ipynb_checkpoints, __MACOSX, ._NAME), files of other kinds, and training runs, whose
folders hold pictures of their own.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from tuiface.core.errors import InputFileError, quote
from tuiface.core.pictures import MAX_PICTURE_BYTES, PHOTO_FORMATS, Format
from tuiface.core.reading import TooLargeError, is_folder, is_there, open_regular, read_regular
from tuiface.engine.training.gan.settings import SNAPSHOT_NAME

FORMATS: dict[str, tuple[Format, ...]] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".jfif", ".webp"), PHOTO_FORMATS),
    ".bmp": ("BMP",),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    ".ppm": ("PPM",),
    ".gif": ("GIF",),
}
"""What a file may hold, by the end of its name."""
_SHOWN_KINDS = 6
"""Kinds of files left out that are named one by one."""


@dataclass(slots=True)
class PictureListing:
    """The pictures of a folder or a zip."""

    names: list[str] = field(default_factory=list)
    """Relative to the source, sorted."""
    read: Callable[[str], tuple[str, bytes]] = lambda name: (name, b"")
    """The full name of a picture, for errors, and its bytes. Raises InputFileError."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Files by what they are."""

    def describe_left_out(self) -> str:
        """`8 .heic, 3 hidden`; empty where nothing was left out."""
        kinds = self.left_out.most_common()
        others = sum(count for _, count in kinds[_SHOWN_KINDS:])
        shown = [f"{count} {kind}" for kind, count in kinds[:_SHOWN_KINDS]]
        return ", ".join([*shown, f"{others} others"] if others else shown)


def list_pictures(source: Path, skip: Path) -> PictureListing:
    """Those of a folder or a zip, but none of the folder `skip`.

    Raises InputFileError for anything else, and for a folder that cannot be read.
    """
    if is_folder(source):
        return _list_folder(source, skip)
    if not is_there(source):
        raise InputFileError(
            f"no folder or zip {quote(source)}",
            "--data takes heads, a folder or a zip; with --resume, where it lies now",
        )
    return _list_zip(source)


def _list_folder(source: Path, skip: Path) -> PictureListing:
    listing = PictureListing(read=lambda name: (str(source / name), _read_file(source / name)))
    for folder, names in _walk(source, skip, listing.left_out):
        for name in names:
            if _note_kind(PurePath(name), listing.left_out):
                listing.names.append(str((folder / name).relative_to(source)))
    listing.names.sort()
    return listing


def _walk(source: Path, skip: Path, left_out: Counter[str]) -> Iterator[tuple[Path, list[str]]]:
    """Every folder with the names of its files: those behind links last, so that each goes by its own path."""
    seen: set[tuple[int, int]] = set()
    waiting, links = [source], list[Path]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        with _translate_read_errors(folder):
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        if folder != source and is_there(skip) and skip.samefile(folder):
            continue
        if folder != source and any(entry.name == SNAPSHOT_NAME for entry in found):
            left_out["in training runs"] += len(found)
            continue
        folders = [entry for entry in found if entry.is_dir()]
        for entry in folders:
            if _is_hidden(entry.name):
                left_out["hidden"] += 1
            else:
                (links if entry.is_symlink() else waiting).append(Path(entry.path))
        yield folder, [entry.name for entry in found if entry not in folders]


def _list_zip(source: Path) -> PictureListing:
    try:
        archive = zipfile.ZipFile(open_regular(source))
    except (OSError, ValueError, NotImplementedError, struct.error, zipfile.BadZipFile):
        raise InputFileError(f"{quote(source)} is neither a folder nor a sound zip", "pack it again") from None
    listing = PictureListing(read=lambda name: (f"{source}: {name}", _read_member(archive, name)))
    for member in archive.infolist():
        if not member.is_dir() and _note_kind(PurePath(member.filename), listing.left_out):
            listing.names.append(member.filename)
    listing.names.sort()
    return listing


def _note_kind(path: PurePath, left_out: Counter[str]) -> bool:
    """Whether a file is a picture; else it counts as left out."""
    suffix = path.suffix.lower()
    if any(_is_hidden(part) for part in path.parts):
        left_out["hidden"] += 1
    elif suffix not in FORMATS:
        left_out[suffix if suffix.isascii() and suffix.isprintable() and suffix else "without an ending"] += 1
    else:
        return True
    return False


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


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
