"""Actions of Concepts and of the questionnaire that learns one."""

from __future__ import annotations

from tuiface.actions.action import Action, NoCommand, Place
from tuiface.actions.face import DISPLAY_ONLY, SEED_COMMAND, SESSION_ONLY

_LEARN = "tuiface directions learn --ask NAME"


def _concept(
    name: str, keys: tuple[str, ...], label: str, text: str, command: str | NoCommand, footer: str = ""
) -> Action:
    return Action(f"concepts_{name}", keys, label, text, "Concepts", command, "concepts", footer)


CONCEPTS_ACTIONS: tuple[Action, ...] = (
    _concept("up", ("up", "k"), "Up", "Move to the concept above.", "tuiface directions list", "concept"),
    _concept("down", ("down", "j"), "Down", "Move to the concept below.", "tuiface directions list", "concept"),
    _concept("less", ("left", "h"), "Less", "Move to the smaller amount on the strip.", DISPLAY_ONLY, "amount"),
    _concept("more", ("right", "l"), "More", "Move to the greater amount on the strip.", DISPLAY_ONLY, "amount"),
    _concept(
        "open",
        ("enter",),
        "Take",
        "Go on with the face at the chosen amount; of unfinished answers, go on answering.",
        "tuiface render SEED --edit NAME=1.5",
        "take",
    ),
    _concept(
        "learn",
        ("n",),
        "Learn by answering",
        "Name a concept and both of its ends, then answer about faces until a direction can be made.",
        _LEARN,
        "learn",
    ),
    _concept(
        "find",
        ("f",),
        "Find without labels",
        "Look for directions by SeFa, GANSpace, by a region, or among style channels; keep the good ones.",
        "tuiface directions discover",
        "find",
    ),
    _concept(
        "keep",
        ("s",),
        "Keep",
        "Keep a direction that was found, under a name that you type.",
        "tuiface directions discover --keep 1=NAME",
        "keep",
    ),
    _concept(
        "import",
        ("i",),
        "Import",
        "Type the path of a direction that you own: .npy, .npz or .pt, read without executing anything.",
        "tuiface directions import FILE",
        "import",
    ),
    _concept(
        "rename",
        ("e",),
        "Rename",
        "Give a direction of your own another name.",
        "tuiface directions rename NAME NEW_NAME",
    ),
    _concept(
        "remove",
        ("d", "delete"),
        "Delete",
        "Delete a direction of your own, or unfinished answers, after a question.",
        "tuiface directions remove NAME",
        "delete",
    ),
    _concept("previous_face", ("pageup", "["), "Face before", "Show the strip of the seed before.", SEED_COMMAND),
    _concept("next_face", ("pagedown", "]"), "Next face", "Show the strip of the seed after.", SEED_COMMAND, "face"),
)


def _answer(
    name: str,
    keys: tuple[str, ...],
    label: str,
    text: str,
    footer: str = "",
    command: str | NoCommand = _LEARN,
    place: Place = "answering",
) -> Action:
    return Action(f"answer_{name}", keys, label, text, "Answers", command, place, footer)


ANSWERING_ACTIONS: tuple[Action, ...] = (
    _answer("no", ("n", "left"), "No", "The concept does not show in this face.", "no"),
    _answer("yes", ("y", "right"), "Yes", "The concept shows in this face.", "yes"),
    *(
        _answer(
            str(number),
            (str(number),),
            f"Rating {number}",
            "Rate the face from 1, not at all, to 7, as much as can be.",
            "rating",
            "tuiface directions learn --ask NAME --scale 1-7",
        )
        for number in range(1, 8)
    ),
    _answer("skip", ("s", "space"), "Skip", "Say nothing of this face, and go on to the next.", "skip"),
    _answer("undo", ("u", "backspace"), "Undo", "Take the last answer back, and ask again.", "undo"),
    _answer(
        "finish", ("enter",), "Make the direction", "Make a direction of the answers; more may follow later.", "make it"
    ),
    _answer(
        "pause",
        ("escape",),
        "Pause",
        "Go back to the concepts; every answer is written already, and taken up again there.",
        "pause",
        SESSION_ONLY,
    ),
)
