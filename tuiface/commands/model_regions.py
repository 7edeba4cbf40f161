"""`tuiface model regions`: name the regions of a network whose faces the shipped segmenter does not fit."""

from __future__ import annotations

import argparse
from pathlib import Path

from tuiface.commands.session import Commands, emit, note, settings_from
from tuiface.errors import EXIT_DONE, UsageError

MIN_CLUSTERS, MAX_CLUSTERS = 2, 32
EXAMPLE = """\
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
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clusters", type=int, default=12, metavar="N", help="default: 12")
    parser.add_argument("--out", metavar="PNG", help="write the sheet of clusters")
    parser.add_argument("--name", action="append", default=[], metavar="N,N=REGION", help="what clusters show")
    parser.add_argument("--forget", action="store_true", help="remove the regions that were named for this network")
    parser.add_argument("--force", action="store_true", help="replace the sheet, or regions that were named before")
    parser.set_defaults(run=run_regions)


def run_regions(args: argparse.Namespace) -> int:
    """Show the clusters, or learn from their names."""
    if not MIN_CLUSTERS <= args.clusters <= MAX_CLUSTERS:
        raise UsageError(f"--clusters {args.clusters}; accepted: {MIN_CLUSTERS} to {MAX_CLUSTERS}")
    if sum(map(bool, (args.out, args.name, args.forget))) != 1:
        raise UsageError("one of --out, --name and --forget", "begin with --out clusters.png")
    from tuiface.engine.editing.workshop import Workshop

    if args.name:
        from tuiface.engine.training.own_regions import parse_names

        names = parse_names(args.name, args.clusters)
    workshop = Workshop.open(settings_from(args))
    path = workshop.own_regions
    assert path is not None
    if args.forget:
        if not path.exists():
            raise UsageError("no regions were named for this network")
        path.unlink()
        emit(args, f"removed {path}", file=str(path))
        return EXIT_DONE
    from tuiface.engine.editing.clustering import ActivationClusters, cluster_sheet
    from tuiface.files import refuse_existing

    refuse_existing(Path(args.out) if args.out else path, force=args.force)
    clusters = ActivationClusters.of(workshop.generator, args.clusters)
    if args.out:
        from tuiface.directions.strips import png_bytes
        from tuiface.files import write_file

        write_file(Path(args.out), png_bytes(cluster_sheet(workshop.generator, clusters)), force=args.force)
        emit(args, f"{args.out}  {args.clusters} clusters; name each with --name", file=args.out)
        return EXIT_DONE
    from tuiface.engine.training.own_regions import train_own_regions

    figures = train_own_regions(workshop.generator, clusters, names, path, note)
    accuracy = figures["accuracy"]
    emit(args, f"{path}  agrees with the clusters on {100 * accuracy:.1f} % of pixels", file=str(path), **figures)
    return EXIT_DONE
