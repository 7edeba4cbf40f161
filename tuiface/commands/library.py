"""`tuiface library`: list, tag, name, rate, remove, repair and re-index saved faces."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands
from tuiface.commands.faces import describe_library_folder, open_library
from tuiface.commands.output import confirm, emit, note
from tuiface.core.argument_types import parse_rating, parse_text
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_INPUT, quote
from tuiface.core.reading import is_there

if TYPE_CHECKING:
    from tuiface.faces.library import Library, LibraryFace
    from tuiface.faces.repair import Repair

EXAMPLE = """\
examples:
  tuiface library list --tag suspect
  tuiface library tag 1f0c9a7b3d suspect round-2      add tags
  tuiface library tag 1f0c9a7b3d --remove round-2
  tuiface library rename 1f0c9a7b3d "Juan, older"      the name that lists and screens show
  tuiface library rate 1f0c9a7b3d 4
  tuiface library remove 1f0c9a7b3d                   into the library's .trash, after a question
  tuiface library repair --dry-run                    what kills and full disks left, and what would be done
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command and its actions."""
    parser = commands.add_parser(
        "library",
        parents=[common],
        help="list, tag, name, rate, remove and repair saved faces",
        description="The library is a folder of PNG + JSON; its index is rebuilt from them whenever needed.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    folder = describe_library_folder()

    def action(name: str, text: str, example: str) -> argparse.ArgumentParser:
        return actions.add_parser(
            name, parents=[common, folder], help=text, epilog=f"example: tuiface library {example}"
        )

    listing = action("list", "list faces, oldest first", "list suspect")
    listing.add_argument(
        "text",
        type=parse_text,
        nargs="?",
        default="",
        metavar="TEXT",
        help="part of an id, file name, name, tag or series",
    )
    listing.add_argument("--tag", type=parse_text, metavar="TAG", help="faces with this tag alone")
    listing.add_argument("--series", type=parse_text, metavar="NAME", help="faces of this series alone")
    listing.add_argument("--min-rating", type=parse_rating, default=0, metavar="N", help="faces rated N or more alone")
    listing.set_defaults(run=run_list)
    tag = action("tag", "add or remove tags", "tag 1f0c9a7b3d suspect")
    tag.add_argument("face", type=parse_text, metavar="FACE", help="id (or its beginning) or file name")
    tag.add_argument("tags", type=parse_text, metavar="TAG", nargs="+")
    tag.add_argument("--remove", action="store_true", help="remove these tags instead")
    tag.set_defaults(run=run_tag)
    rename = action("rename", "give a face a name, or take it away", "rename 1f0c9a7b3d 'Juan, older'")
    rename.add_argument("face", type=parse_text, metavar="FACE", help="id (or its beginning) or file name")
    rename.add_argument("title", type=parse_text, metavar="NAME", help="up to 80 characters; '' takes the name away")
    rename.set_defaults(run=run_rename)
    rate = action("rate", "rate faces from 1 to 5", "rate 1f0c9a7b3d 4")
    rate.add_argument("faces", type=parse_text, metavar="FACE", nargs="+", help="id (or its beginning) or file name")
    rate.add_argument("rating", type=parse_rating, metavar="RATING", help="1 to 5; 0 takes the rating away")
    rate.set_defaults(run=run_rate)
    remove = action("remove", "move faces into the library's .trash", "remove 1f0c9a7b3d")
    remove.add_argument("faces", type=parse_text, metavar="FACE", nargs="+", help="id (or its beginning) or file name")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.set_defaults(run=run_remove)
    repair = action("repair", "make JSON that is missing, cut off or older again from the pictures", "repair --dry-run")
    repair.add_argument("--dry-run", action="store_true", help="only say what would be done")
    repair.set_defaults(run=run_repair)
    reindex = action("reindex", "build the index anew from the folder", "reindex")
    reindex.set_defaults(run=run_reindex)


def run_list(args: argparse.Namespace) -> int:
    """One line a face; what could not be read is named."""
    from tuiface.faces.library import select_faces

    library = open_library(args)
    found = library.look()
    for face in select_faces(found.faces, args.text, tag=args.tag, series=args.series):
        if (face.rating or 0) >= args.min_rating:
            emit(args, _format_face(face), **_values(face))
    for problem in found.problems:
        note(f"problem: {problem}")
    _note_absence(library)
    return EXIT_DONE


def run_tag(args: argparse.Namespace) -> int:
    """Add tags, or remove them with --remove."""
    library = open_library(args)
    face = library.find(args.face)
    change = tuple(args.tags)
    tags = library.set_tags(face, remove=change) if args.remove else library.set_tags(face, add=change)
    emit(args, f"{face.id}  {' '.join(tags) or '(no tags)'}", id=face.id, tags=tags)
    return EXIT_DONE


def run_rename(args: argparse.Namespace) -> int:
    """Name a face; its recipe, its files' names and what its JSON says stay."""
    library = open_library(args)
    face = library.find(args.face)
    library.rename(face, args.title)
    title = args.title.strip() or None
    emit(args, f"{face.id}  {title or '(no name)'}", id=face.id, title=title)
    return EXIT_DONE


