"""`tuiface population`: named centres that faces are truncated towards, instead of the network's own mean."""

from __future__ import annotations

import argparse
import math
from contextlib import closing
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, JoinLists, settings_from
from tuiface.commands.engine_access import model_of, open_engine_for
from tuiface.commands.faces import open_studio, resolve_face
from tuiface.commands.output import emit
from tuiface.core.argument_types import parse_concept_name, parse_faces, parse_text, whole_number
from tuiface.core.errors import EXIT_DONE, UsageError, quote
from tuiface.core.limits import MAX_DRAWS, W_AVG
from tuiface.core.visible import escape_bytes

if TYPE_CHECKING:
    import numpy as np

    from tuiface.core.settings import Settings
    from tuiface.directions.direction import DirectionOrigin
    from tuiface.faces.recipe import ModelRef

MIN_FACES, MIN_DRAWN = 2, 20
EXAMPLE = """\
examples:
  tuiface population make andean --where skin_tone=0.25..0.6 --where hair_lightness=..0.3
  tuiface population make ours --faces 3 17 42 58 101            the mean of faces that you chose
  tuiface population list
  tuiface render 0 --count 20 --psi 0.5 --population andean
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command and its actions."""
    parser = commands.add_parser(
        "population",
        parents=[common],
        help="name parts of a network's faces to truncate towards",
        description="Name parts of a network's faces: low psi then keeps to their mean, not to the network's.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    make = actions.add_parser(
        "make",
        parents=[common],
        help="from chosen faces, or from what the attribute reader sees",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make.add_argument("name", type=parse_concept_name, metavar="NAME", help="small letters, as in andean")
    source = make.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--faces",
        type=parse_faces,
        metavar="FACE",
        nargs="+",
        action=JoinLists,
        help="the mean of these faces, each at psi 1",
    )
    source.add_argument(
        "--where",
        type=parse_text,
        metavar="ATTRIBUTE=LOW..HIGH",
        action="append",
        help="the mean of drawn faces that read so",
    )
    make.add_argument(
        "--draws",
        type=whole_number(MIN_DRAWN, MAX_DRAWS),
        default=4000,
        metavar="N",
        help="of --where: faces to draw; default: 4000",
    )
    make.add_argument("--force", action="store_true", help="replace a population of the same name")
    make.set_defaults(run=run_make)
    listing = actions.add_parser(
        "list", parents=[common], help="this network's populations", epilog="example: tuiface population list"
    )
    listing.set_defaults(run=run_list)
    remove = actions.add_parser(
        "remove", parents=[common], help="remove one", epilog="example: tuiface population remove andean"
    )
    remove.add_argument("name", type=parse_text, metavar="NAME")
    remove.set_defaults(run=run_remove)


def run_make(args: argparse.Namespace) -> int:
    """Find the faces, take their mean and write it."""
    from tuiface.core.files import refuse_existing
    from tuiface.directions.populations import NamedPopulation, Populations

    if args.name == W_AVG:
        raise UsageError(f"name {quote(W_AVG)} is that of the network's own mean", "choose another one")
    bounds = dict(_parse_bounds(text) for text in args.where or ())
    settings = settings_from(args)
    if args.faces:
        with open_studio(settings) as studio:
            faces = [resolve_face(studio, name) for name in args.faces]
            if len(faces) < MIN_FACES:
                raise UsageError(f"{len(faces)} face; accepted: {MIN_FACES} and more")
            rows = [studio.engine.ws(face.truncate(1.0).recipe).mean(axis=0) for face in faces]
            centre, model, count = sum(rows) / len(rows), studio.info.model, len(rows)
            origin = _origin("faces", " ".join(args.faces), faces=count)
    else:
        model, centre, count = _draw_centre(settings, bounds, args.draws)
        origin = _origin("attributes", " ".join(args.where), faces=count, draws=args.draws)
    populations = Populations(settings.directions)
    refuse_existing(populations.path_for(args.name, model), force=args.force)
    path = populations.add(NamedPopulation.of(args.name, model, centre, origin), force=args.force)
    emit(args, f"{args.name}  {path}  the mean of {count} faces", name=args.name, file=str(path), faces=count)
    return EXIT_DONE


def run_list(args: argparse.Namespace) -> int:
    """One line for each."""
    from tuiface.directions.populations import Populations

    settings = settings_from(args)
    for population in Populations(settings.directions).of(model_of(settings)):
        origin = population.origin
        emit(
            args,
            f"{population.name:<20} {origin.settings.get('faces', '?')} faces  {origin.data}",
            name=population.name,
            **origin.model_dump(),
        )
    return EXIT_DONE


def run_remove(args: argparse.Namespace) -> int:
    """Remove a file; faces that were made with it hold its numbers, and are rebuilt as before."""
    from tuiface.core.files import translate_os_errors
    from tuiface.directions.populations import Populations

    settings = settings_from(args)
    populations = Populations(settings.directions)
    found = populations.find(args.name, model_of(settings))
    path = populations.path_for(found.name, found.model)
    with translate_os_errors(path):
        path.unlink()
    emit(args, f"removed {path}", file=str(path))
    return EXIT_DONE


def _parse_bounds(text: str) -> tuple[str, tuple[float | None, float | None]]:
    """`skin_tone=0.2..0.6`; either end may be left out."""
    name, _, span = text.partition("=")
    low, dots, high = span.partition("..")
    try:
        bounds = (float(low or "-inf"), float(high or "inf"))
    except ValueError:
        bounds = (1.0, 0.0)
    if not dots or not bounds[0] < bounds[1]:
        raise UsageError(f"--where {quote(text)}; accepted: ATTRIBUTE=LOW..HIGH, as in skin_tone=0.25..0.6")
    return name, (bounds[0] if math.isfinite(bounds[0]) else None, bounds[1] if math.isfinite(bounds[1]) else None)


def _draw_centre(
    settings: Settings, bounds: dict[str, tuple[float | None, float | None]], draws: int
) -> tuple[ModelRef, np.ndarray, int]:
    """The network, the mean of w over drawn faces within `bounds`, and how many they are."""
    from tuiface.engine_api.requests import ConditionalMeanRequest, make_request

    request = make_request(ConditionalMeanRequest, "population make", bounds=bounds, draws=draws, min_faces=MIN_DRAWN)
    with closing(open_engine_for(settings)) as engine:
        mean = engine.estimate_conditional_mean(request)
        return engine.info().model, mean.centre, mean.num_faces


def _origin(method: str, data: str, **settings: int) -> DirectionOrigin:
    from tuiface.directions.direction import DirectionOrigin

    return DirectionOrigin(method=method, data=escape_bytes(data)[:500], settings=dict(settings))
