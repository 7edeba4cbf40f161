"""Sets: named, ordered collections of a library's faces, from which studies are made, and which can be frozen.

    LIBRARY/sets/NAME/set.json       the members in their order, with roles, ratings and notes (`tuiface.set/1`)
    LIBRARY/sets/NAME/faces/         of a frozen set: its pictures and JSONs, numbered in order
    LIBRARY/sets/NAME/SHA256SUMS     of a frozen set: what `sha256sum --check` takes, set.json included

The library stays the truth: an open set names faces by the digests of their recipes. A frozen one holds copies, needs
no library any more, and is never written again.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, Field, model_validator

from tuiface.core.bounds import Line, Word
from tuiface.core.errors import InputFileError, OutputError, TuifaceError, UsageError, quote, suggest_nearest
from tuiface.core.files import (
    lock_folder,
    make_folder,
    refuse_unfit_name,
    translate_os_errors,
    whole_folder,
    write_file,
)
from tuiface.core.pictures import MAX_PICTURE_BYTES
from tuiface.core.reading import is_there, read_regular
from tuiface.core.values import Value, read_json
from tuiface.faces.direction_numbers import Sha256
from tuiface.faces.library import Library
from tuiface.faces.provenance import Provenance, read_saved_face
from tuiface.faces.recipe import ModelRef, face_id
from tuiface.faces.repair import SETS
from tuiface.faces.studio import read_operator

MAX_MEMBERS = 10_000
MANIFEST, FACES, CHECKSUMS = "set.json", "faces", "SHA256SUMS"


class Member(Value):
    """A face of a set."""

    recipe_sha256: Sha256
    file: Annotated[str, Field(min_length=1, max_length=255)]
    """Name of its picture: in the library, or in `faces/` of a frozen set."""
    role: Word = ""
    """What it is there for: suspect, filler, target, lure."""
    rating: Annotated[int, Field(ge=1, le=5)] | None = None
    note: Line = ""

    @property
    def id(self) -> str:
        """As the library names the face."""
        return face_id(self.recipe_sha256)


class Frozen(Value):
    """When a set was frozen, by whom, and what its files are."""

    time: AwareDatetime
    operator: Word
    files: Annotated[dict[Annotated[str, Field(max_length=255)], Sha256], Field(max_length=2 * MAX_MEMBERS)]
    """SHA-256 of each file in `faces/`."""


class FaceSet(Value):
    """The file `set.json`."""

    format: Literal["tuiface.set/1"] = "tuiface.set/1"
    name: Word
    title: Line = ""
    created: AwareDatetime
    model: ModelRef | None = None
    """The one network of all its faces; null while there is none."""
    members: Annotated[tuple[Member, ...], Field(max_length=MAX_MEMBERS)] = ()
    frozen: Frozen | None = None

    @model_validator(mode="after")
    def _check_members(self) -> FaceSet:
        digests = [member.recipe_sha256 for member in self.members]
        if len(set(digests)) < len(digests):
            raise ValueError("members: a face stands there twice")
        if self.members and self.model is None:
            raise ValueError("model: null, and there are members")
        return self


class FaceSets:
    """The sets of one library."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._folder = library.folder / SETS

    def names(self) -> list[str]:
        """Of all sets, in alphabetical order."""
        return sorted(path.parent.name for path in self._folder.glob(f"*/{MANIFEST}"))

    def folder_of(self, name: str) -> Path:
        """Where a set lies. Raises UsageError for a name that no folder can have."""
        refuse_unfit_name(name, "name of a set")
        return self._folder / name

    def read(self, name: str) -> FaceSet:
        """Raises UsageError, naming the nearest, for a set that is not there, InputFileError for a damaged one."""
        path = self.folder_of(name) / MANIFEST
        if not is_there(path):
            hint = suggest_nearest(name, self.names()) or f"tuiface set new {name}"
            raise UsageError(f"no set {quote(name)} in {quote(self._folder)}", hint)
        return read_json(FaceSet, path)

    def create(self, name: str, title: str = "", like: FaceSet | None = None) -> FaceSet:
        """A new set, empty or with the members of another one. Raises OutputError where there is one of that name."""
        path = self.folder_of(name) / MANIFEST
        if is_there(path):
            raise OutputError(f"a set {quote(name)} is there already", "choose another name")
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        members = () if like is None else like.members
        made = FaceSet(name=name, title=title, created=now, model=None if like is None else like.model, members=members)
        make_folder(path.parent)
        self._write(made, force=False)
        return made

    def add(self, name: str, pictures: Sequence[Path], role: str = "") -> FaceSet:
        """With saved faces of the library behind the others; what is in it already stays where it is."""
        found = [(path, read_saved_face(path).provenance) for path in pictures]

        def change(old: FaceSet) -> FaceSet:
            held = {member.recipe_sha256 for member in old.members}
            model, members = old.model, list(old.members)
            for path, provenance in found:
                self._refuse_elsewhere(path)
                model = _one_network(name, model, path, provenance)
                if provenance.recipe_sha256 not in held:
                    held.add(provenance.recipe_sha256)
                    members.append(Member(recipe_sha256=provenance.recipe_sha256, file=path.name, role=role))
            if len(members) > MAX_MEMBERS:
                raise UsageError(f"set {quote(name)}: {len(members)} faces; accepted are up to {MAX_MEMBERS}")
            return _derive(old, model=model, members=tuple(members))

        return self._change(name, change)

    def remove(self, name: str, faces: Sequence[str]) -> FaceSet:
        """Without some members, named as `find_member` does. The library keeps the faces."""

        def change(old: FaceSet) -> FaceSet:
            gone = {find_member(old, face).recipe_sha256 for face in faces}
            left = tuple(member for member in old.members if member.recipe_sha256 not in gone)
            return _derive(old, members=left, model=old.model if left else None)

        return self._change(name, change)

    def order(self, name: str, faces: Sequence[str]) -> FaceSet:
        """With these members first, in this order; the others follow as they were."""

        def change(old: FaceSet) -> FaceSet:
            first = list(dict.fromkeys(find_member(old, face) for face in faces))
            return _derive(old, members=(*first, *(member for member in old.members if member not in first)))

        return self._change(name, change)

    def mark(self, name: str, faces: Sequence[str], **changes: object) -> FaceSet:
        """With another role, rating or note of some members; of all where none is named."""

        def change(old: FaceSet) -> FaceSet:
            chosen = {find_member(old, face).recipe_sha256 for face in faces} or {m.recipe_sha256 for m in old.members}
            members = tuple(_derive(m, **changes) if m.recipe_sha256 in chosen else m for m in old.members)
            return _derive(old, members=members)

        return self._change(name, change)

    def digest_of(self, held: FaceSet) -> str:
        """SHA-256 of its set.json: of a frozen set, of all that it is."""
        return hashlib.sha256(_encode(held)).hexdigest()

    def pictures(self, held: FaceSet) -> list[Path]:
        """The members' pictures in order: the set's own where it is frozen, else the library's.

        Raises InputFileError for one that is not there.
        """
        folder = self.folder_of(held.name) / FACES if held.frozen is not None else self.library.folder
        paths = [folder / member.file for member in held.members]
        for member, path in zip(held.members, paths, strict=True):
            if not is_there(path):
                raise InputFileError(
                    f"face {member.id} of set {quote(held.name)}: {quote(path)} is not there",
                    f"bring it back, or tuiface set remove {held.name} {member.id}",
                )
        return paths

    def freeze(self, name: str) -> FaceSet:
        """Copy every face in, with checksums: from now on nothing of the set changes. Raises UsageError if it is empty.

        A kill leaves an open set, which can be frozen again.
        """

        def change(old: FaceSet) -> FaceSet:
            if not old.members:
                raise UsageError(f"set {quote(name)} is empty", f"tuiface set add {name} FACE")
            folder = self.folder_of(name)
            shutil.rmtree(folder / FACES, ignore_errors=True)  # of a freezing that was killed
            members, files = [], {}
            with whole_folder(folder / FACES) as copies:
                for number, (member, picture) in enumerate(zip(old.members, self.pictures(old), strict=True), start=1):
                    _refuse_changed(member, picture)
                    stem = f"{number:0{len(str(len(old.members)))}}-{picture.stem}"
                    for source in (picture, picture.with_suffix(".json")):
                        data = read_regular(source, MAX_PICTURE_BYTES)
                        (copies / f"{stem}{source.suffix}").write_bytes(data)
                        files[f"{stem}{source.suffix}"] = hashlib.sha256(data).hexdigest()
                    members.append(_derive(member, file=f"{stem}.png"))
            now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
            frozen = Frozen(time=now, operator=read_operator(), files=files)
            made = _derive(old, members=tuple(members), frozen=frozen)
            sums = {MANIFEST: hashlib.sha256(_encode(made)).hexdigest()}
            sums.update({f"{FACES}/{file}": digest for file, digest in files.items()})
            text = "".join(f"{digest}  {file}\n" for file, digest in sums.items())
            write_file(folder / CHECKSUMS, text.encode(), force=True)
            return made

        return self._change(name, change)

    def check_frozen(self, held: FaceSet) -> list[str]:
        """What of a frozen set's files is not as it was frozen, a sentence each. Raises UsageError for an open one."""
        if held.frozen is None:
            raise UsageError(
                f"set {quote(held.name)} is not frozen: its faces may change", f"tuiface set freeze {held.name}"
            )
        folder, found = self.folder_of(held.name), []
        if held.name != folder.name:
            found.append(f"{MANIFEST}: its name is {quote(held.name)}, its folder's {quote(folder.name)}")
        for file, digest in held.frozen.files.items():
            path = folder / FACES / file
            if not is_there(path):
                found.append(f"{FACES}/{file}: is not there")
            elif hashlib.sha256(read_regular(path, MAX_PICTURE_BYTES)).hexdigest() != digest:
                found.append(f"{FACES}/{file}: changed after freezing")
        there = {path.name for path in (folder / FACES).glob("*")}
        found += [f"{FACES}/{file}: came after freezing" for file in sorted(there - held.frozen.files.keys())]
        found += _compare_sums(folder, held)
        for member in held.members:
            path = folder / FACES / member.file
            try:
                if read_saved_face(path).provenance.recipe.digest != member.recipe_sha256:
                    found.append(f"{FACES}/{member.file}: is not the face {member.id}")
            except TuifaceError as error:
                found.append(f"{FACES}/{member.file}: {error.message}")
        return list(dict.fromkeys(found))

    def _change(self, name: str, change: Callable[[FaceSet], FaceSet]) -> FaceSet:
        """Read, change and write a set while nobody else does. Raises UsageError for a frozen one."""
        self.read(name)
        with lock_folder(self.folder_of(name)):
            old = self.read(name)
            if old.frozen is not None:
                raise UsageError(
                    f"set {quote(name)} is frozen since {old.frozen.time:%Y-%m-%d %H:%M} and cannot change",
                    f"tuiface set new OTHER --like {name} makes one that can",
                )
            new = change(old)
            if new != old:
                self._write(new, force=True)
            return new

    def _write(self, held: FaceSet, *, force: bool) -> None:
        write_file(self.folder_of(held.name) / MANIFEST, _encode(held), force=force)

    def _refuse_elsewhere(self, picture: Path) -> None:
        with translate_os_errors(picture):
            same = os.path.realpath(picture.parent) == os.path.realpath(self.library.folder)
        if not same:
            raise UsageError(
                f"{quote(picture)} is not in the library {quote(self.library.folder)}", "copy it there first"
            )


