"""Faces that were made elsewhere: latents in arrays, a database's dump as CSV, pictures drawn from seeds.

    projected_w.npz, .npy, .pt     [w_dim], [L, w_dim], [1, L, w_dim], [N, L, w_dim], [N, 1, w_dim]; L rows of W+
    dump.csv                       columns id, seed or latent, tags, psi (`HEADINGS`)
    seed0042.png                   a picture without provenance, whose name holds its seed

Nothing in such a file says which network it is for: the user does, and the digest of that network is recorded.
A latent in a CSV is a list of numbers, [0.1, ...] or {0.1, ...}, or \\x and the bytes of float32 or float64.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from tuiface.core.csv_table import read_csv_table
from tuiface.core.errors import InputFileError, UsageError, quote
from tuiface.core.limits import MAX_FACES, MAX_SEED, PSI_RANGE
from tuiface.core.pictures import MAX_PICTURE_BYTES, PHOTO_FORMATS, decode_picture
from tuiface.core.reading import read_regular
from tuiface.core.visible import escape_bytes, to_visible
from tuiface.core.words import is_whole_number
from tuiface.directions.importing import read_named_arrays
from tuiface.faces.recipe import LatentOrigin, LatentSource, Recipe, Truncation
from tuiface.faces.studio import Face, Studio

LatentSpace = Literal["w", "z"]

ARRAY_ENDINGS = (".npy", ".npz", ".pt", ".pth", ".pkl")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
LARGEST_LATENT = 1e4
"""No latent of a trained network comes near it."""
LIKENESS_LEVELS = 6.0
"""Mean difference of a picture of the same face that was compressed or resized; another face has several times that."""
#: What dumps call their columns, in lower case.
HEADINGS = {
    "id": ("id", "face_id", "name", "nombre"),
    "seed": ("seed", "semilla"),
    "latent": ("latent", "latents", "w", "latente"),
    "tags": ("tags", "tag", "etiquetas"),
    "psi": ("psi", "truncation", "truncation_psi"),
}
MAX_LATENT_CHARACTERS = 4 * 1024 * 1024
"""A latent of 18 rows of 512 numbers takes some 200,000."""
_LIST = re.compile(r"[\[\]{}(),;\s0-9eE+.-]+")
_BRACKETS = str.maketrans("[]{}(),;", "        ")
_BETWEEN_TAGS = re.compile(r'[;,|{}"]+')
_SEED_NAME = re.compile(r"(?:.*?[^0-9])?0*([0-9]{1,10})", re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class OldFace:
    """A face as a file has it."""

    id: str
    """As the other tool called it; the place in an array."""
    file: str
    """Name of the file, for people."""
    tags: tuple[str, ...] = ()
    seed: int | None = None
    latent: np.ndarray | None = None
    """float32 [w_dim], [L, w_dim] or, of z, [z_dim]."""
    psi: float | None = None
    picture: np.ndarray | None = None
    """uint8 [H, W, 3]: what the other tool drew."""


def read_old_faces(path: Path, studio: Studio, key: str | None, space: LatentSpace) -> list[OldFace]:
    """The faces in a file, in order. Raises UsageError for another kind of file, InputFileError for an unsound one."""
    ending = path.suffix.lower()
    if ending in ARRAY_ENDINGS:
        return list(_read_arrays(path, studio, key, space))
    if key is not None:
        raise UsageError(f"--key {quote(key)}: {quote(path.name)} holds no arrays", "leave --key out")
    if ending == ".csv":
        return list(_read_dump(path, studio, space))
    if ending in PICTURE_ENDINGS:
        return [_read_picture(path)]
    raise UsageError(f"{quote(path)}: accepted are .npz, .npy, .pt, .csv, and pictures named by their seed")


def make_face(old: OldFace, studio: Studio, psi: float | None, space: LatentSpace) -> Face:
    """The face as one of this studio's network, with where it came from. `psi` where the file says none.

    Latents of W are taken as they are; seeds and z are truncated by psi.
    """
    psi = psi if old.psi is None else old.psi
    if old.seed is not None:
        return studio.face(old.seed, psi)
    assert old.latent is not None
    origin = LatentOrigin(settings={"method": "import", "file": old.file, "id": old.id, "space": space})
    if space == "z":
        w = studio.engine.map(old.latent[None])[0]
        face = studio.face(0, psi)
        return Face(studio, face.recipe.derive(source=LatentSource.from_array(w, origin)))
    source = LatentSource.from_array(old.latent, origin)
    recipe = Recipe(model=studio.info.model, source=source, truncation=Truncation(psi=1.0 if psi is None else psi))
    return Face(studio, recipe)


def difference_in_levels(old: OldFace, pixels: np.ndarray) -> float | None:
    """Mean difference of what the other tool drew and our picture, both reduced to one size; None without a picture."""
    if old.picture is None:
        return None
    side = min(old.picture.shape[0], old.picture.shape[1], pixels.shape[0], 256)
    both = [Image.fromarray(one).resize((side, side), Image.Resampling.BOX) for one in (old.picture, pixels)]
    first, second = (np.asarray(one, dtype=np.float32) for one in both)
    return float(np.abs(first - second).mean())


# --- arrays --------------------------------------------------------------------------------------------------------


def _read_arrays(path: Path, studio: Studio, key: str | None, space: LatentSpace) -> Iterator[OldFace]:
    arrays = read_named_arrays(path)
    chosen = {key: arrays[key]} if key in arrays else {} if key is not None else _find_latents(arrays)
    if not chosen:
        raise UsageError(
            f"{path.name}: {'no array ' + quote(key) if key else 'which array holds latents?'}; it has "
            f"{', '.join(sorted(map(to_visible, arrays))[:12])}",
            "choose one with --key NAME",
        )
    for name, array in chosen.items():
        for number, latent in enumerate(_split(array, studio, space, path.name)):
            place = f"{name}.{number}" if name else str(number)
            yield OldFace(id=place, file=escape_bytes(path.name), latent=latent)


def _find_latents(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The only array; or those that projectors call w, ws or latent."""
    if len(arrays) == 1:
        return dict(arrays)
    known = ("w", "ws", "latent", "latents", "latent_code", "w_plus")
    return {name: array for name, array in arrays.items() if name.rpartition(".")[2].lower() in known}


