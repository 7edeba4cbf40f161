"""`tuiface set`: named, ordered collections of faces; freezing and verifying them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, JoinLists, settings_from
from tuiface.commands.edits import add_edit_flags, apply_edits
from tuiface.commands.faces import describe_library_folder, open_library, open_studio, resolve_face
from tuiface.commands.output import confirm, emit, note, print_progress
from tuiface.core.argument_types import parse_faces, parse_psi, parse_text, whole_number
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, TuifaceError, UsageError, quote

if TYPE_CHECKING:
    from tuiface.faces.studio import Face, Studio
    from tuiface.stimuli.sets import FaceSet, FaceSets, Member

EXAMPLE = """\
examples:
  tuiface set new rueda-1 --title "target present"
  tuiface set add rueda-1 1f0c9a7b3d 42 43             faces of the library; a seed is rendered into it first
  tuiface set mark rueda-1 1f0c9a7b3d --role suspect --rating 5
  tuiface set order rueda-1 '#3' '#1'                  the third first, then the first, then the others
  tuiface set apply rueda-1 --edit smile=-1 --lock frame --into rueda-1-neutral
  tuiface set freeze rueda-1                           copies with checksums: nothing of it changes from then on
  tuiface set verify rueda-1                           every file and every picture

A face of a set is named by its id or the beginning of it, its file, or its place, as '#3'.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command and its actions."""
    parser = commands.add_parser(
        "set",
        parents=[common],
        help="collect faces of the library into ordered sets, and freeze them",
        description="A set is a folder in the library, sets/NAME, whose set.json names faces in their order.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    folder = describe_library_folder()

    def action(name: str, text: str, example: str, *, named: bool = True) -> argparse.ArgumentParser:
        epilog = f"example: tuiface set {example}"
        made: argparse.ArgumentParser = actions.add_parser(name, parents=[common, folder], help=text, epilog=epilog)
        if named:
            made.add_argument("name", type=parse_text, metavar="NAME", help="of the set")
        made.set_defaults(run=RUNS[name])
        return made

    new = action("new", "make a set", "new rueda-1 --title 'target present'")
    new.add_argument("--title", type=parse_text, default="", metavar="TEXT", help="for people")
    new.add_argument("--like", type=parse_text, metavar="SET", help="with the faces of another set")
    action("list", "list the sets", "list", named=False)
    action("show", "list the faces of a set in order", "show rueda-1")
    add = action("add", "add faces behind the others", "add rueda-1 1f0c9a7b3d 42")
    add.add_argument(
        "faces", type=parse_faces, metavar="FACE", nargs="+", action=JoinLists, help="library id, PNG of it, or a seed"
    )
    add.add_argument("--role", type=parse_text, default="", metavar="TEXT", help="what they are there for")
    add.add_argument("--psi", type=parse_psi, help="truncation of faces given by seed; default: the settings'")
    for name, text in (
        ("remove", "take faces out; the library keeps them"),
        ("order", "put faces first, as named"),
    ):
        some = action(name, text, f"{name} rueda-1 '#3'")
        some.add_argument("members", type=parse_text, metavar="FACE", nargs="+", help="id, file or #place")
    mark = action("mark", "give faces a role, a rating or a note", "mark rueda-1 '#3' --rating 4")
    mark.add_argument("members", type=parse_text, metavar="FACE", nargs="*", help="id, file or #place; default: all")
    mark.add_argument("--role", type=parse_text, metavar="TEXT", help="what they are there for")
    mark.add_argument("--rating", type=whole_number(0, 5), metavar="N", help="1 to 5; 0 takes it away")
    mark.add_argument("--note", type=parse_text, metavar="TEXT", help="for people")
    apply = action("apply", "edit or lock all faces into a new set", "apply rueda-1 --edit smile=-1 --into rueda-2")
    apply.add_argument("--into", type=parse_text, required=True, metavar="SET", help="name of the new set")
    add_edit_flags(apply)
    freeze = action("freeze", "copy every face in, with checksums: it cannot change any more", "freeze rueda-1 --yes")
    freeze.add_argument("--yes", action="store_true", help="do not ask")
    verify = action("verify", "check a frozen set's files, and rebuild its pictures", "verify rueda-1")
    verify.add_argument("--files-only", action="store_true", help="checksums alone: no network is opened")


def open_sets(args: argparse.Namespace) -> FaceSets:
    """The sets of the command's library."""
    from tuiface.stimuli.sets import FaceSets

    return FaceSets(open_library(args))


