"""The library: a folder of PNG + JSON is the truth, an SQLite file is its index and can be rebuilt at any time.

What people say of a face (name, tags, rating, series) lies beside it in `NAME.tags.json`, so that a copied folder keeps
it and the provenance stays as it was written. Removed faces go to the folder's `.trash`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from tuiface.core.errors import InputFileError, OutputError, TuifaceError, UsageError, quote, suggest_nearest
from tuiface.core.files import lock_folder, write_file
from tuiface.core.limits import MAX_RATING
from tuiface.core.strict_json import JsonError, parse_strict_json
from tuiface.core.values import Value, parse_json, read_json
from tuiface.core.words import check_rating, format_number
from tuiface.faces.index import Index, Row
from tuiface.faces.provenance import Provenance, compare_sidecar, read_png_text, read_steadily
from tuiface.faces.recipe import ChannelEdit, Edit, SeedSource, face_id
from tuiface.faces.repair import Repair, repair_folder
from tuiface.faces.trash import Trash, is_picture, name_files

_SETTLED_S = 2.0
"""Two changes of one file within this time may bear the same stamp, on the coarsest clocks of file systems."""

Tag = Annotated[str, Field(pattern=r"^[^\s,\x00-\x1f]{1,64}$")]
MAX_TITLE = 80
"""Characters of the name that a person gives to a face."""


class Tags(Value):
    """The file `NAME.tags.json`."""

    format: Literal["tuiface.tags/1"] = "tuiface.tags/1"
    tags: tuple[Tag, ...] = Field((), max_length=1024)
    """Without spaces or commas, sorted."""
    series: Annotated[str, Field(max_length=255)] | None = None
    """Name of the set that the face belongs to: a transition, a line-up."""
    title: Annotated[str, Field(pattern=rf"^[^\x00-\x1f\x7f]{{1,{MAX_TITLE}}}$")] | None = None
    """The name that a person gave to the face."""
    rating: Annotated[int, Field(ge=1, le=MAX_RATING)] | None = None

    @model_serializer(mode="wrap")
    def _leave_out_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What nobody said is left out: an older tuiface reads the file then."""
        return {k: v for k, v in handler(self).items() if v is not None or k not in ("title", "rating")}


@dataclass(frozen=True, slots=True)
class LibraryFace:
    """One face of the library, as the index knows it."""

    path: Path
    """The PNG."""
    id: str
    """`Recipe.id`."""
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
    mixes: tuple[str, ...] = ()
    """Seeds of the faces that are mixed in; empty for a latent."""
    edits: tuple[str, ...] = ()
    """As `smile=1.5`, by the names of directions; a style channel as `b64.conv0:3=2`."""
    locks: tuple[str, ...] = ()
    """As `frame`, `hair=0.5` or `frame:blend`, as the flag says it."""
    title: str | None = None
    """The name that a person gave to it."""
    rating: int | None = None
    """1 to 5."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a look into the folder found."""

    faces: tuple[LibraryFace, ...]
    """Oldest first."""
    problems: tuple[InputFileError, ...]
    """What could not be read, a line each; a face of which something can be read is listed all the same."""


