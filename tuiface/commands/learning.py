"""`tuiface directions learn`: from the attribute reader, from your own answers, or from a table of ratings."""

from __future__ import annotations

import argparse
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.catalogue import save_direction
from tuiface.commands.engine_access import open_engine_for
from tuiface.commands.output import note, note_step
from tuiface.core.argument_types import parse_concept_name, parse_path, parse_text, whole_number
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, UsageError, quote
from tuiface.core.limits import MAX_ANSWERS, MAX_DRAWS, MAX_FACES, MIN_ANSWERS
from tuiface.core.visible import escape_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tuiface.core.settings import Settings
    from tuiface.directions.direction import Labels
    from tuiface.engine_api.requests import MadeDirection

ASKED_PX = 256
"""Side of the faces of a questionnaire."""
SOURCES_OF = {
    **dict.fromkeys(("--hold", "--method", "--even", "--draws", "--seeds", "--keep-weak"), ("--attributes",)),
    **dict.fromkeys(("--scale", "--pool", "--stop-at", "--answers"), ("--ask",)),
    **dict.fromkeys(("--ends", "--ends-es"), ("--ask", "--ratings")),
    "--name": ("--ratings",),
}
"""Of an option: the sources of labels that have a use for it."""
EXAMPLE = """\
examples:
  tuiface directions learn --attributes all                       everything that the reader sees in this network
  tuiface directions learn --attributes smile,yaw --hold age,gender
  tuiface directions learn --ask trustworthy                      by keyboard: 30 to 200 answers about faces
  tuiface directions learn --ask attractive --scale 1-7
  tuiface directions learn --ratings ratings.csv --name friendly  columns face, rater, rating
"""