def run_new(args: argparse.Namespace) -> int:
    """An empty set, or one like another."""
    sets = open_sets(args)
    like = None if args.like is None else sets.read(args.like)
    if like is not None and like.frozen is not None:
        like = _of_the_library(sets, like)
    made = sets.create(args.name, args.title, like)
    return _tell(args, sets, made)


def run_list(args: argparse.Namespace) -> int:
    """One line a set; a damaged one is named."""
    sets = open_sets(args)
    for name in sets.names():
        try:
            held = sets.read(name)
        except TuifaceError as error:
            note(f"problem: {error}")
            continue
        emit(args, _summary(held), **_values(sets, held))
    return EXIT_DONE


def run_show(args: argparse.Namespace) -> int:
    """One line a face."""
    sets = open_sets(args)
    held = sets.read(args.name)
    emit(args, _summary(held), **_values(sets, held))
    for number, member in enumerate(held.members, start=1):
        emit(args, _format_member(number, member), place=number, **member.model_dump(mode="json"), id=member.id)
    return EXIT_DONE


def run_add(args: argparse.Namespace) -> int:
    """Faces of the library; what is none yet is rendered into it."""
    sets = open_sets(args)
    sets.read(args.name)
    pictures = _find_pictures(args, sets)
    return _tell(args, sets, sets.add(args.name, pictures, args.role))


def run_remove(args: argparse.Namespace) -> int:
    """Take members out."""
    sets = open_sets(args)
    return _tell(args, sets, sets.remove(args.name, args.members))


def run_order(args: argparse.Namespace) -> int:
    """Put members first."""
    sets = open_sets(args)
    return _tell(args, sets, sets.order(args.name, args.members))


def run_mark(args: argparse.Namespace) -> int:
    """Roles, ratings, notes."""
    changes: dict[str, object] = {
        name: value for name in ("role", "note") if (value := getattr(args, name)) is not None
    }
    if args.rating is not None:
        changes["rating"] = args.rating or None
    if not changes:
        raise UsageError("nothing to mark; accepted: --role, --rating, --note")
    sets = open_sets(args)
    return _tell(args, sets, sets.mark(args.name, args.members, **changes))


def run_apply(args: argparse.Namespace) -> int:
    """Edit every face, save what comes out in the library, and collect it under another name."""
    if not args.edit and not args.lock and args.frame_of is None:
        raise UsageError("nothing to apply; accepted: --edit, --lock, --frame-of")
    sets = open_sets(args)
    held = sets.read(args.name)
    sources = sets.pictures(held)
    settings = settings_from(args).model_copy(update={"library": sets.library.folder})
    with open_studio(settings) as studio:
        faces = [_apply(studio, studio.open_file(path, foreign=args.foreign), args) for path in sources]
        made = sets.create(args.into, held.title)
        for number, face in enumerate(faces, start=1):
            member = held.members[number - 1]
            made = sets.add(args.into, [_save(face, sets)], member.role)
            sets.mark(args.into, [made.members[-1].id], rating=member.rating, note=member.note)
            print_progress(args, number, len(faces))
    return _tell(args, sets, sets.read(args.into))


def run_freeze(args: argparse.Namespace) -> int:
    """After a question, since it cannot be taken back."""
    sets = open_sets(args)
    held = sets.read(args.name)
    doubt = f"{len(held.members)} faces are copied into {sets.folder_of(args.name)}; the set cannot change any more."
    if not args.yes and not confirm("freeze", "Freeze it?", doubt):
        note("nothing frozen")
        return EXIT_DONE
    frozen = sets.freeze(args.name)
    code = _tell(args, sets, frozen)
    note("  write its digest down elsewhere: it shows whether the whole set was exchanged")
    return code


