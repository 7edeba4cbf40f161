"""Text of others as a terminal may show it: what could steer the terminal, or hide in it, stands there as an escape.

A name in a file may hold anything: `ESC ] 0 ;` sets the window's title, `ESC ] 52` the clipboard, U+202E turns a word
round, U+200B makes two names look alike. Each such character is written out as Python writes it, `\\x1b` or `\\u202e`,
and never dropped, so that what is there is seen. Honest text of any script stays as it is; a byte that is no UTF-8, as
names of files may hold them, is shown as `\\xff`.

Everything that commands print goes through `core/console.py`, and everything that the interface draws through
`screens/widgets/text.py`, which both call this. What is shown twice so does not change again.
"""

from __future__ import annotations

import re
import unicodedata

NAME_LIMIT = 120
"""Characters of a name that are shown: more would push what stands beside it off the line."""
MAX_MARKS = 4
"""Accents on one letter: no script needs more, and a thousand of them cover the lines above."""

_HIDDEN = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # fillers and joiners that have no shape
    "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # variation selectors
)
"""Characters that `str.isprintable` accepts although nothing of them is seen."""
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
# These are compiled where they are first needed: `tuiface --help` stands on this module.
_SUSPECT = f"[{_HIDDEN}]|[{_MARKS}]{{{MAX_MARKS + 1}}}"
_JOINED = "(?<=[\u0620-\u0fff])[\u200c\u200d](?=[\u0620-\u0fff])"
"""Joiners between letters of Arabic and Indian scripts, which spelling asks for there."""
_SURROGATES = "[\ud800-\udfff]"
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def is_visible(text: str) -> bool:
    """Whether a terminal may be given `text` as it is; quick, and no for some honest texts that stay unchanged."""
    return text.isprintable() and (text.isascii() or re.search(_SUSPECT, text) is None)


def to_visible(text: str, limit: int | None = NAME_LIMIT, *, keep: str = "") -> str:
    """`text` in one line of at most `limit` characters, shortened with `…`; characters of `keep` stay as they are."""
    cut = text if limit is None else text[: limit + 1]  # before anything else: a text of a file may be endless
    if not is_visible(cut):
        cut = _escape(cut, keep)
    return cut if limit is None or len(cut) <= limit else f"{cut[: limit - 1]}…"


def escape_bytes(text: str) -> str:
    """`text` as JSON and UTF-8 can hold it: bytes of a file's name that are no UTF-8 become `\\xff`."""
    return re.sub(_SURROGATES, lambda match: _code(ord(match[0])), text)


def _escape(text: str, keep: str) -> str:
    joined = {match.start() for match in re.finditer(_JOINED, text)}
    shown = []
    num_marks = 0
    for place, character in enumerate(text):
        num_marks = num_marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if character in keep or place in joined or (_is_shown(text, place) and num_marks <= MAX_MARKS):
            shown.append(character)
        else:
            shown.append(_SHORT.get(character) or _code(ord(character)))
    return "".join(shown)


def _is_shown(text: str, place: int) -> bool:
    character = text[place]
    if character in "\ufe0e\ufe0f":  # chooses between the two looks of the sign in front of it, as in ❤️
        return place > 0 and unicodedata.category(text[place - 1]) == "So"
    if re.fullmatch(_SUSPECT, character):
        return False
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _code(number: int) -> str:
    if 0xDC80 <= number <= 0xDCFF:  # how Python keeps the bytes of a file's name that are no UTF-8
        number -= 0xDC00
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