def add_learn(actions: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the action."""
    parser = actions.add_parser(
        "learn",
        parents=[common],
        help="make directions from labels: the reader's, your own answers, or ratings",
        description="Make directions from labels. Each one is verified on faces that it was not learned from. What was "
        "interrupted goes on where it was when it is asked for again.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--attributes", type=parse_text, metavar="NAMES", help="from the attribute reader: names with commas, or all"
    )
    source.add_argument(
        "--ask",
        type=parse_concept_name,
        metavar="NAME",
        help="from your own answers about faces, for a concept of that name",
    )
    source.add_argument("--ratings", type=parse_path, metavar="CSV", help="from ratings by several people")
    _add_attributes(parser)
    _add_questions(parser)
    _add_labels(parser)
    parser.add_argument(
        "--keep-weak", action="store_true", help="of --attributes: keep what fails its verification too"
    )
    parser.add_argument("--out", type=parse_path, metavar="DIR", help="folder to write to; default: the settings'")
    parser.add_argument("--force", action="store_true", help="replace directions of the same names")
    defaults = {flag: parser.get_default(_name_of(flag)) for flag in SOURCES_OF}
    parser.set_defaults(run=partial(run_learn, defaults))


def _add_attributes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hold",
        type=parse_text,
        metavar="NAMES",
        help="of --attributes: those to leave alone: names, all (default) or none",
    )
    parser.add_argument(
        "--method",
        choices=("tangent", "boundary"),
        default="tangent",
        help="of --attributes: a discriminant of gradients in W+, or InterFaceGAN's boundary in W; default: tangent",
    )
    parser.add_argument(
        "--even",
        action="store_true",
        help="of --attributes: fit what is not monotone on enough faces through the network; minutes for each",
    )
    parser.add_argument(
        "--draws",
        type=whole_number(200, MAX_DRAWS),
        default=4000,
        metavar="N",
        help="of --attributes: faces to learn from; default: 4000",
    )
    parser.add_argument(
        "--seeds",
        type=whole_number(20, MAX_FACES),
        default=200,
        metavar="N",
        help="of --attributes: faces to verify on; default: 200",
    )


def _add_questions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", choices=("yes-no", "1-7"), default="yes-no", help="of --ask; default: yes-no")
    parser.add_argument(
        "--pool",
        type=whole_number(2 * MIN_ANSWERS, MAX_FACES),
        default=400,
        metavar="N",
        help="of --ask: faces to choose from; default: 400",
    )
    parser.add_argument(
        "--stop-at",
        type=whole_number(MIN_ANSWERS, MAX_ANSWERS),
        default=MAX_ANSWERS,
        metavar="N",
        help="of --ask: answers to take; default: 200",
    )
    parser.add_argument(
        "--answers", type=parse_path, metavar="FILE", help="of --ask: where answers are kept and taken up again"
    )


def _add_labels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ends",
        type=parse_text,
        metavar="LOW/HIGH",
        help="of --ask and --ratings: what both ends look like, in English",
    )
    parser.add_argument(
        "--ends-es", type=parse_text, metavar="LOW/HIGH", help="of --ask and --ratings: the same in Spanish"
    )
    parser.add_argument(
        "--name", type=parse_concept_name, metavar="NAME", help="of --ratings: default: the file's name"
    )


def run_learn(defaults: dict[str, object], args: argparse.Namespace) -> int:
    """Learn and keep; exit code 1 if a direction failed its verification."""
    _refuse_idle_options(defaults, args)
    if args.ask is not None:
        return _learn_from_answers(args)
    return _learn_from_ratings(args) if args.ratings is not None else _learn_from_attributes(args)


def _refuse_idle_options(defaults: dict[str, object], args: argparse.Namespace) -> None:
    """Raise UsageError where an option was given that another source of labels would need."""
    for flag, sources in SOURCES_OF.items():
        is_given = getattr(args, _name_of(flag)) != defaults[flag]
        if is_given and all(getattr(args, _name_of(source)) is None for source in sources):
            raise UsageError(f"{flag} goes with {' or '.join(sources)} alone", f"leave out {flag}")


def _name_of(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _learn_from_answers(args: argparse.Namespace) -> int:
    from tuiface.commands.questions import ask
    from tuiface.directions.questionnaire import AnswersFile, Questionnaire, answers_path, read_pool
    from tuiface.faces.studio import Studio
    from tuiface.terminal.shell import show_pixels

    settings = settings_from(args)
    with Studio(open_engine_for(settings), settings) as studio:
        if not studio.info.attributes:
            note("note: no attribute reader is installed, so nothing says what a face shows: more answers are needed")
        questionnaire = Questionnaire(tuple(range(args.pool)), read_pool(studio.engine, args.pool), args.scale)
        path = Path(args.answers) if args.answers else answers_path(settings.directions, args.ask)
        labels = _parse_ends(args, args.ask)
        file = AnswersFile(path, args.ask, args.scale, studio.info.model, labels).resume(questionnaire)
        ask(
            questionnaire,
            args.ask,
            lambda seed: show_pixels(studio.face(seed).render(ASKED_PX).pixels),
            lambda: file.write(questionnaire),
            args.stop_at,
        )
        (made,) = studio.engine.make_directions(file.to_request(questionnaire))
    save_direction(args, settings, made.direction, args.out)
    return EXIT_DONE


def _learn_from_ratings(args: argparse.Namespace) -> int:
    from tuiface.directions.catalogue import refuse_invalid_name
    from tuiface.directions.direction import DirectionOrigin
    from tuiface.directions.ratings import read_ratings
    from tuiface.engine_api.requests import ScoresRequest

    path = Path(args.ratings)
    name = args.name or path.stem.lower().replace("-", "_")
    refuse_invalid_name(name)
    labels = _parse_ends(args, name)
    ratings = read_ratings(path)
    settings = settings_from(args)
    origin = DirectionOrigin(
        method="ratings",
        data=escape_bytes(path.name),
        settings={
            "faces": len(ratings.seeds),
            "raters": ratings.num_raters,
            "reliability": round(ratings.reliability, 3),
            "agreement": round(ratings.agreement, 3),
        },
    )
    scores = tuple(float(score) for score in ratings.scores)
    request = ScoresRequest(name=name, labels=labels, seeds=tuple(ratings.seeds), scores=scores, origin=origin)
    with closing(open_engine_for(settings)) as engine:
        note(
            f"{len(ratings.seeds)} faces, {ratings.num_raters} raters, reliability {ratings.reliability:.2f} "
            f"(mean correlation of two raters {ratings.agreement:.2f})"
        )
        (made,) = engine.make_directions(request)
    save_direction(args, settings, made.direction, args.out)
    return EXIT_DONE


def _learn_from_attributes(args: argparse.Namespace) -> int:
    from tuiface.engine_api.requests import AttributesRequest, make_request

    held = None if args.hold in (None, "all") else () if args.hold == "none" else _split_names(args.hold)
    names = () if args.attributes == "all" else _split_names(args.attributes)
    settings = settings_from(args)
    request = make_request(
        AttributesRequest,
        "directions learn",
        names=names,
        held=held,
        draws=args.draws,
        seeds=args.seeds,
        method=args.method,
        even=args.even,
    )
    with closing(open_engine_for(settings)) as engine:
        return _save_directions(args, settings, engine.make_directions(request, note_step))


def _save_directions(args: argparse.Namespace, settings: Settings, found: Iterable[MadeDirection]) -> int:
    code = EXIT_DONE
    for made in found:
        direction = made.direction
        if made.holds or args.keep_weak:
            save_direction(args, settings, direction, args.out, **direction.header.measures)
        if not made.holds:
            code = EXIT_CHECK_FAILED
            measures = direction.header.measures
            note(
                f"{direction.name}: failed: monotone on {measures['monotone_percent']:g} % of faces, "
                f"{measures['slope_sigma']:g} sigma a unit"
            )
    return code


def _parse_ends(args: argparse.Namespace, name: str) -> Labels | None:
    """The words of --ends and --ends-es; None where neither is given. Raises UsageError."""
    from tuiface.directions.direction import labels_from

    given = []
    for flag, text in (("--ends", args.ends), ("--ends-es", args.ends_es)):
        low, slash, high = (text or "").partition("/")
        if text and not (slash and low.strip() and high.strip()):
            raise UsageError(f"{flag} {quote(text)}; accepted: LOW/HIGH, as in 'colder/warmer'")
        given.append((low.strip(), high.strip()))
    return labels_from(name, *given)


def _split_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
