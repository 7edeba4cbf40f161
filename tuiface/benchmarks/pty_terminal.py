"""A terminal without a window: runs a program under a pty, answers what it asks, and keeps what it draws."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tuiface.benchmarks.terminal_screen import Screen


@dataclass(frozen=True, slots=True)
class TerminalModel:
    """What a terminal answers."""

    name: str = "XTerm(379)"
    attributes: str = "64;1;2"
    """Of DA1; with 4 for sixel."""
    knows_kitty: bool = False
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
        self.exit_code: int | None = None
        self._rest = b""
        columns, rows = size
        given = {"TERM": "xterm-256color", "LANG": "C.UTF-8", **(environment or {})}
        dropped = ("COLORTERM", "TMUX", "SSH_CONNECTION", "SSH_TTY", "NO_COLOR", "LC_ALL", "COLUMNS", "LINES", "STY")
        env = {**{k: v for k, v in os.environ.items() if k not in dropped}, **given}
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

    def _answer(self) -> None:
        model = self._model
        for question in self.screen.queries:
            if question == "kitty" and not model.knows_kitty:
                continue
            answer = {
                "c": f"\x1b[?{model.attributes}c",
                ">q": f"\x1bP>|{model.name}\x1b\\",
                "16t": f"\x1b[6;{model.cell_px[1]};{model.cell_px[0]}t",
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
