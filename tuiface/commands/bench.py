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
  tuiface bench train                        pictures a second of training, float32 beside bfloat16
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
    train = kinds.add_parser(
        "train", parents=[common], help="pictures a second of training", epilog="example: tuiface bench train"
    )
    train.add_argument("--resolution", type=int, default=128, metavar="PX", help="default: 128")
    train.add_argument("--batch", type=int, default=16, metavar="N", help="default: 16")
    train.set_defaults(run=run_train)


def run_synthesis(args: argparse.Namespace) -> int:
    """The engine's variants beside each other."""
    from tuiface.benchmarks.synthesis import VARIANTS, measure

    _check_resolution(args.resolution)
    threads = _threads(args)
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


def run_train(args: argparse.Namespace) -> int:
    """Pictures a second of the adversarial and the regression stage, in both precisions."""
    from tuiface.benchmarks.training import measure

    _check_resolution(args.resolution)
    for precision, row in measure(args.resolution, _threads(args), batch=args.batch).items():
        text = "  ".join(f"{key} {value:.1f}" for key, value in row.items())
        emit(args, f"{precision:<10} {text}", precision=precision, resolution=args.resolution, **row)
    return EXIT_DONE


def _check_resolution(resolution: int) -> None:
    accepted = (8, 16, 32, 64, 128, 256, 512, 1024)
    if resolution not in accepted:
        raise UsageError(f"--resolution {resolution}; accepted: {', '.join(map(str, accepted))}")


def _threads(args: argparse.Namespace) -> int:
    return getattr(args, "threads", None) or len(os.sched_getaffinity(0))
