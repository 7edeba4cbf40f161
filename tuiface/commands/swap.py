"""`tuiface swap`: exchange rows between two faces, or cross contour and inner face."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.faces import add_class_flag, add_output_flags, note_class, open_studio, resolve_face
from tuiface.commands.output import emit, note
from tuiface.core.argument_types import parse_face, parse_psi
from tuiface.core.errors import EXIT_DONE
from tuiface.core.words import parse_rows

if TYPE_CHECKING:
    from tuiface.faces.studio import Face

EXAMPLE = """\
examples:
  tuiface swap 3 7                      exchange rows 6 and up: colours and texture
  tuiface swap 3 7 --rows 0-4           exchange the shape of the head
  tuiface swap 3 7 --cross --out set    contour by inner face, 2 x 2: four pictures and their table
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "swap",
        parents=[common],
        help="exchange rows between two faces",
        description="Exchange rows of W+ between two faces and save both children, or cross contour and inner face.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", type=parse_face, metavar="A", help="seed number, library id, PNG or JSON")
    parser.add_argument("b", type=parse_face, metavar="B", help="the same")
    exchanged = parser.add_mutually_exclusive_group()
    exchanged.add_argument(
        "--rows", type=parse_rows, metavar="A-B", help="rows A up to and without B; default: 6 and up"
    )
    exchanged.add_argument(
        "--cross", action="store_true", help="each one's inner face in the other's contour, beside both faces: a table"
    )
    add_class_flag(parser)
    parser.add_argument("--psi", type=parse_psi, help="truncation of faces given by seed; default: the settings'")
    add_output_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Save both children, or the four cells of a cross."""
    settings = settings_from(args)
    with open_studio(settings) as studio:
        a, b = (resolve_face(studio, name, label=args.label) for name in (args.a, args.b))
        note_class(studio, args)
        for text in studio.info.notices:
            note(f"note: {text}")
        folder = Path(args.out) if args.out else settings.library
        if args.cross:
            _save_cross(args, a, b, folder)
        else:
            _save_children(args, a, b, args.rows, folder)
    return EXIT_DONE


def _save_children(args: argparse.Namespace, a: Face, b: Face, rows: tuple[int, int] | None, folder: Path) -> None:
    from tuiface.faces.studio import reserve_pictures
    from tuiface.stimuli.exchange import swap

    children = swap(a, b, rows)
    pictures = [folder / f"{child.file_stem()}.png" for child in children]
    with reserve_pictures(folder, children, pictures, force=args.force) as completed:
        for child, path in zip(children, pictures, strict=True):
            if path not in completed:
                child.save(folder, force=args.force)
            emit(args, str(path), file=str(path), id=child.id, recipe_sha256=child.recipe.digest)


def _save_cross(args: argparse.Namespace, a: Face, b: Face, folder: Path) -> None:
    from tuiface.stimuli.exchange import save_cross

    def begun(done: int, total: int) -> bool:
        if not done:
            note("looking for both children, in seconds on a GPU and half a minute on two processor cores")
        return True

    saved = save_cross(a, b, folder, force=args.force, progress=begun)
    for cell, path in zip(saved.cells, saved.pictures, strict=True):
        if cell.contour != cell.inner:
            note(
                f"contour {cell.contour.id}, inner face {cell.inner.id}: frame variation "
                f"{cell.frame_variation_percent:.2f} %, {cell.inner_difference_percent:.0f} % of the inner faces' "
                "difference left"
            )
        emit(
            args,
            str(path),
            file=str(path),
            id=cell.face.id,
            recipe_sha256=cell.face.recipe.digest,
            contour=cell.contour.id,
            inner=cell.inner.id,
            frame_variation_percent=cell.frame_variation_percent,
            inner_difference_percent=cell.inner_difference_percent,
        )
    emit(args, str(saved.table), file=str(saved.table))
