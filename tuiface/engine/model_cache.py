"""The cache of converted checkpoints, and the note of where each network was last opened from.

    CACHE/checkpoints/<sha256 of the original file>.safetensors
    CACHE/networks/<network digest>.path

Everything in it can be made again; a cache that cannot be written costs time, never a result.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tuiface.core.errors import ModelError, TuifaceError, quote
from tuiface.core.files import make_folder, write_file
from tuiface.engine.checkpoints import CheckpointContents, write_native

NATIVE_SUFFIX = ".safetensors"


class ModelStore:
    """The part of the cache folder that belongs to models."""

    def __init__(self, cache: Path) -> None:
        self._checkpoints = cache / "checkpoints"
        self._networks = cache / "networks"

    def conversion_path(self, file_sha256: str) -> Path:
        """Where the conversion of that file lies or would lie."""
        return self._checkpoints / f"{file_sha256}{NATIVE_SUFFIX}"

    def keep(self, contents: CheckpointContents, name: str) -> Path | None:
        """Write the conversion of a parsed checkpoint; None when the cache cannot be written."""
        path = self.conversion_path(contents.origin_sha256)
        try:
            make_folder(self._checkpoints)
            write_native(contents, path, name=name)
        except TuifaceError:
            return None
        return path

    def note_network(self, network_sha256: str, path: Path) -> None:
        """Remember that the network was opened from `path`, so that a recipe finds it again by its digest."""
        note = self._networks / f"{network_sha256}.path"
        text = f"{path.absolute()}\n".encode()
        try:
            if not note.exists() or note.read_bytes() != text:
                make_folder(self._networks)
                write_file(note, text, force=True)
        except (TuifaceError, OSError):
            return

    def networks(self) -> dict[str, Path]:
        """Every network that was opened before, by digest, whose file is still there."""
        digests = sorted(p.stem for p in self._networks.glob("*.path")) if self._networks.is_dir() else []
        found = {digest: self.find_network(digest) for digest in digests}
        return {digest: path for digest, path in found.items() if path is not None}

    def find_network(self, network_sha256: str) -> Path | None:
        """The file that the network was last opened from, if it is still there."""
        try:
            path = Path((self._networks / f"{network_sha256}.path").read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError):
            return None
        return path if path.is_file() else None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes; raises ModelError in one line when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ModelError(f"no checkpoint {quote(path)}", "check the path, or leave --model out") from None
    except OSError as error:
        raise ModelError(f"cannot read {quote(path)}: {error.strerror}") from None
