"""The one registry of what the interface can do: bindings, footer, help, palette and the README's table come from here.

An action also names the command that does the same without the interface, or says why there is none.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tuiface.recipe import Recipe
    from tuiface.settings import Settings

Place = Literal["everywhere", "face"]
Topic = Literal["Seed", "Truncation", "Face", "Program"]

#: Textual's names of keys that have a sign, and of modifiers.
_SIGNS = {"left": "←", "right": "→", "up": "↑", "down": "↓", "backspace": "⌫", "f1": "F1"}
_MODIFIER_SIGNS = {"ctrl": "^", "shift": "⇧"}


@dataclass(frozen=True, slots=True)
class NoCommand:
    """Why an action has no equivalent command."""

    reason: str


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a user can do. Its handler is a step (tuiface.screens.face_steps) or the method `action_<id>`."""

    id: str
    """Stable: keymaps name it."""
    keys: tuple[str, ...]
    """Textual's names; the first one is shown in the footer."""
    label: str
    """At most three words, for the palette."""
    help: str
    """One sentence."""
    topic: Topic
    """Heading in the help."""
    command: str | NoCommand
    """Equivalent command, with capitals for what varies."""
    place: Place = "face"
    """The screen that it works on."""
    footer: str = ""
    """Its word in the footer, where neighbours with the same word share it; empty to leave it out."""

    @property
    def shown_keys(self) -> tuple[str, ...]:
        """The keys as people write them."""
        return tuple(map(shown_key, self.keys))


SEED_COMMAND = "tuiface render SEED"
PSI_COMMAND = "tuiface render SEED --psi PSI"
_SESSION_ONLY = NoCommand("a command has no session: each one says everything that it needs")

ACTIONS: tuple[Action, ...] = (
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
    Action("undo", ("u",), "Undo", "Go back to the face before.", "Face", _SESSION_ONLY, footer="undo"),
    Action("redo", ("ctrl+r",), "Redo", "Go forward again after an undo.", "Face", _SESSION_ONLY),
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
        "copy_command",
        ("y",),
        "Copy command",
        "Copy the command that makes this face to the terminal's clipboard.",
        "Face",
        NoCommand("the line that it copies is the command"),
        footer="copy",
    ),
    Action(
        "help",
        ("?", "f1"),
        "Help",
        "Show all keys.",
        "Program",
        "tuiface --help",
        place="everywhere",
        footer="help",
    ),
    Action(
        "command_palette",
        ("ctrl+p",),
        "Palette",
        "Find an action by its name.",
        "Program",
        "tuiface --help",
        place="everywhere",
    ),
    Action(
        "change_theme",
        ("t",),
        "Theme",
        "Choose another colour theme, dark or light.",
        "Program",
        NoCommand("commands print plain text; the setting `theme` keeps a choice"),
        place="everywhere",
    ),
    Action(
        "graphics",
        ("V",),
        "Picture protocol",
        "Show pictures by the terminal's next way: its own protocol, coloured cells, or in numbers.",
        "Program",
        "tuiface --graphics MODE",
        place="everywhere",
    ),
    Action(
        "redraw",
        ("ctrl+l",),
        "Redraw",
        "Send all pictures and the whole screen again, as after attaching to tmux from another terminal.",
        "Program",
        NoCommand("a command draws once"),
        place="everywhere",
    ),
    Action(
        "restart_engine",
        ("R",),
        "Restart engine",
        "Start the engine again after it stopped.",
        "Program",
        NoCommand("each command starts its own engine"),
        place="everywhere",
    ),
    Action(
        "quit",
        ("q", "ctrl+q"),
        "Quit",
        "Leave; faces that are being saved are finished first.",
        "Program",
        NoCommand("a command ends by itself"),
        place="everywhere",
        footer="quit",
    ),
)


def actions_at(place: Place) -> tuple[Action, ...]:
    """The actions whose handlers lie at `place`."""
    return tuple(action for action in ACTIONS if action.place == place)


def shown_key(key: str) -> str:
    """A Textual key name as people write it: `shift+up` as `⇧↑`, `ctrl+r` as `^r`."""
    modifiers, last = _parts(key)
    return "".join(_MODIFIER_SIGNS[m] for m in modifiers) + _SIGNS.get(last, last)


def ascii_key(key: str) -> str:
    """The same for terminals that take no more than ASCII: `shift+up`, `^r`."""
    modifiers, last = _parts(key)
    return "".join("^" if m == "ctrl" else f"{m}+" for m in modifiers) + last


def _parts(key: str) -> tuple[list[str], str]:
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    return modifiers, last


def command_line(recipe: Recipe, settings: Settings) -> str:
    """The shell command that renders `recipe`; what a command line cannot say needs the saved JSON."""
    if recipe.source.kind == "latent" or recipe.mixes or recipe.edits or recipe.locks:
        return "tuiface render FACE.json"
    words: list[str] = ["tuiface", "render", str(recipe.source.seed), "--psi", _number(recipe.truncation.psi)]
    if recipe.truncation.cutoff is not None:
        words += ["--cutoff", str(recipe.truncation.cutoff)]
    if recipe.source.label:
        words += ["--class", str(recipe.source.label)]
    if recipe.noise.mode == "random":
        words += ["--noise", f"random:{recipe.noise.seed}"]
    elif recipe.noise.mode != "const":
        words += ["--noise", recipe.noise.mode]
    if settings.model is not None:
        words += ["--model", str(settings.model)]
    return _quoted(words)


def _number(value: float) -> str:
    """The shortest text that reads back as `value`."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _quoted(words: Sequence[str]) -> str:
    return " ".join(shlex.quote(word) for word in words)
