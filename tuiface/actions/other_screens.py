"""Actions of all the other screens, and those that work on every screen."""

from __future__ import annotations

from tuiface.actions.action import (
    DISPLAY_ONLY,
    PSI_COMMAND,
    SEED_COMMAND,
    SESSION_ONLY,
    Action,
    ActionScope,
    NoCommand,
)

# --- Explore and Library

_COUNT_COMMAND = "tuiface render SEED --count 12"


def _move_actions(scope: ActionScope) -> tuple[Action, ...]:
    """The moves in a grid, the same on each screen."""

    def move(name: str, keys: tuple[str, ...], label: str, text: str, footer: str = "") -> Action:
        return Action(f"{scope}_{name}", keys, label, text, "Grid", DISPLAY_ONLY, scope, footer)

    def mark(name: str, key: str, label: str, text: str) -> Action:
        return Action(f"{scope}_{name}", (key,), label, text, "Grid", SESSION_ONLY, scope)

    return (
        move("left", ("left", "h"), "Left", "Move to the face on the left.", "move"),
        move("right", ("right", "l"), "Right", "Move to the face on the right.", "move"),
        move("up", ("up", "k"), "Up", "Move to the row above."),
        move("down", ("down", "j"), "Down", "Move to the row below."),
        move("previous_page", ("pageup", "["), "Page back", "Show the page before."),
        move("next_page", ("pagedown", "]"), "Page on", "Show the page after.", "page"),
        move("larger", ("+", "="), "Larger pictures", "Show fewer faces, larger."),
        move("smaller", ("-", "_"), "Smaller pictures", "Show more faces, smaller.", "size"),
        mark("mark_range", "w", "Mark range", "Mark all faces from the one that was marked last to the chosen one."),
        mark("invert", "*", "Invert marks", "Mark the faces of the page that are not marked, and unmark the others."),
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
        "Show the faces whose name, file, id, tags or series contain a text.",
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
        "library_rename",
        ("n",),
        "Name",
        "Give the chosen face a name, or take it away.",
        "Library",
        "tuiface library rename FACE NAME",
        "library",
        "name",
    ),
    Action(
        "library_rate",
        ("v",),
        "Rate",
        "Rate the marked faces, or the chosen one, from 1 to 5.",
        "Library",
        "tuiface library rate FACE 4",
        "library",
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

# --- Mix, Morph, Models and Jobs

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
    _morph_action("morph_back", ("left", "h"), "Frame back", "Show the frame before.", "move", DISPLAY_ONLY),
    _morph_action("morph_forward", ("right", "l"), "Frame on", "Show the frame after.", "move", DISPLAY_ONLY),
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
    scope: ActionScope, id: str, keys: tuple[str, ...], label: str, text: str, command: str, footer: str = ""
) -> Action:
    return Action(id, keys, label, text, "Models" if scope == "models" else "Jobs", command, scope, footer)


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

# --- Concepts, and the questionnaire that learns one

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
        "read",
        ("a",),
        "Learn from reader",
        "Learn directions of what the attribute reader sees in this network's faces, as a job.",
        "tuiface directions learn --attributes all",
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
    scope: ActionScope = "answering",
) -> Action:
    return Action(f"answer_{name}", keys, label, text, "Answers", command, scope, footer)


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

SETTINGS_ACTIONS: tuple[Action, ...] = (
    Action(
        "settings_up", ("up", "k"), "Up", "Move to the setting above.", "Settings", DISPLAY_ONLY, "settings", "move"
    ),
    Action(
        "settings_down",
        ("down", "j"),
        "Down",
        "Move to the setting below.",
        "Settings",
        DISPLAY_ONLY,
        "settings",
        "move",
    ),
    Action(
        "settings_change",
        ("enter",),
        "Change",
        "Give the chosen setting another value, in the settings file.",
        "Settings",
        "tuiface settings set NAME VALUE",
        "settings",
        "change",
    ),
    Action(
        "settings_reset",
        ("d", "delete"),
        "Default",
        "Take the chosen setting out of the settings file: its default holds again.",
        "Settings",
        "tuiface settings unset NAME",
        "settings",
        "default",
    ),
)

