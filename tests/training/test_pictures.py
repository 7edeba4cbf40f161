"""Every wrong picture is named, with the remedy, before training begins."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.conftest import RESOLUTION, write_pictures
from tuiface.core.errors import InputFileError, TuifaceError
from tuiface.core.orientation import turn_upright
from tuiface.engine.training import SNAPSHOT_NAME
from tuiface.engine.training.data.picture_listing import list_pictures
from tuiface.engine.training.data.pictures import PictureData


def open_data(source: Path) -> PictureData:
    return PictureData.open(source, RESOLUTION, source.parent / "scratch")


def save(mode: str, side: int = RESOLUTION) -> Callable[[Path], None]:
    return lambda path: Image.new(mode, (side, side)).save(path)


def write(data: bytes) -> Callable[[Path], None]:
    def write_to(path: Path) -> None:
        path.write_bytes(data)

    return write_to


def save_sixteen_bit_rgb(path: Path) -> None:
    """A 16-bit RGB PNG, written by hand: Pillow cannot."""
    rows = b"".join(b"\0" + np.random.RandomState(row).bytes(RESOLUTION * 6) for row in range(RESOLUTION))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = RESOLUTION.to_bytes(4, "big")
    header = size + size + bytes([16, 2, 0, 0, 0])
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(png)


def save_animation(path: Path) -> None:
    frames = [Image.new("RGB", (RESOLUTION, RESOLUTION), (i, 0, 0)) for i in (0, 99, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def save_cut_off(path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (RESOLUTION, RESOLUTION, 3), np.uint8)).save(
        buffer, "PNG"
    )
    path.write_bytes(buffer.getvalue()[:-60])


WRONG: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "greyscale": ("bad.png", save("L"), "greyscale"),
    "grey and alpha": ("bad.png", save("LA"), "greyscale with transparency"),
    "alpha": ("bad.png", save("RGBA"), "RGB with transparency"),
    "palette": ("bad.png", save("P"), "indexed colours"),
    "cmyk": ("bad.jpg", save("CMYK"), "CMYK"),
    "16-bit grey": ("bad.png", save("I;16"), "16 bits"),
    "16-bit rgb": ("bad.png", save_sixteen_bit_rgb, "16 bits"),
    "float": ("bad.tiff", save("F"), "floating-point"),
    "animated webp": ("bad.webp", save_animation, "animated (3 frames)"),
    "animated gif": ("bad.gif", save_animation, "animated (3 frames)"),
    "cut off": ("bad.png", save_cut_off, "damaged"),
    "no picture": ("bad.png", write(b"hello"), "damaged: no picture"),
    "empty file": ("bad.png", write(b""), "damaged"),
    "other size": ("bad.png", save("RGB", 2 * RESOLUTION), "16 px"),
    "not square": ("bad.png", lambda p: Image.new("RGB", (8, 9)).save(p), "8x9"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_picture_is_named_with_reason_and_remedy(kind: str, pictures: Path) -> None:
    name, make, reason = WRONG[kind]
    make(pictures / name)
    with pytest.raises(InputFileError) as caught:
        open_data(pictures)
    assert name in caught.value.message
    assert reason in caught.value.message
    assert caught.value.hint
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_used_and_what_is_not_is_said(pictures: Path, tmp_path: Path) -> None:
    """Reports: torchvision issue 2831, timm 334, fastai 2270."""
    count = len(list(pictures.iterdir()))
    first = min(pictures.iterdir())
    for name in (
        ".ipynb_checkpoints/copy.png",
        "__MACOSX/._a.png",
        "._b.png",
        "c.heic",
        "d.HEIC",
        "notes",
        "e.\x1b[2J",
    ):
        (pictures / name).parent.mkdir(exist_ok=True)
        shutil.copy(first, pictures / name)
    Image.open(first).save(pictures / "f.jfif", "JPEG")
    other = tmp_path / "an older run"
    write_pictures(other / "samples", 3)
    (other / SNAPSHOT_NAME).touch()
    other.rename(pictures / "older")
    notes: list[str] = []
    data = PictureData.open(pictures, RESOLUTION, tmp_path / "scratch", note=notes.append)
    assert data.count_available() == count
    assert notes == [
        f"{count + 1} pictures: {count} to train on, 1 held out",
        "left out: 3 hidden, 2 .heic, 2 without an ending, 2 in training runs",
    ]


def test_a_linked_folder_is_followed_once(pictures: Path, tmp_path: Path) -> None:
    count = len(list(pictures.iterdir()))
    write_pictures(tmp_path / "more", 5)
    for link, target in (("a", tmp_path / "more"), ("b", tmp_path / "more"), ("loop", pictures), ("0", pictures / "z")):
        (pictures / link).symlink_to(target)
    (pictures / "z").mkdir()
    shutil.copy(min(pictures.glob("*.png")), pictures / "z" / "own.png")
    listing = list_pictures(pictures, tmp_path / "scratch")
    assert len(listing.names) == count + 5 + 1
    assert {name.split("/")[0] for name in listing.names if "/" in name} == {"a", "z"}
    assert not listing.left_out


def test_hidden_members_of_a_zip_are_left_out(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in pictures.iterdir():
            archive.write(file, f"photos/{file.name}")
            archive.write(file, f"__MACOSX/photos/._{file.name}")
            archive.write(file, f"photos/.thumbnails/{file.name}")
    count = len(list(pictures.iterdir()))
    listing = list_pictures(path, tmp_path)
    assert (len(listing.names), listing.left_out) == (count, {"hidden": 2 * count})


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_are_seen_upright(kind: str, orientation: int, tmp_path: Path) -> None:
    """Reports: diffusers 3465, sd-scripts issue 1316, AdaFace 163."""
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:4], upright[:, :3, 0] = 255, 200
    stored = Image.fromarray(upright)
    if orientation > 1:  # each turn's inverse is itself, but for the quarter turns
        inverse = {6: 8, 8: 6}.get(orientation, orientation)
        stored = turn_upright(stored, inverse)
    exif = Image.Exif()  # type: ignore[no-untyped-call]
    exif[0x0110], exif[0x0112] = "a camera", orientation
    for number in range(8):
        options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
        stored.save(tmp_path / f"{number}.{kind.lower()}", kind, exif=exif, **options)
    notes: list[str] = []
    data = PictureData.open(tmp_path, 16, tmp_path / "scratch", note=notes.append)
    error = np.abs(data.pixels(torch.tensor([0]))[0].numpy().astype(int) - upright)
    assert error.mean() < 8
    if kind != "TIFF":  # there Pillow turns
        assert any("8 of them lay on their side or upside down" in note for note in notes) == (orientation > 1)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_pictures_are_refused(count: int, tmp_path: Path) -> None:
    write_pictures(tmp_path / "few", count)
    with pytest.raises(InputFileError, match=("no picture" if not count else f"{count} picture")):
        open_data(tmp_path / "few")


@pytest.mark.parametrize("name", ["", "below"])
def test_an_unreadable_folder_is_named(pictures: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pictures would be left out without a word."""
    (pictures / "below").mkdir()
    unreadable, scandir = str(pictures / name), os.scandir

    def scan(path: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
        if os.fspath(path) == unreadable:
            raise PermissionError(errno.EACCES, "Permission denied", unreadable)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(InputFileError, match=rf"cannot read '{re.escape(unreadable)}': Permission denied"):
        open_data(pictures)


def test_an_unreadable_file_is_named(pictures: Path) -> None:
    (pictures / "bad.png").symlink_to(pictures / "nowhere.png")
    with pytest.raises(InputFileError, match=r"cannot read .*bad\.png"):
        open_data(pictures)


def test_a_missing_folder_and_a_damaged_zip_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no folder or zip"):
        open_data(tmp_path / "nowhere")
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 not really")
    with pytest.raises(InputFileError, match="neither a folder nor a sound zip"):
        open_data(tmp_path / "bad.zip")


def test_pictures_smaller_than_the_resolution_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "small", side=4)
    with pytest.raises(InputFileError, match="4 px"):
        open_data(tmp_path / "small")