def run_rate(args: argparse.Namespace) -> int:
    """Rate faces, or take their ratings away."""
    library = open_library(args)
    faces = [library.find(name) for name in args.faces]
    library.rate(faces, args.rating)
    for face in faces:
        emit(args, f"{face.id}  {args.rating or '(no rating)'}", id=face.id, rating=args.rating or None)
    return EXIT_DONE


def run_remove(args: argparse.Namespace) -> int:
    """Move faces to the trash after a question."""
    library = open_library(args)
    faces = [library.find(name) for name in args.faces]
    question = f"Move {len(faces)} face(s) to {library.folder / '.trash'}?"
    if not args.yes and not confirm(f"removing {len(faces)} face(s)", question, *map(_format_face, faces)):
        note("nothing removed")
        return EXIT_DONE
    for face in faces:
        moved = library.remove(face)
        emit(args, f"{face.id}  now {moved}", id=face.id, moved_to=str(moved))
    return EXIT_DONE


def run_repair(args: argparse.Namespace) -> int:
    """Repair the folder; exit code 1 where something was tampered with, 3 where something cannot be read."""
    library = open_library(args)
    repairs = library.repair(dry_run=args.dry_run)
    for repair in repairs:
        emit(
            args,
            f"{repair.file}: {_format_outcome(repair, dry_run=args.dry_run)}",
            file=str(library.folder / repair.file),
            outcome=repair.outcome,
            reason=repair.reason,
            kept=None if repair.kept is None else str(repair.kept),
            dry_run=args.dry_run,
        )
    outcomes = {repair.outcome for repair in repairs}
    if not _note_absence(library) and not outcomes:
        note(f"nothing to repair in {library.folder}")
    if "tampered" in outcomes:
        return EXIT_CHECK_FAILED
    return EXIT_INPUT if "unreadable" in outcomes else EXIT_DONE


def _note_absence(library: Library) -> bool:
    """Say so, and return it, where the library's folder is not there: one whose path is mistyped seems empty."""
    is_absent = not is_there(library.folder)
    if is_absent:
        note(f"no folder {quote(library.folder)}; the first face that is saved there makes it")
    return is_absent


def _format_outcome(repair: Repair, *, dry_run: bool) -> str:
    if repair.outcome == "tampered":
        return f"tampered with, and left as it is: {repair.reason}"
    if repair.outcome == "unreadable":
        return f"not read: {repair.reason}"
    if repair.outcome != "rebuilt":
        return f"{repair.outcome}: {repair.reason}"
    done = "would be made again from its picture" if dry_run else "made again from its picture"
    kept = "" if repair.kept is None else f"; what it said lies in {repair.kept}"
    return f"{repair.reason}; {done}{kept}"


def run_reindex(args: argparse.Namespace) -> int:
    """Build the index anew; files that cannot be read are named, exit code 3."""
    library = open_library(args)
    problems = library.reindex()
    for problem in problems:
        note(f"problem: {problem}")
    _note_absence(library)
    count = len(library.faces())
    emit(args, f"{count} faces in {library.folder}", faces=count, skipped=[str(p) for p in problems])
    return EXIT_INPUT if problems else EXIT_DONE


def _format_face(face: LibraryFace) -> str:
    seed = "latent" if face.seed is None else f"seed {face.seed}"
    said = [face.title and f'"{face.title}"', face.rating and "*" * face.rating, *face.edits, *face.locks, *face.tags]
    line = f"{face.id}  {seed:<16} psi {face.psi:<5g} {face.width:>4} px  {face.path.name}"
    return "  ".join([line, " ".join(word for word in said if word)]).rstrip()


def _values(face: LibraryFace) -> dict[str, object]:
    return {
        "id": face.id,
        "file": str(face.path),
        "seed": face.seed,
        "psi": face.psi,
        "width": face.width,
        "model": face.model,
        "operator": face.operator,
        "time": face.time,
        "tags": face.tags,
        "series": face.series,
        "parents": face.parents,
        "title": face.title,
        "rating": face.rating,
        "edits": face.edits,
        "locks": face.locks,
    }
