"""Pictures of a folder or a zip, checked one by one before training begins and unpacked for fast access.

Every picture must be a still, square 8-bit RGB picture of one common side that is the training resolution or a whole
multiple of it. Nothing is converted silently: a wrong file is named, with the remedy.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from tuiface.core.errors import InputFileError, quote
from tuiface.core.files import make_folder, translate_os_errors
from tuiface.core.orientation import read_orientation, turn_upright
from tuiface.core.pictures import decode_picture
from tuiface.engine.training.data.picture_listing import FORMATS, list_pictures

MIN_PICTURES = 8
"""Pictures below which training is refused: one must be held out, and a discriminator compares groups of four."""
_HELD_OUT_FRACTION = 0.05
_MAX_HELD_OUT = 512


class PictureData:
    """Pictures as one array in an unnamed temporary file: the page cache keeps what fits, and nothing stays behind."""

    def __init__(self, pixels: npt.NDArray[np.uint8], names: list[str], fingerprint: str, *, mirror: bool) -> None:
        # By digest of the name, so that a picture stays held out when others are added.
        order = sorted(range(len(names)), key=lambda i: hashlib.sha256(os.fsencode(names[i])).digest())
        count = min(max(round(len(names) * _HELD_OUT_FRACTION), 1), _MAX_HELD_OUT)
        self._pixels = pixels
        self._held_out, self._training = np.array(order[:count]), np.array(order[count:])
        self.fingerprint = fingerprint
        self._mirror = mirror

    @classmethod
    def open(
        cls,
        source: Path,
        resolution: int,
        scratch: Path,
        *,
        mirror: bool = False,
        note: Callable[[str], None] = lambda text: None,
    ) -> PictureData:
        """Check and unpack all pictures of `source`; `scratch` is a folder for the unpacked ones.

        With `mirror`, each training picture comes a second time, mirrored. `note` tells a user how many are used, and
        why others are not.

        Raises InputFileError, one line that names the first wrong file, and OutputError where `scratch` is full.
        """
        listing = list_pictures(source, skip=scratch)
        names, turned = listing.names, 0
        if len(names) < MIN_PICTURES:
            found = "no picture" if not names else f"{len(names)} picture{'s' if len(names) > 1 else ''}"
            kinds = " ".join(FORMATS)
            left_out = f" (left out: {listing.describe_left_out()})" if listing.left_out else ""
            raise InputFileError(
                f"{quote(source)} holds {found}{left_out}; training needs at least {MIN_PICTURES}",
                f"accepted are {kinds}",
            )
        make_folder(scratch)
        digest = hashlib.sha256()
        shape = (len(names), resolution, resolution, 3)
        with translate_os_errors(scratch), tempfile.TemporaryFile(dir=scratch) as unpacked:
            side: int | None = None
            for relative in names:
                name, data = listing.read(relative)
                picture = decode_picture(data, quote(name, 200), FORMATS[Path(name).suffix.lower()])
                orientation = read_orientation(data)
                picture, turned = turn_upright(picture, orientation), turned + (orientation != 1)
                side = _check_side(picture, name, side, names[0], resolution)
                pixels = np.asarray(picture.reduce(side // resolution) if side > resolution else picture)
                digest.update(os.fsencode(relative) + b"\0" + pixels.tobytes())
                unpacked.write(pixels.tobytes())
            unpacked.flush()
            mapped = np.memmap(unpacked, np.uint8, "r", shape=shape)
        opened = cls(mapped, names, digest.hexdigest(), mirror=mirror)
        note(f"{len(names)} pictures: {len(opened._training)} to train on, {len(opened._held_out)} held out")
        if turned:
            note(f"{turned} of them lay on their side or upside down, by their EXIF, and are turned upright")
        if listing.left_out:
            note(f"left out: {listing.describe_left_out()}")
        return opened

    def count_available(self) -> int:
        """Training pictures."""
        return len(self._training) << self._mirror

    def pixels(self, indices: Tensor) -> Tensor:
        """uint8 [N, R, R, 3]."""
        pixels = torch.from_numpy(self._pixels[self._training[(indices >> int(self._mirror)).numpy()]])
        return flip_odd(pixels, indices) if self._mirror else pixels

    def held_out(self) -> Tensor:
        """uint8 [M, R, R, 3]."""
        return torch.from_numpy(self._pixels[self._held_out])

    def close(self) -> None:
        """Nothing to do: the temporary file ends with its mapping."""


def flip_odd(pixels: Tensor, indices: Tensor) -> Tensor:
    """Pixels or regions [N, R, R, ...], mirrored where the index int64 [N] is odd."""
    odd = (indices % 2 == 1).view(-1, *[1] * (pixels.dim() - 1))
    return torch.where(odd, pixels.flip(2), pixels)


def _check_side(picture: Image.Image, name: str, side: int | None, first: str, resolution: int) -> int:
    """The picture's side, if it is what it must be: square, as the first one's, a multiple of the resolution."""
    width, height = picture.size
    if width != height:
        raise InputFileError(f"{quote(name, 200)} has {width}x{height} pixels; accepted are squares", "crop it")
    if side is not None and width != side:
        raise InputFileError(
            f"{quote(name, 200)} has {width} px, {quote(first, 200)} has {side}; all must have the same size",
            "bring all pictures to one size",
        )
    if width < resolution or width % resolution:
        raise InputFileError(
            f"{quote(name, 200)} has {width} px; training at {resolution} px takes whole multiples of that",
            f"resize all pictures to {resolution} px, or choose another --res",
        )
    return width
