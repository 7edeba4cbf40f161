"""The library: a folder of PNG + JSON is the truth, an SQLite file is its index and can be rebuilt at any time.

Tags and the series of a face lie beside it in `NAME.tags.json`, so that a copied folder keeps them and the provenance
stays as it was written. Removed faces go to the folder's `.trash`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tuiface.core.errors import InputFileError, OutputError, TuifaceError, UsageError, quote, suggest_nearest
from tuiface.core.files import make_folder, refuse_existing, translate_os_errors, write_file
from tuiface.core.values import Value, parse_json, read_json
from tuiface.faces.provenance import Provenance, read_png
from tuiface.faces.recipe import SeedSource

TRASH = ".trash"
_SCHEMA_VERSION = 2
#: Files by the bytes of their names, which need not be UTF-8.
_SCHEMA = """
CREATE TABLE face (
    file BLOB PRIMARY KEY, id TEXT NOT NULL, seed INTEGER, psi REAL NOT NULL, width INTEGER NOT NULL,
    model TEXT NOT NULL, operator TEXT NOT NULL, time TEXT NOT NULL, series TEXT, mtime_ns INTEGER NOT NULL
);
CREATE TABLE tag (
    file BLOB NOT NULL REFERENCES face(file) ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (file, tag)
);
CREATE TABLE parent (file BLOB NOT NULL REFERENCES face(file) ON DELETE CASCADE, digest TEXT NOT NULL);
CREATE INDEX face_id ON face(id);
"""

Tag = Annotated[str, Field(pattern=r"^[^\s,\x00-\x1f]{1,64}$")]


class Tags(Value):
    """The file `NAME.tags.json`."""

    format: Literal["tuiface.tags/1"] = "tuiface.tags/1"
    tags: tuple[Tag, ...] = Field((), max_length=1024)
    """Without spaces or commas, sorted."""
    series: Annotated[str, Field(max_length=255)] | None = None
    """Name of the set that the face belongs to: a transition, a line-up."""


@dataclass(frozen=True, slots=True)
class LibraryFace:
    """One face of the library, as the index knows it."""

    path: Path
    """The PNG."""
    id: str
    """First characters of the recipe's digest."""
    seed: int | None
    """Seed of the source; None for a latent."""
    psi: float
    width: int
    model: str
    """Name of the network."""
    operator: str
    time: str
    """ISO 8601."""
    tags: tuple[str, ...]
    series: str | None
    parents: tuple[str, ...]
    """Recipe digests."""


class Library:
    """A folder of saved faces with its index."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
        self._index_path = cache / "library" / f"{name}.sqlite"

    def reindex(self) -> list[TuifaceError]:
        """Throw the index away and build it from the folder; returns what could not be read, a line each."""
        with contextlib.suppress(OSError):
            self._index_path.unlink()
        with self._index() as index:
            return self._update(index)

    def faces(self, text: str = "", *, tag: str | None = None, series: str | None = None) -> list[LibraryFace]:
        """Faces of the folder, oldest first, whose id, file name, seed, tags or series contain `text`."""
        with self._index() as index:
            self._update(index)
            found = self._read(index)
        wanted = text.lower()
        return [
            face
            for face in found
            if (tag is None or tag in face.tags)
            and (series is None or face.series == series)
            and any(wanted in str(field).lower() for field in (face.path.stem, face.id, face.series or "", *face.tags))
        ]

    def find(self, name: str) -> LibraryFace:
        """The face of an id (or a unique beginning of one) or a file name. Raises UsageError, naming the nearest."""
        faces = self.faces()
        exact = [f for f in faces if name in (f.path.name, f.path.stem)]
        found = exact or [f for f in faces if len(name) >= 4 and f.id.startswith(name.lower())]
        digests = {f.id for f in found}
        if not found:
            hint = suggest_nearest(name, [f.id for f in faces] + [f.path.stem for f in faces])
            raise UsageError(
                f"no face {quote(name)} in {quote(self.folder)}", hint or "tuiface library list shows them"
            )
        if len(digests) > 1:
            raise UsageError(f"{quote(name)} begins the ids of {len(digests)} faces", "give more characters")
        return max(found, key=lambda f: f.width)

    def set_tags(self, face: LibraryFace, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Add and remove tags; returns what the face carries then."""
        before = read_tags(face.path)
        tags = tuple(sorted((set(before.tags) | set(add)) - set(remove)))
        write_tags(face.path, tags, before.series)
        return tags

    def remove(self, face: LibraryFace) -> Path:
        """Move the face's files into the folder's trash; returns the new path of the picture."""
        trash = self.folder / TRASH
        make_folder(trash)
        target = trash / face.path.name
        for moved in _files_of(face.path):
            if (trash / moved.name).exists():
                raise OutputError(f"{quote(moved.name)} lies in the trash already", f"empty {quote(trash)} first")
        for moved in _files_of(face.path):
            with translate_os_errors(moved):
                moved.rename(trash / moved.name)
        return target

    def restore(self, trashed: Path) -> Path:
        """Move a face's files back from the trash; `trashed` is what `remove` returned. Returns the picture's path.

        Raises OutputError if a file of that name lies in the folder again.
        """
        for moved in _files_of(trashed):
            refuse_existing(self.folder / moved.name, force=False)
        for moved in _files_of(trashed):
            with translate_os_errors(moved):
                moved.rename(self.folder / moved.name)
        return self.folder / trashed.name

    # --- index ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _index(self) -> Iterator[sqlite3.Connection]:
        """The open index; a damaged or older one is thrown away, and one that cannot be written lives in memory."""
        connection = self._open_index()
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def _open_index(self) -> sqlite3.Connection:
        for _ in range(2):
            try:
                make_folder(self._index_path.parent)
                connection = sqlite3.connect(self._index_path, timeout=10)
                return _ensure_schema(connection)
            except sqlite3.DatabaseError:
                with contextlib.suppress(OSError):
                    self._index_path.unlink()
            except OutputError:
                break
        return _ensure_schema(sqlite3.connect(":memory:"))

    def _update(self, index: sqlite3.Connection) -> list[TuifaceError]:
        """Bring the index up to date with the folder."""
        problems: list[TuifaceError] = []
        known = dict(index.execute("SELECT file, mtime_ns FROM face"))
        present = {}
        for png in sorted(self.folder.glob("*.png")) if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                present[os.fsencode(png.name)] = max(p.stat().st_mtime_ns for p in _files_of(png))
        index.executemany("DELETE FROM face WHERE file = ?", [(f,) for f in known if present.get(f) != known[f]])
        for file, mtime_ns in present.items():
            if known.get(file) != mtime_ns:
                try:
                    _insert_face(index, self.folder / os.fsdecode(file), mtime_ns)
                except TuifaceError as error:
                    problems.append(error)
        return problems

    def _read(self, index: sqlite3.Connection) -> list[LibraryFace]:
        tags: dict[bytes, list[str]] = {}
        for file, tag in index.execute("SELECT file, tag FROM tag ORDER BY tag"):
            tags.setdefault(file, []).append(tag)
        parents: dict[bytes, list[str]] = {}
        for file, digest in index.execute("SELECT file, digest FROM parent ORDER BY rowid"):
            parents.setdefault(file, []).append(digest)
        index.row_factory = sqlite3.Row
        rows = index.execute(
            "SELECT file, id, seed, psi, width, model, operator, time, series FROM face ORDER BY time, file"
        )
        return [
            LibraryFace(
                path=self.folder / os.fsdecode(row["file"]),
                tags=tuple(tags.get(row["file"], ())),
                parents=tuple(parents.get(row["file"], ())),
                **{name: row[name] for name in ("id", "seed", "psi", "width", "model", "operator", "time", "series")},
            )
            for row in rows
        ]


