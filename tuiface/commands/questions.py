"""The keyboard questionnaire of `tuiface directions learn --ask`: shows a face, takes a key, says how sure it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.session import note
from tuiface.directions.questionnaire import MAX_ANSWERS, MIN_ANSWERS, Answers, Questionnaire
from tuiface.errors import InputFileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuiface.directions.questionnaire import Scale
    from tuiface.recipe import ModelRef

KEYS = {"yes-no": "y yes · n no · s skip · u undo · q finish", "1-7": "1 to 7 · s skip · u undo · q finish"}


def resume(path: Path, concept: str, scale: Scale, model: ModelRef, questionnaire: Questionnaire) -> None:
    """Take up the answers in `path`, if it is there. Raises InputFileError for those to another question."""
    from tuiface.validation import read_json

    if not path.exists():
        return
    found = read_json(Answers, path)
    if (found.concept, found.scale, found.model.sha256) != (concept, scale, model.sha256):
        raise InputFileError(
            f"{path.name}: answers about '{found.concept}' ({found.scale}) for the model '{found.model.name}'",
            "name another file with --answers",
        )
    known = set(questionnaire.seeds)
    unknown = next((a.seed for a in found.answers if a.seed not in known), None)
    if unknown is not None:
        raise InputFileError(f"{path.name}: face {unknown} is beyond the pool", "enlarge it: --pool N")
    questionnaire.answers = list(found.answers)


def keep_answers(path: Path, concept: str, scale: Scale, model: ModelRef, questionnaire: Questionnaire) -> None:
    """Write the answers so far: nothing is lost when the connection goes."""
    from tuiface.files import make_folder, write_file

    value = Answers(concept=concept, scale=scale, model=model, answers=tuple(questionnaire.answers))
    make_folder(path.parent)
    write_file(path, (value.model_dump_json(indent=1) + "\n").encode(), force=True)


def ask(
    questionnaire: Questionnaire, concept: str, show: Callable[[int], None], keep: Callable[[], None], limit: int
) -> None:
    """Ask until `limit` answers, the key q, or the end of the input."""
    note(f"{concept}: {KEYS[questionnaire.scale]}")
    while questionnaire.num_given < min(limit, MAX_ANSWERS):
        seed, reason = questionnaire.next_face()
        show(seed)
        key = read_key(f"{status(questionnaire)}  {concept}? ")
        if key in ("q", ""):
            break
        if key == "u":
            questionnaire.undo()
            continue
        try:
            questionnaire.answer(seed, value_of(key, questionnaire.scale), reason)
        except UsageError as error:
            note(str(error))
            continue
        keep()
    note(status(questionnaire))


def value_of(key: str, scale: Scale) -> float | None:
    """What a key means; raises UsageError for one that means nothing."""
    accepted = {"s": None, "y": 1.0, "n": 0.0} if scale == "yes-no" else {"s": None, **{str(n): n for n in range(1, 8)}}
    if key not in accepted:
        raise UsageError(f"key '{key}'; accepted: {KEYS[scale]}")
    return accepted[key]


def status(questionnaire: Questionnaire) -> str:
    """`42 answers, 81 % foreseen (63-92 %)`, and what is still missing."""
    count = questionnaire.num_given
    text = f"{count} answers"
    accuracy = questionnaire.accuracy()
    if accuracy is not None:
        text += f", {accuracy.share:.0%} of {accuracy.count} foreseen ({accuracy.low:.0%}-{accuracy.high:.0%})"
    alike, repeated = questionnaire.agreement()
    if repeated:
        text += f", {alike} of {repeated} repeated alike"
    return text if count >= MIN_ANSWERS else f"{text}, {MIN_ANSWERS - count} to go"


def read_key(prompt: str) -> str:
    """One key from a terminal, or one line of any other input; "" at its end."""
    print(prompt, end="", file=sys.stderr, flush=True)
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip().lower()
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        key = sys.stdin.read(1).lower()
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    print(key, file=sys.stderr)
    return key.strip()
