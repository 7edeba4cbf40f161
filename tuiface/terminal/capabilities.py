"""What the terminal can show: from the environment, from what it answered (tuiface.terminal.probe), and the settings.

Everything here is arithmetic on values; nothing is asked of the terminal. SSH forwards TERM but not COLORTERM, so
terminals that name themselves in TERM, or in their answer, are recognised by that name.
"""

from __future__ import annotations

import fcntl
import re
import struct
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tuiface.terminal.probe import NO_ANSWERS, Answers, drop_coerced_locale, locale_is_utf8

if TYPE_CHECKING:
    from tuiface.core.settings import Settings
    from tuiface.terminal.probe import Probe

Colours = Literal["truecolor", "256", "16"]
Graphics = Literal["auto", "kitty", "sixel", "block", "none"]
GraphicsProtocol = Literal["kitty", "sixel", "block", "none"]
"""How pictures reach the terminal: kitty's Unicode placeholders, sixel, coloured cells, or not at all."""
CellStyle = Literal["auto", "half", "quadrant", "sextant"]
Mosaic = Literal["half", "quadrant", "sextant"]
"""Pixels that one coloured cell can tell apart: 1x2, 2x2 or 2x3, in two colours."""

DEFAULT_CELL_PX = (10, 20)

#: Terminals with 24-bit colours whose TERM says which they are.
_TRUECOLOR_TERMS = ("xterm-kitty", "xterm-ghostty", "ghostty", "alacritty", "foot", "contour", "wezterm")
#: The same by a variable: SSH servers commonly accept LC_*, so that LC_TERMINAL arrives.
_TRUECOLOR_VARIABLES = {
    "TERM_PROGRAM": ("iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper"),
    "LC_TERMINAL": ("iTerm2",),
}
#: The same by the answer to XTVERSION, in lower case.
_TRUECOLOR_NAMES = ("kitty", "ghostty", "wezterm", "iterm2", "foot", "konsole", "contour", "mintty", "xterm.js", "vte")
#: The words of TEXTUAL_COLOR_SYSTEM, Textual's own override.
_OVERRIDES: dict[str, Colours] = {"truecolor": "truecolor", "256": "256", "standard": "16"}
#: Placeholders came with this release of kitty (its changelog, 2023).
_MIN_KITTY_VERSION = (0, 28)
#: 24-bit colours came with this patch of xterm (its changelog, 2017), the answer to DECRQSS about them later.
_MIN_XTERM_VERSION = (331,)
_SIXEL_ATTRIBUTE = 4
"""In the answer to DA1 (VT340 and its heirs)."""


