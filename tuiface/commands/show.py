"""`tuiface show`: pictures in the shell."""

from __future__ import annotations

import argparse
from pathlib import Path

from tuiface.commands.arguments import Commands
from tuiface.commands.output import note
from tuiface.core.argument_types import parse_path
from tuiface.core.errors import EXIT_DONE, InputFileError

EXAMPLE = """\
example:
  tuiface show out/*.png
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "show",
        parents=[common],
        help="show saved faces in the terminal",
        description="Show saved faces in the terminal: as kitty or iTerm2 pictures, else as coloured cells.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files", type=parse_path, metavar="FILE", nargs="+", help="a PNG, or a JSON with its PNG beside it"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show each file with its name; of a picture whose record cannot be read, say so too."""
    from tuiface.core.values import parse_json
    from tuiface.faces.provenance import Provenance, read_png, read_saved_face
    from tuiface.terminal.shell import show_pixels

    for name in args.files:
        path = Path(name)
        pixels, text = (read_saved_face(path).pixels, None) if path.suffix.lower() == ".json" else read_png(path)
        if pixels is None:
            raise InputFileError(
                f"the picture of {path.name} is not beside it", f"tuiface render {path} makes it again"
            )
        note(str(path))
        if text is not None:
            try:
                parse_json(Provenance, text.encode(), path.name)
            except InputFileError as error:
                note(f"note: a picture alone, its record is refused: {error}")
        show_pixels(pixels)
    return EXIT_DONE