def read_tags(png: Path) -> Tags:
    """The tags beside a picture; none if there is no such file."""
    path = _tags_path(png)
    return read_json(Tags, path) if path.exists() else Tags()


def write_tags(png: Path, tags: tuple[str, ...], series: str | None) -> None:
    """Write the tags beside a picture. Raises UsageError for a tag with spaces or commas."""
    for tag in tags:
        if not tag or len(tag) > 64 or any(c.isspace() or c == "," or not c.isprintable() for c in tag):
            raise UsageError(f"tag {quote(tag)}; accepted: 1 to 64 characters without spaces or commas")
    value = Tags(tags=tags, series=series)
    write_file(_tags_path(png), (value.model_dump_json(indent=2) + "\n").encode(), force=True)


def read_provenance(png: Path) -> Provenance:
    """The provenance of a picture, from its JSON or from inside it."""
    sidecar = png.with_suffix(".json")
    if sidecar.exists():
        return read_json(Provenance, sidecar)
    _, text = read_png(png)
    if text is None:
        raise InputFileError(f"{png.name}: no provenance inside and no {sidecar.name} beside it")
    return parse_json(Provenance, text, png.name)


def _tags_path(png: Path) -> Path:
    return png.with_suffix(".tags.json")


def _files_of(png: Path) -> list[Path]:
    return [p for p in (png, png.with_suffix(".json"), _tags_path(png)) if p.exists()]


def _ensure_schema(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA foreign_keys = ON")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"{_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION};")
    elif version != _SCHEMA_VERSION:
        connection.close()
        raise sqlite3.DatabaseError(f"index version {version}")
    return connection


def _insert_face(index: sqlite3.Connection, png: Path, mtime_ns: int) -> None:
    provenance = read_provenance(png)
    tags = read_tags(png)
    recipe = provenance.recipe
    seed = recipe.source.seed if isinstance(recipe.source, SeedSource) else None
    file = os.fsencode(png.name)
    row = (
        file,
        provenance.recipe_sha256[:10],
        seed,
        recipe.truncation.psi,
        provenance.picture.width,
        provenance.model.name,
        provenance.operator,
        provenance.time.isoformat(),
        tags.series,
        mtime_ns,
    )
    index.execute("INSERT INTO face VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    index.executemany("INSERT INTO tag VALUES (?, ?)", [(file, tag) for tag in sorted(set(tags.tags))])
    index.executemany("INSERT INTO parent VALUES (?, ?)", [(file, digest) for digest in provenance.parents])