# --- every screen

_HELP = "tuiface --help"
_NO_SCREENS = NoCommand("commands have no screens")

EVERYWHERE_ACTIONS: tuple[Action, ...] = (
    Action(
        "copy_command",
        ("y",),
        "Copy command",
        "Copy the command that does the same to the terminal's clipboard.",
        "Program",
        NoCommand("the line that it copies is the command"),
        scope="everywhere",
        footer="copy",
    ),
    Action(
        "copy_python",
        ("Y",),
        "Copy as Python",
        "Copy Python that makes the chosen face, or the marked ones, to the terminal's clipboard.",
        "Program",
        NoCommand("what it copies is a script"),
        scope="everywhere",
    ),
    Action("face_screen", ("1",), "Face", "Go to one face, large.", "Program", _NO_SCREENS, scope="everywhere"),
    Action("explore_screen", ("2",), "Explore", "Go to a grid of faces.", "Program", _NO_SCREENS, scope="everywhere"),
    Action(
        "mix_screen", ("3",), "Mix", "Go to two faces and their exchange.", "Program", "tuiface swap A B", "everywhere"
    ),
    Action(
        "morph_screen", ("4",), "Morph", "Go to transitions of faces.", "Program", "tuiface morph A B", "everywhere"
    ),
    Action(
        "library_screen", ("5",), "Library", "Go to the saved faces.", "Program", "tuiface library list", "everywhere"
    ),
    Action("models_screen", ("6",), "Models", "Go to the networks.", "Program", "tuiface model list", "everywhere"),
    Action("jobs_screen", ("7",), "Jobs", "Go to the long work.", "Program", _NO_SCREENS, scope="everywhere"),
    Action(
        "concepts_screen",
        ("8",),
        "Concepts",
        "Go to the concepts: look at them, learn, find and import some.",
        "Program",
        "tuiface directions list",
        "everywhere",
    ),
    Action(
        "settings_screen",
        ("comma",),
        "Settings",
        "Go to what is set once: language, theme, psi, library, model.",
        "Program",
        "tuiface settings",
        "everywhere",
    ),
    Action("help", ("?", "f1"), "Help", "Show all keys.", "Program", _HELP, scope="everywhere", footer="help"),
    Action(
        "command_palette", ("ctrl+p",), "Palette", "Find an action by its name.", "Program", _HELP, scope="everywhere"
    ),
    Action(
        "change_theme",
        ("t",),
        "Theme",
        "Choose another colour theme: dark, light, or of high contrast.",
        "Program",
        NoCommand("commands print plain text; the setting `theme` keeps a choice"),
        scope="everywhere",
    ),
    Action(
        "graphics",
        ("V",),
        "Picture protocol",
        "Show pictures by the terminal's next way: its own protocol, coloured cells, or in numbers.",
        "Program",
        "tuiface --graphics GRAPHICS",
        scope="everywhere",
    ),
    Action(
        "screenshot",
        ("P",),
        "Screenshot",
        "Save the screen as an SVG picture into the library.",
        "Program",
        NoCommand("a command has no screen"),
        scope="everywhere",
    ),
    Action(
        "redraw",
        ("ctrl+l",),
        "Redraw",
        "Send all pictures and the whole screen again, as after attaching to tmux from another terminal.",
        "Program",
        NoCommand("a command draws once"),
        scope="everywhere",
    ),
    Action(
        "resume",
        ("B",),
        "Last session",
        "Go back to where the session before ended.",
        "Program",
        NoCommand("a command has no session: each one says everything that it needs"),
        scope="everywhere",
    ),
    Action(
        "restart_engine",
        ("R",),
        "Restart engine",
        "Start the engine again after it stopped.",
        "Program",
        NoCommand("each command starts its own engine"),
        scope="everywhere",
    ),
    Action(
        "quit",
        ("q", "ctrl+q"),
        "Quit",
        "Leave; faces that are being saved are finished first.",
        "Program",
        NoCommand("a command ends by itself"),
        scope="everywhere",
        footer="quit",
    ),
)
