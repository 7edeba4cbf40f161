"""A checkpoint on its way to the engine: what is known of it, prepared (read and found sound), opened (networks).

`prepare_checkpoint` reads one of any format, executing nothing in it, and keeps its conversion to safetensors in the
cache; a bad file ends here, before torch is loaded. `networks.build` makes networks of what was prepared.

    CACHE/checkpoints/<sha256 of the original file>.safetensors
    CACHE/networks/<network digest>.path                          where each network was last opened from

Everything in the cache can be made again; one that cannot be written costs time, never a result.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.core.errors import ModelError, TuifaceError, quote
from tuiface.core.files import make_folder, write_file
from tuiface.core.limits import MAX_NAME
from tuiface.core.reading import is_file, is_folder, is_there, read_regular
from tuiface.core.visible import escape_bytes, to_visible
from tuiface.engine.checkpoints import CheckpointContents, read_checkpoint, read_native_header, write_native
from tuiface.engine.checkpoints.source_file import hash_checkpoint
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig

if TYPE_CHECKING:
    from tuiface.engine.networks.discriminator import Discriminator
    from tuiface.engine.networks.generator import Generator

NATIVE_SUFFIX = ".safetensors"
MAX_NOTE_BYTES = 1 << 16


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
        text = os.fsencode(path.absolute()) + b"\n"
        try:
            if not is_there(note) or read_regular(note, MAX_NOTE_BYTES) != text:
                make_folder(self._networks)
                write_file(note, text, force=True)
        except (TuifaceError, OSError):
            return

    def networks(self) -> dict[str, Path]:
        """Every network that was opened before, by digest, whose file is still there."""
        digests = sorted(p.stem for p in self._networks.glob("*.path")) if is_folder(self._networks) else []
        found = {digest: self.find_network(digest) for digest in digests}
        return {digest: path for digest, path in found.items() if path is not None}

    def find_network(self, network_sha256: str) -> Path | None:
        """The file that the network was last opened from, if it is still there."""
        try:
            note = read_regular(self._networks / f"{network_sha256}.path", MAX_NOTE_BYTES)
        except OSError:
            return None
        path = Path(os.fsdecode(note.removesuffix(b"\n")))
        return path if is_file(path) else None


_URL = re.compile(r"[a-z]+:/")  # a path has one slash of the two


def file_sha256(path: Path) -> str:
    """SHA-256 of a checkpoint's bytes; raises ModelError in one line when it cannot be read, or is no checkpoint."""
    if not is_there(path):
        if _URL.match(str(path)):
            raise ModelError(f"no checkpoint {quote(path)}: nothing is downloaded", "download it, and name the file")
        raise ModelError(f"no checkpoint {quote(path)}", "check the path, or leave --model out")
    try:
        return hash_checkpoint(path)
    except ModelError as error:
        raise ModelError(f"{to_visible(path.name)}: {error.message}", error.hint) from None


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """What is known of an opened checkpoint besides its networks."""

    path: Path
    """The file that was asked for."""
    name: str
    """As recorded, else the file's name without its ending."""
    format: str
    """Format of the file that the network first came from."""
    network_sha256: str
    """Digest of the generator: what recipes refer to."""
    origin_sha256: str
    """SHA-256 of the file that the network first came from."""
    licence: str | None
    notices: tuple[str, ...]
    """What pictures depend on and the file left open: an estimated latent mean, assumed gains."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Networks ready to run: evaluation mode, no gradients of parameters."""

    generator: Generator
    """G_ema."""
    discriminator: Discriminator | None
    info: CheckpointInfo


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCheckpoint:
    """A checkpoint that was read and found sound; its tensors lie in `native`, or in `contents`."""

    info: CheckpointInfo
    generator_config: GeneratorConfig
    discriminator_config: DiscriminatorConfig | None
    native_path: Path | None
    """A tuiface model to read the tensors from."""
    contents: CheckpointContents | None
    """What was just parsed."""

    @property
    def is_conversion(self) -> bool:
        """Whether `native` is a copy in the cache, which can be made again from the file that was asked for."""
        return self.native_path is not None and self.native_path != self.info.path


def prepare_checkpoint(source: Path, cache: Path) -> PreparedCheckpoint:
    """Read the checkpoint at `source`, or find its conversion under `cache`; raises ModelError for an unsound one."""
    if source.suffix.lower() == NATIVE_SUFFIX:
        return _prepare_native(source, source)
    store = ModelStore(cache)
    converted = store.conversion_path(file_sha256(source))
    if is_there(converted):
        try:
            return _prepare_native(converted, source)
        except ModelError:  # a damaged conversion is made again from the original
            with contextlib.suppress(OSError):
                converted.unlink()
    contents = read_checkpoint(source)
    notices = contents.assumptions
    if store.keep(contents, _to_name(source.stem)) is None:
        notices = (*notices, f"the cache {converted.parent} cannot be written: this checkpoint is parsed at each start")
    info = CheckpointInfo(
        path=source,
        name=_to_name(contents.name or source.stem),
        format=contents.origin_format,
        network_sha256=contents.network_sha256,
        origin_sha256=contents.origin_sha256,
        licence=contents.licence,
        notices=notices,
    )
    discriminator_config = contents.discriminator.config if contents.discriminator else None
    return PreparedCheckpoint(info, contents.generator.config, discriminator_config, None, contents)


def _prepare_native(path: Path, source: Path) -> PreparedCheckpoint:
    """Our own format at `path`; `source` is the file that the user named."""
    header = read_native_header(path)
    info = CheckpointInfo(
        path=source,
        name=_to_name(source.stem if path != source else header.name or source.stem),
        format=header.origin_format,
        network_sha256=header.network_sha256,
        origin_sha256=header.origin_sha256,
        licence=header.licence,
        notices=header.assumptions,
    )
    return PreparedCheckpoint(info, header.generator_config, header.discriminator_config, path, None)


def _to_name(text: str) -> str:
    """What recipes can hold as the name of a network."""
    return escape_bytes(text)[:MAX_NAME]
