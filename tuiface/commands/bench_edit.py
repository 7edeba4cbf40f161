"""`tuiface bench edit`: whether edits, locks and learning keep their promises on this network."""

from __future__ import annotations

import argparse

from tuiface.commands.directions import open_catalogue
from tuiface.commands.session import Commands, emit, note, settings_from
from tuiface.errors import EXIT_DONE, ModelError, UsageError

PREDICTED_EVERY = 5
"""Of so many pairs of face and direction one is predicted too: that takes four locks at their own amounts."""


def add_edit(kinds: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the measurement."""
    parser = kinds.add_parser(
        "edit",
        parents=[common],
        help="frame variation of edits, free and locked; predictions; learning",
        description="Measure edits on this network: what locks hold, what predictions are worth, what answers teach.",
        epilog="example: tuiface bench edit --seeds 200",
    )
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="faces; default: 200")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="first face's seed; default: 0")
    parser.add_argument("--names", metavar="NAMES", help="directions, with commas; default: all of this network")
    parser.add_argument("--each", type=int, metavar="N", help="directions a face, in turn; default: all on every face")
    parser.set_defaults(run=run_edit)


def run_edit(args: argparse.Namespace) -> int:
    """One line a figure."""
    if args.seeds < 1:
        raise UsageError(f"--seeds {args.seeds}; accepted: 1 and more")
    if args.first < 0:
        raise UsageError(f"--first {args.first}; accepted: 0 and more")
    if args.each is not None and args.each < 1:
        raise UsageError(f"--each {args.each}; accepted: 1 and more")
    settings = settings_from(args)
    from tuiface.benchmarks import editing
    from tuiface.directions.vocabulary import direction_name
    from tuiface.engine.editing.opening import open_attribute_reader
    from tuiface.engine.editing.workshop import Workshop
    from tuiface.engine.loading import open_engine

    engine = open_engine(settings)
    catalogue, model = open_catalogue(settings), engine.info().model
    reader = open_attribute_reader(engine.info().device)
    read = {direction_name(name) for name in reader.names}
    names = args.names.split(",") if args.names else [e.direction.name for e in catalogue.entries(model)]
    directions = [catalogue.find(name, model) for name in names if name in read]
    if not directions:
        raise ModelError(
            "this network has no direction that the reader knows", "tuiface directions learn --attributes all"
        )
    bench = editing.EditBench(engine, reader, range(args.first, args.first + args.seeds))
    _say(args, "lock", **editing.lock_seconds(bench, directions[0]))
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
        _say(args, "frame variation %", name=name, inner_face=name in editing.INNER_FACE, **figures)
    _say(args, "published ranking", **editing.ranking_holds({name: one["free"] for name, one in found.items()}))
    if predictions.num_pairs:
        _say(args, "prediction", **predictions.figures())
    note("learning from 100 simulated answers, 5 % wrong")
    for row in editing.learning_figures(bench, Workshop.open(settings), directions):
        _say(args, "learning", **row)
    return EXIT_DONE


def _say(args: argparse.Namespace, figure: str, **values: object) -> None:
    emit(args, f"{figure:<18} " + "  ".join(f"{key} {value}" for key, value in values.items()), figure=figure, **values)
