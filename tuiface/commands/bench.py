"""`tuiface bench`: measure this machine, in ratios rather than in promises, and what a network is worth.

`bench edit` says whether edits, locks and learning keep their promises on a network, `bench quality` how its faces
compare with held-out ones.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.catalogue import open_catalogue
from tuiface.commands.engine_access import refuse_resident
from tuiface.commands.output import emit, note
from tuiface.core.argument_types import one_of, parse_path, parse_seed, parse_text, whole_number
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, ModelError, UsageError, quote
from tuiface.core.limits import MAX_BATCH, MAX_DIRECTIONS, MAX_RENDERED, MAX_SEED, NETWORK_SIDES_PX

if TYPE_CHECKING:
    from tuiface.benchmarks.quality import Quality

MAX_ROUNDS = 1000
"""Pictures, or keys, that one figure may be the median of."""
PREDICTED_EVERY = 5
"""Of so many pairs of face and direction one is predicted too: that takes four locks at their own amounts."""
_MIN_FACES, _MAX_FACES = 8, 512
"""Of a comparison with rendered heads."""

EXAMPLE = """\
examples:
  tuiface bench synthesis                    one 1024 px picture: the engine beside a textbook forward pass
  tuiface bench synthesis --resolution 256
  tuiface bench open                         opening a full-size network
  tuiface bench start                        --help, first paint, first face
  tuiface bench tui                          from a key to the painted face, here and on a slow link
  tuiface bench gpu                          kernels on a card: right, exact, fast
  tuiface bench train                        pictures a second of training, float32 beside bfloat16
  tuiface bench edit --seeds 20              what edits, locks and answers are worth on this network
  tuiface bench quality --out report         a network's faces beside held-out rendered heads
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command and its measurements."""
    parser = commands.add_parser(
        "bench",
        parents=[common],
        help="measure speed on this machine, or the quality of a network",
        description="Measure speed on this machine, or the quality of a network; docs/performance.md explains the "
        "figures.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    for add in (add_synthesis, add_open, add_start, add_tui, add_train, add_gpu, add_edit, add_quality):
        add(kinds, common)


def add_synthesis(kinds: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the measurement."""
    parser = kinds.add_parser(
        "synthesis", parents=[common], help="time of one picture", epilog="example: tuiface bench synthesis"
    )
    parser.add_argument(
        "--resolution", type=one_of(*NETWORK_SIDES_PX), default=1024, metavar="PX", help="default: 1024"
    )
    parser.add_argument("--rounds", type=whole_number(1, MAX_ROUNDS), default=3, metavar="N", help="default: 3")
    parser.add_argument(
        "--against",
        type=parse_path,
        metavar="ADAPTER",
        help="beside another implementation on --model's network: an adapter, which is run (docs/performance.md)",
    )
    parser.set_defaults(run=run_synthesis)


def run_synthesis(args: argparse.Namespace) -> int:
    """The engine's variants beside each other."""
    from tuiface.benchmarks.synthesis import VARIANTS, measure

    if args.against:
        return _compare_synthesis(args)
    threads = _threads(args)
    result = measure(args.resolution, threads, rounds=args.rounds)
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


def _compare_synthesis(args: argparse.Namespace) -> int:
    """Ours beside the adapter's, on the settings' network and device."""
    settings = settings_from(args)
    refuse_resident(settings, "bench synthesis --against")
    from dataclasses import asdict

    from tuiface.benchmarks.against import compare, load_adapter
    from tuiface.core.assets import embedded_model_path
    from tuiface.engine.cuda.loaded import choose_operators
    from tuiface.engine.device import open_device
    from tuiface.engine.loading import load_checkpoint

    device = open_device(settings.device, settings.threads)
    kernels, _ = choose_operators(device, settings.cache)
    path = settings.model or embedded_model_path()
    theirs = load_adapter(Path(args.against), path, str(device))
    generator = load_checkpoint(path, str(device), settings.cache).generator
    found = compare(generator, theirs, args.rounds * 5)
    text = (
        f"ours {found.ours_ms:.1f} ms ({kernels}), theirs {found.theirs_ms:.1f} ms: {found.ratio:.2f} x; "
        f"pictures differ by at most {found.max_levels} of 255, in {found.differing_percent:.3f} % of values"
    )
    emit(args, text, device=str(device), kernels=kernels, **asdict(found))
    return EXIT_DONE


