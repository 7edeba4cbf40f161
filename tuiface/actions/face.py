"""Actions of the face screen."""

from __future__ import annotations

from tuiface.actions.action import Action, NoCommand
from tuiface.actions.editing import DISPLAY_ONLY, EDIT_ACTIONS, LOCK_ACTIONS, SEED_COMMAND, SESSION_ONLY

__all__ = ["DISPLAY_ONLY", "FACE_ACTIONS", "PSI_COMMAND", "SEED_COMMAND", "SESSION_ONLY"]

PSI_COMMAND = "tuiface render SEED --psi PSI"

FACE_ACTIONS: tuple[Action, ...] = (
    *EDIT_ACTIONS,
    Action(
        "save",
        ("s",),
        "Save",
        "Save the face at full size into the library: a PNG, and a JSON that rebuilds it.",
        "Face",
        PSI_COMMAND,
        footer="save",
    ),
    Action(
        "compare",
        ("c",),
        "Compare",
        "Compare with the face before its edits: by flicker, side by side, as a map of differences, or not.",
        "Face",
        DISPLAY_ONLY,
        footer="compare",
    ),
    Action(
        "more_like_this",
        ("m",),
        "More like this",
        "Explore faces near this one.",
        "Face",
        NoCommand("neighbours are drawn in a session; a kept one is a face like any other"),
    ),
    Action(
        "information",
        ("i",),
        "Information",
        "Show what is known of face, model, engine and library, and the history, in place of the rows.",
        "Face",
        "tuiface model inspect FILE",
    ),
    Action("use_in_mix", ("x",), "Use in Mix", "Make this face the next parent in Mix.", "Face", "tuiface swap A B"),
    Action(
        "add_to_morph",
        ("a",),
        "Add to Morph",
        "Put this face at the end of the transition.",
        "Face",
        "tuiface morph A B",
    ),
    Action(
        "noise",
        ("v",),
        "Noise",
        "Take the next noise input: the network's own maps, none, or maps drawn from a seed.",
        "Face",
        "tuiface render SEED --noise MODE",
    ),
    *LOCK_ACTIONS,
    Action("previous_seed", ("p",), "Previous seed", "Go to the seed before.", "Seed", SEED_COMMAND),
    Action("next_seed", ("n",), "Next seed", "Go to the seed after.", "Seed", SEED_COMMAND),
    Action("go_to_seed", ("g",), "Go to seed", "Type a seed number.", "Seed", SEED_COMMAND, footer="go to"),
    Action(
        "random_seed",
        ("r",),
        "Random seed",
        "Go to a seed drawn at random.",
        "Seed",
        NoCommand("a command names its seed, so that it can be repeated"),
        footer="random",
    ),
    Action(
        "psi_down",
        ("-",),
        "Less psi",
        "Move psi down by 0.1, towards the mean face at 0.",
        "Truncation",
        PSI_COMMAND,
    ),
    Action(
        "psi_up",
        ("+", "="),
        "More psi",
        "Move psi up by 0.1, towards the network's full variety at 1.",
        "Truncation",
        PSI_COMMAND,
    ),
    Action("psi_down_fine", ("_",), "Psi −0.01", "Move psi down by 0.01.", "Truncation", PSI_COMMAND),
    Action("psi_up_fine", ("*",), "Psi +0.01", "Move psi up by 0.01.", "Truncation", PSI_COMMAND),
)
