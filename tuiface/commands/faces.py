"""The studio, the library and the faces that a command works on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import settings_from
from tuiface.commands.engine_access import open_engine_for
from tuiface.commands.output import note
from tuiface.core.argument_types import parse_path, whole_number
from tuiface.core.errors import InputFileError, UsageError, quote
from tuiface.core.limits import ID_LENGTH, MAX_SEED, MAX_WIDTH
from tuiface.core.reading import is_there
from tuiface.core.words import is_whole_number

if TYPE_CHECKING:
    from tuiface.core.settings import Settings
    from tuiface.faces.library import Library
    from tuiface.faces.studio import Face, Studio


def open_studio(settings: Settings) -> Studio:
    """A studio whose engine runs in this process, or is the resident one if the settings ask for that.

    Raises EngineError where they do and none runs that fits.
    """
    from tuiface.faces.studio import Studio

    return Studio(open_engine_for(settings), settings)


def add_class_flag(parser: argparse.ArgumentParser) -> None:
    """`--class` of faces that are given by seed."""
    parser.add_argument(
        "--class",
        dest="label",
        type=whole_number(0, MAX_WIDTH - 1),
        metavar="N",
        help="class, for a network with labels",
    )


def add_output_flags(parser: argparse.ArgumentParser) -> None:
    """`--out` and `--force` of a command that saves faces."""
    parser.add_argument("--out", type=parse_path, metavar="DIR", help="folder to write to; default: the library")
    parser.add_argument("--force", action="store_true", help="overwrite files of the same name")


def describe_library_folder() -> argparse.ArgumentParser:
    """`--library`, for `parents` of a command's actions."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--library", type=parse_path, metavar="DIR", help="folder; default: the settings'")
    return parser


def note_class(studio: Studio, args: argparse.Namespace) -> None:
    """Say which class seeds are drawn in where the network has some and none was given."""
    if studio.info.c_dim and args.label is None:
        note(f"note: no --class given: seeds are drawn in class 0 of {studio.info.c_dim}")


def open_library(args: argparse.Namespace) -> Library:
    """The library that the settings, or the command's --library, name."""
    from tuiface.faces.library import Library

    settings = settings_from(args)
    folder = Path(args.library) if getattr(args, "library", None) else settings.library
    return Library(folder, settings.cache)


def resolve_face(studio: Studio, text: str, *, label: int | None = None, foreign: bool = False) -> Face:
    """The face that a user names: a seed number, a library id, a PNG or a JSON path.

    Raises UsageError or InputFileError, naming what is accepted.
    """
    from tuiface.faces.library import Library

    if is_whole_number(text) and not _is_old_id(studio, text):
        return studio.face(seed=int(text), label=label)
    path = Path(text)
    if path.suffix.lower() in (".png", ".json"):
        return studio.open_file(path, foreign=foreign)
    if is_there(path):
        raise InputFileError(f"{quote(text)} is no face", "a face is a seed number, a library id, a PNG or a JSON")
    try:
        found = Library(studio.settings.library, studio.settings.cache).find(text)
    except UsageError as error:
        raise UsageError(
            f"{quote(text)} is neither a seed number, a PNG or JSON, nor a face in {quote(studio.settings.library)}",
            error.hint,
        ) from None
    return studio.open_file(found.path, foreign=foreign)


def _is_old_id(studio: Studio, number: str) -> bool:
    """Whether a number is the id that a face of the library got while ids could be digits alone.

    Raises UsageError where it may be a seed as well.
    """
    from tuiface.faces.library import Library

    if len(number) != ID_LENGTH:
        return False
    is_seed = not number.startswith("0") and int(number) <= MAX_SEED
    named = [
        face for face in Library(studio.settings.library, studio.settings.cache).faces() if face.id.startswith(number)
    ]
    if named and is_seed:
        raise UsageError(
            f"{number} is a seed number, and the id of {quote(named[0].path)}", "name its PNG, or another seed"
        )
    return bool(named)
