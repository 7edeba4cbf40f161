"""`tuiface directions`: list, show, import, rename, remove; discovery.py and learning.py have what makes new ones."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.catalogue import open_catalogue, save_direction
from tuiface.commands.engine_access import model_of, open_engine_for
from tuiface.commands.output import confirm, emit, note
from tuiface.core.argument_types import parse_concept_name, parse_path, parse_text, real_number
from tuiface.core.console import print_line
from tuiface.core.errors import EXIT_DONE, EXIT_INPUT, UsageError
from tuiface.core.visible import to_visible
from tuiface.directions.import_options import ImportOptions, add_import_options

FFHQ_WORD = "ffhq-channels"

if TYPE_CHECKING:
    from tuiface.directions.catalogue import CatalogueEntry
    from tuiface.directions.direction import Direction

EXAMPLE = """\
examples:
  tuiface directions list
  tuiface directions show smile                      ends, unit, origin, and what else it changes
  tuiface directions show age --old-amount 4.2       an amount of the earlier systems in standard deviations
  tuiface directions import age.npy --name age --legacy first --licence "ours"
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command and its actions."""
    parser = commands.add_parser(
        "directions",
        parents=[common],
        help="list, show, import, rename, remove, discover, learn and measure directions",
        description="Directions change one concept of a face. Each belongs to one network.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list", parents=[common], help="the directions of a network", epilog="example: tuiface directions list"
    )
    listing.add_argument("--all", action="store_true", help="those of other networks too")
    listing.set_defaults(run=run_list)
    show = actions.add_parser(
        "show", parents=[common], help="everything about one direction", epilog="example: tuiface directions show smile"
    )
    show.add_argument("name", type=parse_text, metavar="NAME")
    show.add_argument(
        "--old-amount", type=real_number(-1e6, 1e6), metavar="N", help="convert an amount of the earlier systems"
    )
    show.add_argument("--boost", action="store_true", help="the old amount was given with the boost by three")
    show.set_defaults(run=run_show)
    _add_import(actions, common)
    _add_rename_and_remove(actions, common)
    from tuiface.commands.discovery import add_discover, add_report
    from tuiface.commands.learning import add_learn

    add_discover(actions, common)
    add_learn(actions, common)
    add_report(actions, common)


def _add_import(actions: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = actions.add_parser(
        "import",
        parents=[common],
        help="import a direction that you own: .npy, .npz or .pt",
        epilog="example: tuiface directions import age.npy --name age --legacy first",
    )
    parser.add_argument(
        "file",
        type=parse_path,
        metavar="FILE",
        help="[w_dim] or [num_ws, w_dim], read without executing anything; or ffhq-channels",
    )
    add_import_options(parser)
    parser.add_argument(
        "--yes", action="store_true", help="of ffhq-channels: these are the original weights, do not ask"
    )
    parser.set_defaults(run=run_import)


def _add_rename_and_remove(actions: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    rename = actions.add_parser(
        "rename",
        parents=[common],
        help="give a direction of your own another name",
        epilog="example: tuiface directions rename ganspace_2 age",
    )
    rename.add_argument("name", type=parse_text, metavar="NAME")
    rename.add_argument("new_name", type=parse_concept_name, metavar="NEW_NAME")
    rename.set_defaults(run=run_rename)
    remove = actions.add_parser(
        "remove",
        parents=[common],
        help="delete a direction of your own",
        epilog="example: tuiface directions remove age --yes",
    )
    remove.add_argument("name", type=parse_text, metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.set_defaults(run=run_remove)


def run_list(args: argparse.Namespace) -> int:
    """One line a direction; files that cannot be read are named, exit code 3."""
    settings = settings_from(args)
    catalogue, model = open_catalogue(settings), model_of(settings)
    for entry in catalogue.entries(None if args.all else model):
        header = entry.direction.header
        kind = "shipped" if entry.shipped else "own"
        foreign = "" if header.model.sha256 == model.sha256 else f"  for {header.model.name}"
        low, high = map(to_visible, header.labels.en)
        emit(
            args,
            f"{header.name:<22} {low} / {high}  (±{header.limit:g} {header.unit}, {header.space}, {kind}{foreign})",
            **_values(entry),
        )
    problems = catalogue.problems()
    for problem in problems:
        note(f"skipped: {problem}")
    return EXIT_INPUT if problems else EXIT_DONE


def run_show(args: argparse.Namespace) -> int:
    """Header, leakage and measures of one direction."""
    settings = settings_from(args)
    direction = open_catalogue(settings).find(args.name, model_of(settings), foreign=True)
    if args.old_amount is not None:
        amount = _convert_old_amount(direction, args.old_amount, boosted=args.boost)
        emit(args, f"--edit {direction.name}={amount:.3g}", name=direction.name, amount=amount)
        return EXIT_DONE
    if getattr(args, "json", False):
        emit(args, "", sha256=direction.sha256, **direction.header.model_dump(mode="json"))
        return EXIT_DONE
    for key, value in _describe_direction(direction):
        print_line(f"{key:>12}  {value}")
    return EXIT_DONE


def run_rename(args: argparse.Namespace) -> int:
    """Another name for a direction of the user's; faces that were made with it find it by its digest."""
    settings = settings_from(args)
    path = open_catalogue(settings).rename(args.name, args.new_name, model_of(settings))
    emit(args, f"{args.new_name}  {path}", name=args.new_name, file=str(path))
    return EXIT_DONE


