"""Reading a checkpoint file: what its first bytes say it is, then its bytes, once and never more than the limit."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from tuiface.core.errors import ModelError
from tuiface.core.reading import is_there, open_regular
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints.accounting import LIMITS

Container = Literal["pickle", "zip", "safetensors"]

HEAD_BYTES: Final = 512
PART_BYTES: Final = 4 << 20
"""What is hashed while the next as much is read."""
HOLES_FROM_BYTES: Final = 64 << 20
"""Size of a file from which it is looked at for holes."""
DOWNLOAD_AGAIN: Final = "download or copy the file again"
#: What torch's own zip files need, and other programs' do not have.
PACK_AGAIN: Final = "pack its folder without compression: cd FOLDER && zip -0 -r ../model.pt ."
#: First opcode of every pickle since protocol 2.
PROTO: Final = 0x80

#: How files of other kinds begin, and what to tell their owner.
FOREIGN_SIGNATURES: Final[Mapping[bytes, str]] = {
    b"version https://git-lfs": "a Git LFS pointer, not the checkpoint itself: fetch it with git lfs pull",
    b"\x1f\x8b": "gzip-compressed: unpack it first",
    b"BZh": "bzip2-compressed: unpack it first",
    b"\xfd7zXZ\x00": "xz-compressed: unpack it first",
    b"\x28\xb5\x2f\xfd": "zstd-compressed: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"\x89HDF": "an HDF5 file, not a StyleGAN2 checkpoint",
    b"\x93NUMPY": "a numpy array, not a StyleGAN2 checkpoint",
    b"\x89PNG": "a PNG picture, not a StyleGAN2 checkpoint",
    b"\xff\xd8\xff": "a JPEG picture, not a StyleGAN2 checkpoint",
}


@dataclass(frozen=True, slots=True, eq=False)
class SourceFile:
    """The bytes of a file and their digest."""

    name: str
    """Name of the file, fit for a terminal."""
    container: Container
    data: memoryview
    """A copy in memory, not to be written to, because a mapped file that someone truncates would end the process."""
    sha256: str


class ForeignFileError(ModelError):
    """A readable file whose first bytes belong to another kind of file."""


@contextlib.contextmanager
def name_file_in_errors(path: Path) -> Iterator[None]:
    """Begin the message of a ModelError of the block with the file's name."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{to_visible(path.name)}: {error.message}", error.hint) from None


def read_source(path: Path) -> SourceFile:
    """Read a regular file of at most `LIMITS.file_bytes`; files of other kinds are refused by their first bytes."""
    with open_checkpoint_file(path) as file:
        try:
            container = _detect_container(os.pread(file.fileno(), HEAD_BYTES, 0), path)
            refuse_holes(file.fileno())
            # With a size, a file that grows meanwhile is read up to its first size only.
            data, sha256 = _read_and_hash(file.fileno(), os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise ModelError(f"cannot be read: {error.strerror}") from error
        except MemoryError:
            raise ModelError("does not fit in this machine's memory") from None
    return SourceFile(to_visible(path.name), container, data, sha256)


def _read_and_hash(handle: int, num_bytes: int) -> tuple[memoryview, str]:
    """The first bytes of a file, fewer where it ends before, and their SHA-256, which a second thread computes.

    numpy asks the kernel for huge pages, with which 382 MB take 200 page faults instead of 93,000: 0.08 s for 0.19.
    """
    buffer = np.empty(num_bytes, np.uint8).data
    parts: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
    digest = hashlib.sha256()

    def hash_parts() -> None:
        while part := parts.get():
            digest.update(part)

    hashing = threading.Thread(target=hash_parts, name="hashing")
    hashing.start()
    position = 0
    try:
        while got := os.preadv(handle, [buffer[position : position + PART_BYTES]], position):
            parts.put(buffer[position : position + got])
            position += got
    finally:
        parts.put(buffer[:0])
        hashing.join()
    return buffer[:position].toreadonly(), digest.hexdigest()


def hash_checkpoint(path: Path) -> str:
    """SHA-256 of a file that begins as a checkpoint does; refused like `read_source`, before much is read."""
    with open_checkpoint_file(path) as file:
        try:
            _detect_container(os.pread(file.fileno(), HEAD_BYTES, 0), path)
            refuse_holes(file.fileno())
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"cannot be read: {error.strerror}") from error


def hash_file(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file that is not kept in memory."""
    with open_checkpoint_file(path) as file:
        try:
            return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"cannot be read: {error.strerror}") from error


def _detect_container(head: bytes, path: Path) -> Container:
    """How the file is packed, from its first bytes; ForeignFileError for anything that cannot be a checkpoint."""
    # A header length below 2^32 and a JSON object: no pickle begins like that.
    if head[4:9] == b"\0\0\0\0{":
        return "safetensors"
    if path.suffix == ".safetensors":
        length = int.from_bytes(head[:8], "little")
        raise ForeignFileError(
            f"not a sound safetensors file: a header of {length} bytes is claimed, and no JSON object begins at byte 8",
            DOWNLOAD_AGAIN,
        )
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if len(head) >= 2 and head[0] == PROTO:
        return "pickle"
    for start, reason in FOREIGN_SIGNATURES.items():
        if head.startswith(start):
            raise ForeignFileError(reason)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise ForeignFileError("this is a web page, not a checkpoint: the download failed", DOWNLOAD_AGAIN)
    if head[257:262] == b"ustar":
        raise ForeignFileError("a tar archive: unpack it first")
    shown = " ".join(f"{byte:02x}" for byte in head[:8])
    raise ForeignFileError(
        f"not a checkpoint: starts with the bytes {shown}; accepted are NVIDIA and TensorFlow pickles, "
        "torch .pt files and tuiface .safetensors"
    )


def refuse_holes(handle: int) -> None:
    """Raise ModelError for a large file of which little was ever written; leaves the file at its beginning.

    Programs that download set the size first, and where they break off, or someone is hostile, gigabytes of zeros would
    be read into memory that take no place on the disk.
    """
    size = os.fstat(handle).st_size
    if size < HOLES_FROM_BYTES:
        return
    written = position = 0
    while position < size and written < size // 8:
        try:
            start = os.lseek(handle, position, os.SEEK_DATA)
            position = os.lseek(handle, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # a file system that does not know
                written = size
            break
        written += position - start
    os.lseek(handle, 0, os.SEEK_SET)
    if written < size // 8:
        raise ModelError(
            f"of its {size} bytes only {written} were ever written: its download broke off", DOWNLOAD_AGAIN
        )


def open_checkpoint_file(path: Path) -> io.BufferedReader:
    """A regular, non-empty file within the size limit; ModelError otherwise."""
    try:
        file = open_regular(path)
    except FileNotFoundError:
        raise ModelError("no such file", "check the path, or set one with --model") from None
    except IsADirectoryError:
        if is_there(path / "data.pkl"):
            raise ModelError("is a .pt file that was unpacked; accepted is a checkpoint file", PACK_AGAIN) from None
        raise ModelError(
            "is a folder; accepted is a checkpoint file", "name the .pkl, .pt or .safetensors inside"
        ) from None
    except OSError as error:
        raise ModelError(f"cannot be opened: {error.strerror}") from None
    size = os.fstat(file.fileno()).st_size
    if 0 < size <= LIMITS.file_bytes:
        return file
    file.close()
    if size == 0:
        raise ModelError("is empty (0 bytes)", "download or copy the file again")
    raise ModelError(f"has {size} bytes; accepted are up to {LIMITS.file_bytes}")
