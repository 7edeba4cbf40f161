"""`tuiface render`: pictures and provenance of faces."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, JoinLists, settings_from
from tuiface.commands.edits import add_edit_flags, apply_edits
from tuiface.commands.faces import add_class_flag, add_output_flags, note_class, open_studio, resolve_face
from tuiface.commands.output import emit, note
from tuiface.core.argument_types import (
    parse_face,
    parse_faces,
    parse_psi,
    parse_side,
    parse_text,
    whole_number,
)
from tuiface.core.console import print_over
from tuiface.core.errors import EXIT_DONE, UsageError, quote
from tuiface.core.limits import MAX_RENDERED, MAX_ROWS, MAX_SEED
from tuiface.core.words import is_whole_number, parse_rows

if TYPE_CHECKING:
    import numpy as np

    from tuiface.faces.studio import Face, Studio

EXAMPLE = """\
examples:
  tuiface render 42                             seed 42 at the settings' psi, into the library
  tuiface render 0 --count 20 --psi 0.5 --out faces/
  tuiface render 0 --count 20 --psi 0.5 --population andean     towards a population (tuiface population make)
  tuiface render 42 --mix 7@6-18 --show         seed 42 with the colours and texture of seed 7
  tuiface render out/seed42-1f0c9a7b3d.png --psi 1 --noise none
  tuiface render 42 --edit smile=1.5 --lock frame:paste    smile more, outside the inner face change nothing
  tuiface render 42 --edit b16.conv1:501=2      one style channel, by standard deviations
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "render",
        parents=[common],
        help="render faces to PNG with provenance JSON",
        description="Render faces: for each one a PNG and a JSON that rebuilds it exactly.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "faces",
        type=parse_faces,
        metavar="FACE",
        nargs="+",
        action=JoinLists,
        help="seed number, library id, PNG or JSON",
    )
    parser.add_argument(
        "--psi",
        type=parse_psi,
        help="truncation: 0 the mean face, 1 none, beyond 1 a caricature; default: the settings'",
    )
    parser.add_argument("--cutoff", type=whole_number(0, MAX_ROWS), metavar="N", help="truncate rows 0 to N-1 alone")
    parser.add_argument(
        "--population", type=parse_text, metavar="NAME", help="truncate towards this population; w_avg: the network's"
    )
    add_class_flag(parser)
    add_edit_flags(parser)
    parser.add_argument(
        "--mix", type=_parse_mix, action="append", default=[], metavar="FACE@A-B", help="take rows A to B-1 from FACE"
    )
    parser.add_argument("--noise", type=_parse_noise, metavar="MODE", help="const (stored maps), none, or random:SEED")
    parser.add_argument(
        "--size", type=parse_side, metavar="PX", help="stop at the block of PX pixels; default: full size"
    )
    parser.add_argument(
        "--count",
        type=whole_number(1, MAX_RENDERED),
        default=1,
        metavar="N",
        help="N consecutive seeds from each given one",
    )
    add_output_flags(parser)
    parser.add_argument("--show", action="store_true", help="show each face in the terminal")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Render all faces; every name is checked before the first picture is computed."""
    from tuiface.faces.studio import reserve_pictures

    names = _expand(args.faces, args.count)
    settings = settings_from(args)
    with open_studio(settings) as studio:
        faces = _drop_duplicates(
            [_apply_flags(studio, resolve_face(studio, n, label=args.label, foreign=args.foreign), args) for n in names]
        )
        folder = Path(args.out) if args.out else settings.library
        check_size(studio, args.size)
        targets = [folder / f"{face.file_stem(args.size)}.png" for face in faces]
        with reserve_pictures(folder, faces, targets, args.size, force=args.force) as completed:
            for text in studio.info.notices:
                note(f"note: {text}")
            note_class(studio, args)
            for number, (face, target) in enumerate(zip(faces, targets, strict=True), start=1):
                if target in completed:
                    note(f"{target.name}: the picture was there, without its JSON; completed")
                    _tell_saved(args, face, target, completed[target], elapsed_ms=0.0)
                else:
                    _render_one(args, face, target)
                _print_progress(args, number, len(faces))
    return EXIT_DONE


def _render_one(args: argparse.Namespace, face: Face, target: Path) -> None:
    from tuiface.engine_api.protocol import RenderRequest

    result = face.studio.engine.render(RenderRequest(face.recipe, args.size))
    face.write(result, target, resolution=args.size, force=args.force)
    _tell_saved(args, face, target, result.pixels, elapsed_ms=round(result.elapsed_ms, 1))


def _tell_saved(args: argparse.Namespace, face: Face, target: Path, pixels: np.ndarray, *, elapsed_ms: float) -> None:
    from tuiface.faces.provenance import pixels_digest

    if args.show:
        from tuiface.terminal.shell import show_pixels

        show_pixels(pixels)
    emit(
        args,
        str(target),
        file=str(target),
        id=face.id,
        recipe_sha256=face.recipe.digest,
        pixels_sha256=pixels_digest(pixels),
        width=pixels.shape[1],
        height=pixels.shape[0],
        elapsed_ms=elapsed_ms,
    )


def _expand(names: list[str], count: int) -> list[str]:
    if count == 1:
        return names
    wrong = next((name for name in names if not is_whole_number(name)), None)
    if wrong is not None:
        raise UsageError(f"--count goes on from seed numbers; {quote(wrong)} is none")
    last = max(map(int, names)) + count - 1
    if last > MAX_SEED:
        raise UsageError(f"--count {count} ends at seed {last}; accepted: 0 to {MAX_SEED}")
    if count * len(names) > MAX_RENDERED:
        raise UsageError(f"--count {count} from {len(names)} seeds; accepted: up to {MAX_RENDERED} faces in all")
    return [str(int(name) + i) for name in names for i in range(count)]


def _apply_flags(studio: Studio, face: Face, args: argparse.Namespace) -> Face:
    """The face with the command's flags applied."""
    truncation = face.recipe.truncation
    if args.psi is not None or args.cutoff is not None:
        if args.cutoff is not None and args.cutoff > studio.info.num_ws:
            raise UsageError(f"--cutoff {args.cutoff}; accepted: 0 to {studio.info.num_ws}, the rows of this model")
        psi = truncation.psi if args.psi is None else args.psi
        face = face.truncate(psi, truncation.cutoff if args.cutoff is None else args.cutoff)
    if args.population is not None:
        face = face.towards(args.population)
    for name, rows in args.mix:
        face = face.mix(resolve_face(studio, name, label=args.label, foreign=args.foreign), rows)
    face = apply_edits(face, args)
    if args.frame_of is not None:
        face = _match_contour(face, resolve_face(studio, args.frame_of, label=args.label, foreign=args.foreign))
    if args.noise is not None:
        face = face.noise(*args.noise)
    return face


