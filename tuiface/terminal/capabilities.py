"""What the terminal can show, read from the environment alone: nothing is sent to the terminal, so nothing can hang.

SSH forwards TERM but not COLORTERM; terminals that name themselves in TERM are therefore recognised by that name.
"""

from __future__ import annotations

import fcntl
import struct
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Colours = Literal["truecolor", "256", "16"]
Graphics = Literal["auto", "block", "none"]

USUAL_CELL_ASPECT = 2.0

#: Terminals with 24-bit colours whose TERM says which they are.
_TRUECOLOR_TERMS = ("xterm-kitty", "xterm-ghostty", "ghostty", "alacritty", "foot", "contour", "wezterm")
#: The same by a variable: SSH servers commonly accept LC_*, so that LC_TERMINAL arrives.
_TRUECOLOR_VARIABLES = {
    "TERM_PROGRAM": ("iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper"),
    "LC_TERMINAL": ("iTerm2",),
}
#: The words of TEXTUAL_COLOR_SYSTEM, Textual's own override.
_OVERRIDES: dict[str, Colours] = {"truecolor": "truecolor", "256": "256", "standard": "16"}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """How pictures are drawn in this terminal."""

    pictures: bool = True
    """False: pictures are described by their measures."""
    colours: Colours = "truecolor"
    """Colours that cells may have."""
    unicode: bool = True
    """False: cells are drawn as coloured spaces, one pixel each, since ▀ may not arrive."""
    cell_aspect: float = USUAL_CELL_ASPECT
    """Height of a cell divided by its width."""

    @property
    def pixels_per_cell(self) -> int:
        """Pixels that a cell shows, one above the other."""
        return 2 if self.unicode else 1

    def fit_square(self, columns: int, rows: int) -> tuple[int, int]:
        """The largest (columns, rows) within the given cells that looks square."""
        fitted_rows = max(1, min(rows, round(columns / self.cell_aspect)))
        return max(1, min(columns, round(fitted_rows * self.cell_aspect))), fitted_rows


def detect(
    environment: Mapping[str, str], graphics: Graphics = "auto", cell_aspect: float | None = None
) -> Capabilities:
    """What `environment` says, with the setting `graphics` on top; `cell_aspect` None asks the terminal driver.

    NO_COLOR needs no case of its own: Textual turns every colour, those of pictures too, into greys.
    """
    is_dumb = environment.get("TERM", "") in ("dumb", "unknown")
    return Capabilities(
        pictures=graphics == "block" or (graphics == "auto" and not is_dumb),
        colours=_colours(environment),
        unicode=_is_utf8(environment),
        cell_aspect=measured_cell_aspect() if cell_aspect is None else cell_aspect,
    )


def _colours(environment: Mapping[str, str]) -> Colours:
    override = _OVERRIDES.get(environment.get("TEXTUAL_COLOR_SYSTEM", "").lower())
    if override is not None:
        return override
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return "truecolor"
    term = environment.get("TERM", "").lower()
    if term.startswith(_TRUECOLOR_TERMS) or term.endswith(("-direct", "-truecolor")) or "WT_SESSION" in environment:
        return "truecolor"
    if any(environment.get(name) in programs for name, programs in _TRUECOLOR_VARIABLES.items()):
        return "truecolor"
    return "256" if term.endswith("-256color") else "16"


def _is_utf8(environment: Mapping[str, str]) -> bool:
    """The character set of the locale, by the order in which POSIX reads the variables."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    return "utf8" in locale.lower().replace("-", "")


def measured_cell_aspect() -> float:
    """Cell height by width from the terminal's size in pixels, where it reports one that is plausible; else 2."""
    for stream in (sys.__stderr__, sys.__stdout__, sys.__stdin__):
        try:
            assert stream is not None
            answer = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        except (OSError, ValueError, AssertionError):
            continue
        rows, columns, width_px, height_px = struct.unpack("HHHH", answer)
        if rows and columns and width_px and height_px:
            aspect = float((height_px / rows) / (width_px / columns))
            return aspect if 1.5 <= aspect <= 3 else USUAL_CELL_ASPECT
    return USUAL_CELL_ASPECT
