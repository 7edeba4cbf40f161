"""Actions of the face screen that work on the chosen row of its edit panel, and on locks."""

from __future__ import annotations

from tuiface.actions.action import Action, NoCommand

SEED_COMMAND = "tuiface render SEED"
SESSION_ONLY = NoCommand("a command has no session: each one says everything that it needs")
DISPLAY_ONLY = NoCommand("it changes what is shown, not the face")
EDIT_COMMAND = "tuiface render SEED --edit NAME=AMOUNT"
LOCK_COMMAND = "tuiface render SEED --lock REGION"

EDIT_ACTIONS: tuple[Action, ...] = (
    Action(
        "less",
        ("left", "h"),
        "Less",
        "Turn the chosen row down: the seed before, psi by 0.1, an amount by half a deviation, a lock by a quarter.",
        "Edit",
        EDIT_COMMAND,
        footer="change",
    ),
    Action(
        "more",
        ("right", "l"),
        "More",
        "Turn the chosen row up by the same.",
        "Edit",
        EDIT_COMMAND,
        footer="change",
    ),
    Action("less_fine", ("shift+left", "H"), "Less, fine", "The same in fine steps.", "Edit", EDIT_COMMAND),
    Action("more_fine", ("shift+right", "L"), "More, fine", "The same in fine steps.", "Edit", EDIT_COMMAND),
    Action("row_above", ("up", "k"), "Row above", "Choose the row above.", "Edit", DISPLAY_ONLY, footer="row"),
    Action("row_below", ("down", "j"), "Row below", "Choose the row below.", "Edit", DISPLAY_ONLY, footer="row"),
    Action("group_above", ("shift+up", "K"), "Group above", "Go to the group above.", "Edit", DISPLAY_ONLY),
    Action("group_below", ("shift+down", "J"), "Group below", "Go to the group below.", "Edit", DISPLAY_ONLY),
    Action(
        "find_row",
        ("/",),
        "Find a concept",
        "Type a part of a concept's name, of its ends or of its group, in either language.",
        "Edit",
        "tuiface directions list",
        footer="find",
    ),
    Action(
        "reset_row",
        ("backspace",),
        "Reset row",
        "Take the chosen row back: an edit or a lock away, psi to that of the settings.",
        "Edit",
        SEED_COMMAND,
        footer="reset",
    ),
    Action("reset_edits", ("Z",), "Reset edits", "Take back all edits; locks stay.", "Edit", SEED_COMMAND),
    Action("undo", ("u",), "Undo", "Go back to the face before.", "Edit", SESSION_ONLY, footer="undo"),
    Action("redo", ("ctrl+r",), "Redo", "Go forward again after an undo.", "Edit", SESSION_ONLY),
    Action(
        "edit_rows",
        ("w",),
        "Rows of edit",
        "Type which rows of W+ the chosen edit moves: A-B is A up to and without B.",
        "Edit",
        "tuiface render SEED --edit NAME=AMOUNT@A-B",
    ),
    Action(
        "exceed",
        ("!",),
        "Beyond limits",
        "Let amounts go past what the network is known to do, or hold them there again.",
        "Edit",
        "tuiface render SEED --edit NAME=AMOUNT --beyond",
    ),
)

LOCK_ACTIONS: tuple[Action, ...] = (
    Action(
        "lock_frame",
        ("f",),
        "Lock the frame",
        "Keep the face frame, contour and hair, as it is while edits move; again to let it go.",
        "Locks",
        "tuiface render SEED --lock frame",
        footer="lock frame",
    ),
    Action(
        "lock_row",
        ("space",),
        "Lock a region",
        "Lock the region of the chosen row, or let it go.",
        "Locks",
        LOCK_COMMAND,
    ),
    Action(
        "guarantee",
        ("G",),
        "Guarantee",
        "Lock by direction, blend or paste, each firmer: the region of the chosen row, or all that are locked.",
        "Locks",
        "tuiface render SEED --lock REGION:GUARANTEE",
        footer="guarantee",
    ),
)
