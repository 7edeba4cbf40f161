"""Provenance: the JSON beside each saved picture (and the same text inside it) that rebuilds the face exactly."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from PIL import Image, PngImagePlugin
from pydantic import AwareDatetime, Field

from tuiface.core.bounds import Figures, Line, Notices, ThreadCount, Versions, Word
from tuiface.core.errors import InputFileError, quote
from tuiface.core.pictures import MAX_PARTS, MAX_PICTURE_BYTES, decode_picture
from tuiface.core.reading import is_file, open_regular
from tuiface.core.strict_json import MAX_JSON_BYTES
from tuiface.core.values import Value, parse_json, read_bytes
from tuiface.faces.direction_numbers import Sha256
from tuiface.faces.recipe import ModelRef, Recipe

PNG_TEXT_KEY = "tuiface.provenance"

#: IPTC's word for pictures made by a trained model; written to the JSON and as XMP, which picture tools read.
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    f'Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"/></rdf:RDF></x:xmpmeta>'
)


Parents = Annotated[tuple[Sha256, ...], Field(max_length=10_000)]


class Picture(Value):
    """The file that the provenance belongs to."""

    file: str = Field(min_length=1, max_length=255)
    """Name without folder."""
    width: int = Field(ge=1, le=8192)
    height: int = Field(ge=1, le=8192)
    resolution: Annotated[int, Field(ge=1, le=8192)] | None = None
    """Block that the network stopped at; null for the full picture."""
    pixels_sha256: Sha256
    """SHA-256 of the RGB bytes, row by row from the top left."""


class ModelRecord(ModelRef):
    """The network, with what a court may ask of it."""

    licence: str = Field(max_length=2000)
    """Licence of the weights, or "unknown"."""


class DirectionRecord(Value):
    """A direction that the recipe uses."""

    name: Word
    sha256: Sha256
    licence: Line
    model: ModelRef | None = None
    """The network that it was made for; null where the direction's file was not at hand."""
    foreign: bool = False
    """It was made for another network than the one that rendered the picture, and applied all the same."""


class Device(Value):
    """Where the picture was computed: another device may differ in the last bit."""

    kind: Literal["cpu", "cuda"]
    name: Word
    threads: ThreadCount


class Provenance(Value):
    """Everything that is known of a saved picture."""

    format: Literal["tuiface.provenance/1"] = "tuiface.provenance/1"
    recipe: Recipe
    recipe_sha256: Sha256
    """Digest of `recipe`: a changed recipe no longer fits it."""
    parents: Parents = ()
    """Recipe digests of the faces that this one was made from."""
    picture: Picture
    model: ModelRecord
    directions: tuple[DirectionRecord, ...] = Field((), max_length=1024)
    measures: Figures = Field(default_factory=dict)
    """By name; see docs/formats.md."""
    software: Versions
    """Versions of tuiface, torch, numpy and python; digest of the segmenter that locks go by."""
    device: Device
    dtype: Literal["float32", "bfloat16", "float16"]
    kernels: Word
    operator: Word
    """Unix user who saved the picture."""
    time: AwareDatetime
    notices: Notices = ()
    """What was shown to the user about this picture: an estimated latent mean, an untrained model."""
    synthetic: Literal[True] = True
    digital_source_type: Annotated[str, Field(pattern="^" + DIGITAL_SOURCE_TYPE + "$")] = DIGITAL_SOURCE_TYPE

    def to_text(self) -> str:
        """The sidecar's text: indented for people, newline at the end."""
        return self.model_dump_json(indent=2) + "\n"


class UnsavedFace(Value):
    """A face that lies in no picture, with its lineage: what a session hands to work that outlives it."""

    format: Literal["tuiface.face/1"] = "tuiface.face/1"
    recipe: Recipe
    parents: Parents = ()
    """Recipe digests of the saved faces that it was made from."""


def pixels_digest(pixels: np.ndarray) -> str:
    """SHA-256 of uint8 [H, W, 3]."""
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def encode_png(pixels: np.ndarray, text: str) -> bytes:
    """A PNG of uint8 [H, W, 3] that carries `text` and the IPTC source type.

    Compression level 1: five times faster than level 6 for 6 % more bytes.
    """
    info = PngImagePlugin.PngInfo()
    info.add_itxt(PNG_TEXT_KEY, text)
    info.add_itxt("XML:com.adobe.xmp", _XMP)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info, compress_level=1)
    return buffer.getvalue()


def list_saved_files(pictures: Iterable[Path]) -> list[Path]:
    """All files of saved faces: the pictures, then the JSON beside each."""
    pictures = list(pictures)
    return [*pictures, *(path.with_suffix(".json") for path in pictures)]


