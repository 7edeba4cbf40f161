"""`tuiface train`: train a StyleGAN2 network on procedural heads or on pictures.

`train segmenter` and `train attributes` train the small networks that read pictures of faces.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuiface.commands.arguments import Commands
from tuiface.commands.output import emit, note
from tuiface.core.argument_types import one_of, parse_name, parse_path, parse_text, real_number, whole_number
from tuiface.core.errors import EXIT_DONE, EXIT_INTERRUPTED, EngineError, OutputError, UsageError, quote
from tuiface.core.limits import HEAD_SIDES_PX, MAX_BATCH, MAX_EXACT_INTEGER, MAX_WORKERS, NETWORK_SIDES_PX
from tuiface.core.visible import escape_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from tuiface.engine.training import RunLimits, TrainingOutcome, TrainingSettings, WarmStart
    from tuiface.engine.training.predictors.settings import PredictorSettings, PredictorWarmStart
    from tuiface.engine.training.ranks import RankPlace, Ranks

MAX_LENGTH = 1e6
"""Of a training, in thousands of pictures or in minutes."""
MAX_TRAINING_HEADS = 10_000_000
"""Heads that one training has rendered for it."""
MAX_GAMMA = 1e6
READER_SIDES_PX = (128, 256)
MAX_GPUS = 64
"""Of one machine."""

EXAMPLE = """\
examples:
  tuiface train --data heads --res 64 --out runs/heads64 --minutes 60
  tuiface train --resume runs/heads64                               exactly where it stopped
  tuiface train --data heads --res 128 --from runs/heads64 --out runs/heads128
  tuiface train --data photos.zip --res 128 --mirror --out runs/photos --licence "all rights reserved"
  tuiface train --data photos.zip --res 256 --batch 64 --gpus 4 --out runs/photos256
  tuiface train segmenter --out runs/segmenter                      a reader of pictures instead of a generator

Ctrl-C saves a snapshot and stops. RUN/best.safetensors is the best network so far, RUN/samples/ its pictures.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "train",
        parents=[common],
        help="train a network on procedural heads or on pictures, or a reader of pictures",
        description="Train a StyleGAN2 network; resumable at any moment.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data", type=parse_path, metavar="heads|DIR|ZIP", help="procedural heads, or pictures of equal square size"
    )
    parser.add_argument(
        "--res", type=one_of(*NETWORK_SIDES_PX), metavar="PX", help="side of the network's pictures, 8 to 1024"
    )
    parser.add_argument("--out", type=parse_path, metavar="RUN", help="folder of the run")
    parser.add_argument("--resume", type=parse_path, metavar="RUN", help="go on with a run, exactly")
    parser.add_argument(
        "--from", type=parse_path, dest="start", metavar="FILE", help="begin from a run, or a network of PX or PX/2"
    )
    _add_limits(parser.add_argument_group("how long, and where"))
    _add_network(parser.add_argument_group("the network; recorded with the run"))
    parser.set_defaults(run=run)
    add_predictor_parsers(parser, common)


def _add_limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--kimg",
        type=real_number(0, MAX_LENGTH, above=True),
        metavar="N",
        help="thousands of pictures; default: 1000, or what was asked before",
    )
    group.add_argument(
        "--minutes", type=real_number(0, MAX_LENGTH, above=True), metavar="M", help="stop, resumably, after M minutes"
    )
    group.add_argument("--stage", choices=("paired", "all"), help="stop before the adversarial stage; default: all")
    group.add_argument(
        "--gpus",
        type=whole_number(1, MAX_GPUS),
        metavar="N",
        help="share each batch among N GPUs, a process each (with --device cpu: N processes); default: 1",
    )
    group.add_argument(
        "--workers",
        type=whole_number(0, MAX_WORKERS),
        metavar="N",
        help="processes that render heads; a GPU renders them in one; default: 1",
    )
    group.add_argument(
        "--cache", type=parse_path, metavar="DIR", help="rendered heads, shared by runs; default: RUN/heads"
    )
    group.add_argument("--half", action="store_true", help="write the model in half precision")