def add_open(kinds: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the measurement."""
    parser = kinds.add_parser(
        "open", parents=[common], help="time to open a network", epilog="example: tuiface bench open"
    )
    parser.set_defaults(run=run_open)


def run_open(args: argparse.Namespace) -> int:
    """Seconds to write, parse and open a 1024 px network; then those of the first opening of its pickle."""
    from tuiface.benchmarks.opening import measure, measure_first

    for result in (measure(), measure_first()):
        emit(args, "  ".join(f"{key} {value:.3f}" for key, value in result.items()), **result)
    return EXIT_DONE


def add_start(kinds: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the measurement."""
    parser = kinds.add_parser(
        "start", parents=[common], help="time to first paint and first face", epilog="example: tuiface bench start"
    )
    parser.set_defaults(run=run_start)


def run_start(args: argparse.Namespace) -> int:
    """Milliseconds that a user waits."""
    from tuiface.benchmarks.startup import measure

    result = measure()
    emit(args, "  ".join(f"{key} {value:.0f}" for key, value in result.items()), **result)
    return EXIT_DONE


def add_tui(kinds: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the measurement."""
    parser = kinds.add_parser(
        "tui", parents=[common], help="time from a key to the face", epilog="example: tuiface bench tui"
    )
    parser.add_argument("--rounds", type=whole_number(1, MAX_ROUNDS), default=50, metavar="N", help="default: 50")
    parser.set_defaults(run=run_tui)


def run_tui(args: argparse.Namespace) -> int:
    """What a user feels, a line each."""
    from tuiface.benchmarks.tui import measure

    for key, value in measure(args.rounds).items():
        emit(args, f"{key:<36} {value:8.1f}", **{key: value})
    return EXIT_DONE


def add_train(kinds: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the measurement."""
    parser = kinds.add_parser(
        "train", parents=[common], help="pictures a second of training", epilog="example: tuiface bench train"
    )
    parser.add_argument("--resolution", type=one_of(*NETWORK_SIDES_PX), default=128, metavar="PX", help="default: 128")
    parser.add_argument("--batch", type=whole_number(2, MAX_BATCH), default=16, metavar="N", help="default: 16")
    parser.add_argument(
        "--precision",
        choices=("both", "float32", "bfloat16"),
        default="both",
        help="default: both, which takes long where bfloat16 is emulated",
    )
    parser.set_defaults(run=run_train)


def run_train(args: argparse.Namespace) -> int:
    """Pictures a second of the adversarial and the regression stage, in both precisions or one."""
    from tuiface.benchmarks.training import PRECISIONS, measure

    precisions = PRECISIONS if args.precision == "both" else (args.precision,)
    for precision, row in measure(args.resolution, _threads(args), batch=args.batch, precisions=precisions).items():
        text = "  ".join(f"{key} {value:.1f}" for key, value in row.items())
        emit(args, f"{precision:<10} {text}", precision=precision, resolution=args.resolution, **row)
    return EXIT_DONE


def add_gpu(kinds: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the measurement."""
    parser = kinds.add_parser(
        "gpu",
        parents=[common],
        help="whether the CUDA kernels are right, exact and fast on this card",
        description="Check the CUDA kernels against the reference and digests across processes, and time pictures, "
        "faces, locks, training, heads, learning and each kernel, on networks of its own, in at most five minutes. The "
        "exit code says whether all checks passed; whether what is wanted of an H100 was reached is a column.",
        epilog="example: tuiface bench gpu --out gpu",
    )
    parser.add_argument(
        "--only",
        type=parse_text,
        metavar="SECTIONS",
        help="some sections, with commas; default: all, which are card, parity, digests, ceilings, synthesis, memory, "
        "faces, training, heads, learning, kernels",
    )
    parser.add_argument(
        "--out",
        type=parse_path,
        metavar="DIR",
        help="folder for the table (.md), the figures (.json) and a roofline (.png)",
    )
    parser.set_defaults(run=run_gpu)


def run_gpu(args: argparse.Namespace) -> int:
    """A line a row; exit code 1 where a check failed or was not made."""
    import time

    settings = settings_from(args)
    from tuiface.benchmarks.gpu.report import is_sound, row_line, row_values, write_report
    from tuiface.benchmarks.gpu.runner import measure
    from tuiface.benchmarks.gpu.sections import SECTION_NAMES

    only = args.only.split(",") if args.only else SECTION_NAMES
    for name in only:
        if name not in SECTION_NAMES:
            raise UsageError(f"--only {quote(name)}; accepted: {', '.join(SECTION_NAMES)}")
    begun, rows = time.perf_counter(), []
    for row in measure(settings, only=only):
        rows.append(row)
        emit(args, row_line(row), **row_values(row))
    if args.out:
        paths = write_report(Path(args.out), rows, time.perf_counter() - begun)
        note(f"written: {', '.join(map(str, paths))}")
    return EXIT_DONE if is_sound(rows) else EXIT_CHECK_FAILED


def add_edit(kinds: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the measurement."""
    parser = kinds.add_parser(
        "edit",
        parents=[common],
        help="frame variation of edits, free and locked; predictions; learning",
        description="Measure edits on this network: what locks hold, what predictions are worth, what answers teach.",
        epilog="example: tuiface bench edit --seeds 200",
    )
    parser.add_argument(
        "--seeds", type=whole_number(1, MAX_RENDERED), default=200, metavar="N", help="faces; default: 200"
    )
    parser.add_argument("--first", type=parse_seed, default=0, metavar="SEED", help="first face's seed; default: 0")
    parser.add_argument(
        "--names", type=parse_text, metavar="NAMES", help="directions, with commas; default: all of this network"
    )
    parser.add_argument(
        "--each",
        type=whole_number(1, MAX_DIRECTIONS),
        metavar="N",
        help="directions a face, in turn; default: all on every face",
    )
    parser.set_defaults(run=run_edit)


def run_edit(args: argparse.Namespace) -> int:
    """One line a figure."""
    if args.first + args.seeds - 1 > MAX_SEED:
        raise UsageError(f"--first {args.first} with --seeds {args.seeds}; accepted: seeds up to {MAX_SEED}")
    settings = settings_from(args)
    refuse_resident(settings, "bench edit")
    from tuiface.benchmarks import editing
    from tuiface.directions.concepts import direction_name
    from tuiface.engine.loading import open_engine

    engine = open_engine(settings)
    catalogue, model = open_catalogue(settings), engine.info().model
    predictor = engine.network.attributes
    read = {direction_name(name) for name in predictor.names}
    names = args.names.split(",") if args.names else [e.direction.name for e in catalogue.entries(model)]
    directions = [catalogue.find(name, model) for name in names if name in read]
    if not directions:
        raise ModelError(
            "this network has no direction that the reader knows", "tuiface directions learn --attributes all"
        )
    bench = editing.EditBench(engine, predictor, range(args.first, args.first + args.seeds))
    _emit_figures(args, "searches", **editing.time_searches(bench, directions[0]))
    locks, predictions = editing.LockMeasurement(), editing.PredictionMeasurement()
    each = min(args.each or len(directions), len(directions))
    for seed in bench.seeds:
        for pair in range(seed * each, (seed + 1) * each):
            direction = directions[pair % len(directions)]
            locks.add(bench, direction, seed)
            if pair % PREDICTED_EVERY == 0:
                predictions.add(bench, direction, seed)
        note(f"face {seed - args.first + 1} of {args.seeds}")
    found = {name: locks.figures(name) for name in locks.names}
    for name, figures in found.items():
        _emit_figures(args, "frame variation %", name=name, inner_face=name in editing.INNER_FACE, **figures)
    _emit_figures(
        args, "published ranking", **editing.check_ranking({name: one["free"] for name, one in found.items()})
    )
    if predictions.num_pairs:
        _emit_figures(args, "prediction", **predictions.figures())
    note("learning from 100 simulated answers, 5 % wrong")
    for row in editing.learning_figures(bench, directions):
        _emit_figures(args, "learning", **row)
    return EXIT_DONE


def _emit_figures(args: argparse.Namespace, figure: str, **values: object) -> None:
    emit(args, f"{figure:<18} " + "  ".join(f"{key} {value}" for key, value in values.items()), figure=figure, **values)


def add_quality(kinds: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the measurement."""
    parser = kinds.add_parser(
        "quality",
        parents=[common],
        help="a network's faces against held-out rendered heads",
        description="Compare faces at psi 1 with rendered heads: KID, precision, recall, diversity, attributes, beads "
        "along silhouettes, and what other noise makes of a face.",
        epilog="example: tuiface bench quality --model runs/heads128/best.safetensors --out report",
    )
    parser.add_argument(
        "--count",
        type=whole_number(_MIN_FACES, _MAX_FACES),
        default=512,
        metavar="N",
        help="faces, and as many heads; default: 512",
    )
    parser.add_argument(
        "--out", type=parse_path, default="quality", metavar="DIR", help="folder of the report; default: quality"
    )
    parser.add_argument(
        "--cache",
        type=parse_path,
        metavar="DIR",
        help="rendered heads, as of a run; made where absent; default: the user's cache",
    )
    parser.set_defaults(run=run_quality)


def run_quality(args: argparse.Namespace) -> int:
    """Figures, a sheet and histograms in a folder; the figures also line by line."""
    settings = settings_from(args)
    refuse_resident(settings, "bench quality")
    from tuiface.engine.device import keep_freed_memory

    keep_freed_memory()
    import torch

    from tuiface.benchmarks.quality import measure, write_report
    from tuiface.core.assets import embedded_model_path
    from tuiface.engine.loading import load_checkpoint
    from tuiface.engine.predictors import AttributePredictor, Segmenter

    torch.set_num_threads(_threads(args))
    checkpoint = load_checkpoint(settings.model or embedded_model_path(), cache=settings.cache)
    cache = Path(args.cache) if args.cache else settings.cache / "heads"
    quality = measure(checkpoint, AttributePredictor.load(), Segmenter.load(), args.count, cache, note)
    model = {"name": checkpoint.info.name, "sha256": checkpoint.info.network_sha256}
    report = write_report(Path(args.out), quality, model)
    if getattr(args, "json", False):
        emit(args, "", **report)
        return EXIT_DONE
    for kind, row in quality.generated.items():
        perfect = quality.rendered[kind]
        for name in ("kid", "precision", "recall", "diversity"):
            got, wanted = getattr(row, name), getattr(perfect, name)
            emit(args, f"{kind:<14} {name:<10} {got:8.4f}   rendered heads {wanted:8.4f}")
    for attribute in quality.coverage:
        emit(args, f"spread of {attribute.name:<20} {attribute.spread:5.2f}   overlap {attribute.overlap:5.2f}")
    _emit_textures(args, quality)
    emit(args, f"report in {args.out}")
    return EXIT_DONE


def _emit_textures(args: argparse.Namespace, quality: Quality) -> None:
    """Lines of what is drawn in single pixels."""
    got, perfect, variants = quality.beads["generated"], quality.beads["rendered"], quality.variants
    for place in ("body", "hair", "hairline"):
        figures = f"{getattr(got, place):8.2f}   rendered heads {getattr(perfect, place):8.2f}"
        emit(args, f"beads along   {place:<10} {figures}")
    emit(
        args,
        f"noise variants: {variants.noise_inputs} of {variants.convolutions} strengths are not 0; "
        f"{100 * variants.different:.0f} % of pairs differ, by {variants.difference_levels:.1f} of 255 levels; "
        f"{100 * variants.same_identity:.0f} % are one person; grain in skin {variants.grain:.2f} of rendered heads'",
    )


def _threads(args: argparse.Namespace) -> int:
    return getattr(args, "threads", None) or len(os.sched_getaffinity(0))
