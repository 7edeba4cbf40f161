"""Actions of Mix, Morph, Models and Jobs."""

from __future__ import annotations

from tuiface.actions.action import Action, ActionScope, NoCommand
from tuiface.actions.face import DISPLAY_ONLY, SESSION_ONLY

_SWAP = "tuiface swap A B --rows 2-4"
_MORPH = "tuiface morph A B"


def _mix_action(
    id: str, keys: tuple[str, ...], label: str, text: str, footer: str = "", command: str = _SWAP
) -> Action:
    return Action(id, keys, label, text, "Rows", command, "mix", footer)


MIX_ACTIONS: tuple[Action, ...] = (
    _mix_action("mix_start_down", ("left", "h"), "First row down", "Let the exchange begin one row earlier.", "rows"),
    _mix_action("mix_start_up", ("right", "l"), "First row up", "Let the exchange begin one row later.", "rows"),
    _mix_action("mix_stop_down", ("shift+left", "H"), "Last row down", "Let the exchange end one row earlier.", "rows"),
    _mix_action("mix_stop_up", ("shift+right", "L"), "Last row up", "Let the exchange end one row later.", "rows"),
    _mix_action("mix_reset", ("backspace",), "Reset rows", "Exchange rows 6 and up again."),
    _mix_action("mix_a", ("a",), "First parent", "Type the seed of the first parent.", "parents"),
    _mix_action("mix_b", ("b",), "Second parent", "Type the seed of the second parent.", "parents"),
    _mix_action("mix_next", ("n",), "Next parent", "Take the next seed as second parent."),
    _mix_action("mix_turn", ("x",), "Turn round", "Let the parents change places."),
    _mix_action(
        "mix_cross",
        ("c",),
        "Cross or rows",
        "Each one's inner face in the other's contour, or rows exchanged.",
        "cross",
        "tuiface swap A B --cross",
    ),
    _mix_action("mix_open", ("enter",), "Open first child", "Show the first child large.", "open"),
    _mix_action("mix_open_second", ("o",), "Open second child", "Show the second child large."),
    _mix_action("mix_save", ("s",), "Save both", "Save both children into the library.", "save"),
)


def _morph_action(
    id: str, keys: tuple[str, ...], label: str, text: str, footer: str = "", command: str | NoCommand = _MORPH
) -> Action:
    return Action(id, keys, label, text, "Transition", command, "morph", footer)


MORPH_ACTIONS: tuple[Action, ...] = (
    _morph_action("morph_back", ("left", "h"), "Frame back", "Show the frame before.", "frame", DISPLAY_ONLY),
    _morph_action("morph_forward", ("right", "l"), "Frame on", "Show the frame after.", "frame", DISPLAY_ONLY),
    _morph_action("morph_play", ("space",), "Play", "Play the transition, or halt it.", "play", DISPLAY_ONLY),
    _morph_action("morph_add", ("a",), "Add a face", "Type the seed of another face for the end.", "add"),
    _morph_action("morph_remove", ("backspace",), "Remove a face", "Take the last face away.", "remove"),
    _morph_action(
        "morph_space",
        ("z",),
        "Space",
        "Interpolate in Z, in W, or in each row of W+.",
        "space",
        "tuiface morph A B --space z",
    ),
    _morph_action(
        "morph_fewer", ("down", "j"), "Fewer frames", "Ten frames fewer.", "", "tuiface morph A B --frames 40"
    ),
    _morph_action(
        "morph_more", ("up", "k"), "More frames", "Ten frames more.", "frames", "tuiface morph A B --frames 60"
    ),
    _morph_action(
        "morph_film", ("f",), "Film", "Write a GIF as well, an MP4 as well, or none.", "film", "tuiface morph A B --gif"
    ),
    _morph_action(
        "morph_open", ("enter",), "Open frame", "Show the frame large, to go on with it.", "open", SESSION_ONLY
    ),
    _morph_action("morph_save", ("s",), "Save series", "Save all frames into the library as one series.", "save"),
)


def _list_action(
    place: ActionScope, id: str, keys: tuple[str, ...], label: str, text: str, command: str, footer: str = ""
) -> Action:
    return Action(id, keys, label, text, "Models" if place == "models" else "Jobs", command, place, footer)


MODELS_ACTIONS: tuple[Action, ...] = (
    Action("models_up", ("up", "k"), "Up", "Move to the network above.", "Models", DISPLAY_ONLY, "models", "move"),
    Action(
        "models_down", ("down", "j"), "Down", "Move to the network below.", "Models", DISPLAY_ONLY, "models", "move"
    ),
    _list_action(
        "models", "models_choose", ("enter",), "Use", "Open this network and go on with it.", "tuiface --model F", "use"
    ),
    _list_action(
        "models",
        "models_file",
        ("o",),
        "Other file",
        "Type the path of a checkpoint, to look into it.",
        "tuiface model inspect F",
        "other file",
    ),
    _list_action(
        "models",
        "models_convert",
        ("c",),
        "Convert",
        "Write the network as safetensors into a file whose name you type.",
        "tuiface model convert F OUT.safetensors",
        "convert",
    ),
)

JOBS_ACTIONS: tuple[Action, ...] = (
    Action("jobs_up", ("up", "k"), "Up", "Move to the work above.", "Jobs", DISPLAY_ONLY, "jobs", "move"),
    Action("jobs_down", ("down", "j"), "Down", "Move to the work below.", "Jobs", DISPLAY_ONLY, "jobs", "move"),
    Action(
        "jobs_cancel",
        ("c", "delete"),
        "Cancel",
        "Stop the chosen work; what is written stays, each file whole.",
        "Jobs",
        NoCommand("Ctrl+C stops a command"),
        "jobs",
        "cancel",
    ),
    Action(
        "jobs_clear",
        ("backspace",),
        "Clear",
        "Take what is over off the list.",
        "Jobs",
        NoCommand("a command has no list"),
        "jobs",
        "clear",
    ),
)
