"""`tuiface directions discover` and `report`: find directions without labels, and measure those at hand."""

from __future__ import annotations

import argparse
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.catalogue import open_catalogue, save_direction
from tuiface.commands.edits import parse_lock
from tuiface.commands.engine_access import open_engine_for
from tuiface.commands.output import emit, note
from tuiface.core.argument_types import parse_path, parse_seed_list, parse_text, real_number, whole_number
from tuiface.core.errors import EXIT_DONE, UsageError, quote, suggest_nearest
from tuiface.core.limits import MAX_AMOUNT, MAX_DIRECTIONS, NAME_PATTERN, NAME_WORDS
from tuiface.core.words import format_rows, is_whole_number, parse_rows

if TYPE_CHECKING:
    import numpy as np

    from tuiface.directions.direction import Direction
    from tuiface.engine_api.protocol import Engine
    from tuiface.engine_api.requests import MadeDirection, SearchRequest
    from tuiface.faces.recipe import Region

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
    parser.add_argument(
        "--region", type=parse_text, metavar="REGION", help="for regional and channels: what they are to change"
    )
    parser.add_argument(
        "--rows", type=parse_rows, metavar="A-B", help="rows of W+ that move; default: all; not for channels"
    )
    parser.add_argument("--count", type=whole_number(1, MAX_DIRECTIONS), default=8, metavar="N", help="default: 8")
    parser.add_argument(
        "--seeds", type=parse_seed_list, default="0-2", metavar="A-B", help="faces of the strip; default: 0-2"
    )
    parser.add_argument(
        "--out", type=parse_path, metavar="PNG", help="write a contact strip, amounts -3 to 3, of channels -30 to 30"
    )
    parser.add_argument(
        "--keep", type=parse_text, action="append", default=[], metavar="N=NAME", help="keep number N as NAME"
    )
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
    parser.add_argument("names", type=parse_text, metavar="NAME", nargs="+")
    parser.add_argument(
        "--amount",
        type=real_number(-MAX_AMOUNT, MAX_AMOUNT),
        default=2.0,
        metavar="N",
        help="measured both ways; default: 2",
    )
    parser.add_argument(
        "--seeds", type=parse_seed_list, default="0-7", metavar="A-B", help="faces A to B; default: 0-7"
    )
    parser.add_argument(
        "--lock", type=parse_lock, metavar="REGION[=STRENGTH][:GUARANTEE]", help="measure with this lock too"
    )
    parser.add_argument(
        "--out", type=parse_path, metavar="PNG", help="write a contact strip of one direction, on the first three faces"
    )
    parser.add_argument("--force", action="store_true", help="replace the strip")
    parser.set_defaults(run=run_report)


def run_discover(args: argparse.Namespace) -> int:
    """Find, show, and keep what was named."""
    kept = dict(_parse_keep(text, args.count) for text in args.keep)
    request = _parse_request(args)
    if args.out:
        _refuse_long_strip(args.count, len(args.seeds))
    settings = settings_from(args)
    with closing(open_engine_for(settings)) as engine:
        num_ws = engine.info().num_ws
        if request.rows is not None and request.rows[1] > num_ws:
            raise UsageError(f"--rows {format_rows(args.rows)}: this model has {num_ws} rows")
        found = []
        for number, made in enumerate(engine.make_directions(request), start=1):
            found.append(made.direction)
            _emit_made(args, number, made)
        if args.out:
            write_strip(args, _draw_strip(engine, request, found, args.seeds))
    from tuiface.directions.catalogue import rename_direction
    from tuiface.directions.direction import labels_of

    if request.method == "channels":
        kept = dict(_parse_keep(text, len(found)) for text in args.keep)
    for number, name in kept.items():
        save_direction(args, settings, rename_direction(found[number - 1], name, labels_of(name)))
    return EXIT_DONE


def _emit_made(args: argparse.Namespace, number: int, made: MadeDirection) -> None:
    if args.method != "channels":
        weight = made.figures["weight"]
        emit(args, f"{args.method} {number}: weight {weight:.3g}", method=args.method, number=number, weight=weight)
        return
    layer, channel = _channel_of(made.direction)
    fraction, change = made.figures["share"], made.figures["change"]
    emit(
        args,
        f"{number:>3}  --edit {layer}:{channel}=10   {fraction:.0%} of its change in {args.region}, "
        f"{change:.2f} levels a sigma",
        number=number,
        layer=layer,
        channel=channel,
        share=fraction,
        change=change,
    )