class Library:
    """A folder of saved faces with its index."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
        self._index = Index(cache / "library" / f"{name}.sqlite")
        self._trash = Trash(folder)

    def reindex(self) -> list[TuifaceError]:
        """Throw the index away and build it from the folder; returns what could not be read, a line each."""
        self._index.discard()
        return list(self.look().problems)

    def look(self) -> Listing:
        """All faces of the folder, and what could not be read of them. Raises InputFileError for the folder itself."""
        self._trash.finish()
        known = self._index.read()
        found: dict[str, _Entry] = {}
        changed: dict[str, Row] = {}
        stamps = _stamp_faces(self.folder)
        for file, stamp in stamps.items():
            entry = None
            if file in known and known[file][0] == stamp.text:
                entry = _Entry.decode(self.folder / file, known[file][1])
            if entry is None:
                entry = read_steadily(self.folder / file, partial(_Entry.read, self.folder / file))
                if entry.face is None and not os.path.lexists(self.folder / file):
                    continue  # removed meanwhile
                if stamp.is_settled:
                    changed[file] = (stamp.text, entry.encode())
            found[file] = entry
        gone = known.keys() - stamps.keys()
        if changed or gone:
            self._index.write(changed, gone)
        faces = [entry.face for entry in found.values() if entry.face is not None]
        problems = tuple(InputFileError(text) for entry in found.values() for text in entry.problems)
        return Listing(tuple(sorted(faces, key=lambda face: (face.time, face.path.name))), problems)

    def faces(self, text: str = "", *, tag: str | None = None, series: str | None = None) -> list[LibraryFace]:
        """Faces of the folder, oldest first, whose id, file name, seed, tags or series contain `text`."""
        return select_faces(self.look().faces, text, tag=tag, series=series)

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
        """Add and remove tags; returns what the face carries then, with what others have changed meanwhile."""
        for tag in add:
            _refuse_invalid_tag(tag)
        with lock_folder(self.folder):
            before = read_tags(face.path)
            tags = tuple(sorted((set(before.tags) | set(add)) - set(remove)))
            _write_tags(face.path, before.model_copy(update={"tags": tags}))
        return tags

    def rename(self, face: LibraryFace, title: str) -> None:
        """Give the face a name of 1 to 80 characters; an empty one takes the name away.

        Raises UsageError for a longer one, or one with line breaks or other characters that are not seen.
        """
        title = title.strip()
        if title and (len(title) > MAX_TITLE or not title.isprintable()):
            raise UsageError(f"name {quote(title)}; accepted: 1 to {MAX_TITLE} visible characters in one line")
        with lock_folder(self.folder):
            _write_tags(face.path, read_tags(face.path).model_copy(update={"title": title or None}))

    def rate(self, faces: Iterable[LibraryFace], rating: int) -> None:
        """Rate faces from 1 to 5; 0 takes their ratings away. Raises UsageError for other numbers."""
        check_rating(str(rating))
        with lock_folder(self.folder):
            for face in faces:
                _write_tags(face.path, read_tags(face.path).model_copy(update={"rating": rating or None}))

    def remove(self, face: LibraryFace) -> Path:
        """Move the face's files into the folder's trash, all or none; returns the new path of the picture."""
        if not os.path.lexists(face.path):
            raise OutputError(f"no file {quote(face.path)}", "tuiface library list shows what is there")
        return self._trash.remove(face.path)

    def restore(self, trashed: Path) -> Path:
        """Move a face's files back from the trash; `trashed` is what `remove` returned. Returns the picture's path.

        Raises OutputError if a file of that name lies in the folder again.
        """
        return self._trash.restore(trashed)

    def repair(self, *, dry_run: bool = False) -> list[Repair]:
        """Make whole what kills and full disks left; see `repair_folder`."""
        _stamp_faces(self.folder)  # says why a folder cannot be read
        return repair_folder(self.folder, dry_run=dry_run)


def select_faces(
    faces: tuple[LibraryFace, ...], text: str = "", *, tag: str | None = None, series: str | None = None
) -> list[LibraryFace]:
    """Those whose id, file name, name, tags or series contain `text`, with a tag and of a series if these are given."""
    wanted = text.lower()
    return [
        face
        for face in faces
        if (tag is None or tag in face.tags)
        and (series is None or face.series == series)
        and any(
            wanted in text.lower()
            for text in (face.path.stem, face.id, face.series or "", face.title or "", *face.tags)
        )
    ]


def read_tags(png: Path) -> Tags:
    """The tags beside a picture; none if there is no such file."""
    path = _tags_path(png)
    return read_json(Tags, path) if os.path.lexists(path) else Tags()


def write_tags(png: Path, tags: tuple[str, ...], series: str | None) -> None:
    """Write the tags beside a picture. Raises UsageError for a tag with spaces or commas."""
    for tag in tags:
        _refuse_invalid_tag(tag)
    with lock_folder(png.parent):
        _write_tags(png, Tags(tags=tags, series=series))


def remove_tags(png: Path) -> None:
    """Take the tags away that were written for a picture which then was not."""
    with contextlib.suppress(OSError):
        _tags_path(png).unlink()


def _refuse_invalid_tag(tag: str) -> None:
    if not tag or len(tag) > 64 or any(c.isspace() or c == "," or not c.isprintable() for c in tag):
        raise UsageError(f"tag {quote(tag)}; accepted: 1 to 64 visible characters without spaces or commas")


def _write_tags(png: Path, value: Tags) -> None:
    """The folder is held by the caller."""
    write_file(_tags_path(png), (value.model_dump_json(indent=2) + "\n").encode(), force=True)


def _tags_path(png: Path) -> Path:
    return name_files(png)[-1]


# --- what the index holds ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What changes whenever one of a face's files does, also where clocks are set back."""

    text: str
    is_settled: bool
    """No file has just been changed, so that the next change cannot leave the same stamp."""


