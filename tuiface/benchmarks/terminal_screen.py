"""What a terminal shows: decodes what a program writes to it.

Enough of a terminal for one program: cursor moves, colours, text, kitty's pictures and placeholders, sixels. What the
decoder does not know raises, so that nothing on the wire goes unnoticed.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from tuiface.terminal.kitty import PLACEHOLDER
from tuiface.terminal.kitty_diacritics import DIACRITICS

Colour = tuple[int, int, int] | int | None
"""24-bit, a palette number, or the terminal's own."""

_TOKEN = re.compile(
    r"\x1b_(?P<apc>.*?)\x1b\\"
    r"|\x1bPtmux;(?P<tmux>(?:[^\x1b]|\x1b\x1b)*)\x1b\\"
    r"|\x1bP(?!tmux;)(?P<dcs>.*?)\x1b\\"
    r"|\x1b\](?P<osc>.*?)(?:\x07|\x1b\\)"
    r"|\x1b\[(?P<csi>[?>=<]?[0-9;:$ ]*)(?P<final>[@-~])"
    r"|\x1b(?P<esc>[78=>c])"
    r"|(?P<char>[^\x1b])",
    re.DOTALL,
)
_NUMBER_OF = {character: number for number, character in enumerate(DIACRITICS)}


@dataclass(frozen=True, slots=True)
class Cell:
    """One character on the screen."""

    text: str
    foreground: Colour
    back: Colour


