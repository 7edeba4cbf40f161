"""`tuiface morph`: transitions between faces, as a tagged series and as films."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, JoinLists, settings_from
from tuiface.commands.faces import add_class_flag, add_output_flags, note_class, open_studio, resolve_face
from tuiface.commands.output import emit, note, print_progress
from tuiface.core.argument_types import (
    parse_faces,
    parse_file_stem,
    parse_psi,
    parse_side,
    real_number,
    whole_number,
)
from tuiface.core.errors import EXIT_DONE
from tuiface.core.limits import FPS_RANGE, MAX_FRAMES

if TYPE_CHECKING:
    from tuiface.stimuli.morph import Space

EXAMPLE = """\
examples:
  tuiface morph 3 7 --out morph/               50 frames in W+, both ends included
  tuiface morph 3 7 --space z --out morph/     100 frames, linear in Z
  tuiface morph 3 7 12 --frames 90 --gif       three faces, into the library, with a film
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "morph",
        parents=[common],
        help="transitions between faces",
        description="Interpolate between faces; every frame is a face with provenance, all are one series.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "faces",
        type=parse_faces,
        metavar="FACE",
        nargs="+",
        action=JoinLists,
        help="two or more: seed number, library id, PNG or JSON",
    )
    parser.add_argument("--space", choices=("z", "w", "w+"), default="w+", help="where to interpolate (default: w+)")
    parser.add_argument(
        "--frames", type=whole_number(2, MAX_FRAMES), metavar="N", help="ends included; default: 100 in z, else 50"
    )
    add_class_flag(parser)
    parser.add_argument("--psi", type=parse_psi, help="truncation of faces given by seed; default: the settings'")
    parser.add_argument(
        "--size", type=parse_side, metavar="PX", help="stop at the block of PX pixels; default: full size"
    )
    parser.add_argument("--gif", action="store_true", help="write a GIF as well")
    parser.add_argument("--mp4", action="store_true", help="write an MP4 as well; needs ffmpeg")
    parser.add_argument(
        "--fps", type=real_number(*FPS_RANGE), default=25.0, help="frames a second of films (default: 25)"
    )
    parser.add_argument(
        "--name", type=parse_file_stem, metavar="NAME", help="of the series and its files; default: after the faces"
    )
    add_output_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Render and write all frames; every name is checked before the first one is computed."""
    from tuiface.commands.render import check_size
    from tuiface.stimuli.morph import DEFAULT_FRAMES, Morph, series_name
    from tuiface.stimuli.series import save_series

    settings = settings_from(args)
    space: Space = args.space
    with open_studio(settings) as studio:
        check_size(studio, args.size)
        faces = tuple(resolve_face(studio, name, label=args.label) for name in args.faces)
        num_frames = DEFAULT_FRAMES[space] if args.frames is None else args.frames
        morph = Morph(faces, num_frames, space)
        frames = morph.frames()
        saved = save_series(
            frames,
            Path(args.out) if args.out else settings.library,
            args.name or series_name(faces, space, num_frames),
            films=[kind for kind in ("gif", "mp4") if getattr(args, kind)],
            fps=args.fps,
            resolution=args.size,
            tags=("morph",),
            force=args.force,
            progress=partial(print_progress, args),
        )
        note_class(studio, args)
        for text in morph.remarks():
            note(f"note: {text}")
        for text in studio.info.notices:
            note(f"note: {text}")
    for face, path in zip(frames, saved.pictures, strict=True):
        emit(args, str(path), file=str(path), id=face.id, recipe_sha256=face.recipe.digest)
    for path in saved.films:
        emit(args, str(path), film=str(path))
    return EXIT_DONE
