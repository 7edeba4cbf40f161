"""The keyboard questionnaire of `tuiface directions learn --ask`: shows a face, takes a key, says how sure it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tuiface.commands.output import note
from tuiface.core.console import print_line
from tuiface.core.errors import UsageError, quote
from tuiface.core.limits import MAX_ANSWERS, MIN_ANSWERS
from tuiface.directions.questionnaire import Questionnaire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuiface.directions.questionnaire import Scale

KEYS = {"yes-no": "y yes · n no · s skip · u undo · q finish", "1-7": "1 to 7 · s skip · u undo · q finish"}


def ask(
    questionnaire: Questionnaire, concept: str, show: Callable[[int], None], keep: Callable[[], None], limit: int
) -> None:
    """Ask until `limit` answers, the key q, or the end of the input."""
    note(f"{concept}: {KEYS[questionnaire.scale]}")
    while questionnaire.num_given < min(limit, MAX_ANSWERS):
        seed, reason = questionnaire.next_face()
        show(seed)
        key = read_key(f"{format_status(questionnaire)}  {concept}? ")
        if key in ("q", ""):
            break
        if key == "u":
            questionnaire.undo()
            keep()
            continue
        try:
            questionnaire.answer(seed, parse_key(key, questionnaire.scale), reason)
        except UsageError as error:
            note(str(error))
            continue
        keep()
    note(format_status(questionnaire))


def parse_key(key: str, scale: Scale) -> float | None:
    """What a key means; raises UsageError for one that means nothing."""
    accepted = {"s": None, "y": 1.0, "n": 0.0} if scale == "yes-no" else {"s": None, **{str(n): n for n in range(1, 8)}}
    if key not in accepted:
        raise UsageError(f"key {quote(key)}; accepted: {KEYS[scale]}")
    return accepted[key]


def format_status(questionnaire: Questionnaire) -> str:
    """`42 answers, 81 % foreseen (63-92 %)`, and what is still missing."""
    count = questionnaire.num_given
    text = f"{count} answers"
    accuracy = questionnaire.accuracy()
    if accuracy is not None:
        text += f", {accuracy.fraction:.0%} of {accuracy.count} foreseen ({accuracy.low:.0%}-{accuracy.high:.0%})"
    alike, repeated = questionnaire.agreement()
    if repeated:
        text += f", {alike} of {repeated} repeated alike"
    return text if count >= MIN_ANSWERS else f"{text}, {MIN_ANSWERS - count} to go"


def read_key(prompt: str) -> str:
    """One key from a terminal, or one line of any other input; "" at its end."""
    print_line(prompt, to_stderr=True, end="")
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
    note(key)
    return key.strip()
