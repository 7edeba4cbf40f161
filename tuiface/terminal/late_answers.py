"""Answers of the terminal that come when nobody waits for them any more: they must not act as keys.

The question before the start (probe.py) has a deadline; over a slow link its answers come when the interface reads the
keyboard, where `ESC _ G` is Alt+underscore and a G. Each answer begins as no key does, so it is taken out of what was
typed wherever it stands, in one piece or in several.
"""

from __future__ import annotations

import re
import threading
import time

_ANSWERS = re.compile(
    r"\x1b_G[^\x1b]{0,256}\x1b\\"  # kitty's graphics
    r"|\x1bP[>01][^\x1b]{0,256}\x1b\\"  # XTVERSION, XTGETTCAP, DECRQSS
    r"|\x1b\]1[0-9];[^\x1b\x07]{0,64}(?:\x1b\\|\x07)"  # colours
    r"|\x1b\[[?>][0-9;]{0,64}c"  # DA1, DA2
    r"|\x1b\[[468];[0-9]{1,5};[0-9]{1,5}t"  # sizes in pixels and cells
)
_FIRST_ROW = re.compile(r"\x1b\[1;[0-9]{1,4}R")
"""A cursor position that reads as a function key. The interface asks from row 2, the question before the start here."""
_DA1 = re.compile(r"\x1b\[\?[0-9;]{0,64}c")
_BEGINNING = re.compile(
    r"\x1b(?:_(?:G[^\x1b]{0,256}\x1b?)?|P(?:[>01][^\x1b]{0,256}\x1b?)?|\](?:1[0-9]?(?:;[^\x1b\x07]{0,64}\x1b?)?)?"
    r"|\[(?:[?>][0-9;]{0,64}|[1468](?:;[0-9;]{0,11})?)?)?\Z"
)
"""The end of a text that may be the beginning of an answer."""
HOLD_S = 0.1
"""How long such an end is kept back for what follows, while answers are owed: as long as Textual waits for its own."""


class LateAnswers:
    """Takes answers out of what a terminal sends. Any thread may ask what is owed; one thread gives and takes text."""

    def __init__(self, *, is_owed: bool = False) -> None:
        """`is_owed`: the question before the start was not answered in time."""
        self._arrived = threading.Event()
        if not is_owed:
            self._arrived.set()
        self._asked = time.monotonic()
        self._held, self._held_since = "", 0.0

    @property
    def is_owed(self) -> bool:
        """Whether the question before the start is still to be answered."""
        return not self._arrived.is_set()

    @property
    def age_s(self) -> float:
        """Since the question was given up."""
        return time.monotonic() - self._asked

    def take_out(self, text: str) -> str:
        """What is left of `text`: what was typed, and the answers that Textual itself waits for."""
        text, self._held = self._held + text, ""
        if _DA1.search(text):
            self._arrived.set()
        if self.is_owed:
            text = _FIRST_ROW.sub("", text)
            beginning = _BEGINNING.search(text)
            if beginning is not None:
                self._held, self._held_since = beginning[0], time.monotonic()
                text = text[: beginning.start()]
        return _ANSWERS.sub("", text)

    def release(self) -> str:
        """What was held back for too long to be an answer."""
        if not self._held or time.monotonic() - self._held_since < HOLD_S:
            return ""
        text, self._held = self._held, ""
        return text