def _match_contour(face: Face, reference: Face) -> Face:
    """The face with the reference's frame; a note says by how much it came nearer."""
    drawn, before, after = face.match_contour(reference)
    note(f"frame variation against {reference.id}: {before:.2f} % -> {after:.2f} %")
    return drawn


def _drop_duplicates(faces: list[Face]) -> list[Face]:
    """Each recipe once: the same face asked for twice is one picture."""
    return list({face.recipe.digest: face for face in faces}.values())


def check_size(studio: Studio, size: int | None) -> None:
    """Raise UsageError for a size that is no block of the network."""
    accepted = [2**i for i in range(2, studio.info.resolution.bit_length())]
    if size is not None and size not in accepted:
        raise UsageError(f"--size {size}; accepted for this model: {', '.join(map(str, accepted))}")


def _print_progress(args: argparse.Namespace, done: int, total: int) -> None:
    if total > 1 and sys.stderr.isatty() and not args.show and not sys.stdout.isatty():
        print_over(f"{done} of {total}", end="\n" if done == total else "")


def _parse_mix(text: str) -> tuple[str, tuple[int, int]]:
    """`7@6-12` as a face and rows."""
    name, at, rows = text.rpartition("@")
    if not at:
        raise UsageError(f"--mix {quote(text)}; accepted: FACE@A-B, as in 7@6-12")
    return parse_face(name), parse_rows(rows)


def _parse_noise(text: str) -> tuple[str, int | None]:
    """`random:8` as a mode and a seed."""
    mode, colon, number = text.partition(":")
    if mode == "random" and is_whole_number(number) and int(number) <= MAX_SEED:
        return "random", int(number)
    if mode not in ("const", "none") or colon:
        raise UsageError(f"--noise {quote(text)}; accepted: const, none, random:SEED with a SEED from 0 to {MAX_SEED}")
    return mode, None
