"""Files in parts of at most 16 MiB, so that they pass where larger ones do not, and put together again.

A part's name is the digest of what it holds: what did not change is not written again, and what changed on its way is
refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field

from tuiface.core.bounds import LargeCount, PathText
from tuiface.core.errors import InputFileError, quote
from tuiface.core.files import make_folder, write_file
from tuiface.core.reading import read_regular
from tuiface.core.values import Value

PIECE_BYTES = 16 << 20
FOLDER = "pieces"
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class KeptFile(Value):
    """One file in parts."""

    path: PathText
    """Within the work's folder."""
    size: LargeCount
    """Bytes."""
    sha256: Digest
    pieces: tuple[Digest, ...] = Field(max_length=1 << 16)
    """Of each part, in order."""


def split_files(folder: Path, paths: Sequence[str]) -> tuple[KeptFile, ...]:
    """Bring files of `folder` into parts below it; parts of nothing are removed. Raises OutputError."""
    pieces = folder / FOLDER
    make_folder(pieces)
    kept = tuple(_split(folder / path, path, pieces) for path in paths)
    wanted = {_piece_name(digest) for file in kept for digest in file.pieces}
    for stale in pieces.glob("*.part"):
        if stale.name not in wanted:
            stale.unlink()
    return kept


def _split(file: Path, path: str, pieces: Path) -> KeptFile:
    whole, digests, size = hashlib.sha256(), [], 0
    with file.open("rb") as source:
        while content := source.read(PIECE_BYTES):
            digest = hashlib.sha256(content).hexdigest()
            part = pieces / _piece_name(digest)
            if not (part.exists() and part.stat().st_size == len(content)):
                write_file(part, content, force=True)
            whole.update(content)
            digests.append(digest)
            size += len(content)
    return KeptFile(path=path, size=size, sha256=whole.hexdigest(), pieces=tuple(digests))


def join_files(source: Path, files: Sequence[KeptFile], folder: Path, roots: Sequence[str]) -> None:
    """Put `files`, whose parts lie below `source`, together in `folder`; nothing is written before all are whole.

    `roots`: folders within it that files may lie in. Raises InputFileError, one line, for a part that is missing or
    changed, and for a path that leads elsewhere.
    """
    for file in files:
        _check(source, file, roots)
    for file in files:
        target = folder / file.path
        make_folder(target.parent)
        write_file(target, (_read_piece(source, digest) for digest in file.pieces), force=True)


def _check(source: Path, file: KeptFile, roots: Sequence[str]) -> None:
    parts = PurePosixPath(file.path).parts
    if len(parts) < 2 or parts[0] not in roots or ".." in parts:
        accepted = ", ".join(roots)
        raise InputFileError(f"{quote(file.path)} is no file of such a work", f"accepted are those below {accepted}")
    whole, size = hashlib.sha256(), 0
    for content in _read_pieces(source, file):
        whole.update(content)
        size += len(content)
    if (size, whole.hexdigest()) != (file.size, file.sha256):
        raise InputFileError(f"the parts of {quote(file.path)} do not make it up", "copy all of the folder once more")


def _read_pieces(source: Path, file: KeptFile) -> Iterator[bytes]:
    return (_read_piece(source, digest) for digest in file.pieces)


def _read_piece(source: Path, digest: str) -> bytes:
    path = source / FOLDER / _piece_name(digest)
    try:
        content = read_regular(path, PIECE_BYTES)
    except OSError as error:
        raise InputFileError(f"cannot read the piece {quote(path)}: {error.strerror}", "copy it once more") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputFileError(f"the piece {quote(path)} holds something else than its name says", "copy it once more")
    return content


def _piece_name(digest: str) -> str:
    return f"{digest[:32]}.part"
