"""What an action is, and how its keys are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ActionScope = Literal[
    "everywhere", "face", "explore", "mix", "morph", "library", "models", "jobs", "concepts", "answering", "settings"
]
Topic = Literal[
    "Edit",
    "Locks",
    "Seed",
    "Truncation",
    "Face",
    "Grid",
    "Rows",
    "Transition",
    "Library",
    "Models",
    "Jobs",
    "Concepts",
    "Answers",
    "Settings",
    "Program",
]
ScreenName = Literal[
    "face", "explore", "mix", "morph", "library", "models", "jobs", "concepts", "answering", "settings"
]

SCREENS: tuple[ScreenName, ...] = ("face", "explore", "mix", "morph", "library", "models", "jobs", "concepts")
"""In the order of their tabs; the keys 1 to 8 go there."""
SCREENS_WITHOUT_TAB: tuple[ScreenName, ...] = ("answering", "settings")
"""Screens that a key leads to, or another screen. Their keys come before those that work everywhere."""

#: Textual's names of keys that have a sign, and of modifiers.
_SIGNS = {
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "backspace": "⌫",
    "enter": "⏎",
    "space": "␣",
    "delete": "⌦",
    "pageup": "⇞",
    "pagedown": "⇟",
    "f1": "F1",
    "escape": "Esc",
    "comma": ",",
}
_MODIFIER_SIGNS = {"ctrl": "^", "shift": "⇧"}


@dataclass(frozen=True, slots=True)
class NoCommand:
    """Why an action has no equivalent command."""

    reason: str


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a user can do.

    Its handler is a step (tuiface.screens.face.studio_actions) or the method `action_<id>`.

    Texts are English, and keys of the catalogues (tuiface.core.i18n).
    """

    id: str
    """Stable: keymaps name it. Unique among all screens."""
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
    scope: ActionScope = "face"
    """The screen that it works on."""
    footer: str = ""
    """Its word in the footer, where neighbours with the same word share it; empty to leave it out."""

    @property
    def key_labels(self) -> tuple[str, ...]:
        """The keys as people write them."""
        return tuple(map(format_key, self.keys))


def format_key(key: str) -> str:
    """A Textual key name as people write it: `shift+up` as `⇧↑`, `ctrl+r` as `^r`."""
    modifiers, last = _split_key(key)
    return "".join(_MODIFIER_SIGNS.get(m, f"{m}+") for m in modifiers) + _SIGNS.get(last, last)


def format_key_ascii(key: str) -> str:
    """The same for terminals that take no more than ASCII: `shift+up`, `^r`."""
    modifiers, last = _split_key(key)
    return "".join("^" if m == "ctrl" else f"{m}+" for m in modifiers) + last


def _split_key(key: str) -> tuple[list[str], str]:
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    return modifiers, last


SEED_COMMAND = "tuiface render SEED"
PSI_COMMAND = "tuiface render SEED --psi PSI"
SESSION_ONLY = NoCommand("a command has no session: each one says everything that it needs")
DISPLAY_ONLY = NoCommand("it changes what is shown, not the face")