def _stamp_faces(folder: Path) -> dict[str, _Stamp]:
    """By the pictures' names. Raises InputFileError for a folder that cannot be read; a missing one is empty."""
    statuses: dict[str, os.stat_result] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_picture(entry.name) or (entry.name.endswith(".json") and not entry.name.startswith(".")):
                    try:
                        statuses[entry.name] = entry.stat()
                    except OSError:  # a link to nothing, or removed in this moment
                        with contextlib.suppress(FileNotFoundError):
                            statuses[entry.name] = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputFileError(f"cannot read {quote(folder)}: {error.strerror}") from None
    now = time.time()
    stamps = {}
    for name in sorted(filter(is_picture, statuses)):
        found = [statuses.get(path.name) for path in name_files(Path(name))]
        text = "|".join(
            "" if s is None else f"{s.st_mode}:{s.st_size}:{s.st_mtime_ns}:{s.st_ctime_ns}:{s.st_ino}" for s in found
        )
        settled = all(abs(now - max(s.st_mtime, s.st_ctime)) > _SETTLED_S for s in found if s is not None)
        stamps[name] = _Stamp(text, settled)
    return stamps


@dataclass(frozen=True, slots=True)
class _Entry:
    """What was read of one face."""

    face: LibraryFace | None
    problems: tuple[str, ...] = ()

    @classmethod
    def read(cls, png: Path) -> _Entry:
        """From its files; whatever can be read of them counts."""
        problems: list[str] = []
        inside = _attempt(lambda: read_png_text(png), problems)
        provenance = None if inside is None else _attempt(lambda: parse_json(Provenance, inside, png.name), problems)
        sidecar = png.with_suffix(".json")
        if provenance is None and os.path.lexists(sidecar):
            provenance = _attempt(lambda: read_json(Provenance, sidecar), problems)
        elif provenance is not None and os.path.lexists(sidecar):
            _attempt(lambda: _refuse_disagreeing(png, inside, sidecar), problems)
        elif provenance is None and not problems:
            problems.append(f"{png.name}: no provenance inside and no {sidecar.name} beside it")
        tags = _attempt(lambda: read_tags(png), problems) or Tags()
        return cls(None if provenance is None else _make_face(png, provenance, tags), tuple(problems))

    def encode(self) -> str:
        """As JSON; the path is the row's."""
        face = None
        if self.face is not None:
            face = {name: value for name, value in asdict(self.face).items() if name != "path"}
        return json.dumps({"face": face, "problems": self.problems})

    @classmethod
    def decode(cls, png: Path, text: str) -> _Entry | None:
        """Back; None for anything that `encode` did not write."""
        try:
            row = parse_strict_json(text)
            values, problems = row["face"], tuple(map(_to_str, row["problems"]))
            if values is None:
                return cls(None, problems)
            checked = {name: _check_field(name, values[name]) for name in _FIELD_TYPES}
        except (JsonError, TypeError, KeyError):
            return None
        return cls(LibraryFace(path=png, **checked), problems)


_FIELD_TYPES = {name: kind for name, kind in get_type_hints(LibraryFace).items() if name != "path"}


def _check_field(name: str, value: Any) -> Any:
    """A value of `LibraryFace` from JSON. Raises TypeError for one of another type."""
    kind = _FIELD_TYPES[name]
    if get_origin(kind) is tuple:
        return tuple(map(_to_str, value if isinstance(value, list) else [None]))
    if type(value) not in (get_args(kind) or (kind,)):
        raise TypeError(name)
    return value


def _to_str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _attempt(work: Callable[[], Any], problems: list[str]) -> Any:
    """What `work` returns; None, with its reason among `problems`, where it cannot read a file."""
    try:
        return work()
    except TuifaceError as error:
        problems.append(str(error))
        return None


def _refuse_disagreeing(png: Path, inside: str, sidecar: Path) -> None:
    state = compare_sidecar(png, inside, sidecar)
    if state != "agrees":
        raise InputFileError(f"{sidecar.name}: {_REASONS[state]}", "tuiface library repair; tuiface verify")


_REASONS = {
    "older": "older than its picture",
    "damaged": "cut off or no JSON at all",
    "differs": "does not say the same as the text inside the picture",
}


def _make_face(png: Path, provenance: Provenance, tags: Tags) -> LibraryFace:
    recipe = provenance.recipe
    return LibraryFace(
        path=png,
        id=face_id(provenance.recipe_sha256),
        seed=recipe.source.seed if isinstance(recipe.source, SeedSource) else None,
        psi=recipe.truncation.psi,
        width=provenance.picture.width,
        model=provenance.model.name,
        operator=provenance.operator,
        time=provenance.time.isoformat(),
        tags=tuple(sorted(set(tags.tags))),
        series=tags.series,
        parents=provenance.parents,
        mixes=tuple(str(mix.source.seed) if isinstance(mix.source, SeedSource) else "" for mix in recipe.mixes),
        edits=tuple(_describe_edit(edit) for edit in recipe.edits),
        locks=tuple(lock.as_flag() for lock in recipe.locks),
        title=tags.title,
        rating=tags.rating,
    )


def _describe_edit(edit: Edit) -> str:
    name = ":".join(map(str, edit.channel)) if isinstance(edit, ChannelEdit) else edit.direction
    return f"{name}={format_number(edit.amount)}"