@dataclass
class Screen:
    """What a terminal shows after all that was fed to it."""

    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    """By (row, column), from 0."""
    images: dict[int, np.ndarray] = field(default_factory=dict)
    """Kitty's pictures by number, uint8 [H, W, 3]; deleted ones are gone."""
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Columns and rows of their placements."""
    sixels: list[tuple[int, int, np.ndarray]] = field(default_factory=list)
    """Row, column and pixels of each sixel, in the order of arrival."""
    queries: list[str] = field(default_factory=list)
    """What was asked and not answered yet: `c`, `>q`, `16t`, `kitty`, or for `6n` the answer, such as `2;1R`."""
    clipboard: str = ""
    num_images: int = 0
    num_position_queries: int = 0
    """How often the cursor's place was asked for: after each picture, once."""
    row: int = 0
    column: int = 0
    in_alternate: bool = False
    _saved: tuple[int, int] = (0, 0)
    _fore: Colour = None
    _back: Colour = None
    _pending: str = ""
    _transfer: tuple[dict[str, str], list[str]] | None = None

    def feed(self, data: str) -> None:
        """Take what the program wrote; a sequence that is not complete waits for the rest."""
        text, self._pending = self._pending + data, ""
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                break
            self._handle_token(match)
            position = match.end()
        self._pending = text[position:]
        if len(self._pending) > 4_000_000:
            raise ValueError(f"a sequence that does not end: {self._pending[:60]!r}")

    def text(self) -> str:
        """The characters, row by row."""
        if not self.cells:
            return ""
        rows = max(row for row, _ in self.cells) + 1
        columns = max(column for _, column in self.cells) + 1
        blank = Cell(" ", None, None)
        return "\n".join("".join(self.cells.get((y, x), blank).text[0] for x in range(columns)) for y in range(rows))

    def placeholders(self) -> dict[tuple[int, int], tuple[int, int, int]]:
        """By place on the screen: number of the picture, row and column in it."""
        found = {}
        for place, cell in self.cells.items():
            if cell.text[0] == PLACEHOLDER and len(cell.text) == 3:  # the diacritics may not have been read yet
                assert isinstance(cell.foreground, tuple), cell
                red, green, blue = cell.foreground
                found[place] = (red << 16 | green << 8 | blue, _NUMBER_OF[cell.text[1]], _NUMBER_OF[cell.text[2]])
        return found

    # --- tokens --------------------------------------------------------------------------------------------------

    def _handle_token(self, match: re.Match[str]) -> None:
        kind = match.lastgroup
        if kind == "char":
            self._put_character(match["char"])
        elif kind == "final":
            self._handle_control(match["csi"], match["final"])
        elif kind == "apc":
            self._handle_kitty(match["apc"])
        elif kind == "tmux":
            self.feed(match["tmux"].replace("\x1b\x1b", "\x1b"))
        elif kind == "dcs":
            self._handle_device_control(match["dcs"])
        elif kind == "osc" and match["osc"].startswith("52;"):
            self.clipboard = base64.b64decode(match["osc"].split(";")[2]).decode()
        elif kind == "esc" and match["esc"] == "7":
            self._saved = (self.row, self.column)
        elif kind == "esc" and match["esc"] == "8":
            self.row, self.column = self._saved

    def _put_character(self, character: str) -> None:
        if character == "\n":
            self.row, self.column = self.row + 1, 0
        elif character == "\r":
            self.column = 0
        elif character in _NUMBER_OF:
            place = (self.row, self.column - 1)
            if place in self.cells:  # not where a resize cleared the screen in between
                cell = self.cells[place]
                self.cells[place] = Cell(cell.text + character, cell.foreground, cell.back)
        elif character >= " ":
            self.cells[self.row, self.column] = Cell(character, self._fore, self._back)
            self.column += 1

    def _handle_control(self, given: str, final: str) -> None:
        numbers = [int(n) if n.isdigit() else 0 for n in given.lstrip("?><=").split(";")]
        if final == "H":
            self.row, self.column = max(numbers[0] - 1, 0), max((*numbers, 1)[1] - 1, 0)
        elif final == "m" and not given.startswith((">", "?")):
            self._set_style([int(n or 0) for n in given.replace(":", ";").split(";")])
        elif final == "J":
            self.cells.clear()
        elif final in "ABCD":
            step = max(numbers[0], 1)
            self.row += {"A": -step, "B": step}.get(final, 0)
            self.column += {"C": step, "D": -step}.get(final, 0)
        elif final == "h" and given == "?1049":
            self.in_alternate = True
        elif final == "l" and given == "?1049":
            self.in_alternate = False
        elif given + final == "6n":
            self.num_position_queries += 1
            self.queries.append(f"{self.row + 1};{self.column + 1}R")
        elif (asked := given + final) in ("c", ">q", "16t"):
            self.queries.append(asked)

    def _set_style(self, codes: list[int]) -> None:
        rest = iter(codes)
        for code in rest:
            if code == 0:
                self._fore = self._back = None
            elif code in (38, 48):
                kind = next(rest)
                colour: Colour = (next(rest), next(rest), next(rest)) if kind == 2 else next(rest)
                self._fore, self._back = (colour, self._back) if code == 38 else (self._fore, colour)
            elif code in (39, 49):
                self._fore, self._back = (None, self._back) if code == 39 else (self._fore, None)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self._fore = code - 30 if code < 90 else code - 82
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self._back = code - 40 if code < 100 else code - 92

    # --- pictures ------------------------------------------------------------------------------------------------

    def _handle_kitty(self, body: str) -> None:
        control, _, data = body.removeprefix("G").partition(";")
        keys = dict(item.split("=", 1) for item in control.split(",") if "=" in item)
        action = keys.get("a")
        if action == "q":
            self.queries.append("kitty")
        elif action == "d":
            self.images.pop(int(keys["i"]), None)
        else:
            assert keys.get("q") == "2", f"a reply to {control!r} would be read as keys"
            assert len(data) <= 4096, len(data)
            if self._transfer is None:
                self._transfer = (keys, [])
            self._transfer[1].append(data)
            if keys.get("m", "0") == "0":
                self._finish_transfer()

    def _finish_transfer(self) -> None:
        assert self._transfer is not None
        keys, parts = self._transfer
        self._transfer = None
        number = int(keys["i"])
        with Image.open(io.BytesIO(base64.b64decode("".join(parts)))) as image:
            self.images[number] = np.asarray(image.convert("RGB"))
        self.sizes[number] = (int(keys["c"]), int(keys["r"]))
        self.num_images += 1

    def _handle_device_control(self, body: str) -> None:
        head, _, data = body.partition("q")
        if re.fullmatch(r"[0-9;]*", head):
            self.sixels.append((self.row, self.column, decode_sixel(data)))


def decode_sixel(data: str) -> np.ndarray:
    """uint8 [H, W, 3] of what stands between `ESC P ... q` and `ESC \\`."""
    size = re.match(r'"1;1;(\d+);(\d+)', data)
    assert size, data[:40]
    pixels = np.zeros((int(size[2]), int(size[1]), 3), np.uint8)
    palette: dict[int, tuple[int, int, int]] = {}
    x = y = 0
    colour = (0, 0, 0)
    tokens = re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)(.)|(\$)|(-)|([?-~])")
    for match in tokens.finditer(data, size.end()):
        if match[1]:
            red, green, blue = (round(int(match[i]) * 255 / 100) for i in (2, 3, 4))
            palette[int(match[1])] = (red, green, blue)
        elif match[5]:
            colour = palette[int(match[5])]
        elif match[8]:
            x = 0
        elif match[9]:
            x, y = 0, y + 6
        else:
            count, character = (int(match[6]), match[7]) if match[6] else (1, match[10])
            for bit in range(6):
                if (ord(character) - 63) >> bit & 1:
                    pixels[y + bit, x : x + count] = colour
            x += count
    return pixels