def _split(array: np.ndarray, studio: Studio, space: LatentSpace, where: str) -> list[np.ndarray]:
    """Each latent of an array: [dim], or [L, dim] where its rows differ."""
    num_ws, w_dim, z_dim = studio.info.num_ws, studio.info.w_dim, studio.info.z_dim
    dim = w_dim if space == "w" else z_dim
    shape = list(array.shape)
    if array.ndim == 1 and shape == [dim]:
        found = [array]
    elif array.ndim == 2 and shape[1] == dim:
        found = [array] if space == "w" and shape[0] == num_ws else list(array)
    elif array.ndim == 3 and shape[2] == dim and (shape[1] == 1 or (space == "w" and shape[1] == num_ws)):
        found = list(array[:, 0]) if shape[1] == 1 else list(array)
    else:
        rows = f", [{num_ws}, {dim}], [N, {num_ws}, {dim}]" if space == "w" else ""
        raise InputFileError(f"{where}: shape {shape}; this model takes [{dim}], [N, {dim}]{rows}, in space {space}")
    if len(found) > MAX_FACES:
        raise UsageError(f"{where}: {len(found)} faces; accepted are up to {MAX_FACES}", "split the file")
    return [_check_latent(latent, where) for latent in found]


def _check_latent(latent: np.ndarray, where: str) -> np.ndarray:
    if not np.isfinite(latent).all():
        raise InputFileError(f"{where}: holds NaN or infinity; numbers must be finite")
    if (largest := float(np.abs(latent).max())) > LARGEST_LATENT:
        raise InputFileError(
            f"{where}: holds numbers up to {largest:.3g}; latents have none above {LARGEST_LATENT:.0f}"
        )
    if latent.ndim == 2 and (latent == latent[0]).all():
        latent = latent[0]
    return np.ascontiguousarray(latent, dtype=np.float32)


# --- a database's dump ---------------------------------------------------------------------------------------------


