"""`tuiface dataset`: training sets; so far rendered heads with their labels."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.output import emit
from tuiface.core.argument_types import one_of, parse_path, whole_number
from tuiface.core.console import print_over
from tuiface.core.errors import EXIT_DONE
from tuiface.core.limits import HEAD_SIDES_PX, MAX_EXACT_INTEGER, MAX_HEADS

EXAMPLE = """\
example:
  tuiface dataset heads --count 1000 --size 128 --out heads/ --sheet
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command and its actions."""
    parser = commands.add_parser(
        "dataset",
        parents=[common],
        help="make training sets of rendered heads",
        description="Make training sets. Rendered heads show nobody: no photo of a person goes into them.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    heads = actions.add_parser(
        "heads",
        parents=[common],
        help="render labelled head portraits",
        description="Render labelled head portraits: on a GPU, or on every core of the CPU. "
        "Both give the same heads, up to rounding.",
        epilog="example: tuiface dataset heads --count 1000 --out heads/",
    )
    heads.add_argument("--count", type=whole_number(1, MAX_HEADS), required=True, metavar="N", help="how many heads")
    heads.add_argument(
        "--out", type=parse_path, required=True, metavar="DIR", help="new folder: pictures, region maps, labels"
    )
    heads.add_argument(
        "--size", type=one_of(*HEAD_SIDES_PX), default=128, metavar="PX", help="side of a picture; default: 128"
    )
    heads.add_argument(
        "--seed",
        type=whole_number(0, MAX_EXACT_INTEGER),
        default=0,
        metavar="N",
        help="number of the population; default: 0",
    )
    heads.add_argument(
        "--sheet", action="store_true", help="also write sheet.png and sheet-regions.png of the first 48 into DIR"
    )
    heads.set_defaults(run=run_heads)


def run_heads(args: argparse.Namespace) -> int:
    """Render a folder of heads; it appears when it is complete."""
    import torch

    from tuiface.engine.cuda.recording import CudaRecorder
    from tuiface.engine.device import choose_device, keep_freed_memory
    from tuiface.heads import HeadRenderer, write_dataset

    settings = settings_from(args)
    device = choose_device(settings.device)
    torch.set_num_threads(1)  # the operators are many and small: a second thread mostly waits, a second process works
    processes = settings.threads or len(os.sched_getaffinity(0))
    renderer = None if device.type == "cpu" else HeadRenderer(args.size, device, CudaRecorder(device))
    out = Path(args.out)
    write_dataset(
        out,
        args.count,
        args.size,
        args.seed,
        sheet=args.sheet,
        renderer=renderer,
        processes=processes,
        prepare=keep_freed_memory,
        progress=_print_progress,
    )
    notice = renderer.notice if renderer is not None else ""
    told = f"{args.count} heads in {out}" + (f"; note: {notice}" if notice else "")
    emit(args, told, out=str(out), count=args.count, size=args.size, seed=args.seed, device=device.type)
    return EXIT_DONE


def _print_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print_over(f"{done} of {total} heads", end="\n" if done == total else "")
