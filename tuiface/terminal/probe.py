"""One question to the terminal, before the interface starts: what are you, and can you show pictures?

One write holds kitty's graphics query, XTVERSION (`CSI > q`), the cell size (`CSI 16 t`), two questions for 24-bit
colours (DECRQSS, XTGETTCAP) and DA1 (`CSI c`). Every terminal answers DA1, so its answer ends the wait; a terminal that
is mute costs the deadline. The wait runs in a thread while the interface is imported: on most links it costs nothing.

Once Textual reads the terminal, an answer would arrive as key presses: nothing is asked later, and what comes later is
taken out (late_answers.py).
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import termios
import threading
import time
import tty
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tuiface.core import processes
from tuiface.terminal.late_answers import LateAnswers

DEADLINE_S = 1.0
"""Long enough for a satellite link; both graphics libraries wait 0.1 s, which is too short for a bad Wi-Fi."""
TMUX_DEADLINE_S = 0.5

_KITTY_QUERY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_XTVERSION = "\x1b[>q"
_CELL_SIZE = "\x1b[16t"
_COLOURS = "\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[m\x1bP+q524742\x1b\\"
"""Set a 24-bit background and ask which attributes are set (DECRQSS of SGR); then for terminfo's RGB (XTGETTCAP)."""
_DA1 = "\x1b[c"
_UTF8_TEST = "\ré\x1b[6n\r\x1b[K"
"""One column in UTF-8, two in any 8-bit character set; wiped at once."""

_DA1_ANSWER = re.compile(rb"\x1b\[\?([0-9;]*)c")
_CELL_ANSWER = re.compile(rb"\x1b\[6;(\d{1,4});(\d{1,4})t")
_NAME_ANSWER = re.compile(rb"\x1bP>\|([\x20-\x7e]{0,80})\x1b\\")
_ATTRIBUTES_ANSWER = re.compile(rb"\x1bP1\$r([0-9:;]{0,80})m\x1b\\")
_EXACT_COLOUR = re.compile(rb"48[:;]2[:;]+(?:[0-9]+:)?1[:;]2[:;]3(?:;|$)")
_RGB_ANSWER = re.compile(rb"\x1bP1\+r524742(?:=[0-9A-Fa-f]{0,32})?\x1b\\", re.IGNORECASE)
_COLUMN_ANSWER = re.compile(rb"\x1b\[\d{1,4};(\d{1,4})R")
_KITTY_ANSWER = b"\x1b_Gi=31;OK\x1b\\"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the terminal said."""

    kitty: bool = False
    """It knows kitty's graphics protocol, in whole or in part."""
    name: str = ""
    """Its answer to XTVERSION: `kitty(0.41.1)`, `XTerm(379)`, ..."""
    attributes: frozenset[int] = frozenset()
    """Of DA1; 4 is sixel."""
    cell_px: tuple[int, int] | None = None
    """Width and height of a cell."""
    rgb: bool | None = None
    """Whether it keeps 24-bit colours; None where it did not say."""
    utf8: bool | None = None
    """Whether it reads UTF-8; None where it was not asked."""
    round_trip_ms: float | None = None
    """From the question to the answer; None if there was none."""


NO_ANSWERS = Answers()


def compose_query(environment: Mapping[str, str]) -> str:
    """What this terminal may be asked: empty for one that would print the question instead of answering it."""
    term = environment.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        return ""
    test = "" if locale_is_utf8(environment) else _UTF8_TEST
    if term.startswith(("linux", "screen", "tmux")) or "TMUX" in environment:
        return test + _CELL_SIZE + _DA1  # these know no APC, or answer in place of the terminal around them
    return test + _KITTY_QUERY + _XTVERSION + _CELL_SIZE + _COLOURS + _DA1