def _read_dump(path: Path, studio: Studio, space: LatentSpace) -> Iterator[OldFace]:
    table = read_csv_table(path, MAX_LATENT_CHARACTERS)
    places = {}
    for column, names in HEADINGS.items():
        held = [place for place, name in enumerate(table.heading) if name.casefold() in names]
        if len(held) > 1:
            raise InputFileError(f"{path.name}: several columns '{column}'")
        if held:
            places[column] = held[0]
    if not places.keys() & {"seed", "latent"}:
        listed = ", ".join(table.heading[:12]) or "none"
        raise InputFileError(f"{path.name}: no column 'seed' or 'latent'; it has {listed}")
    for number, (where, row) in enumerate(table.rows()):
        if number == MAX_FACES:
            raise UsageError(f"{path.name}: more than {MAX_FACES} faces", "split the file")
        cells = {column: row[place] for column, place in places.items() if place < len(row)}
        yield _read_row(cells, studio, space, where, path.name)


def _read_row(cells: dict[str, str], studio: Studio, space: LatentSpace, where: str, file: str) -> OldFace:
    seed, latent = cells.get("seed", ""), cells.get("latent", "")
    if bool(seed) == bool(latent):
        raise InputFileError(f"{where}: {'both a seed and a latent' if seed else 'neither seed nor latent'}")
    tags = tuple("-".join(tag.split()) for tag in _BETWEEN_TAGS.split(cells.get("tags", "")) if tag.strip())
    numbers = _parse_latent(latent, where) if latent else None
    split = [] if numbers is None else _split(_shape_latent(numbers, studio, space), studio, space, where)
    return OldFace(
        id=cells.get("id", "") or where.rpartition(" ")[2],
        file=escape_bytes(file),
        tags=tags,
        seed=_parse_seed(seed, where) if seed else None,
        latent=split[0] if split else None,
        psi=_parse_psi(cells["psi"], where) if cells.get("psi") else None,
    )


def _shape_latent(numbers: np.ndarray, studio: Studio, space: LatentSpace) -> np.ndarray:
    """Of W+ where there are as many numbers as its rows have together."""
    num_ws, w_dim = studio.info.num_ws, studio.info.w_dim
    return numbers.reshape(num_ws, w_dim) if space == "w" and numbers.size == num_ws * w_dim else numbers.ravel()


def _parse_latent(text: str, where: str) -> np.ndarray:
    try:
        if text.startswith("\\x"):
            return _from_bytes(bytes.fromhex(text[2:]))
        if not _LIST.fullmatch(text):
            raise ValueError
        return np.array(text.translate(_BRACKETS).split(), dtype=np.float32)
    except ValueError:
        raise InputFileError(
            f"{where}: latent {quote(text[:40])}; accepted: [0.1, ...], {{0.1, ...}}, or \\x and the bytes of floats"
        ) from None


def _from_bytes(data: bytes) -> np.ndarray:
    """float32 or float64, whichever gives numbers of a latent's size."""
    for kind in ("<f4", "<f8"):
        if len(data) % np.dtype(kind).itemsize == 0:
            numbers = np.frombuffer(data, kind)
            if np.isfinite(numbers).all() and 1e-3 < np.abs(numbers).max() < LARGEST_LATENT:
                return numbers.astype(np.float32)
    raise ValueError


def _parse_seed(text: str, where: str) -> int:
    if not is_whole_number(text) or int(text) > MAX_SEED:
        raise InputFileError(f"{where}: seed {quote(text)}; accepted are 0 to {MAX_SEED}")
    return int(text)


def _parse_psi(text: str, where: str) -> float:
    low, high = PSI_RANGE
    try:
        psi = float(text)
    except ValueError:
        psi = float("nan")
    if not low <= psi <= high:
        raise InputFileError(f"{where}: psi {quote(text)}; accepted are {low} to {high}")
    return psi


# --- pictures ------------------------------------------------------------------------------------------------------


def _read_picture(path: Path) -> OldFace:
    name = path.stem
    found = _SEED_NAME.fullmatch(name)
    if found is None or int(found[1]) > MAX_SEED:
        raise UsageError(f"{quote(path.name)}: its name ends in no seed, as that of seed0042.png does")
    image = decode_picture(read_regular(path, MAX_PICTURE_BYTES), quote(path.name), PHOTO_FORMATS)
    picture = np.asarray(image, dtype=np.uint8)
    return OldFace(id=name, file=escape_bytes(path.name), seed=int(found[1]), picture=picture)
