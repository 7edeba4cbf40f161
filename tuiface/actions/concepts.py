"""Actions of Concepts and of the questionnaire that learns one."""

from __future__ import annotations

from tuiface.actions.action import Action, ActionScope, NoCommand
from tuiface.actions.face import DISPLAY_ONLY, SEED_COMMAND, SESSION_ONLY

_LEARN = "tuiface directions learn --ask NAME"


def _concept_action(
    name: str, keys: tuple[str, ...], label: str, text: str, command: str | NoCommand, footer: str = ""
) -> Action:
    return Action(f"concepts_{name}", keys, label, text, "Concepts", command, "concepts", footer)


CONCEPTS_ACTIONS: tuple[Action, ...] = (
    _concept_action("up", ("up", "k"), "Up", "Move to the concept above.", "tuiface directions list", "concept"),
    _concept_action("down", ("down", "j"), "Down", "Move to the concept below.", "tuiface directions list", "concept"),
    _concept_action("less", ("left", "h"), "Less", "Move to the smaller amount on the strip.", DISPLAY_ONLY, "amount"),
    _concept_action("more", ("right", "l"), "More", "Move to the greater amount on the strip.", DISPLAY_ONLY, "amount"),
    _concept_action(
        "open",
        ("enter",),
        "Take",
        "Go on with the face at the chosen amount; of unfinished answers, go on answering.",
        "tuiface render SEED --edit NAME=1.5",
        "take",
    ),
    _concept_action(
        "learn",
        ("n",),
        "Learn by answering",
        "Name a concept and both of its ends, then answer about faces until a direction can be made.",
        _LEARN,
        "learn",
    ),
    _concept_action(
        "find",
        ("f",),
        "Find without labels",
        "Look for directions by SeFa, GANSpace, by a region, or among style channels; keep the good ones.",
        "tuiface directions discover",
        "find",
    ),
    _concept_action(
        "keep",
        ("s",),
        "Keep",
        "Keep a direction that was found, under a name that you type.",
        "tuiface directions discover --keep 1=NAME",
        "keep",
    ),
    _concept_action(
        "import",
        ("i",),
        "Import",
        "Type the path of a direction that you own: .npy, .npz or .pt, read without executing anything.",
        "tuiface directions import FILE",
        "import",
    ),
    _concept_action(
        "rename",
        ("e",),
        "Rename",
        "Give a direction of your own another name.",
        "tuiface directions rename NAME NEW_NAME",
    ),
    _concept_action(
        "remove",
        ("d", "delete"),
        "Delete",
        "Delete a direction of your own, or unfinished answers, after a question.",
        "tuiface directions remove NAME",
        "delete",
    ),
    _concept_action(
        "previous_face", ("pageup", "["), "Face before", "Show the strip of the seed before.", SEED_COMMAND
    ),
    _concept_action(
        "next_face", ("pagedown", "]"), "Next face", "Show the strip of the seed after.", SEED_COMMAND, "face"
    ),
)


def _answer_action(
    name: str,
    keys: tuple[str, ...],
    label: str,
    text: str,
    footer: str = "",
    command: str | NoCommand = _LEARN,
    place: ActionScope = "answering",
) -> Action:
    return Action(f"answer_{name}", keys, label, text, "Answers", command, place, footer)


QUESTIONNAIRE_ACTIONS: tuple[Action, ...] = (
    _answer_action("no", ("n", "left"), "No", "The concept does not show in this face.", "no"),
    _answer_action("yes", ("y", "right"), "Yes", "The concept shows in this face.", "yes"),
    *(
        _answer_action(
            str(number),
            (str(number),),
            f"Rating {number}",
            "Rate the face from 1, not at all, to 7, as much as can be.",
            "rating",
            "tuiface directions learn --ask NAME --scale 1-7",
        )
        for number in range(1, 8)
    ),
    _answer_action("skip", ("s", "space"), "Skip", "Say nothing of this face, and go on to the next.", "skip"),
    _answer_action("undo", ("u", "backspace"), "Undo", "Take the last answer back, and ask again.", "undo"),
    _answer_action(
        "finish", ("enter",), "Make the direction", "Make a direction of the answers; more may follow later.", "make it"
    ),
    _answer_action(
        "pause",
        ("escape",),
        "Pause",
        "Go back to the concepts; every answer is written already, and taken up again there.",
        "pause",
        SESSION_ONLY,
    ),
)