@dataclass(frozen=True, slots=True)
class TmuxFacts:
    """What tmux says of the terminal around it; its own DA1 may promise what that terminal cannot do."""

    features: frozenset[str] = frozenset()
    """`client_termfeatures`."""
    outer_term: str = ""
    """`client_termname`."""
    passthrough: bool = False
    """Whether `allow-passthrough` lets our escapes through."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """How pictures are drawn in this terminal."""

    graphics: GraphicsProtocol = "block"
    """`none`: pictures are described by their measures."""
    colours: Colours = "truecolor"
    """Colours that cells may have."""
    unicode: bool = True
    """False: cells are drawn as coloured spaces, one pixel each, since block characters may not arrive."""
    cell_px: tuple[int, int] = DEFAULT_CELL_PX
    """Width and height of a cell in pixels."""
    mosaic: Mosaic = "half"
    in_tmux: bool = False
    """Kitty's commands are wrapped so that tmux passes them on."""
    is_remote: bool = False
    """Over SSH: a draft is sent first until the link has shown that it is quick."""
    available_protocols: tuple[GraphicsProtocol, ...] = ("block", "none")
    """What the terminal can do, the best first: the key that changes it goes round these."""
    name: str = ""
    """What the terminal calls itself."""

    @property
    def has_pictures(self) -> bool:
        """Whether pictures are shown at all."""
        return self.graphics != "none"

    @property
    def has_few_colours(self) -> bool:
        """Whether pictures are drawn of a palette, which most terminals need not."""
        return self.graphics == "block" and self.colours != "truecolor"

    @property
    def cell_aspect(self) -> float:
        """Height of a cell divided by its width."""
        return self.cell_px[1] / self.cell_px[0]

    @property
    def pixels_per_cell(self) -> int:
        """Pixels that a cell of half-blocks shows, one above the other."""
        return 2 if self.unicode else 1

    def fit_square(self, columns: int, rows: int) -> tuple[int, int]:
        """The largest (columns, rows) within the given cells that looks square."""
        return self.fit(columns, rows, 1.0)

    def fit(self, columns: int, rows: int, ratio: float) -> tuple[int, int]:
        """The largest (columns, rows) within the given cells that looks `ratio` times as wide as high."""
        per_row = self.cell_aspect * ratio
        fitted_rows = max(1, min(rows, round(columns / per_row)))
        return max(1, min(columns, round(fitted_rows * per_row))), fitted_rows

    def view_px(self, columns: int, rows: int) -> int:
        """Pixels along the longer side that `columns` x `rows` cells can show."""
        if self.graphics in ("kitty", "sixel"):
            return max(columns * self.cell_px[0], rows * self.cell_px[1])
        across, down = (
            (1, self.pixels_per_cell) if self.mosaic == "half" else (2, 2 if self.mosaic == "quadrant" else 3)
        )
        return max(columns * across, rows * down)


def detect_capabilities(
    environment: Mapping[str, str],
    graphics: Graphics = "auto",
    *,
    cells: CellStyle = "auto",
    answers: Answers = NO_ANSWERS,
    tmux: TmuxFacts | None = None,
    cell_px: tuple[int, int] | None = None,
) -> Capabilities:
    """What is known of the terminal, with the settings `graphics` and `cells` on top.

    `cell_px` None takes the size that the terminal driver reports, else the one that was answered. NO_COLOR leaves
    cells: Textual turns every colour into a grey, which would break the numbers that placeholders carry.
    """
    colours = _detect_colours(environment, answers, tmux)
    unicode = locale_is_utf8(environment) or answers.utf8 is True
    offered = _list_protocols(environment, answers, tmux, unicode=unicode)
    return Capabilities(
        graphics=offered[0] if graphics == "auto" else graphics,
        colours="truecolor" if graphics == "kitty" else colours,
        unicode=unicode,
        cell_px=_sanitize_cell_px(cell_px or measure_cell_px() or answers.cell_px),
        mosaic=_choose_mosaic(cells, colours, unicode=unicode),
        in_tmux=tmux is not None,
        is_remote="SSH_CONNECTION" in environment or "SSH_TTY" in environment,
        available_protocols=offered if graphics == "auto" or graphics in offered else (graphics, *offered),
        name=answers.name or environment.get("TERM", ""),
    )


def _list_protocols(
    environment: Mapping[str, str], answers: Answers, tmux: TmuxFacts | None, *, unicode: bool
) -> tuple[GraphicsProtocol, ...]:
    if environment.get("TERM", "") in ("dumb", "unknown"):
        return ("none", "block")
    found: list[GraphicsProtocol] = []
    if not environment.get("NO_COLOR") and not is_opaque(environment):
        if unicode and _has_placeholders(answers, tmux):
            found.append("kitty")
        if "sixel" in tmux.features if tmux is not None else _SIXEL_ATTRIBUTE in answers.attributes:
            found.append("sixel")
    return (*found, "block", "none")


def is_opaque(environment: Mapping[str, str]) -> bool:
    """Whether a program in between swallows pictures: GNU screen, or mosh, which draws cells of its own."""
    term = environment.get("TERM", "")
    return ("TMUX" not in environment and term.startswith("screen")) or "MOSH_IP" in environment or "STY" in environment