def _refuse_long_strip(count: int, num_seeds: int) -> None:
    """Before anything is looked for."""
    from tuiface.engine_api.requests import MAX_STRIP_ROWS

    if count * num_seeds > MAX_STRIP_ROWS:
        raise UsageError(f"--count {count} on {num_seeds} faces each; a strip has at most {MAX_STRIP_ROWS} rows")


def _draw_strip(engine: Engine, request: SearchRequest, found: list[Direction], seeds: list[int]) -> np.ndarray:
    """uint8 [H, W, 3]."""
    from tuiface.directions.report import draw_channel_strip
    from tuiface.engine_api.requests import StripRequest

    if request.method == "channels":
        return draw_channel_strip(engine, [_channel_of(direction) for direction in found], seeds)
    return engine.draw_strip(StripRequest.of(found, seeds))


def _channel_of(direction: Direction) -> tuple[str, int]:
    """The one style channel that a direction moves."""
    layer, _, channel = direction.header.origin.data.partition(":")
    return layer, int(channel)


def run_report(args: argparse.Namespace) -> int:
    """Measure directions on faces, both ways, and print a line each."""
    settings = settings_from(args)
    if args.out and len(args.names) > 1:
        raise UsageError(f"--out with {len(args.names)} directions; a strip is of one", "name one, or leave out --out")
    from tuiface.directions.report import draw_direction_strip, measure_direction

    locks = (None,) if args.lock is None else (None, args.lock)
    with closing(open_engine_for(settings)) as engine:
        catalogue, model = open_catalogue(settings), engine.info().model
        directions = [catalogue.find(name, model) for name in args.names]
        for direction in directions:
            for held in locks:
                means = measure_direction(engine, direction, args.seeds, args.amount, held)
                text = "  ".join(f"{key} {value:.3g}" for key, value in means.items())
                kind = "free" if held is None else f"{held.region}:{held.guarantee}"
                emit(args, f"{direction.name:<20} {kind:<16} {text}", name=direction.name, lock=kind, **means)
            leaks = [(n, v) for n, v in direction.header.leakage.items() if n != direction.name]
            worst = ", ".join(f"{n} {v:+.2f}" for n, v in sorted(leaks, key=lambda item: -abs(item[1]))[:5])
            if worst:
                note(f"{direction.name}: one unit also changes {worst} (sigma)")
        if args.out:
            write_strip(args, draw_direction_strip(engine, directions[0], args.seeds[:3], locks))
    return EXIT_DONE


def write_strip(args: argparse.Namespace, pixels: np.ndarray) -> None:
    """Write a strip uint8 [H, W, 3] to --out."""
    from tuiface.core.files import make_folder, write_file
    from tuiface.directions.report import encode_plain_png

    path = Path(args.out)
    make_folder(path.parent)
    write_file(path, encode_plain_png(pixels), force=args.force)
    note(f"strip: {path}")


def _parse_request(args: argparse.Namespace) -> SearchRequest:
    if args.rows and args.method == "channels":
        raise UsageError(
            f"--rows {format_rows(args.rows)} with --method channels: a style channel has no rows", "leave out --rows"
        )
    from tuiface.engine_api.requests import REGIONAL_METHODS, REGIONS, SearchRequest

    region: Region | None = next((one for one in REGIONS if one == args.region), None)
    if args.method not in REGIONAL_METHODS:
        if args.region:
            raise UsageError(f"--region is for --method regional and channels, not {args.method}")
    elif region is None:
        given = "none given" if args.region is None else quote(args.region)
        raise UsageError(
            f"--region: {given}; accepted: {', '.join(REGIONS)}", suggest_nearest(args.region or "", REGIONS)
        )
    return SearchRequest(method=args.method, region=region, rows=args.rows, count=args.count)


def _parse_keep(text: str, count: int) -> tuple[int, str]:
    number, equals, name = text.partition("=")
    if not (equals and name and is_whole_number(number) and 1 <= int(number) <= count):
        raise UsageError(f"--keep {quote(text)}; accepted: N=NAME with N from 1 to {count}")
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(f"--keep {quote(text)}: name {quote(name)}; accepted: {NAME_WORDS}")
    return int(number), name