def test_a_wrong_member_of_a_zip_is_named(pictures: Path, tmp_path: Path) -> None:
    save("L")(pictures / "bad.png")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for path in pictures.iterdir():
            archive.write(path, path.name)
    with pytest.raises(InputFileError, match=r"data\.zip: bad\.png.* greyscale"):
        open_data(tmp_path / "data.zip")


def test_folder_and_zip_give_the_same_pictures(pictures: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for path in pictures.iterdir():
            archive.write(path, path.name)
    folder, zipped = open_data(pictures), open_data(tmp_path / "data.zip")
    everything = torch.arange(folder.count_available())
    assert torch.equal(folder.pixels(everything), zipped.pixels(everything))


def test_held_out_pictures_are_never_trained_on(pictures: Path) -> None:
    data = open_data(pictures)
    trained = {bytes(p.numpy().tobytes()) for p in data.pixels(torch.arange(data.count_available()))}
    held_out = {bytes(p.numpy().tobytes()) for p in data.held_out()}
    assert held_out
    assert not trained & held_out
    assert data.count_available() + len(data.held_out()) == 24


def test_mirroring_shows_every_training_picture_twice(pictures: Path) -> None:
    plain = PictureData.open(pictures, RESOLUTION, pictures.parent)
    mirrored = PictureData.open(pictures, RESOLUTION, pictures.parent, mirror=True)
    assert mirrored.count_available() == 2 * plain.count_available()
    everything = mirrored.pixels(torch.arange(mirrored.count_available()))
    assert torch.equal(everything[::2], plain.pixels(torch.arange(plain.count_available())))
    assert torch.equal(everything[1::2], everything[::2].flip(2))


def test_larger_pictures_are_averaged_down(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "large", side=2 * RESOLUTION)
    data = open_data(folder)
    assert data.pixels(torch.tensor([0])).shape == (1, RESOLUTION, RESOLUTION, 3)


def test_a_full_disk_is_one_clear_line(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    def full(*_: object, **__: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(TuifaceError, match="No space left"):
        open_data(pictures)
