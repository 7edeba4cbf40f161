"""Making whole what kills and full disks left of saved faces. The text inside a picture is the truth; pixels stay.

A JSON that is missing, cut off, or an older record of the same face is what an interrupted write explains: it is made
again from the picture, byte for byte as it was or would have been written. One that says something else is evidence,
of a change or of a mistake, and is left as it is. So is a picture that does not fit its own text.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from tuiface.core.errors import InputFileError, OutputError, TuifaceError
from tuiface.core.files import list_old_versions, lock_folder, sweep_leftovers, write_file
from tuiface.core.strict_json import MAX_JSON_BYTES
from tuiface.core.values import parse_json, read_bytes
from tuiface.faces.provenance import (
    Provenance,
    SavedFace,
    compare_sidecar,
    pixels_digest,
    read_png,
    read_png_text,
)
from tuiface.faces.recipe import Recipe
from tuiface.faces.trash import Trash, is_picture

Outcome = Literal["rebuilt", "put back", "finished", "swept", "tampered", "unreadable"]


@dataclass(frozen=True, slots=True)
class Repair:
    """What was found of one file, and done about it."""

    file: str
    """Name in the folder."""
    outcome: Outcome
    reason: str
    kept: Path | None = None
    """Where the replaced file lies now."""


def complete_face(png: Path, recipe: Recipe, resolution: int | None) -> np.ndarray | None:
    """Write the JSON of a picture of `recipe` that a kill left without; None if `png` is no such picture.

    Returns its pixels, uint8 [H, W, 3]. Raises OutputError where the JSON cannot be written.
    """
    Trash(png.parent).finish()
    if _read_half_face(png) is None:
        return None
    with lock_folder(png.parent):  # a living writer may be between the two: then there is nothing to complete
        saved = _read_half_face(png)
        if saved is None or saved.provenance.recipe_sha256 != recipe.digest:
            return None
        if saved.provenance.picture.resolution != resolution:
            return None
        write_file(png.with_suffix(".json"), saved.text.encode())
        sweep_leftovers(png.parent)  # what the JSON was before
    return saved.pixels


SETS = "sets"
"""Folder of a library's sets, each a folder."""


def is_half_saved(png: Path) -> bool:
    """Whether a kill may have left `png`: a sound picture of a face, without its JSON."""
    return _read_half_face(png) is not None


def _read_half_face(png: Path) -> SavedFace | None:
    if not png.is_file() or os.path.lexists(png.with_suffix(".json")):
        return None
    try:
        return _read_sound_face(png)
    except InputFileError:
        return None


def repair_folder(folder: Path, *, dry_run: bool = False) -> list[Repair]:
    """Repair each face of `folder`; returns what was not as it should be. With `dry_run`, nothing is written."""
    finished = [] if dry_run else Trash(folder).finish()
    found = [Repair(name, "finished", "its way into the trash or back was interrupted") for name in finished]
    for png in sorted(path for path in folder.glob("*") if is_picture(path.name)):
        try:
            repair = _repair_face(png, dry_run=dry_run)
        except TuifaceError as error:
            repair = Repair(png.name, "unreadable", str(error))
        if repair is not None:
            found.append(repair)
    if not dry_run:
        found += _put_back(folder)
        for place in (folder, *folder.glob(f"{SETS}/*/")):
            found += [Repair(name, "swept", "its writer was killed") for name in sweep_leftovers(place)]
    return found


def _repair_face(png: Path, *, dry_run: bool) -> Repair | None:
    """Raises InputFileError or OutputError for a face that cannot be read or written."""
    if _seems_whole(png):
        return None
    # A living writer may be between two steps: what is wrong without one is wrong with the folder held.
    with contextlib.nullcontext() if dry_run else lock_folder(png.parent):
        found = _find_damage(png)
        if found is None or found.outcome != "rebuilt":
            return found
        try:
            text = _read_sound_face(png).text
        except InputFileError as error:
            return Repair(png.name, "tampered", f"the JSON is {found.reason}, and its picture is not sound: {error}")
        return found if dry_run else replace(found, kept=_rebuild(png, text))


def _seems_whole(png: Path) -> bool:
    """Whether a look without the lock finds nothing; what cannot be read may just be on its way."""
    try:
        return _find_damage(png) is None
    except TuifaceError:
        return False


def _find_damage(png: Path) -> Repair | None:
    """What is wrong with a picture's JSON, and what is to be done. Raises InputFileError for what cannot be read."""
    sidecar = png.with_suffix(".json")
    inside = read_png_text(png)
    if inside is None:
        if not os.path.lexists(sidecar):
            raise InputFileError(f"{png.name}: no provenance inside and no {sidecar.name} beside it")
        return None
    if not os.path.lexists(sidecar):
        return Repair(sidecar.name, "rebuilt", "missing")
    state = compare_sidecar(png, inside, sidecar)
    if state == "agrees":
        return None
    if state == "differs":
        return Repair(sidecar.name, "tampered", "it does not say the same as the text inside the picture")
    return Repair(
        sidecar.name, "rebuilt", "an older record of the same face" if state == "older" else "cut off or no JSON"
    )


def _read_sound_face(png: Path) -> SavedFace:
    """A picture that fits the text inside it. Raises InputFileError for any other."""
    pixels, inside = read_png(png)
    if inside is None:
        raise InputFileError(f"{png.name}: no provenance inside")
    provenance = parse_json(Provenance, inside, png.name)
    if provenance.recipe.digest != provenance.recipe_sha256:
        raise InputFileError(f"{png.name}: the recipe inside was changed after saving")
    if pixels_digest(pixels) != provenance.picture.pixels_sha256:
        raise InputFileError(f"{png.name}: the picture was changed after saving")
    return SavedFace(provenance, inside, pixels)


def _rebuild(png: Path, text: str) -> Path | None:
    """Write the JSON, with the folder held; returns where the replaced one lies now, if it said anything."""
    sidecar = png.with_suffix(".json")
    kept = None
    if os.path.lexists(sidecar) and read_bytes(sidecar, MAX_JSON_BYTES).strip(b"\0 \n"):
        kept = Trash(png.parent).keep(sidecar)
    write_file(sidecar, text.encode(), force=True)
    return kept


def _put_back(folder: Path) -> list[Repair]:
    """JSON that was moved aside for a write that then was killed, and that no picture can give back."""
    done = []
    for path, aside in list_old_versions(folder).items():
        with contextlib.suppress(OSError, OutputError), lock_folder(folder):
            if not os.path.lexists(path):
                aside.rename(path)
                done.append(Repair(path.name, "put back", "its replacement was interrupted"))
    return done
