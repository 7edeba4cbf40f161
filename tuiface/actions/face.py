"""Actions of the face screen."""

from __future__ import annotations

from tuiface.actions.action import Action, NoCommand

SEED_COMMAND = "tuiface render SEED"
PSI_COMMAND = "tuiface render SEED --psi PSI"
SESSION_ONLY = NoCommand("a command has no session: each one says everything that it needs")
DISPLAY_ONLY = NoCommand("it changes what is shown, not the face")

FACE_ACTIONS: tuple[Action, ...] = (
    Action(
        "previous_seed",
        ("left", "h", "p"),
        "Previous seed",
        "Go to the seed before.",
        "Seed",
        SEED_COMMAND,
        footer="seed",
    ),
    Action("next_seed", ("right", "l", "n"), "Next seed", "Go to the seed after.", "Seed", SEED_COMMAND, footer="seed"),
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
        ("down", "j", "-"),
        "Less psi",
        "Move psi down by 0.1, towards the mean face at 0.",
        "Truncation",
        PSI_COMMAND,
        footer="psi",
    ),
    Action(
        "psi_up",
        ("up", "k", "+", "="),
        "More psi",
        "Move psi up by 0.1, towards the network's full variety at 1.",
        "Truncation",
        PSI_COMMAND,
        footer="psi",
    ),
    Action("psi_down_fine", ("shift+down", "J", "_"), "Psi −0.01", "Move psi down by 0.01.", "Truncation", PSI_COMMAND),
    Action("psi_up_fine", ("shift+up", "K"), "Psi +0.01", "Move psi up by 0.01.", "Truncation", PSI_COMMAND),
    Action("psi_reset", ("backspace",), "Reset psi", "Go back to the psi of the settings.", "Truncation", SEED_COMMAND),
    Action(
        "noise",
        ("v",),
        "Noise",
        "Take the next noise input: the network's own maps, none, or maps drawn from a seed.",
        "Face",
        "tuiface render SEED --noise MODE",
    ),
    Action("undo", ("u",), "Undo", "Go back to the face before.", "Face", SESSION_ONLY, footer="undo"),
    Action("redo", ("ctrl+r",), "Redo", "Go forward again after an undo.", "Face", SESSION_ONLY),
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
        "Compare with the face that the changes began with: by flicker, side by side, as a map of differences, or not.",
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
    Action("use_in_mix", ("x",), "Use in Mix", "Make this face the next parent in Mix.", "Face", "tuiface swap A B"),
    Action(
        "add_to_morph",
        ("a",),
        "Add to Morph",
        "Put this face at the end of the transition.",
        "Face",
        "tuiface morph A B",
    ),
)
