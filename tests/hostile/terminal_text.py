"""Texts that a terminal obeys or that hide in it, and what of them came through: a second opinion, by Unicode alone."""

from __future__ import annotations

import unicodedata

ATTACKS = {
    "title": "\x1b]0;pwned\x07",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "link": "\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "colour": "\x1b[31;8m",
    "device control": "\x1bP$q\x1b\\",
    "other strings": "\x1b_G\x1b\\\x1b^p\x1b\\\x1bXs\x1b\\",
    "C1": "\x9b2J\x9d0;x\x9c\x90q\x9c\x85\x80\x9f",
    "C0": "\x00\x01\x05\a\b\v\f\r\x0e\x1a\x1c\x1f\t\x7f",
    "bidi": "\u202a\u202b\u202c\u202d\u202egnp\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    "zero width": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\u180eh",
    "separators": "\u2028\u2029",
    "tags": "\U000e0001\U000e0041\U000e007f",
    "selectors": "x\ufe0fy\U000e0100",
    "fillers": "\u3164\u115f\u034f",
    "unassigned": "\ue000\U0010eeee\ufdd0",
}
"""By kind; each as it may stand in a JSON file."""
MARKUP = "[red]r[/red][@click=app.quit]q[/][link=http://x]l[/link]"
BYTES = "\udcff\udc80"
"""Two bytes of a file's name that are no UTF-8."""
ALL = "".join(ATTACKS.values())
FORGED = f"{ALL}\nforged"
"""With a line of its own."""
HONEST = (
    "José Ñandú",
    "Zoë, Ångström",
    "مرحبا",
    "می\u200cخواهم",
    "हिन्दी",
    "日本\u3000語",
    "Ελλάδα",
    "👍🏽 ❤\ufe0f 🇪🇸",
    "e\u0301",
)


def find_obeyed(text: str, *, layout: str = "\n") -> set[str]:
    """Characters of `text` that steer a terminal or are not seen, as escapes; those of `layout` are our own."""
    hidden = {"\u3164", "\u115f", "\u1160", "\uffa0", "\u034f"}
    return {
        ascii(character)
        for place, character in enumerate(text)
        if character not in layout
        and (
            unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
            or character in hidden
            or 0xE0100 <= ord(character) <= 0xE01EF
            or (character == "\ufe0f" and unicodedata.category(text[place - 1]) != "So")
        )
    }