def run_remove(args: argparse.Namespace) -> int:
    """Delete a direction of the user's, after a question."""
    settings = settings_from(args)
    catalogue, model = open_catalogue(settings), model_of(settings)
    entry = catalogue.find_own(args.name, model)
    loss = f"{entry.path} will be deleted; faces that were made with it cannot be rendered again without it."
    if not args.yes and not confirm("remove", "Delete it?", loss):
        note("nothing deleted")
        return EXIT_DONE
    catalogue.remove(args.name, model)
    emit(args, f"deleted {entry.path}", name=args.name, file=str(entry.path))
    return EXIT_DONE


def run_import(args: argparse.Namespace) -> int:
    """Read an array, measure its unit over the network's population, and keep it among the user's directions."""
    from tuiface.directions.importing import prepare_import, read_array, with_limit

    if args.file == FFHQ_WORD:
        return _import_published(args)
    path = Path(args.file)
    options = ImportOptions.of(path, args)
    array = read_array(path, options.key, options.component)
    settings = settings_from(args)
    with closing(open_engine_for(settings)) as engine:
        (made,) = engine.make_directions(prepare_import(array, path, options, engine.info()))
    save_direction(args, settings, with_limit(made.direction, options.limit))
    return EXIT_DONE


def _import_published(args: argparse.Namespace) -> int:
    """The published channels of the original FFHQ network, after a check of its shape and a question."""
    from tuiface.directions.importing import refuse_other_shape
    from tuiface.engine_api.requests import PublishedChannelsRequest

    settings = settings_from(args)
    with closing(open_engine_for(settings)) as engine:
        name = engine.info().model.name
        refuse_other_shape(name, engine.info().layers)
        doubt = (
            f"The shape of '{name}' fits. Only you know whether these are the original FFHQ weights;",
            "for a network trained or fine-tuned on anything else these channels mean nothing.",
        )
        if not args.yes and not confirm(FFHQ_WORD, "Are they?", *doubt):
            note("nothing imported")
            return EXIT_DONE
        for made in engine.make_directions(PublishedChannelsRequest(licence=args.licence)):
            save_direction(args, settings, made.direction)
    return EXIT_DONE


def _convert_old_amount(direction: Direction, old: float, *, boosted: bool) -> float:
    from tuiface.directions.importing import convert_amount

    norm, sigma = direction.header.origin.settings.get("raw_norm"), direction.header.sigma
    if not isinstance(norm, float) or sigma is None:
        raise UsageError(
            f"direction '{direction.name}' does not come from a file of an earlier system, so it has no old amounts",
            "tuiface directions import FILE --legacy first",
        )
    return convert_amount(old, norm, sigma, boosted=boosted)


def _values(entry: CatalogueEntry) -> dict[str, object]:
    header = entry.direction.header
    return {
        "name": header.name,
        "labels": header.labels.model_dump(mode="json"),
        "unit": header.unit,
        "limit": header.limit,
        "space": header.space,
        "rows": header.rows,
        "licence": header.licence,
        "model": header.model.model_dump(mode="json"),
        "sha256": entry.direction.sha256,
        "shipped": entry.shipped,
        "file": str(entry.path),
    }


def _describe_direction(direction: Direction) -> list[tuple[str, str]]:
    header = direction.header
    lines = [
        ("name", f"{header.name}  {direction.sha256[:10]}"),
        ("English", " / ".join(header.labels.en)),
        ("Spanish", " / ".join(header.labels.es)),
        ("space", header.space if header.rows is None else f"{header.space}, rows {header.rows[0]}-{header.rows[1]}"),
        ("unit", f"{header.unit}, up to ±{header.limit:g}"),
        ("origin", " · ".join(filter(None, (header.origin.method, header.origin.data, header.origin.paper)))),
        ("licence", header.licence),
        ("model", f"{header.model.name}  {header.model.sha256[:10]}"),
    ]
    lines += [(key.replace("_", " ")[:12], f"{value:g}") for key, value in header.measures.items()]
    leakage = sorted(header.leakage.items(), key=lambda item: -abs(item[1]))
    return [*lines, *(("changes", f"{name} {value:+.2f} sigma a unit") for name, value in leakage[:12])]
