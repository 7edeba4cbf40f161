"""`tuiface bench`: measure this machine, in ratios rather than in promises."""

from __future__ import annotations

import argparse
import os

from tuiface.commands.session import Commands, emit
from tuiface.errors import EXIT_DONE, UsageError

EXAMPLE = """\
examples:
  tuiface bench synthesis                    one 1024 px picture: the engine beside a textbook forward pass
  tuiface bench synthesis --resolution 256
  tuiface bench open                         opening a full-size network
  tuiface bench start                        --help, first paint, first face
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command and its measurements."""
    parser = commands.add_parser(
        "bench",
        parents=[common],
        help="measure speed on this machine",
        description="Measure speed on this machine; docs/performance.md explains the figures.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    synthesis = kinds.add_parser(
        "synthesis", parents=[common], help="time of one picture", epilog="example: tuiface bench synthesis"
    )
    synthesis.add_argument("--resolution", type=int, default=1024, metavar="PX", help="default: 1024")
    synthesis.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    synthesis.set_defaults(run=run_synthesis)
    opening = kinds.add_parser(
        "open", parents=[common], help="time to open a network", epilog="example: tuiface bench open"
    )
    opening.set_defaults(run=run_open)
    start = kinds.add_parser(
        "start", parents=[common], help="time to first paint and first face", epilog="example: tuiface bench start"
    )
    start.set_defaults(run=run_start)


def run_synthesis(args: argparse.Namespace) -> int:
    """The engine's variants beside each other."""
    from tuiface.benchmarks.synthesis import VARIANTS, measure

    accepted = (8, 16, 32, 64, 128, 256, 512, 1024)
    if args.resolution not in accepted:
        raise UsageError(f"--resolution {args.resolution}; accepted: {', '.join(map(str, accepted))}")
    threads = getattr(args, "threads", None) or len(os.sched_getaffinity(0))
    result = measure(args.resolution, threads, rounds=max(1, args.rounds))
    engine = result["engine"]["median_ms"]
    for variant in VARIANTS:
        row = result[variant]
        ratio = row["median_ms"] / engine
        emit(
            args,
            f"{variant:<28} {row['median_ms']:8.1f} ms   {ratio:5.2f} x   {row['resident_mb']:6.0f} MB",
            variant=variant,
            resolution=args.resolution,
            threads=threads,
            ratio=round(ratio, 3),
            **row,
        )
    peak = result["peak"]
    text = f"bare convolutions: {peak['gflops']:.0f} GFLOP/s, a floor of {peak['floor_ms']:.0f} ms"
    emit(args, text, variant="floor", **peak)
    return EXIT_DONE


def run_open(args: argparse.Namespace) -> int:
    """Seconds to write, parse and open a 1024 px network."""
    from tuiface.benchmarks.opening import measure

    result = measure()
    emit(args, "  ".join(f"{key} {value:.3f}" for key, value in result.items()), **result)
    return EXIT_DONE


def run_start(args: argparse.Namespace) -> int:
    """Milliseconds that a user waits."""
    from tuiface.benchmarks.startup import measure

    result = measure()
    emit(args, "  ".join(f"{key} {value:.0f}" for key, value in result.items()), **result)
    return EXIT_DONE
