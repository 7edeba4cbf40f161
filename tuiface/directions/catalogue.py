"""The directions at hand: those that ship with tuiface and the user's own, by name and by digest.

    ASSETS/directions/NAME.safetensors               shipped, for the embedded model
    FOLDER/<first ten of the model's digest>/NAME.safetensors    the user's; files right in FOLDER count too

A user's direction hides a shipped one of the same name for the same network.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tuiface.core.errors import InputFileError, ModelError, TuifaceError, UsageError, quote, suggest_nearest
from tuiface.core.files import make_folder, sync_folder, translate_os_errors
from tuiface.core.limits import NAME_PATTERN, NAME_WORDS
from tuiface.core.reading import is_file
from tuiface.core.values import read_bytes
from tuiface.directions.direction import (
    MAX_FILE_BYTES,
    SUFFIX,
    Direction,
    Labels,
    encode_direction,
    read_direction,
    write_direction,
)
from tuiface.faces.recipe import ModelRef

SHORT_DIGEST = 10


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A direction and where it lies."""

    direction: Direction
    path: Path
    shipped: bool


class Catalogue:
    """Directions of several folders. Files are read when first asked for, and again when they change."""

    def __init__(self, shipped: Path, own: Path) -> None:
        self._shipped = shipped
        self._own = own
        self._read: dict[Path, tuple[tuple[int, int], Direction, str]] = {}

    def entries(self, model: ModelRef | None = None) -> list[CatalogueEntry]:
        """All directions that can be read, by name; those of one network alone if `model` is given."""
        found: dict[tuple[str, str], CatalogueEntry] = {}
        for path, shipped in self._paths():
            try:
                direction, _ = self._load(path)
            except TuifaceError:
                continue  # `problems` names it
            if model is None or not direction.is_foreign(model):
                found[(direction.header.model.sha256, direction.name)] = CatalogueEntry(direction, path, shipped)
        return sorted(found.values(), key=lambda e: (e.direction.name, e.direction.header.model.sha256))

    def problems(self) -> list[TuifaceError]:
        """The files that cannot be read, or their folder, a line each."""
        found: list[TuifaceError] = []
        try:
            os.scandir(self._own).close()
        except FileNotFoundError:
            pass
        except OSError as error:  # which looking for its files would pass over
            found.append(InputFileError(f"cannot read {quote(self._own)}: {error.strerror}"))
        for path, _ in self._paths():
            try:
                self._load(path)
            except TuifaceError as error:
                found.append(error)
        return found

    def find(self, name: str, model: ModelRef, *, foreign: bool = False) -> Direction:
        """The direction called `name` for `model`; with `foreign`, one of another network if there is no own.

        Among those of other networks, the user's come before shipped ones.

        Raises ModelError, naming the nearest.
        """
        own = {e.direction.name: e.direction for e in self.entries(model)}
        if name in own:
            return own[name]
        named = [entry for entry in self.entries() if entry.direction.name == name]
        others = [entry.direction for entry in sorted(named, key=lambda entry: entry.shipped)]
        if others and foreign:
            return others[0]
        if others:
            others[0].refuse_foreign(model)
        hint = suggest_nearest(name, own) or "a channel such as b16.conv1:5 is one too;"
        raise ModelError(
            f"no direction {quote(name)} for this model; it has {len(own)}", f"{hint} tuiface directions list shows all"
        )

    def by_digest(self, sha256: str) -> Direction | None:
        """The direction of that digest, whatever it is called and whichever network it is for."""
        for path, _ in self._paths():
            try:
                direction, found = self._load(path)
            except TuifaceError:
                continue
            if found == sha256:
                return direction
        return None

    def path_for(self, direction: Direction) -> Path:
        """Where a direction of the user's would lie."""
        return self._own / direction.header.model.sha256[:SHORT_DIGEST] / f"{direction.name}{SUFFIX}"

    def add(self, direction: Direction, *, force: bool = False) -> Path:
        """Write a direction into the user's folder; returns its path. Raises OutputError if that name is taken."""
        path = self.path_for(direction)
        make_folder(path.parent)
        write_direction(direction, path, force=force)
        return path

    def hides_shipped(self, direction: Direction) -> bool:
        """Whether a direction of the user's has the name of one that ships for the same network."""
        shipped = self._shipped / f"{direction.name}{SUFFIX}"
        return is_file(shipped) and not self._load(shipped)[0].is_foreign(direction.header.model)

    def find_own(self, name: str, model: ModelRef) -> CatalogueEntry:
        """The user's direction called `name` for `model`. Raises ModelError, also for one that ships with tuiface."""
        entries = {e.direction.name: e for e in self.entries(model)}
        if name in entries and not entries[name].shipped:
            return entries[name]
        reason = "ships with tuiface" if name in entries else "is none of this model's"
        own = [entry.direction.name for entry in entries.values() if not entry.shipped]
        raise ModelError(
            f"direction {quote(name)} {reason}; your own can be changed: {', '.join(own) or 'none yet'}",
            suggest_nearest(name, own),
        )

    def rename(self, name: str, new_name: str, model: ModelRef) -> Path:
        """Give a direction of the user's another name; what was made with it is found by its digest as before.

        Returns its new path. Raises ModelError for the old name, UsageError or OutputError for the new one.
        """
        entry = self.find_own(name, model)
        renamed = rename_direction(entry.direction, new_name)
        path = self.path_for(renamed)
        is_written = is_file(path) and read_bytes(path, MAX_FILE_BYTES) == encode_direction(renamed)
        if path == entry.path or not is_written:  # it is where a kill ended an earlier try here
            self.add(renamed)
        with translate_os_errors(entry.path):
            entry.path.unlink(missing_ok=True)
            sync_folder(entry.path.parent)
        return path

    def remove(self, name: str, model: ModelRef) -> Path:
        """Delete the file of a direction of the user's and return its path. Raises ModelError or OutputError."""
        entry = self.find_own(name, model)
        with translate_os_errors(entry.path):
            entry.path.unlink()
            sync_folder(entry.path.parent)
        return entry.path

    def _paths(self) -> list[tuple[Path, bool]]:
        """Files and whether they are shipped; the user's come last, so that they win."""
        shipped = [(path, True) for path in sorted(self._shipped.glob(f"*{SUFFIX}"))]
        own = [*self._own.glob(f"*{SUFFIX}"), *self._own.glob(f"*/*{SUFFIX}")]
        return [*shipped, *((path, False) for path in sorted(own))]

    def _load(self, path: Path) -> tuple[Direction, str]:
        """The direction in a file, and its digest."""
        try:
            status = path.stat()
        except OSError as error:
            raise ModelError(f"cannot read {quote(path)}: {error.strerror}") from None
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            direction = read_direction(path)
            known = (stamp, direction, direction.sha256)
            self._read[path] = known
        return known[1:]


def rename_direction(direction: Direction, name: str, labels: Labels | None = None) -> Direction:
    """The same direction under another name, with other ends where `labels` are given. Raises UsageError."""
    refuse_invalid_name(name)
    changes = {"name": name} if labels is None else {"name": name, "labels": labels}
    return Direction(direction.header.model_copy(update=changes), direction.arrays)


def refuse_invalid_name(name: str) -> None:
    """Raise UsageError for a name that no direction can have."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(f"name {quote(name)}; accepted: {NAME_WORDS}")
