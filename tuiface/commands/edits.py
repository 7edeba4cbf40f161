"""The flags that edit faces, for every command that renders them: --edit, --lock, --beyond, --foreign."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from tuiface.core.argument_types import parse_face, parse_path
from tuiface.core.errors import UsageError, quote, suggest_nearest
from tuiface.core.words import parse_amount, parse_number, parse_rows

if TYPE_CHECKING:
    import numpy as np

    from tuiface.faces.recipe import Guarantee, Region, RegionLock
    from tuiface.faces.studio import Face

EDIT_FORM = "NAME=AMOUNT[@A-B], as in smile=1.5 or b16.conv1:501=2"


def add_edit_flags(parser: argparse.ArgumentParser) -> None:
    """Describe the flags."""
    parser.add_argument(
        "--edit",
        type=parse_edit,
        action="append",
        default=[],
        metavar="NAME=AMOUNT[@A-B]",
        help="move a direction (on rows A to B-1), or a style channel LAYER:CHANNEL, by AMOUNT sigmas",
    )
    parser.add_argument(
        "--lock",
        type=split_lock,
        action="append",
        default=[],
        metavar="REGION[=STRENGTH][:GUARANTEE]",
        help="keep a region, or the white part of a PNG, while edits move: direction (default), blend or paste",
    )
    parser.add_argument(
        "--frame-of",
        type=parse_face,
        metavar="FACE",
        help="then change coarse rows until the face frame is that of FACE",
    )
    parser.add_argument("--beyond", action="store_true", help="accept amounts past what a direction was verified for")
    parser.add_argument(
        "--foreign", action="store_true", help="apply recipes and directions of another model to this one"
    )
    parser.add_argument(  # its name for directions once
        "--force-foreign", dest="foreign", action="store_true", help=argparse.SUPPRESS
    )


def apply_edits(face: Face, args: argparse.Namespace) -> Face:
    """The face with --edit and --lock applied. Raises UsageError, ModelError or InputFileError."""
    for name, amount, rows in args.edit:
        face = face.edit(name, amount, rows, beyond=args.beyond, foreign=args.foreign)
    for name, strength, guarantee in args.lock:
        if is_mask(name):
            face = face.lock_mask(read_mask(Path(name)), strength, guarantee)
        else:
            face = face.lock(cast("Region", name), strength, guarantee)
    return face


def parse_edit(text: str) -> tuple[str, float, tuple[int, int] | None]:
    """`smile=1.5@2-8` as a direction or style channel, an amount and rows. Raises UsageError."""
    name, equals, rest = text.partition("=")
    if not equals:
        raise UsageError(f"--edit {quote(text)}; accepted: {EDIT_FORM}")
    amount, at, rows = rest.partition("@")
    return name, parse_amount(amount, "--edit amount"), parse_rows(rows) if at else None


def parse_lock(text: str) -> RegionLock:
    """A lock on a named region, from `frame=0.8:blend`. Raises UsageError."""
    from tuiface.faces.recipe import RegionLock

    name, strength, guarantee = split_lock(text)
    if is_mask(name):
        raise UsageError(f"--lock {quote(text)}: a mask holds a place in one face; accepted here: a region's name")
    return RegionLock(region=cast("Region", name), strength=strength, guarantee=guarantee)


def split_lock(text: str) -> tuple[str, float, Guarantee]:
    """`frame=0.8:blend` as a region or a mask's path, a strength and a guarantee. Raises UsageError."""
    from tuiface.faces.recipe import Guarantee

    rest, colon, guarantee = text.rpartition(":")
    if not colon or "/" in guarantee:
        rest, guarantee = text, "direction"
    if guarantee not in get_args(Guarantee):
        raise UsageError(
            f"--lock {quote(text)}: guarantee {quote(guarantee)}; accepted: {', '.join(get_args(Guarantee))}"
        )
    name, equals, number = rest.partition("=")
    strength = parse_number(number, "--lock strength") if equals else 1.0
    if not 0 <= strength <= 1:
        raise UsageError(f"--lock strength {strength:g}; accepted: 0 to 1")
    if is_mask(name):
        parse_path(name)
    else:
        _refuse_unknown_region(name, text)
    return name, strength, cast("Guarantee", guarantee)


def is_mask(name: str) -> bool:
    """Whether what is locked is a drawn mask, by the end of its file's name."""
    return name.lower().endswith(".png")


def _refuse_unknown_region(name: str, text: str) -> None:
    from tuiface.faces.recipe import Region

    known = [region for region in get_args(Region) if region != "mask"]
    if name not in known:
        raise UsageError(
            f"--lock {quote(text)}: no region {quote(name)}; accepted: {', '.join(known)}, or a PNG file",
            suggest_nearest(name, known),
        )


def read_mask(path: Path) -> np.ndarray:
    """bool [H, W]: where a user's PNG is lighter than mid grey. Raises InputFileError in one line."""
    import numpy as np

    from tuiface.core.pictures import MAX_PICTURE_BYTES, decode_picture
    from tuiface.core.values import read_bytes

    name = f"{quote(path.name)}, the mask that is white where the face must stay,"
    return np.asarray(decode_picture(read_bytes(path, MAX_PICTURE_BYTES), name, rgb=False).convert("L")) > 127