SidecarState = Literal["agrees", "older", "damaged", "differs"]
"""Of a JSON beside a PNG that has a text inside: `older` and `damaged` are what an interrupted write explains."""


Read = TypeVar("Read")
_TRIES = 5


@dataclass(frozen=True, slots=True)
class SavedFace:
    """What was found for one saved picture."""

    provenance: Provenance
    text: str
    """The provenance as it stands in the file."""
    pixels: np.ndarray | None
    """uint8 [H, W, 3] of the picture, or None when only the JSON is there."""
    sidecar: SidecarState = "agrees"
    """What the JSON beside the PNG is to the text inside it."""


def read_saved_face(path: Path) -> SavedFace:
    """Read a PNG (alone or with its JSON) or a JSON (alone or with its PNG). Raises InputFileError in one line."""
    return read_steadily(path, lambda: _read_saved_face(path))


def read_steadily(path: Path, read: Callable[[], Read]) -> Read:
    """What `read` makes of a picture and its JSON; once more where somebody replaced one of them in between.

    Else a picture that was read before, and a JSON after that moment, would seem to be tampered with.
    """
    files = (path.with_suffix(".png"), path.with_suffix(".json"))
    for _ in range(_TRIES):
        before = list(map(_stamp, files))
        try:
            result = read()
        except InputFileError:
            if list(map(_stamp, files)) == before:
                raise
        else:
            if list(map(_stamp, files)) == before:
                return result
    return read()


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read_saved_face(path: Path) -> SavedFace:
    if path.suffix.lower() == ".json":
        try:
            provenance, text = _read_provenance(path, path.name)
        except InputFileError as error:
            hint = "tuiface library repair makes it again from its picture" if _can_be_repaired(path) else error.hint
            raise InputFileError(error.message, hint) from None
        name = provenance.picture.file
        if Path(name).name != name or "\0" in name:
            raise InputFileError(f"{path.name}: picture.file: {quote(name)} is not a file name")
        picture = path.with_name(name)
        if not is_file(picture):
            return SavedFace(provenance, text, None)
        pixels, inside = read_png(picture)
        state = "agrees" if inside is None else compare_sidecar(picture, inside, path)
        if inside is not None and state == "older":  # the picture's own text is the one that belongs to it
            provenance, text = parse_json(Provenance, inside, picture.name), inside
        return SavedFace(provenance, text, pixels, state)
    pixels, inside = read_png(path)
    sidecar = path.with_suffix(".json")
    if inside is not None:
        state = compare_sidecar(path, inside, sidecar) if is_file(sidecar) else "agrees"
        return SavedFace(parse_json(Provenance, inside, path.name), inside, pixels, state)
    if not is_file(sidecar):
        raise InputFileError(
            f"{path.name}: no provenance inside and no {sidecar.name} beside it",
            "only pictures saved by tuiface have one",
        )
    return SavedFace(*_read_provenance(sidecar, path.name), pixels)


def _read_provenance(sidecar: Path, where: str) -> tuple[Provenance, str]:
    """A provenance, and its text."""
    data = read_bytes(sidecar, MAX_JSON_BYTES)
    return parse_json(Provenance, data, where), data.decode()


def compare_sidecar(picture: Path, inside: str, sidecar: Path) -> SidecarState:
    """What the JSON file `sidecar` is to the text `inside` its picture. Raises InputFileError if it cannot be read.

    Nothing here proves who wrote a file; what cannot be told from a change made on purpose is `differs`.
    """
    data = read_bytes(sidecar, MAX_JSON_BYTES)
    beside = data.decode("utf-8", errors="replace")
    if beside.strip() == inside.strip():
        return "agrees"
    if _is_damaged(data, inside.encode()):
        return "damaged"
    return "older" if _is_older(picture, inside, sidecar, beside) else "differs"


def _can_be_repaired(sidecar: Path) -> bool:
    """Whether a JSON that cannot be read is what an interrupted write leaves beside a picture that can."""
    picture = sidecar.with_suffix(".png")
    try:
        inside = read_png_text(picture)
        return inside is not None and compare_sidecar(picture, inside, sidecar) == "damaged"
    except InputFileError:
        return False


def _is_damaged(data: bytes, whole: bytes) -> bool:
    """Whether `data` can say nothing: cut off, zeroed, or no JSON object."""
    text = data.strip()
    is_object = text.startswith(b"{") and text.endswith(b"}") and b"\0" not in text
    return not is_object or whole.startswith(data)


