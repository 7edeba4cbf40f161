"""`tuiface swap`: exchange rows between two faces, both children."""

from __future__ import annotations

import argparse
from pathlib import Path

from tuiface.commands.session import Commands, emit, note, open_studio, parse_rows, resolve_face, settings_from
from tuiface.errors import EXIT_DONE

EXAMPLE = """\
examples:
  tuiface swap 3 7                      exchange rows 6 and up: colours and texture
  tuiface swap 3 7 --rows 0-4           exchange the shape of the head
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "swap",
        parents=[common],
        help="exchange rows between two faces",
        description="Exchange rows of W+ between two faces and save both children.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", metavar="A", help="seed number, library id, PNG or JSON")
    parser.add_argument("b", metavar="B", help="the same")
    parser.add_argument("--rows", metavar="A-B", help="rows A up to and without B; default: 6 and up")
    parser.add_argument("--psi", type=float, help="truncation of faces given by seed; default: the settings'")
    parser.add_argument("--out", metavar="DIR", help="folder to write to; default: the library")
    parser.add_argument("--force", action="store_true", help="overwrite files of the same name")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Save both children."""
    from tuiface.files import make_folder, refuse_existing
    from tuiface.stimuli.swap import swap

    settings = settings_from(args)
    with open_studio(settings) as studio:
        rows = parse_rows(args.rows) if args.rows else None
        children = swap(resolve_face(studio, args.a), resolve_face(studio, args.b), rows)
        folder = Path(args.out) if args.out else settings.library
        make_folder(folder)
        for child in children:
            refuse_existing(folder / f"{child.file_stem()}.png", force=args.force)
        for text in studio.info.notices:
            note(f"note: {text}")
        for child in children:
            path = child.save(folder, force=args.force)
            emit(args, str(path), file=str(path), id=child.id, recipe_sha256=child.recipe.digest)
    return EXIT_DONE
