"""`tuiface directions discover` and `report`: find directions without labels, and measure those at hand."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tuiface.commands.arguments import Commands, parse_rows, settings_from
from tuiface.commands.catalogue import open_catalogue, save_direction
from tuiface.commands.edits import parse_lock
from tuiface.commands.output import emit, note
from tuiface.core.errors import EXIT_DONE, UsageError, quote, suggest_nearest

if TYPE_CHECKING:
    from tuiface.engine.edits.masks import RegionPredictor
    from tuiface.engine.learning.workshop import Workshop
    from tuiface.faces.recipe import Region, RegionLock

DISCOVER_EXAMPLE = """\
examples:
  tuiface directions discover --method ganspace --out strip.png         look at the first eight
  tuiface directions discover --method ganspace --keep 2=age --keep 5=smile
  tuiface directions discover --method regional --region mouth --rows 2-8 --out mouth.png
  tuiface directions discover --method channels --region hair           style channels, as --edit takes them
"""
REPORT_EXAMPLE = """\
examples:
  tuiface directions report smile --out smile.png --lock frame:blend
  tuiface directions report age yaw smile --seeds 0-19
"""
METHODS = ("sefa", "ganspace", "regional", "channels")
"""Those of tuiface.engine_api.requests, which is slow to import: a test binds them."""


def add_discover(actions: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the action."""
    parser = actions.add_parser(
        "discover",
        parents=[common],
        help="find directions without labels",
        description="Find directions without labels; look at the strip, then keep and name the good ones.",
        epilog=DISCOVER_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--method", choices=METHODS, default="ganspace", help="default: ganspace")
    parser.add_argument("--region", metavar="REGION", help="for regional and channels: what they are to change")
    parser.add_argument("--rows", metavar="A-B", help="rows of W+ that move; default: all; not for channels")
    parser.add_argument("--count", type=int, default=8, metavar="N", help="default: 8")
    parser.add_argument("--seeds", default="0-2", metavar="A-B", help="faces of the strip; default: 0-2")
    parser.add_argument("--out", metavar="PNG", help="write a contact strip, amounts -3 to 3, of channels -30 to 30")
    parser.add_argument("--keep", action="append", default=[], metavar="N=NAME", help="keep number N as NAME")
    parser.add_argument("--force", action="store_true", help="replace the strip, and directions of the same names")
    parser.set_defaults(run=run_discover)


def add_report(actions: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the action."""
    parser = actions.add_parser(
        "report",
        parents=[common],
        help="measure what directions change",
        description="Frame variation, contour shift, identity and leakage of directions, without and with a lock.",
        epilog=REPORT_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="NAME", nargs="+")
    parser.add_argument("--amount", default="2", metavar="N", help="measured both ways; default: 2")
    parser.add_argument("--seeds", default="0-7", metavar="A-B", help="faces A to B; default: 0-7")
    parser.add_argument("--lock", metavar="REGION[=STRENGTH][:GUARANTEE]", help="measure with this lock too")
    parser.add_argument("--out", metavar="PNG", help="write a contact strip of one direction, on the first three faces")
    parser.add_argument("--force", action="store_true", help="replace the strip")
    parser.set_defaults(run=run_report)


def run_discover(args: argparse.Namespace) -> int:
    """Find, show, and keep what was named."""
    kept = dict(_parse_keep(text, args.count) for text in args.keep)
    seeds = parse_seeds(args.seeds)
    lock = _parse_region_lock(args)
    settings = settings_from(args)
    from tuiface.engine.learning.handle_requests import find_steps
    from tuiface.engine.learning.workshop import Workshop

    workshop = Workshop.open(settings)
    num_ws = workshop.generator.num_ws
    rows = parse_rows(args.rows) if args.rows else (0, num_ws)
    if rows[1] > num_ws:
        raise UsageError(f"--rows {args.rows}: this model has {num_ws} rows")
    if args.method == "channels":
        return _discover_channels(args, workshop, workshop.regions, lock)
    steps = find_steps(workshop, args.method, lock, rows, args.count)
    for i, (_, weight) in enumerate(steps, start=1):
        emit(args, f"{args.method} {i}: weight {weight:.3g}", method=args.method, number=i, weight=weight)
    if args.out:
        from tuiface.engine.learning.strips import draw_candidate_strip

        chosen = [step for step, _ in steps]
        write_strip(args, draw_candidate_strip(workshop, chosen, [str(i + 1) for i in range(len(chosen))], seeds, rows))
    from tuiface.directions.direction import DirectionOrigin

    for number, name in kept.items():
        region = {} if lock is None else {"region": str(lock.region)}
        origin = DirectionOrigin(method=args.method, data="the network alone", settings={"number": number, **region})
        moved = None if rows == (0, num_ws) else rows
        save_direction(args, settings, workshop.direction(name, steps[number - 1][0], origin, rows=moved))
    return EXIT_DONE


def _discover_channels(
    args: argparse.Namespace, workshop: Workshop, reader: RegionPredictor, lock: RegionLock | None
) -> int:
    from tuiface.directions.direction import DirectionOrigin
    from tuiface.directions.published_channels import PAPER
    from tuiface.engine.edits.masks import refuse_unknown_regions
    from tuiface.engine.learning.discovery import rank_channels

    assert lock is not None
    refuse_unknown_regions((lock,), reader)
    ranks = rank_channels(workshop.generator, workshop.population, reader, lock, args.count)
    for i, rank in enumerate(ranks, start=1):
        emit(
            args,
            f"{i:>3}  --edit {rank.layer}:{rank.channel}=10   {rank.share:.0%} of its change in {lock.region}, "
            f"{rank.change:.2f} levels a sigma",
            number=i,
            layer=rank.layer,
            channel=rank.channel,
            share=rank.share,
            change=rank.change,
        )
    if args.out:
        from tuiface.engine.learning.strips import draw_channel_strip
        from tuiface.engine.loading import open_engine

        channels = [(rank.layer, rank.channel) for rank in ranks]
        write_strip(args, draw_channel_strip(open_engine(settings_from(args)), channels, parse_seeds(args.seeds)))
    for number, name in dict(_parse_keep(text, len(ranks)) for text in args.keep).items():
        rank = ranks[number - 1]
        origin = DirectionOrigin(method="channels", paper=PAPER)
        made = workshop.channel_direction(name, {rank.layer: {rank.channel: 1.0}}, origin)
        save_direction(args, settings_from(args), made)
    return EXIT_DONE


def run_report(args: argparse.Namespace) -> int:
    """Measure directions on faces, both ways, and print a line each."""
    from tuiface.commands.edits import parse_number
    from tuiface.engine.loading import open_engine

    settings = settings_from(args)
    amount, seeds = parse_number(args.amount, "--amount"), parse_seeds(args.seeds)
    lock = parse_lock(args.lock) if args.lock else None
    if args.out and len(args.names) > 1:
        raise UsageError(f"--out with {len(args.names)} directions; a strip is of one", "name one, or leave out --out")
    from tuiface.engine.learning.report import measure_direction
    from tuiface.engine.learning.strips import draw_direction_strip

    engine = open_engine(settings)
    catalogue, model = open_catalogue(settings), engine.info().model
    directions = [catalogue.find(name, model) for name in args.names]
    for direction in directions:
        for held in (None,) if lock is None else (None, lock):
            means = measure_direction(engine, direction, seeds, amount, held)
            text = "  ".join(f"{key} {value:.3g}" for key, value in means.items())
            kind = "free" if held is None else f"{held.region}:{held.guarantee}"
            emit(args, f"{direction.name:<20} {kind:<16} {text}", name=direction.name, lock=kind, **means)
        leaks = [(n, v) for n, v in direction.header.leakage.items() if n != direction.name]
        worst = ", ".join(f"{n} {v:+.2f}" for n, v in sorted(leaks, key=lambda item: -abs(item[1]))[:5])
        if worst:
            note(f"{direction.name}: one unit also changes {worst} (sigma)")
    if args.out:
        write_strip(
            args, draw_direction_strip(engine, directions[0], seeds[:3], (None,) if lock is None else (None, lock))
        )
    return EXIT_DONE


def write_strip(args: argparse.Namespace, pixels: object) -> None:
    """Write a strip to --out."""
    import numpy as np

    from tuiface.core.files import make_folder, write_file
    from tuiface.directions.strips import encode_plain_png

    assert isinstance(pixels, np.ndarray)
    path = Path(args.out)
    make_folder(path.parent)
    write_file(path, encode_plain_png(pixels), force=args.force)
    note(f"strip: {path}")


def parse_seeds(text: str) -> list[int]:
    """`3`, `0-7` (both included) or `3,5,9`. Raises UsageError."""
    start, dash, stop = text.partition("-")
    if dash and start.isdecimal() and stop.isdecimal() and int(start) <= int(stop) < int(start) + 10_000:
        return list(range(int(start), int(stop) + 1))
    if all(part.isdecimal() for part in text.split(",")):
        return [int(part) for part in text.split(",")]
    raise UsageError(f"seeds {quote(text)}; accepted: 3, 0-7 or 3,5,9")


def _parse_region_lock(args: argparse.Namespace) -> RegionLock | None:
    if args.rows and args.method == "channels":
        raise UsageError(f"--rows {args.rows} with --method channels: a style channel has no rows", "leave out --rows")
    from tuiface.engine_api.requests import REGIONAL_METHODS, REGIONS
    from tuiface.faces.recipe import RegionLock

    if args.method not in REGIONAL_METHODS:
        if args.region:
            raise UsageError(f"--region is for --method regional and channels, not {args.method}")
        return None
    if args.region not in REGIONS:
        given = "none given" if args.region is None else quote(args.region)
        raise UsageError(
            f"--region: {given}; accepted: {', '.join(REGIONS)}", suggest_nearest(args.region or "", REGIONS)
        )
    return RegionLock(region=cast("Region", args.region))


def _parse_keep(text: str, count: int) -> tuple[int, str]:
    number, equals, name = text.partition("=")
    if not (equals and name and number.isdecimal() and 1 <= int(number) <= count):
        raise UsageError(f"--keep {quote(text)}; accepted: N=NAME with N from 1 to {count}")
    return int(number), name
