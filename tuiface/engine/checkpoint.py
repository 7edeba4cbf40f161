"""A checkpoint on its way to the engine: what is known of it, prepared (read and found sound), opened (networks).

`prepare_checkpoint` reads one of any format, executing nothing in it, and has its conversion to safetensors kept in the
cache by a thread; a bad file ends here, before torch is loaded. `networks.build` makes networks of what was prepared.

    CACHE/checkpoints/<sha256 of the original file>.safetensors
    CACHE/networks/<network digest>.path                          where each network was last opened from

Everything in the cache can be made again; one that cannot be written costs time, never a result.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.core.assets import edition_model_paths, embedded_model_path
from tuiface.core.errors import ModelError, TuifaceError, quote
from tuiface.core.files import Data, make_folder, translate_os_errors, write_file
from tuiface.core.limits import MAX_NAME
from tuiface.core.reading import is_file, is_folder, is_there, read_regular
from tuiface.core.visible import escape_bytes
from tuiface.engine.checkpoints import CheckpointContents, network_digest, read_native_header
from tuiface.engine.checkpoints.accounting import Inventory
from tuiface.engine.checkpoints.native import encode_native
from tuiface.engine.checkpoints.reader import read_contents
from tuiface.engine.checkpoints.source_file import hash_checkpoint, name_file_in_errors, read_source
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig

if TYPE_CHECKING:
    from tuiface.engine.networks.discriminator import Discriminator
    from tuiface.engine.networks.generator import Generator

NATIVE_SUFFIX = ".safetensors"
MAX_NOTE_BYTES = 1 << 16


def shipped_networks() -> dict[str, Path]:
    """The embedded model and its earlier editions by their networks' digests; what is damaged is left out."""
    found: dict[str, Path] = {}
    for path in (embedded_model_path(), *edition_model_paths()):
        with contextlib.suppress(TuifaceError, OSError):
            found.setdefault(read_native_header(path).network_sha256, path)
    return found


class ModelStore:
    """The part of the cache folder that belongs to models."""

    def __init__(self, cache: Path) -> None:
        self._checkpoints = cache / "checkpoints"
        self._networks = cache / "networks"

    def conversion_path(self, file_sha256: str) -> Path:
        """Where the conversion of that file lies or would lie."""
        return self._checkpoints / f"{file_sha256}{NATIVE_SUFFIX}"

    def keep(self, contents: CheckpointContents, name: str) -> Conversion:
        """Have the conversion of a parsed checkpoint written while the caller goes on."""
        return Conversion(contents, self.conversion_path(contents.origin_sha256), name)

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


class Conversion:
    """A parsed checkpoint on its way into the cache: a thread writes it, whole or not at all, and nobody waits.

    The process does not end before the file is whole, unless it is killed, which leaves nothing behind. Whoever changes
    the tensors meanwhile, which networks share, loses the file and no more.
    """

    def __init__(self, contents: CheckpointContents, path: Path, name: str) -> None:
        self.path = path
        self._networks = [network for network in (contents.generator, contents.discriminator) if network is not None]
        self._has_begun = threading.Event()
        self._is_refused = False
        content = encode_native(contents, name=name)
        threading.Thread(target=self._write, args=(content,), name="conversion").start()

    @property
    def is_refused(self) -> bool:
        """Whether the cache does not take the file, as far as can be said before it is written."""
        self._has_begun.wait()
        return self._is_refused

    def _write(self, content: Iterator[Data]) -> None:
        try:
            make_folder(self.path.parent)
            self._refuse_full_disk()
            write_file(self.path, self._watch(content), force=True)
        except TuifaceError:
            self._is_refused = True
        finally:
            self._has_begun.set()

    def _refuse_full_disk(self) -> None:
        num_bytes = sum(tensor.nbytes for network in self._networks for tensor in network.tensors.values())
        with translate_os_errors(self.path):
            if shutil.disk_usage(self.path.parent).free < num_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _watch(self, content: Iterator[Data]) -> Iterator[Data]:
        """The same parts. Raises ModelError when all are written and the tensors are not what they were before."""
        for part in content:
            self._has_begun.set()  # the first part is the header, with the digests
            yield part
        for network in self._networks:
            if network_digest(network.config, network.tensors) != network.sha256:
                raise ModelError(f"{self.path.name}: its tensors were changed while it was written")


def file_sha256(path: Path) -> str:
    """SHA-256 of a checkpoint's bytes; raises ModelError in one line when it cannot be read, or is no checkpoint."""
    _refuse_missing(path)
    with name_file_in_errors(path):
        return hash_checkpoint(path)


def _refuse_missing(path: Path) -> None:
    if not is_there(path):
        if _URL.match(str(path)):
            raise ModelError(f"no checkpoint {quote(path)}: nothing is downloaded", "download it, and name the file")
        raise ModelError(f"no checkpoint {quote(path)}", "check the path, or leave --model out")


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
    conversion: Conversion | None
    """Where that is kept."""

    @property
    def is_conversion(self) -> bool:
        """Whether `native` is a copy in the cache, which can be made again from the file that was asked for."""
        return self.native_path is not None and self.native_path != self.info.path


def prepare_checkpoint(source: Path, cache: Path) -> PreparedCheckpoint:
    """Read the checkpoint at `source`, or find its conversion under `cache`; raises ModelError for an unsound one.

    The file is read once, for its digest and for its contents: reading it into memory takes less time than hashing it.
    """
    if source.suffix.lower() == NATIVE_SUFFIX:
        return _prepare_native(source, source)
    _refuse_missing(source)
    with name_file_in_errors(source):
        file = read_source(source)
    store = ModelStore(cache)
    converted = store.conversion_path(file.sha256)
    if is_there(converted):
        try:
            return _prepare_native(converted, source)
        except ModelError:  # a damaged conversion is made again from the original
            with contextlib.suppress(OSError):
                converted.unlink()
    with name_file_in_errors(source):
        contents = read_contents(file, Inventory())
    info = CheckpointInfo(
        path=source,
        name=_to_name(contents.name or source.stem),
        format=contents.origin_format,
        network_sha256=contents.network_sha256,
        origin_sha256=contents.origin_sha256,
        licence=contents.licence,
        notices=contents.assumptions,
    )
    discriminator_config = contents.discriminator.config if contents.discriminator else None
    conversion = store.keep(contents, _to_name(source.stem))
    return PreparedCheckpoint(info, contents.generator.config, discriminator_config, None, contents, conversion)


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
    return PreparedCheckpoint(info, header.generator_config, header.discriminator_config, path, None, None)


def _to_name(text: str) -> str:
    """What recipes can hold as the name of a network."""
    return escape_bytes(text)[:MAX_NAME]
