"""A terminal without a window: runs a program under a pty, answers what it asks, and keeps what it draws.

`Screen` decodes enough for one program: cursor moves, colours, text, kitty's pictures and placeholders, sixels. What it
does not know raises, so that nothing on the wire goes unnoticed.
"""

from __future__ import annotations

import base64
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tuiface.core.pictures import decode_picture
from tuiface.core.processes import child_environment
from tuiface.terminal.kitty import DIACRITICS, PLACEHOLDER

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
    """What was asked and not answered yet: `c`, `>q`, `16t`, `$qm`, `kitty`, or for `6n` the answer, such as `2;1R`."""
    clipboard: str = ""
    num_images: int = 0
    num_position_queries: int = 0
    """How often the cursor's place was asked for: after each picture, once."""
    row: int = 0
    column: int = 0
    in_alternate: bool = False
    _written: dict[tuple[int, int], int] = field(default_factory=dict)
    """By place: how many sixels had come before its character."""
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

    def whole_sixels(self, cell_px: tuple[int, int]) -> dict[tuple[int, int], np.ndarray]:
        """By row and column: the sixels over which nothing was written since, in whole or in part."""
        width, height = cell_px
        found: dict[tuple[int, int], np.ndarray] = {}
        for number, (row, column, pixels) in enumerate(self.sixels):
            rows, columns = -(-pixels.shape[0] // height), -(-pixels.shape[1] // width)
            places = [(row + y, column + x) for y in range(rows) for x in range(columns)]
            found.pop((row, column), None)
            if all(self._written.get(place, 0) <= number for place in places):
                found[row, column] = pixels
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
            self._written[self.row, self.column] = len(self.sixels)
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
        image = decode_picture(base64.b64decode("".join(parts)), f"picture {number}", rgb=False)
        self.images[number] = np.asarray(image.convert("RGB"))
        self.sizes[number] = (int(keys["c"]), int(keys["r"]))
        self.num_images += 1

    def _handle_device_control(self, body: str) -> None:
        head, _, data = body.partition("q")
        if body == "$qm":
            self.queries.append(body)
        elif re.fullmatch(r"[0-9;]*", head):
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


@dataclass(frozen=True, slots=True)
class TerminalModel:
    """What a terminal answers."""

    name: str = "XTerm(379)"
    attributes: str = "64;1;2"
    """Of DA1; with 4 for sixel."""
    knows_kitty: bool = False
    keeps_rgb: bool | None = None
    """What it answers to a question about its attributes (DECRQSS); None: nothing."""
    cell_px: tuple[int, int] = (8, 16)
    encoding: str = "utf-8"


PLAIN = TerminalModel()
KITTY = TerminalModel("kitty(0.41.1)", "62", knows_kitty=True)


class PtyTerminal:
    """A program and the terminal that it believes in; a context manager that ends both."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = (80, 24),
        model: TerminalModel = PLAIN,
        environment: Mapping[str, str] | None = None,
        bytes_per_s: float | None = None,
        delay_s: float = 0.0,
    ) -> None:
        """`size` in columns and rows. `bytes_per_s` and `delay_s` (one way) make a link of it."""
        self.screen = Screen()
        self._model = model
        self._rate, self._delay = bytes_per_s, delay_s
        self._late: list[tuple[float, bytes]] = []
        """Keys and answers on their way to the program."""
        self._link_free = 0.0
        """When the link has carried everything that was read."""
        self.num_bytes = 0
        self.num_left_over: int | None = None
        """Answers on their way when the program gave the terminal back: its shell gets them as typed."""
        self.exit_code: int | None = None
        self._rest = b""
        columns, rows = size
        given = {"TERM": "xterm-256color", "LANG": "C.UTF-8", **(environment or {})}
        dropped = ("COLORTERM", "TMUX", "SSH_CONNECTION", "SSH_TTY", "NO_COLOR", "LC_ALL", "COLUMNS", "LINES", "STY")
        env = {**{k: v for k, v in child_environment().items() if k not in dropped}, **given}
        self._fd, terminal = pty.openpty()
        self.resize(columns, rows, notify=False)
        self.pid = os.fork()
        if self.pid == 0:
            os.login_tty(terminal)
            os.execve(command[0], list(command), env)  # noqa: S606 - the measured program itself, under the pty
        os.close(terminal)

    def __enter__(self) -> PtyTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    def resize(self, columns: int, rows: int, *, notify: bool = True) -> None:
        """Another size in cells; pixels follow from the model."""
        width, height = self._model.cell_px
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, columns * width, rows * height))
        if notify:
            self.screen.cells.clear()
            self.screen.sixels.clear()
            os.kill(self.pid, signal.SIGWINCH)

    def press(self, keys: str) -> None:
        """Type: `\\x1b[C` is the right arrow."""
        self._send(keys.encode())

    def until(self, condition: Callable[[Screen], object], deadline_s: float = 30.0) -> float:
        """Run until `condition` holds; the time (monotonic) at which it did."""
        end = time.monotonic() + deadline_s
        while not condition(self.screen):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {deadline_s} s:\n{self.screen.text()}")
            if not self.step():
                raise TimeoutError(f"the program ended ({self.exit_code}):\n{self.screen.text()}")
        return time.monotonic()

    def run_for(self, seconds: float) -> None:
        """Go on for a while, or until the program ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.step():
            pass

    def wait(self, deadline_s: float = 20.0) -> int:
        """Run until the program ends; its exit code."""
        end = time.monotonic() + deadline_s
        while self.step():
            if time.monotonic() > end:
                raise TimeoutError(f"still running:\n{self.screen.text()}")
        assert self.exit_code is not None
        return self.exit_code

    def step(self) -> bool:
        """Read, decode and answer what is there; False when the program has ended."""
        self._deliver()
        if select.select([self._fd], [], [], 0.002)[0]:
            try:
                data = os.read(self._fd, 4096 if self._rate else 65536)
            except OSError:
                data = b""
            if not data:
                self.exit_code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
                return False
            self.num_bytes += len(data)
            if self._rate:
                self._pass_link(len(data) / self._rate)
            self._decode(data)
            self._answer()
        return True

    def _pass_link(self, seconds: float) -> None:
        """Wait until the link has carried data for so long; decoding goes on beside it, as in a real terminal."""
        self._link_free = max(self._link_free, time.monotonic()) + seconds
        time.sleep(max(0.0, self._link_free - time.monotonic()))

    def _decode(self, data: bytes) -> None:
        data = self._rest + data
        try:
            text, self._rest = data.decode(self._model.encoding), b""
        except UnicodeDecodeError as error:
            text, self._rest = data[: error.start].decode(), data[error.start :]
            if len(self._rest) > 8:
                raise
        self.screen.feed(text)
        if "\x1b[?1049l" in text:
            self.num_left_over = len(self._late) + len(self.screen.queries)

    def _answer(self) -> None:
        model = self._model
        for question in self.screen.queries:
            if (question == "kitty" and not model.knows_kitty) or (question == "$qm" and model.keeps_rgb is None):
                continue
            answer = {
                "c": f"\x1b[?{model.attributes}c",
                ">q": f"\x1bP>|{model.name}\x1b\\",
                "16t": f"\x1b[6;{model.cell_px[1]};{model.cell_px[0]}t",
                "$qm": f"\x1bP1$r0;48:{'2::1:2:3' if model.keeps_rgb else '5:16'}m\x1b\\",
                "kitty": "\x1b_Gi=31;OK\x1b\\",
            }.get(question, f"\x1b[{question}")
            self._send(answer.encode())
        self.screen.queries.clear()

    def _send(self, data: bytes) -> None:
        self._late.append((time.monotonic() + 2 * self._delay, data))
        self._deliver()

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._late and self._late[0][0] <= now:
            os.write(self._fd, self._late.pop(0)[1])
