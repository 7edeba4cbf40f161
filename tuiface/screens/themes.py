"""The themes of our own: dark, light, and one of high contrast; the choice is kept."""

from __future__ import annotations

import logging
from pathlib import Path

from textual.theme import Theme

from tuiface.core.errors import TuifaceError
from tuiface.core.reading import read_regular

DEFAULT_THEME = "tuiface-dark"
_FILE = "theme"
_MAX_BYTES = 1024
log = logging.getLogger("tuiface")

THEMES = (
    Theme(
        name="tuiface-dark",
        primary="#7aa2c8",
        secondary="#a8b8c8",
        accent="#d8a26a",
        warning="#d8b26a",
        error="#e07a6a",
        success="#8ab87a",
        foreground="#dcdcd8",
        background="#131416",
        surface="#1b1d20",
        panel="#24272b",
        dark=True,
    ),
    Theme(
        name="tuiface-light",
        primary="#2b5f8c",
        secondary="#5a6a78",
        accent="#9a5a1a",
        warning="#8a5f00",
        error="#a8301f",
        success="#3a6a2a",
        foreground="#202224",
        background="#f4f3f0",
        surface="#e9e7e3",
        panel="#dedbd5",
        dark=False,
    ),
    Theme(
        name="tuiface-contrast",
        primary="#ffff00",
        secondary="#00ffff",
        accent="#ff9f00",
        warning="#ffbf00",
        error="#ff6060",
        success="#60ff60",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#202020",
        dark=True,
    ),
)


def read_last_theme(state: Path) -> str | None:
    """The theme that was chosen last."""
    try:
        return read_regular(state / _FILE, _MAX_BYTES).decode().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def keep_theme(state: Path, name: str) -> None:
    """Remember a choice; a folder that cannot be written must not keep anybody from working."""
    from tuiface.core.files import make_folder, write_file

    try:
        make_folder(state)
        write_file(state / _FILE, f"{name}\n".encode(), force=True)
    except TuifaceError as error:
        log.warning("theme not kept: %s", error)