def _add_network(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--batch", type=whole_number(2, MAX_BATCH), metavar="N", help="default: 32")
    group.add_argument(
        "--gamma",
        type=real_number(0, MAX_GAMMA, above=True),
        metavar="X",
        help="weight of R1; default: 0.0002 PX^2 / batch, for heads 1",
    )
    group.add_argument(
        "--channel-base",
        type=whole_number(64, 65_536),
        metavar="N",
        help="channels at r px: N / r; default: 2048, for heads 4096",
    )
    group.add_argument(
        "--channel-max", type=whole_number(8, 1024), metavar="N", help="and at most N; default: 128, for heads 192"
    )
    group.add_argument(
        "--seed",
        type=whole_number(0, MAX_EXACT_INTEGER),
        metavar="N",
        help="of the weights and of every draw; default: 0",
    )
    group.add_argument(
        "--heads",
        type=whole_number(1024, MAX_TRAINING_HEADS),
        metavar="N",
        help="heads to render in all; default: 50176",
    )
    group.add_argument(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show every picture mirrored too; default: heads yes, pictures no",
    )
    group.add_argument("--no-paired", action="store_true", help="heads: leave out the paired start")
    group.add_argument(
        "--precision",
        choices=("auto", "float32", "tf32", "bfloat16"),
        help="tf32: float32 whose products a GPU rounds; default: auto, the faster here",
    )
    group.add_argument(
        "--name", type=parse_name, metavar="TEXT", help="name recorded in the model; default: the run folder's"
    )
    group.add_argument("--licence", type=parse_text, metavar="TEXT", help="licence recorded in the model")


def run(args: argparse.Namespace) -> int:
    """Train until done, out of time or interrupted; exit code 130 for the last."""
    if args.data == "heads" and args.res not in (None, *HEAD_SIDES_PX):
        sides = ", ".join(map(str, HEAD_SIDES_PX))
        raise UsageError(f"--res {args.res} with --data heads; accepted: {sides}, at which heads are rendered")
    out = _find_out(args)
    outcome = _train_on_gpus(args) if (args.gpus or 1) > 1 else train_rank(_place_of_torchrun(), args)
    if outcome is None:  # of a process that torchrun started beside the one that reports
        return EXIT_DONE
    if not outcome.finished:
        note(f"not finished; go on with: tuiface train --resume {out}")
    best = out / "best.safetensors"
    text = f"{best}" if best.exists() else f"{out}"
    emit(args, text, run=str(out), best=str(best) if best.exists() else None, **outcome.to_json())
    return EXIT_INTERRUPTED if outcome.interrupted else EXIT_DONE


def _find_out(args: argparse.Namespace) -> Path:
    """The run's folder."""
    if args.resume and (args.out or args.start):
        raise UsageError("--resume goes on in its own folder, with its own networks", "leave out --out and --from")
    out = args.resume or args.out
    if not out:
        raise UsageError("--out is missing: the folder of the run", "tuiface train --help shows examples")
    return Path(out)


def _train_on_gpus(args: argparse.Namespace) -> TrainingOutcome | None:
    """Train in a process a GPU, started here; the outcome that rank 0 gave."""
    from tuiface.commands.rank_processes import run_ranks

    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise UsageError(f"--gpus {args.gpus} under torchrun, which starts the processes itself", "leave out --gpus")
    with tempfile.TemporaryDirectory(prefix="tuiface-ranks-") as meeting:
        return run_ranks(_train_started_rank, args.gpus, args, Path(meeting) / "ranks")


def _train_started_rank(rank: int, args: argparse.Namespace, meeting: Path) -> TrainingOutcome | None:
    from tuiface.engine.training.ranks import RankPlace

    return train_rank(RankPlace(rank, args.gpus, rank, args.gpus, meeting), args)


def _place_of_torchrun() -> RankPlace | None:
    from tuiface.engine.training.ranks import RankPlace

    return RankPlace.from_environment(os.environ)


def train_rank(place: RankPlace | None, args: argparse.Namespace) -> TrainingOutcome | None:
    """Train in this process, as the rank at `place` or alone; the outcome, from the process that reports."""
    from tuiface.engine.device import keep_freed_memory

    keep_freed_memory()
    from tuiface.engine.training import SNAPSHOT_NAME, open_warm_start, train
    from tuiface.engine.training.ranks import join_ranks

    device = _choose_rank_device(place, args)
    with join_ranks(place, device) as ranks:
        limits = _build_limits(args, ranks.make_in_turn(lambda: _prepare_device(device, tell=ranks.leads)), place)
        resume = limits.out / SNAPSHOT_NAME if args.resume else None
        start = ranks.make_in_turn(lambda: open_warm_start(Path(args.start))) if args.start else None
        settings = _share_settings(ranks, lambda: _choose_settings(args, limits, start, ranks))
        outcome = train(settings, limits, resume=resume, start=start, ranks=ranks)
    return outcome if ranks.leads else None


def _share_settings(ranks: Ranks, choose: Callable[[], TrainingSettings]) -> TrainingSettings:
    """What rank 0 chooses: a precision that each measured by itself might differ."""
    from tuiface.core.values import parse_json
    from tuiface.engine.training import TrainingSettings

    chosen = ranks.share(choose().canonical_json() if ranks.leads else b"")
    return parse_json(TrainingSettings, chosen, "settings")


def _build_limits(args: argparse.Namespace, device: str, place: RankPlace | None) -> RunLimits:
    from tuiface.engine.training import build_run_limits

    threads = getattr(args, "threads", None)
    if threads is None and place is not None:  # by default each takes all processors
        threads = max(len(os.sched_getaffinity(0)) // place.local_count, 1)
    given = {
        "out": _find_out(args),
        "kimg": args.kimg or _read_resumed_kimg(args),
        "minutes": args.minutes,
        "stage": args.stage,
        "threads": threads,
        "workers": args.workers,
        "cache": Path(args.cache) if args.cache else None,
        "model_precision": "float16" if args.half else None,
        "device": device,
    }
    return build_run_limits({name: value for name, value in given.items() if value is not None})


def _read_resumed_kimg(args: argparse.Namespace) -> float | None:
    """How long the run that goes on was to be."""
    from tuiface.engine.training import SNAPSHOT_NAME, read_snapshot_header

    return read_snapshot_header(Path(args.resume) / SNAPSHOT_NAME)[1].kimg if args.resume else None


def _choose_rank_device(place: RankPlace | None, args: argparse.Namespace) -> torch.device:
    """The device of this process: of several, each has the GPU of its number, or all share the processor."""
    import torch

    from tuiface.engine.device import choose_device

    wanted = getattr(args, "device", "auto")
    if place is None:
        return choose_device(wanted)
    found = torch.cuda.device_count()
    if wanted != "cpu" and place.local_count > found:
        raise EngineError(
            f"{place.local_count} processes train here, a GPU each, and {found} CUDA devices are visible",
            f"--gpus {found}" if found else "with --device cpu they share the processor",
        )
    device = choose_device(wanted, place.local_rank)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def _prepare_device(device: torch.device, *, tell: bool) -> str:
    """The name of a device to train on, with our kernels loaded where it is a GPU."""
    from tuiface.core.settings import load_settings
    from tuiface.engine.cuda.loaded import choose_operators

    _, notices = choose_operators(device, load_settings({}).cache)
    for notice in notices if tell else ():
        note(f"note: {notice}")
    return str(device)


def _choose_settings(
    args: argparse.Namespace, limits: RunLimits, start: WarmStart | None, ranks: Ranks
) -> TrainingSettings:
    from tuiface.engine.training import SNAPSHOT_NAME

    if args.resume:
        return _read_resumed_settings(args, limits.out / SNAPSHOT_NAME)
    return _choose_new_settings(args, limits, start, ranks)


def _choose_new_settings(
    args: argparse.Namespace, limits: RunLimits, start: WarmStart | None, ranks: Ranks
) -> TrainingSettings:
    from tuiface.engine.training import SNAPSHOT_NAME, choose_precision, recommend_settings

    if (limits.out / SNAPSHOT_NAME).exists():
        raise OutputError(
            f"there is a run in {quote(limits.out)} already", f"tuiface train --resume {limits.out}, or another --out"
        )
    if not args.data or not args.res:
        raise UsageError("--data and --res are needed for a new run", "tuiface train --help shows examples")
    changes = {"name": escape_bytes(limits.out.name), **_collect_changes(args)}
    settings = recommend_settings(args.data, args.res, paired=not args.no_paired, start=start, changes=changes)
    share = settings.model_copy(update={"batch": ranks.share_of(settings.batch)})
    if args.precision in (None, "auto"):
        settings = settings.model_copy(update={"precision": choose_precision(share, limits.device)})
        note(f"precision {settings.precision}: the faster one here")
    return settings


def _read_resumed_settings(args: argparse.Namespace, snapshot: Path) -> TrainingSettings:
    """The run's own settings with the flags of this call on top: where they differ, the snapshot is refused."""
    from tuiface.engine.training import override_settings, read_snapshot_header

    settings, _ = read_snapshot_header(snapshot)
    return override_settings(settings, _collect_changes(args))


def _collect_changes(args: argparse.Namespace) -> dict[str, object]:
    """Settings that flags name, by their path."""
    given = {
        "data": args.data if args.data in (None, "heads") else os.path.realpath(args.data),
        "resolution": args.res,
        "batch": args.batch,
        "adversarial.gamma": args.gamma,
        "network.channel_base": args.channel_base,
        "network.channel_max": args.channel_max,
        "seed": args.seed,
        "num_heads": args.heads,
        "mirror": args.mirror,
        "name": args.name,
        "licence": args.licence,
        "precision": None if args.precision == "auto" else args.precision,
    }
    return {path: value for path, value in given.items() if value is not None}


_PREDICTORS: dict[Literal["segmenter", "attributes"], str] = {
    "segmenter": "train the network that finds hair, skin, eyes and the other regions",
    "attributes": "train the network that reads age, smile, yaw, hair length and the rest",
}


def add_predictor_parsers(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Describe both commands below `train`."""
    kinds = parser.add_subparsers(dest="reader", metavar="READER", title="readers of pictures")
    for kind, about in _PREDICTORS.items():
        _add_predictor(kinds, common, kind, about)


def _add_predictor(
    kinds: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser, kind: str, about: str
) -> None:
    parser = kinds.add_parser(
        kind,
        parents=[common],
        help=about,
        description=f"{about.capitalize()} from rendered heads. Ctrl-C ends early with what was learned so far.",
        epilog=f"example: tuiface train {kind} --out runs/{kind}",
    )
    parser.add_argument(
        "--out", type=parse_path, required=True, metavar="DIR", help="folder of the reader, its log and its sheet"
    )
    parser.add_argument(
        "--from",
        type=parse_path,
        dest="start",
        metavar="FILE",
        help="train a reader further, without normalisation",
    )
    parser.add_argument(
        "--kimg", type=real_number(0, MAX_LENGTH, above=True), metavar="N", help="thousands of pictures to train on"
    )
    parser.add_argument(
        "--minutes", type=real_number(0, MAX_LENGTH, above=True), metavar="M", help="end early, after M minutes"
    )
    parser.add_argument(
        "--heads",
        type=whole_number(1024, MAX_TRAINING_HEADS),
        metavar="N",
        help="heads to render in all; default: 20480",
    )
    parser.add_argument(
        "--population",
        type=whole_number(0, MAX_EXACT_INTEGER),
        metavar="N",
        help="seed of the heads; with --from, others than before; default: 0",
    )
    parser.add_argument(
        "--workers",
        type=whole_number(0, MAX_WORKERS),
        metavar="N",
        help="processes that render heads; a GPU renders them in one; default: 1",
    )
    parser.add_argument(
        "--cache", type=parse_path, metavar="DIR", help="rendered heads, shared by runs; default: DIR/heads"
    )
    _add_recorded(parser)
    parser.set_defaults(run=run_predictor, kind=kind)


def _add_recorded(parser: argparse.ArgumentParser) -> None:
    """What the reader is trained with, and its names; recorded in it."""
    parser.add_argument(
        "--res",
        type=one_of(*READER_SIDES_PX),
        metavar="PX",
        help="side at which pictures are read, 128 or 256; default: 128, or that of --from",
    )
    parser.add_argument("--batch", type=whole_number(2, MAX_BATCH), metavar="N", help="default: 48")
    parser.add_argument(
        "--rate",
        type=real_number(0, 1, above=True),
        metavar="X",
        help="learning rate at its highest; default: 0.003",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, MAX_EXACT_INTEGER),
        metavar="N",
        help="of the weights and of every draw; default: 0",
    )
    parser.add_argument("--precision", choices=("auto", "float32", "tf32", "bfloat16"), help="default: the faster here")
    parser.add_argument(
        "--name", type=parse_name, metavar="TEXT", help="name recorded in the reader; default: the folder's"
    )
    parser.add_argument("--licence", type=parse_text, metavar="TEXT", help="licence recorded in the reader")


def run_predictor(args: argparse.Namespace) -> int:
    """Train a reader; exit code 130 after Ctrl-C, with the reader written all the same."""
    from tuiface.engine.device import choose_device, keep_freed_memory

    keep_freed_memory()
    from tuiface.engine.training import build_run_limits
    from tuiface.engine.training.predictors.settings import open_predictor_warm_start
    from tuiface.engine.training.predictors.training import train_predictor

    given = {
        "out": Path(args.out),
        "minutes": args.minutes,
        "threads": getattr(args, "threads", None),
        "workers": args.workers,
        "cache": Path(args.cache) if args.cache else None,
        "device": _prepare_device(choose_device(getattr(args, "device", "auto")), tell=True),
    }
    limits = build_run_limits({name: value for name, value in given.items() if value is not None})
    start = open_predictor_warm_start(Path(args.start), args.kind) if args.start else None
    outcome = train_predictor(_choose_predictor_settings(args, limits.device, start), limits, start)
    figures = outcome.card.figures
    first = "  ".join(f"{name} {value:g}" for name, value in list(figures.items())[:3])
    emit(args, f"{outcome.path}  {first}", reader=str(outcome.path), figures=figures, interrupted=outcome.interrupted)
    return EXIT_INTERRUPTED if outcome.interrupted else EXIT_DONE


def _choose_predictor_settings(
    args: argparse.Namespace, device: str, start: PredictorWarmStart | None
) -> PredictorSettings:
    from tuiface.engine.training import choose_precision
    from tuiface.engine.training.predictors.settings import recommend_predictor_settings

    changes = {
        "kimg": args.kimg,
        "num_heads": args.heads,
        "population": args.population,
        "resolution": args.res or (None if start is None else start.card.resolution),
        "batch": args.batch,
        "learning_rate": args.rate,
        "start": None if start is None else start.sha256,
        "seed": args.seed,
        "licence": args.licence,
        "name": args.name or escape_bytes(Path(args.out).name),
        "precision": None if args.precision == "auto" else args.precision,
    }
    settings = recommend_predictor_settings(
        args.kind, {name: value for name, value in changes.items() if value is not None}
    )
    if args.precision in (None, "auto"):
        settings = settings.model_copy(update={"precision": choose_precision(settings.heads(), device)})
        note(f"precision {settings.precision}: the faster one here")
    return settings