def find_member(held: FaceSet, name: str) -> Member:
    """The member of an id (or its beginning), a file name, or a place from 1 as `#3`. Raises UsageError."""
    if name.startswith("#") and name[1:].isascii() and name[1:].isdecimal() and 1 <= int(name[1:]) <= len(held.members):
        return held.members[int(name[1:]) - 1]
    found = [m for m in held.members if name in (m.file, Path(m.file).stem)]
    found = found or [m for m in held.members if len(name) >= 4 and m.recipe_sha256.startswith(name.lower())]
    if len(found) != 1:
        kind = "begins the ids of several faces" if found else "is no face"
        hint = suggest_nearest(name, [m.id for m in held.members]) or f"tuiface set show {held.name}"
        raise UsageError(f"{quote(name)} {kind} of set {quote(held.name)}", hint)
    return found[0]


def _one_network(name: str, model: ModelRef | None, path: Path, provenance: Provenance) -> ModelRef:
    own = provenance.recipe.model
    if model is not None and model.sha256 != own.sha256:
        raise UsageError(
            f"{path.name} was made with '{own.name}' ({own.sha256[:10]}), the faces of set {quote(name)} with "
            f"'{model.name}' ({model.sha256[:10]})",
            "a set has faces of one network: make another set",
        )
    return own if model is None else model