def locale_is_utf8(environment: Mapping[str, str]) -> bool:
    """The character set of the locale, by the order in which POSIX reads the variables."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    return "utf8" in locale.lower().replace("-", "")


def drop_coerced_locale(environment: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """Without the LC_CTYPE that Python itself sets to UTF-8 in the C locale (PEP 538)."""
    try:
        was_given = b"LC_CTYPE=" in Path("/proc/self/environ").read_bytes()
    except OSError:
        return environment
    return environment if was_given else {name: value for name, value in environment.items() if name != "LC_CTYPE"}


def parse_answers(data: bytes, elapsed_s: float | None = None) -> Answers:
    """The answers in what came back, whatever else (typed keys) lies between them."""
    attributes = _DA1_ANSWER.search(data)
    cell = _CELL_ANSWER.search(data)
    name = _NAME_ANSWER.search(data)
    column = _COLUMN_ANSWER.search(data)
    return Answers(
        kitty=_KITTY_ANSWER in data,
        name=name[1].decode("ascii") if name else "",
        attributes=frozenset(int(n) for n in attributes[1].split(b";") if n) if attributes else frozenset(),
        cell_px=(int(cell[2]), int(cell[1])) if cell else None,
        rgb=_has_rgb(data),
        utf8=int(column[1]) == 2 if column else None,
        round_trip_ms=None if elapsed_s is None or attributes is None else elapsed_s * 1000,
    )


def _has_rgb(data: bytes) -> bool | None:
    """What was set is believed before what a table says: xterm answers XTGETTCAP by its TERM's."""
    attributes = _ATTRIBUTES_ANSWER.search(data)
    if attributes is not None and b"48" in attributes[1]:
        return _EXACT_COLOUR.search(attributes[1]) is not None
    return True if _RGB_ANSWER.search(data) else None


def query_terminal(terminal: int, text: str, deadline_s: float = DEADLINE_S) -> Answers:
    """Write `text` to the open tty `terminal` and read until DA1 is answered or the deadline has passed.

    The terminal is left as it was; what arrives late is thrown away (TCSAFLUSH).
    """
    before = termios.tcgetattr(terminal)
    data, start = b"", time.monotonic()
    try:
        tty.setcbreak(terminal, termios.TCSAFLUSH)
        os.write(terminal, text.encode())
        while (left := start + deadline_s - time.monotonic()) > 0 and not _DA1_ANSWER.search(data):
            if select.select([terminal], [], [], left)[0]:
                data += os.read(terminal, 4096)
        return parse_answers(data, time.monotonic() - start)
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


class Probe:
    """The question under way in a thread: `start` at once, `answers` when they are needed."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._answers = NO_ANSWERS
        self._tmux: str | None = None
        self._has_asked = False
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)

    @classmethod
    def start(cls, environment: Mapping[str, str]) -> Probe:
        """Ask now."""
        probe = cls(environment)
        probe._thread.start()
        return probe

    def answers(self) -> Answers:
        """What the terminal said, waiting for it if need be."""
        self._thread.join()
        return self._answers

    def late_answers(self) -> LateAnswers:
        """What still comes of the answers."""
        return LateAnswers(is_owed=self._has_asked and self.answers().round_trip_ms is None)

    def wait_for_tmux_line(self) -> str | None:
        """What `ask_tmux` brought; None outside tmux."""
        self._thread.join()
        return self._tmux

    def _run(self) -> None:
        if self._environment.get("TMUX"):
            self._tmux = ask_tmux()
        text = compose_query(self._environment)
        try:
            terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        except OSError:
            return
        try:
            if text and os.tcgetpgrp(terminal) == os.getpgrp():  # a job in the background may not touch the tty
                self._has_asked = True
                self._answers = query_terminal(terminal, text)
        except (OSError, termios.error):
            return  # the terminal went away; the interface will notice by itself
        finally:
            os.close(terminal)


def ask_tmux() -> str:
    """tmux's words on the terminal around it, tab-separated: features, name, allow-passthrough; empty if it is mute."""
    words = "#{client_termfeatures}\t#{client_termname}\t#{allow-passthrough}"
    try:
        done = processes.run(["tmux", "display-message", "-p", words], timeout_s=TMUX_DEADLINE_S)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace").strip("\n") if done.returncode == 0 else ""