def _has_placeholders(answers: Answers, tmux: TmuxFacts | None) -> bool:
    """An OK to kitty's query is not enough: WezTerm, Konsole and Warp give it without knowing placeholders."""
    if tmux is not None:
        return tmux.passthrough and tmux.outer_term in ("xterm-kitty", "xterm-ghostty")
    name = answers.name.lower()
    return answers.kitty and (
        name.startswith("ghostty") or (name.startswith("kitty") and _version(name) >= _MIN_KITTY_VERSION)
    )


def _choose_mosaic(cells: CellStyle, colours: Colours, *, unicode: bool) -> Mosaic:
    """Quadrants by default: never worse than half-blocks, and in every font; palettes are diffused over halves."""
    if not unicode or colours != "truecolor":
        return "half"
    return "quadrant" if cells == "auto" else cells


def _detect_colours(environment: Mapping[str, str], answers: Answers, tmux: TmuxFacts | None) -> Colours:
    override = _OVERRIDES.get(environment.get("TEXTUAL_COLOR_SYSTEM", "").lower())
    if override is not None:
        return override
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return "truecolor"
    if tmux is not None:
        return "truecolor" if "RGB" in tmux.features else "256"
    term = environment.get("TERM", "").lower()
    if term.startswith(_TRUECOLOR_TERMS) or term.endswith(("-direct", "-truecolor")) or "WT_SESSION" in environment:
        return "truecolor"
    if any(environment.get(name) in programs for name, programs in _TRUECOLOR_VARIABLES.items()):
        return "truecolor"
    if is_opaque(environment):
        return "256" if term.endswith("-256color") else "16"
    if answers.rgb is not None:
        return "truecolor" if answers.rgb else "256"
    name = answers.name.lower()
    if name.startswith(_TRUECOLOR_NAMES) or (name.startswith("xterm(") and _version(name) >= _MIN_XTERM_VERSION):
        return "truecolor"
    return "256" if term.endswith("-256color") or name else "16"


def _version(name: str) -> tuple[int, ...]:
    """The first two numbers in a terminal's name."""
    return tuple(int(n) for n in re.findall(r"[0-9]{1,9}", name)[:2])


def measure_cell_px() -> tuple[int, int] | None:
    """Size of a cell from the terminal driver's size in pixels; None where it reports none."""
    for stream in (sys.__stderr__, sys.__stdout__, sys.__stdin__):
        try:
            assert stream is not None
            answer = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        except (OSError, ValueError, AssertionError):
            continue
        rows, columns, width_px, height_px = struct.unpack("HHHH", answer)
        if rows and columns and width_px and height_px:
            return width_px // columns, height_px // rows
    return None


def _sanitize_cell_px(cell_px: tuple[int, int] | None) -> tuple[int, int]:
    """A terminal's own word, unless no font has such cells."""
    if cell_px is None or cell_px[0] < 3 or not 1.4 <= cell_px[1] / cell_px[0] <= 3:
        return DEFAULT_CELL_PX
    return cell_px


def parse_tmux_line(line: str | None) -> TmuxFacts | None:
    """From `Probe.wait_for_tmux_line`: None outside tmux, nothing promised where it was mute."""
    if line is None:
        return None
    features, outer_term, passthrough = (*line.split("\t"), "", "", "")[:3]
    return TmuxFacts(frozenset(features.split(",")), outer_term, passthrough in ("1", "on", "all"))


def capabilities_of(settings: Settings, probe: Probe | None = None) -> Capabilities:
    """What the environment says of the terminal, with its answers and the settings."""
    environment = drop_coerced_locale()
    if probe is None:
        return detect_capabilities(environment, settings.graphics, cells=settings.cells)
    answers, tmux = probe.answers(), parse_tmux_line(probe.wait_for_tmux_line())
    return detect_capabilities(environment, settings.graphics, cells=settings.cells, answers=answers, tmux=tmux)