def _is_older(picture: Path, inside: str, sidecar: Path, beside: str) -> bool:
    """Whether `beside` is a whole record of this very recipe and name, of an earlier time, and left as it was.

    Left as it was: its file was not written after the picture's, or it says another time and nothing else.
    """
    try:
        new, old = parse_json(Provenance, inside, picture.name), parse_json(Provenance, beside, sidecar.name)
        was_left = sidecar.stat().st_mtime_ns <= picture.stat().st_mtime_ns
    except (InputFileError, OSError):
        return False
    digests = {new.recipe_sha256, new.recipe.digest, old.recipe_sha256, old.recipe.digest}
    places = {(record.picture.file, record.picture.resolution) for record in (new, old)}
    if len(digests) > 1 or len(places) > 1 or old.time >= new.time:
        return False
    return was_left or old.model_copy(update={"time": new.time}) == new


def read_face(path: Path) -> tuple[Recipe, tuple[str, ...], bool]:
    """The recipe in a saved PNG, its JSON, a bare recipe JSON or a UnsavedFace, its parents, and whether it is saved.

    The parents of a saved face are left in its file: what is made of it has that face as its parent.
    """
    if path.suffix.lower() != ".png":
        text = read_bytes(path, MAX_JSON_BYTES)
        if b'"tuiface.face/1"' in text:
            kept = parse_json(UnsavedFace, text, path.name)
            return kept.recipe, kept.parents, False
        if b'"tuiface.recipe/1"' in text and b'"tuiface.provenance/1"' not in text:
            return Recipe.from_json(text, path.name), (), False
        if b'"tuiface.provenance/1"' not in text:
            raise InputFileError(f"{path.name}: neither a recipe nor a provenance file of tuiface")
    return read_saved_face(path).provenance.recipe, (), True


def read_png(path: Path) -> tuple[np.ndarray, str | None]:
    """uint8 [H, W, 3] and the provenance text, if any. Raises InputFileError for anything that is no sound PNG."""
    image = decode_picture(read_bytes(path, MAX_PICTURE_BYTES), quote(path.name), text_key=PNG_TEXT_KEY)
    text = getattr(image, "text", {}).get(PNG_TEXT_KEY)
    if text is not None and len(text) > MAX_JSON_BYTES:
        raise InputFileError(f"{quote(path.name)}: the provenance inside has more than {MAX_JSON_BYTES} characters")
    return np.asarray(image, dtype=np.uint8), None if text is None else str(text)


def read_png_text(path: Path) -> str | None:
    """The provenance text inside a PNG, without its pixels: a hundredth of the time of `read_png`.

    Raises InputFileError for what is no PNG, or whose text is damaged.
    """
    found = None
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > MAX_PICTURE_BYTES:
                raise InputFileError(f"{path.name}: larger than {MAX_PICTURE_BYTES} bytes, the most that is accepted")
            if file.read(8) != _PNG_SIGNATURE:
                raise InputFileError(f"{path.name}: not a PNG picture")
            for part in itertools.count():
                if len(head := file.read(8)) < 8 or head[4:] == b"IEND":
                    break
                if part == MAX_PARTS:
                    raise InputFileError(f"{path.name}: not a sound PNG: more than {MAX_PARTS} parts")
                length = int.from_bytes(head[:4], "big")
                if head[4:] not in _TEXT_CHUNKS:
                    file.seek(length + 4, os.SEEK_CUR)
                    continue
                if length > MAX_JSON_BYTES:
                    raise InputFileError(f"{path.name}: a text of {length} bytes; at most {MAX_JSON_BYTES} accepted")
                body, check = file.read(length), file.read(4)
                if not body.startswith(_TEXT_KEY):
                    continue
                if found is not None or not head.startswith(b"iTXt", 4) or not body.startswith(_PLAIN_TEXT):
                    return read_png(path)[1]  # no writer of ours: as the decoder understands it
                if zlib.crc32(head[4:] + body) != int.from_bytes(check, "big"):
                    raise InputFileError(f"{path.name}: not a sound PNG: its provenance is damaged")
                found = body[len(_PLAIN_TEXT) :].decode("utf-8")
    except OSError as error:
        raise InputFileError(f"cannot read {quote(path)}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputFileError(f"{path.name}: not a sound PNG: its provenance is no text") from None
    return found


_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT_CHUNKS = (b"iTXt", b"tEXt", b"zTXt")
_TEXT_KEY = PNG_TEXT_KEY.encode() + b"\0"
_PLAIN_TEXT = _TEXT_KEY + b"\0\0\0\0"
"""Key, not compressed, in no language, without a translated key."""
