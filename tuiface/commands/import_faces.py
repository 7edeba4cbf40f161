"""`tuiface import-faces`: faces that were made elsewhere, as faces of the opened network."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.faces import add_output_flags, open_studio
from tuiface.commands.output import confirm, emit, note, print_progress
from tuiface.core.argument_types import parse_path, parse_psi, parse_text
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, UsageError, quote
from tuiface.core.limits import ID_LENGTH

if TYPE_CHECKING:
    from tuiface.faces.studio import Face, Studio
    from tuiface.stimuli.old_faces import OldFace

EXAMPLE = """\
examples:
  tuiface import-faces projected_w.npz                     a projection: [1, L, 512], or [512]
  tuiface import-faces dump.csv --network 1f0c9a7b3d       id, seed or latent, tags, psi
  tuiface import-faces seed0042.png --psi 0.5              drawn by another tool: drawn again, and compared

Nothing in these files says which network they are for: only you know. --network names its digest (tuiface model
inspect shows it); without it you are asked.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "import-faces",
        parents=[common],
        help="faces that another tool made: latents, dumps, pictures of seeds",
        description="Take faces over that were made elsewhere: nothing in a file is executed, each becomes an ordinary "
        "face with a recipe and provenance, tagged 'imported'.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", type=parse_path, metavar="FILE", nargs="+", help=".npz, .npy, .pt, .csv, or pictures")
    parser.add_argument("--key", type=parse_text, metavar="KEY", help="which array of a file with several")
    parser.add_argument("--space", choices=("w", "z"), default="w", help="of the latents; default: w, which holds W+")
    parser.add_argument("--psi", type=parse_psi, help="if the file says none; default: 1 in W, else the settings'")
    parser.add_argument(
        "--network", type=parse_text, metavar="DIGEST", help="of the network they are for, or its start"
    )
    parser.add_argument("--tag", type=parse_text, action="append", default=[], metavar="TAG", help="repeatable")
    add_output_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read every file, ask which network they are for, then render and save face by face."""
    from tuiface.stimuli.old_faces import make_face, read_old_faces

    settings = settings_from(args)
    with open_studio(settings) as studio:
        olds = [old for name in args.files for old in read_old_faces(Path(name), studio, args.key, args.space)]
        if not _is_meant(studio, args.network, len(olds)):
            note("nothing imported")
            return EXIT_DONE
        pairs = [(old, make_face(old, studio, args.psi, args.space)) for old in olds]
        _refuse_doubles(pairs)
        return _save(args, pairs, Path(args.out) if args.out else settings.library)


def _save(args: argparse.Namespace, pairs: list[tuple[OldFace, Face]], folder: Path) -> int:
    from tuiface.faces.studio import reserve_pictures
    from tuiface.stimuli.old_faces import LIKENESS_LEVELS, difference_in_levels
    from tuiface.stimuli.series import write_tagged

    faces = [face for _, face in pairs]
    paths = [folder / f"{face.file_stem()}.png" for face in faces]
    code = EXIT_DONE
    with reserve_pictures(folder, faces, paths, force=args.force) as completed:
        for number, ((old, face), path) in enumerate(zip(pairs, paths, strict=True), start=1):
            pixels = completed.get(path)
            if pixels is None:
                result = face.render()
                pixels = result.pixels
                write_tagged(face, result, path, _tags(old, args.tag), "", force=args.force)
            difference = difference_in_levels(old, pixels)
            unlike = difference is not None and difference > LIKENESS_LEVELS
            said = "" if difference is None else f"  {difference:.1f} levels from {old.file}"
            values = {"file": str(path), "id": face.id, "imported": old.id, "source": old.file}
            emit(args, f"{path}{said}", **values, difference=difference)
            if unlike:
                note(f"  not the picture that it was: another network, psi or noise made {old.file}")
                code = EXIT_CHECK_FAILED
            print_progress(args, number, len(pairs))
    return code


def _tags(old: OldFace, more: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(("imported", *old.tags, *more)))


def _is_meant(studio: Studio, network: str | None, count: int) -> bool:
    """Whether the faces are for the opened network, by the user's word. Raises UsageError for another digest."""
    model = studio.info.model
    if network is not None:
        if not re.fullmatch(r"[0-9a-f]{10,64}", network):
            raise UsageError(f"--network {quote(network)}; accepted: 10 to 64 hexadecimal digits of a digest")
        if not model.sha256.startswith(network):
            raise UsageError(
                f"--network {quote(network)}: opened is '{model.name}' ({model.sha256[:ID_LENGTH]})", "--model FILE"
            )
        return True
    if studio.info.embedded:
        note("note: opened is the embedded network; another one is opened by --model")
    doubt = f"Only you know which network made these. Opened is '{model.name}' ({model.sha256[:ID_LENGTH]})."
    return confirm("import-faces", f"Are the {count} of this network?", doubt)


def _refuse_doubles(pairs: list[tuple[OldFace, Face]]) -> None:
    """Two of one recipe would be one file."""
    seen: dict[str, OldFace] = {}
    for old, face in pairs:
        other = seen.setdefault(face.recipe.digest, old)
        if other is not old:
            both = f"{quote(old.id)} of {old.file} and {quote(other.id)} of {other.file}"
            raise UsageError(f"{both} are one face", "import one of them")
