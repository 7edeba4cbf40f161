"""`tuiface model`: checkpoints listed, inspected and converted; nothing in one is ever executed.

`model regions` names the regions of a network whose faces the shipped segmenter does not fit.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.engine_access import model_of, open_engine_for, wants_resident
from tuiface.commands.output import emit, note, note_step
from tuiface.core.argument_types import parse_path, parse_text, whole_number
from tuiface.core.console import print_json, print_line
from tuiface.core.errors import EXIT_DONE, EXIT_MODEL, UsageError, quote
from tuiface.core.limits import MAX_CLUSTERS, MIN_CLUSTERS
from tuiface.core.visible import escape_bytes

if TYPE_CHECKING:
    from tuiface.core.settings import Settings
    from tuiface.engine.checkpoints import CheckpointReport
    from tuiface.engine_api.requests import LearnedRegions

REGIONS_EXAMPLE = """\
examples:
  tuiface model regions --model cats.pkl --out clusters.png      look at the clusters and their numbers
  tuiface model regions --model cats.pkl --name 0,3=background --name 1,5,6=skin --name 2,4=hair --name 7=eyes
"""


def add_regions(actions: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the action."""
    parser = actions.add_parser(
        "regions",
        parents=[common],
        help="name the regions of a network's faces, for locks and measures",
        description="Cluster a network's activations; name each cluster, and locks and measures know its faces.",
        epilog=REGIONS_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--clusters", type=whole_number(MIN_CLUSTERS, MAX_CLUSTERS), default=12, metavar="N", help="default: 12"
    )
    parser.add_argument("--out", type=parse_path, metavar="PNG", help="write the sheet of clusters")
    parser.add_argument(
        "--name", type=parse_text, action="append", default=[], metavar="N,N=REGION", help="what clusters show"
    )
    parser.add_argument("--forget", action="store_true", help="remove the regions that were named for this network")
    parser.add_argument("--force", action="store_true", help="replace the sheet, or regions that were named before")
    parser.set_defaults(run=run_regions)


def run_regions(args: argparse.Namespace) -> int:
    """Show the clusters, or learn from their names."""
    if sum(map(bool, (args.out, args.name, args.forget))) != 1:
        raise UsageError("one of --out, --name and --forget", "begin with --out clusters.png")
    from tuiface.core.files import refuse_existing, translate_os_errors
    from tuiface.core.regions import own_regions_path
    from tuiface.engine_api.requests import ClusterSheetRequest, parse_cluster_names

    names = parse_cluster_names(args.name, args.clusters) if args.name else None
    settings = settings_from(args)
    if args.forget:
        path = own_regions_path(settings.regions, model_of(settings).sha256)
        if not path.exists():
            raise UsageError("no regions were named for this network")
        with translate_os_errors(path):
            path.unlink()
        emit(args, f"removed {path}", file=str(path))
        return EXIT_DONE
    with closing(open_engine_for(settings)) as engine:
        path = own_regions_path(settings.regions, engine.info().model.sha256)
        refuse_existing(Path(args.out) if args.out else path, force=args.force)
        if names is not None:
            return _save_regions(args, settings, path, engine.learn_regions(names, note_step))
        sheet = engine.draw_cluster_sheet(ClusterSheetRequest(clusters=args.clusters))
    from tuiface.core.files import write_file
    from tuiface.directions.report import encode_plain_png

    write_file(Path(args.out), encode_plain_png(sheet), force=args.force)
    emit(args, f"{args.out}  {args.clusters} clusters; name each with --name", file=args.out)
    return EXIT_DONE


def _save_regions(args: argparse.Namespace, settings: Settings, path: Path, learned: LearnedRegions) -> int:
    from tuiface.core.files import make_folder, write_file

    make_folder(path.parent)
    write_file(path, learned.file, force=True)
    figures = learned.figures
    text = f"{path}  agrees with the clusters on {100 * figures['accuracy']:.1f} % of pixels"
    emit(args, text, file=str(path), **figures)
    if wants_resident(settings):
        note("the resident engine takes them up when it is started again")
    return EXIT_DONE


