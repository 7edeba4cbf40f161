"""Actions of the screens that show many faces: Explore and Library."""

from __future__ import annotations

from tuiface.actions.action import Action, ActionScope, NoCommand
from tuiface.actions.face import DISPLAY_ONLY, PSI_COMMAND, SEED_COMMAND, SESSION_ONLY

_COUNT_COMMAND = "tuiface render SEED --count 12"


def _move_actions(place: ActionScope) -> tuple[Action, ...]:
    """The moves in a grid, the same on each screen."""

    def move(name: str, keys: tuple[str, ...], label: str, text: str, footer: str = "") -> Action:
        return Action(f"{place}_{name}", keys, label, text, "Grid", DISPLAY_ONLY, place, footer)

    return (
        move("left", ("left", "h"), "Left", "Move to the face on the left.", "move"),
        move("right", ("right", "l"), "Right", "Move to the face on the right.", "move"),
        move("up", ("up", "k"), "Up", "Move to the row above."),
        move("down", ("down", "j"), "Down", "Move to the row below."),
        move("previous_page", ("pageup", "["), "Page back", "Show the page before."),
        move("next_page", ("pagedown", "]"), "Page on", "Show the page after.", "page"),
        move("larger", ("+", "="), "Larger pictures", "Show fewer faces, larger."),
        move("smaller", ("-", "_"), "Smaller pictures", "Show more faces, smaller.", "size"),
    )


EXPLORE_ACTIONS: tuple[Action, ...] = (
    *_move_actions("explore"),
    Action("explore_open", ("enter",), "Open", "Show the face large.", "Grid", SEED_COMMAND, "explore", "open"),
    Action(
        "explore_mark",
        ("space",),
        "Mark",
        "Mark the face, or take the mark away.",
        "Grid",
        SESSION_ONLY,
        "explore",
        "mark",
    ),
    Action(
        "explore_keep",
        ("s",),
        "Keep",
        "Save the marked faces into the library, or the chosen one where none is marked.",
        "Grid",
        SEED_COMMAND,
        "explore",
        "save",
    ),
    Action(
        "explore_near",
        ("m",),
        "More like this",
        "Show faces near the chosen one.",
        "Grid",
        NoCommand("neighbours are drawn in a session; a kept one is a face like any other"),
        "explore",
        "more like it",
    ),
    Action(
        "explore_nearer",
        ("d",),
        "Nearer",
        "Draw the neighbours from a smaller distance.",
        "Grid",
        SESSION_ONLY,
        "explore",
    ),
    Action(
        "explore_farther",
        ("D",),
        "Farther",
        "Draw the neighbours from a greater distance.",
        "Grid",
        SESSION_ONLY,
        "explore",
    ),
    Action(
        "explore_seeds",
        ("c",),
        "Seeds in order",
        "Show consecutive seeds from the chosen one.",
        "Grid",
        _COUNT_COMMAND,
        "explore",
    ),
    Action(
        "explore_random",
        ("r",),
        "Random faces",
        "Show seeds drawn at random.",
        "Grid",
        NoCommand("a command names its seed, so that it can be repeated"),
        "explore",
        "random",
    ),
    Action("explore_go_to", ("g",), "Seeds from", "Type the first seed number.", "Grid", _COUNT_COMMAND, "explore"),
    Action(
        "explore_psi_down",
        ("shift+down", "J"),
        "Less psi",
        "Move psi of all down by 0.1.",
        "Grid",
        PSI_COMMAND,
        "explore",
    ),
    Action(
        "explore_psi_up", ("shift+up", "K"), "More psi", "Move psi of all up by 0.1.", "Grid", PSI_COMMAND, "explore"
    ),
    Action(
        "explore_population",
        ("o",),
        "Population",
        "Truncate all towards the next named population, and after the last one towards the network's mean again.",
        "Grid",
        "tuiface render SEED --population NAME",
        "explore",
    ),
    Action(
        "explore_mix",
        ("x",),
        "Use in Mix",
        "Make the face the next parent in Mix.",
        "Grid",
        "tuiface swap A B",
        "explore",
    ),
    Action(
        "explore_morph",
        ("a",),
        "Add to Morph",
        "Put the marked faces, or the chosen one, at the end of the transition.",
        "Grid",
        "tuiface morph A B",
        "explore",
    ),
)

LIBRARY_ACTIONS: tuple[Action, ...] = (
    *_move_actions("library"),
    Action(
        "library_open",
        ("enter",),
        "Open",
        "Show the face large, to go on with it.",
        "Library",
        "tuiface render FACE.png",
        "library",
        "open",
    ),
    Action(
        "library_search",
        ("/",),
        "Search",
        "Show the faces whose name, id, tags or series contain a text.",
        "Library",
        "tuiface library list TEXT",
        "library",
        "search",
    ),
    Action(
        "library_mark",
        ("space",),
        "Mark",
        "Mark the face, or take the mark away.",
        "Library",
        SESSION_ONLY,
        "library",
        "mark",
    ),
    Action(
        "library_tags",
        ("e",),
        "Tags",
        "Type tags to add, or -tag to remove, for the marked faces or the chosen one.",
        "Library",
        "tuiface library tag FACE TAG",
        "library",
        "tags",
    ),
    Action(
        "library_series",
        ("f",),
        "Its series",
        "Show the series of the chosen face alone, or all faces again.",
        "Library",
        "tuiface library list --series NAME",
        "library",
    ),
    Action(
        "library_compare",
        ("c",),
        "Compare",
        "Show two marked faces side by side, with the map of their differences.",
        "Library",
        DISPLAY_ONLY,
        "library",
        "compare",
    ),
    Action(
        "library_delete",
        ("delete", "d"),
        "Remove",
        "Move the marked faces, or the chosen one, into the library's trash, after a question.",
        "Library",
        "tuiface library remove FACE",
        "library",
        "remove",
    ),
    Action(
        "library_undo", ("u",), "Undo removal", "Take back what was removed last.", "Library", SESSION_ONLY, "library"
    ),
    Action(
        "library_mix",
        ("x",),
        "Use in Mix",
        "Make the face the next parent in Mix.",
        "Library",
        "tuiface swap A B",
        "library",
    ),
    Action(
        "library_morph",
        ("a",),
        "Add to Morph",
        "Put the marked faces, or the chosen one, at the end of the transition.",
        "Library",
        "tuiface morph A B",
        "library",
    ),
    Action(
        "library_reload",
        ("r",),
        "Read again",
        "Look into the folder again, and build its index anew.",
        "Library",
        "tuiface library reindex",
        "library",
    ),
)