def _refuse_changed(member: Member, picture: Path) -> None:
    """Raise InputFileError where the library has another face under the member's file name now."""
    if read_saved_face(picture).provenance.recipe.digest != member.recipe_sha256:
        raise InputFileError(f"{quote(picture)} is not the face {member.id} any more", "add the face that it is now")


def _compare_sums(folder: Path, held: FaceSet) -> list[str]:
    """SHA256SUMS says of set.json what it is; of a set whose manifest was altered, too."""
    try:
        lines = read_regular(folder / CHECKSUMS, MAX_PICTURE_BYTES).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return [f"{CHECKSUMS}: cannot be read"]
    sums = {file: digest for digest, _, file in (line.partition("  ") for line in lines)}
    assert held.frozen is not None
    wanted = {f"{FACES}/{file}": digest for file, digest in held.frozen.files.items()}
    manifest = hashlib.sha256(read_regular(folder / MANIFEST, MAX_PICTURE_BYTES)).hexdigest()
    if sums != {MANIFEST: manifest, **wanted}:
        return [f"{MANIFEST} and {CHECKSUMS} do not agree: one of them changed after freezing"]
    return []


Changed = TypeVar("Changed", bound=Value)


def _derive(value: Changed, **changes: object) -> Changed:
    """A new, validated value with some fields replaced."""
    return type(value).model_validate({**{name: getattr(value, name) for name in type(value).model_fields}, **changes})


def _encode(held: FaceSet) -> bytes:
    return (held.model_dump_json(indent=2) + "\n").encode()
