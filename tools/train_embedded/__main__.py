"""Make the embedded faces, from heads to cards, in parts of some minutes each.

    python -m tools.train_embedded --minutes 9 --out DIR                  begin, or go on with what is in DIR
    python -m tools.train_embedded --minutes 9 --out DIR --from OTHER     take up the pieces of another folder
    python -m tools.train_embedded --minutes 480 --out DIR --res 128      a night on two cores

Each call does what fits into its minutes, leaves state.json and pieces of at most 16 MiB, and says what comes next.
What is to ship lies in DIR/assets and DIR/docs in the end; look at it before it replaces anything.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tools.train_embedded.plan import standard_plan, trial_plan
from tools.train_embedded.stages import STAGES, Workshop
from tools.train_embedded.work import STATE_NAME, Work
from tuiface.commands.output import note
from tuiface.core.argument_types import one_of, parse_path, real_number, whole_number
from tuiface.core.errors import EXIT_DONE, EXIT_INTERRUPTED, TuifaceError, UsageError, quote
from tuiface.core.limits import MAX_WORKERS
from tuiface.engine.device import choose_device, keep_freed_memory

MAX_MINUTES = 1e5
RESERVE_SHARE, MAX_RESERVE_S = 0.1, 30.0
"""Of the time: kept for the pieces."""
SIDES_PX = (128, 256)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.train_embedded", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=real_number(0, MAX_MINUTES, above=True), required=True, metavar="M")
    parser.add_argument("--out", type=parse_path, required=True, metavar="DIR", help="folder of the work")
    parser.add_argument("--from", type=parse_path, dest="source", metavar="DIR", help="another one, to be taken up")
    parser.add_argument("--res", type=one_of(*SIDES_PX), metavar="PX", help="of a new work; default: 256 on a GPU, 128")
    parser.add_argument("--trial", action="store_true", help="a new work of tiny networks: the whole way in a minute")
    parser.add_argument("--heads", type=parse_path, metavar="DIR", help="rendered heads; default: DIR/heads")
    parser.add_argument("--workers", type=whole_number(0, MAX_WORKERS), default=1, metavar="N", help="render heads")
    parser.add_argument("--threads", type=whole_number(1, 1024), default=0, metavar="N", help="default: all")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Do a part; exit code 130 where a signal ended it."""
    args = build_parser().parse_args(arguments)
    try:
        return run(args)
    except TuifaceError as error:
        note(f"train_embedded: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        return error.exit_code


def run(args: argparse.Namespace) -> int:
    """Stage after stage until the time is over."""
    began = time.monotonic()
    seconds = 60 * args.minutes
    keep_freed_memory()
    device = str(choose_device(args.device))
    work = open_work(args, device)
    shop = Workshop(
        work=work,
        device=device,
        heads=Path(args.heads) if args.heads else work.folder / "heads",
        deadline=began + seconds - min(RESERVE_SHARE * seconds, MAX_RESERVE_S),
        workers=args.workers,
        threads=args.threads,
        note=note,
    )
    code = EXIT_DONE
    try:
        while work.state.next is not None and shop.seconds > 0:
            if not run_stage(shop):
                code = EXIT_INTERRUPTED if shop.seconds > 1 else EXIT_DONE
                break
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    work.save()
    note(work.describe_next())
    if work.state.next is not None:
        heads = f" --heads {args.heads}" if args.heads else ""
        note(f"go on with: python -m tools.train_embedded --minutes {args.minutes:g} --out {work.folder}{heads}")
    return code


def run_stage(shop: Workshop) -> bool:
    """Do what there is time for of the next stage; whether it is done."""
    name = shop.work.state.next
    assert name is not None
    note(shop.work.describe_next())
    began = time.monotonic()
    part = STAGES[name](shop)
    shop.work.note_stage(name, done=part.done, share=part.share, seconds=time.monotonic() - began)
    return part.done


def open_work(args: argparse.Namespace, device: str) -> Work:
    """The work in --out, that of --from, or a new one; raises UsageError where flags do not fit one that is there."""
    folder = Path(args.out)
    if args.source is not None:
        work = Work.take_up(Path(args.source), folder)
    elif (folder / STATE_NAME).exists():
        work = Work.open(folder)
    else:
        side = args.res or (128 if device == "cpu" else 256)
        return Work.begin(folder, trial_plan() if args.trial else standard_plan(side, device))
    plan = work.plan
    if args.trial and plan.name != "trial":
        raise UsageError(f"--trial, and {quote(folder)} holds '{plan.name}'", "leave it out, or give another --out")
    if args.res not in (None, plan.faces.resolution):
        raise UsageError(
            f"--res {args.res}, and {quote(folder)} is of {plan.faces.resolution} px",
            "leave it out, or give another --out",
        )
    return work


if __name__ == "__main__":
    sys.exit(main())