def run_verify(args: argparse.Namespace) -> int:
    """Files by their checksums, then pictures by their recipes."""
    sets = open_sets(args)
    held = sets.read(args.name)
    differences = sets.check_frozen(held)
    if not args.files_only and not differences:
        differences += _verify_pictures(args, sets, held)
    status = "differs" if differences else "holds"
    text = f"{args.name}: {status}, {len(held.members)} faces, digest {sets.digest_of(held)}"
    emit(args, text, set=args.name, status=status, differences=differences, digest=sets.digest_of(held))
    for difference in differences:
        note(f"  {difference}")
    return EXIT_CHECK_FAILED if differences else EXIT_DONE


RUNS = {
    "new": run_new,
    "list": run_list,
    "show": run_show,
    "add": run_add,
    "remove": run_remove,
    "order": run_order,
    "mark": run_mark,
    "apply": run_apply,
    "freeze": run_freeze,
    "verify": run_verify,
}


def _find_pictures(args: argparse.Namespace, sets: FaceSets) -> list[Path]:
    """Pictures in the library for what the user named; an engine is opened for seeds alone."""
    found: dict[str, Path] = {}
    left = []
    for text in args.faces:
        try:
            path = Path(text)
            found[text] = path if path.suffix.lower() == ".png" else sets.library.find(text).path
        except UsageError:
            left.append(text)
    if left:
        settings = settings_from(args).model_copy(update={"library": sets.library.folder})
        with open_studio(settings) as studio:
            for text in left:
                face = resolve_face(studio, text)
                found[text] = _save(face if args.psi is None else face.truncate(args.psi), sets)
    return [found[text] for text in args.faces]


def _save(face: Face, sets: FaceSets) -> Path:
    """The face's picture in the library, rendered if it is not there."""
    path = sets.library.folder / f"{face.file_stem()}.png"
    return path if path.exists() and path.with_suffix(".json").exists() else face.save(sets.library.folder)


def _apply(studio: Studio, face: Face, args: argparse.Namespace) -> Face:
    face = apply_edits(face, args)
    return face if args.frame_of is None else face.match_contour(resolve_face(studio, args.frame_of))[0]


def _of_the_library(sets: FaceSets, held: FaceSet) -> FaceSet:
    """A frozen set's members by their files in the library. Raises UsageError for one that it has no more."""
    members = [m.model_copy(update={"file": sets.library.find(m.id).path.name}) for m in held.members]
    return held.model_copy(update={"members": tuple(members)})


def _verify_pictures(args: argparse.Namespace, sets: FaceSets, held: FaceSet) -> list[str]:
    from tuiface.commands.verify import Engines
    from tuiface.faces.provenance import read_saved_face
    from tuiface.faces.verification import verify

    engines = Engines(settings_from(args), explicit=getattr(args, "model", None) is not None)
    found = []
    pictures = sets.pictures(held)
    for number, path in enumerate(pictures, start=1):
        saved = read_saved_face(path)
        found += [f"{path.name}: {text}" for text in verify(saved, engines.for_face(saved)).differences]
        print_progress(args, number, len(pictures))
    return found


def _tell(args: argparse.Namespace, sets: FaceSets, held: FaceSet) -> int:
    emit(args, _summary(held), **_values(sets, held))
    return EXIT_DONE


def _summary(held: FaceSet) -> str:
    frozen = "" if held.frozen is None else f", frozen {held.frozen.time:%Y-%m-%d %H:%M}"
    faces = f"{len(held.members)} face{'' if len(held.members) == 1 else 's'}"
    return f"{held.name}  {faces}{frozen}" + (f"  {held.title}" if held.title else "")


def _values(sets: FaceSets, held: FaceSet) -> dict[str, object]:
    return {
        "set": held.name,
        "title": held.title,
        "faces": [member.id for member in held.members],
        "frozen": None if held.frozen is None else held.frozen.time.isoformat(),
        "digest": sets.digest_of(held),
        "folder": str(sets.folder_of(held.name)),
    }


def _format_member(number: int, member: Member) -> str:
    stars = "" if member.rating is None else f"  {'*' * member.rating}"
    return f"  {number:3}  {member.id}  {member.role or '-':<10}{stars}  {member.file}" + (
        f"  {quote(member.note)}" if member.note else ""
    )