EXAMPLE = """\
examples:
  tuiface model list
  tuiface model inspect ffhq.pkl                       what is in it, without building or running anything
  tuiface model convert ffhq.pkl ffhq.safetensors --licence "NVIDIA Source Code License-NC"
  tuiface model regions --model own.pkl --out clusters.png
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command and its actions."""
    parser = commands.add_parser(
        "model",
        parents=[common],
        help="list, inspect and convert checkpoints; name their regions",
        description="List, inspect and convert checkpoints, and name their regions. Nothing in a file is executed.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list", parents=[common], help="the models at hand", epilog="example: tuiface model list"
    )
    listing.set_defaults(run=run_list)
    inspect = actions.add_parser(
        "inspect",
        parents=[common],
        help="say what a file holds, without building it",
        epilog="example: tuiface model inspect ffhq.pkl",
    )
    inspect.add_argument("file", type=parse_path, metavar="FILE")
    inspect.set_defaults(run=run_inspect)
    convert = actions.add_parser(
        "convert",
        parents=[common],
        help="write a checkpoint as safetensors",
        epilog="example: tuiface model convert ffhq.pkl ffhq.safetensors",
    )
    convert.add_argument("file", type=parse_path, metavar="FILE")
    convert.add_argument("out", type=parse_path, metavar="OUT.safetensors")
    convert.add_argument(
        "--licence", type=parse_text, metavar="TEXT", help="licence of the weights, recorded in the file"
    )
    convert.add_argument("--force", action="store_true", help="overwrite OUT")
    convert.set_defaults(run=run_convert)
    add_regions(actions, common)


def run_list(args: argparse.Namespace) -> int:
    """The embedded model, its earlier editions, and every network that was opened before and is still there."""
    from tuiface.core.assets import embedded_model_path
    from tuiface.engine.checkpoint import ModelStore, shipped_networks

    settings = settings_from(args)
    embedded, rows = embedded_model_path(), shipped_networks()
    shipped = set(rows.values())
    rows |= {sha: path for sha, path in ModelStore(settings.cache).networks().items() if sha not in rows}
    for sha256, path in rows.items():
        kind = "embedded" if path == embedded else "settings" if path == settings.model else ""
        kind = kind or ("edition" if path in shipped else "")
        emit(args, f"{sha256[:10]}  {path}  {kind}".rstrip(), network_sha256=sha256, path=str(path), kind=kind or None)
    return EXIT_DONE


def run_inspect(args: argparse.Namespace) -> int:
    """Describe a file; exit code 4 if it is refused."""
    from tuiface.engine.checkpoints import inspect_checkpoint

    report = inspect_checkpoint(Path(args.file))
    if getattr(args, "json", False):
        print_json(report.to_json())
    else:
        _print_report(report)
    if report.refused:
        note(f"tuiface: {report.file}: refused: {report.refused}")
        return EXIT_MODEL
    return EXIT_DONE


def _print_report(report: CheckpointReport) -> None:
    for key, value in report.to_json().items():
        if key == "refused" or value in (None, [], ""):
            continue
        name = key.replace("_", " ")
        if isinstance(value, list) and all(isinstance(v, int) for v in value):
            print_line(f"{name:>24}  {' '.join(map(str, value))}")
        elif isinstance(value, list):
            for i, line in enumerate(value):
                print_line(f"{name if i == 0 else '':>24}  {line}")
        else:
            print_line(f"{name:>24}  {value}")


def run_convert(args: argparse.Namespace) -> int:
    """Read any supported checkpoint and write it as our own safetensors."""
    from tuiface.core.files import refuse_existing
    from tuiface.engine.checkpoints import read_checkpoint, write_native

    source, out = Path(args.file), Path(args.out)
    if out.suffix.lower() != ".safetensors":
        raise UsageError(f"{quote(out)}: the output must end in .safetensors")
    refuse_existing(out, force=args.force)
    contents = read_checkpoint(source)
    for text in contents.notices:
        note(f"note: {text}")
    write_native(contents, out, licence=args.licence, name=contents.name or escape_bytes(source.stem))
    emit(
        args,
        f"{out}  (network {contents.network_sha256[:10]})",
        file=str(out),
        network_sha256=contents.network_sha256,
        origin_sha256=contents.origin_sha256,
    )
    return EXIT_DONE
