"""Actions that work on every screen."""

from __future__ import annotations

from tuiface.actions.action import Action, NoCommand

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
