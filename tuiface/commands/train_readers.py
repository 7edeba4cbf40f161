"""`tuiface train segmenter` and `tuiface train attributes`: the small networks that read pictures of faces."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuiface.commands.session import emit, note
from tuiface.errors import EXIT_DONE, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from tuiface.engine.training.reader_settings import ReaderSettings
    from tuiface.engine.training.reader_start import ReaderStart

_READERS: dict[Literal["segmenter", "attributes"], str] = {
    "segmenter": "train the network that finds hair, skin, eyes and the other regions",
    "attributes": "train the network that reads age, smile, yaw, hair length and the rest",
}


def add_reader_parsers(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Describe both commands below `train`."""
    kinds = parser.add_subparsers(dest="reader", metavar="READER", title="readers of pictures")
    for kind, about in _READERS.items():
        reader = kinds.add_parser(
            kind,
            parents=[common],
            help=about,
            description=f"{about.capitalize()} from rendered heads. Ctrl-C ends early with what was learned so far.",
            epilog=f"example: tuiface train {kind} --out runs/{kind}",
        )
        reader.add_argument("--out", required=True, metavar="DIR", help="folder of the reader, its log and its sheet")
        reader.add_argument(
            "--from", dest="start", metavar="FILE", help="train a reader further, without normalisation"
        )
        reader.add_argument("--kimg", type=float, metavar="N", help="thousands of pictures to train on")
        reader.add_argument("--minutes", type=float, metavar="M", help="end early, after M minutes")
        reader.add_argument("--heads", type=int, metavar="N", help="heads to render in all; default: 20480")
        reader.add_argument(
            "--population", type=int, metavar="N", help="seed of the heads; with --from, others than before; default: 0"
        )
        reader.add_argument("--workers", type=int, metavar="N", help="processes that render heads; default: 1")
        reader.add_argument("--cache", metavar="DIR", help="rendered heads, shared by runs; default: DIR/heads")
        reader.add_argument("--batch", type=int, metavar="N", help="default: 48")
        reader.add_argument("--rate", type=float, metavar="X", help="learning rate at its highest; default: 0.003")
        reader.add_argument("--seed", type=int, metavar="N", help="of the weights and of every draw; default: 0")
        reader.add_argument("--precision", choices=("auto", "float32", "bfloat16"), help="default: the faster here")
        reader.add_argument("--name", metavar="TEXT", help="name recorded in the reader; default: the folder's")
        reader.add_argument("--licence", metavar="TEXT", help="licence recorded in the reader")
        reader.set_defaults(run=run_reader, kind=kind)


def run_reader(args: argparse.Namespace) -> int:
    """Train a reader; exit code 130 after Ctrl-C, with the reader written all the same."""
    from tuiface.engine.allocator import keep_freed_memory

    keep_freed_memory()
    from tuiface.engine.local import choose_device
    from tuiface.engine.training import run_limits
    from tuiface.engine.training.reader_start import open_reader_start
    from tuiface.engine.training.reader_training import train_reader

    given = {
        "out": Path(args.out),
        "minutes": args.minutes,
        "threads": getattr(args, "threads", None),
        "workers": args.workers,
        "cache": Path(args.cache) if args.cache else None,
        "device": str(choose_device(getattr(args, "device", "auto"))),
    }
    limits = run_limits({name: value for name, value in given.items() if value is not None})
    start = open_reader_start(Path(args.start), args.kind) if args.start else None
    outcome = train_reader(_settings(args, limits.device, start), limits, start)
    figures = outcome.card.figures
    first = "  ".join(f"{name} {value:g}" for name, value in list(figures.items())[:3])
    emit(args, f"{outcome.path}  {first}", reader=str(outcome.path), figures=figures, interrupted=outcome.interrupted)
    return EXIT_INTERRUPTED if outcome.interrupted else EXIT_DONE


def _settings(args: argparse.Namespace, device: str, start: ReaderStart | None) -> ReaderSettings:
    from tuiface.engine.training import choose_precision
    from tuiface.engine.training.reader_settings import recommended_reader

    changes = {
        "kimg": args.kimg,
        "num_heads": args.heads,
        "population": args.population,
        "batch": args.batch,
        "learning_rate": args.rate,
        "start": None if start is None else start.sha256,
        "seed": args.seed,
        "licence": args.licence,
        "name": args.name or Path(args.out).name,
        "precision": None if args.precision == "auto" else args.precision,
    }
    settings = recommended_reader(args.kind, {name: value for name, value in changes.items() if value is not None})
    if args.precision in (None, "auto"):
        settings = settings.model_copy(update={"precision": choose_precision(settings.heads(), device)})
        note(f"precision {settings.precision}: the faster one here")
    return settings
