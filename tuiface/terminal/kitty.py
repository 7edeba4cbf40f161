"""Pictures by kitty's Unicode placeholders (its graphics protocol, "Unicode placeholders"): pixel-exact, and yet text.

A picture is sent once under a number and gets a virtual placement of C x R cells. Each cell is then the character
U+10EEEE with two diacritics for its row and column, and the number as 24-bit foreground colour. So Textual can scroll,
cover and redraw cells as it likes, and tmux keeps them.
"""

from __future__ import annotations

import base64
import io
import itertools
import os
from functools import lru_cache

import numpy as np
from rich.segment import Segment
from textual.strip import Strip

from tuiface.terminal.private_api import foreground_style

_RUNS = (
    (0x0305, 0x0305),
    (0x030D, 0x030E),
    (0x0310, 0x0310),
    (0x0312, 0x0312),
    (0x033D, 0x033F),
    (0x0346, 0x0346),
    (0x034A, 0x034C),
    (0x0350, 0x0352),
    (0x0357, 0x0357),
    (0x035B, 0x035B),
    (0x0363, 0x036F),
    (0x0483, 0x0487),
    (0x0592, 0x0595),
    (0x0597, 0x0599),
    (0x059C, 0x05A1),
    (0x05A8, 0x05A9),
    (0x05AB, 0x05AC),
    (0x05AF, 0x05AF),
    (0x05C4, 0x05C4),
    (0x0610, 0x0617),
    (0x0657, 0x065B),
    (0x065D, 0x065E),
    (0x06D6, 0x06DC),
    (0x06DF, 0x06E2),
    (0x06E4, 0x06E4),
    (0x06E7, 0x06E8),
    (0x06EB, 0x06EC),
    (0x0730, 0x0730),
    (0x0732, 0x0733),
    (0x0735, 0x0736),
    (0x073A, 0x073A),
    (0x073D, 0x073D),
    (0x073F, 0x0741),
    (0x0743, 0x0743),
    (0x0745, 0x0745),
    (0x0747, 0x0747),
    (0x0749, 0x074A),
    (0x07EB, 0x07F1),
    (0x07F3, 0x07F3),
    (0x0816, 0x0819),
    (0x081B, 0x0823),
    (0x0825, 0x0827),
    (0x0829, 0x082D),
    (0x0951, 0x0951),
    (0x0953, 0x0954),
    (0x0F82, 0x0F83),
    (0x0F86, 0x0F87),
    (0x135D, 0x135F),
    (0x17DD, 0x17DD),
    (0x193A, 0x193A),
    (0x1A17, 0x1A17),
    (0x1A75, 0x1A7C),
    (0x1B6B, 0x1B6B),
    (0x1B6D, 0x1B73),
    (0x1CD0, 0x1CD2),
    (0x1CDA, 0x1CDB),
    (0x1CE0, 0x1CE0),
    (0x1DC0, 0x1DC1),
    (0x1DC3, 0x1DC9),
    (0x1DCB, 0x1DCC),
    (0x1DD1, 0x1DE6),
    (0x1DFE, 0x1DFE),
    (0x20D0, 0x20D1),
    (0x20D4, 0x20D7),
    (0x20DB, 0x20DC),
    (0x20E1, 0x20E1),
    (0x20E7, 0x20E7),
    (0x20E9, 0x20E9),
    (0x20F0, 0x20F0),
    (0x2CEF, 0x2CF1),
    (0x2DE0, 0x2DFF),
    (0xA66F, 0xA66F),
    (0xA67C, 0xA67D),
    (0xA6F0, 0xA6F1),
    (0xA8E0, 0xA8F1),
    (0xAAB0, 0xAAB0),
    (0xAAB2, 0xAAB3),
    (0xAAB7, 0xAAB8),
    (0xAABE, 0xAABF),
    (0xAAC1, 0xAAC1),
    (0xFE20, 0xFE26),
    (0x10A0F, 0x10A0F),
    (0x10A38, 0x10A38),
    (0x1D185, 0x1D189),
    (0x1D1AA, 0x1D1AD),
    (0x1D242, 0x1D244),
)

"""First and last code point of each run: characters of Unicode 6.0 with combining class 230 and no decomposition, but
for a few. The table is part of the protocol and never changes."""

DIACRITICS = "".join(chr(code) for first, last in _RUNS for code in range(first, last + 1))
"""The 297 combining characters that number rows and columns, in the order of kitty's rowcolumn-diacritics.txt."""
PLACEHOLDER = "\U0010eeee"
MAX_CELLS = len(DIACRITICS)
"""Rows, and columns, that can be told apart."""
MAX_CHUNK_BYTES = 4096
"""Base64 bytes in one command, at most (protocol)."""
DRAFT_PX = 192
DRAFT_COLOURS = 64

#: Numbers are shared by all programs in a terminal: start where another run hardly does. Three bytes, none of them 0.
_ids = itertools.count(0x010101 + (os.getpid() * 7919) % 0x7FFF * 0x80)


def new_id() -> int:
    """A number for a picture, with a byte above 0 in each place of a colour."""
    while True:
        number = next(_ids) & 0xFFFFFF
        if all(number >> shift & 255 for shift in (0, 8, 16)):
            return number


def encode_png(pixels: np.ndarray) -> bytes:
    """uint8 [H, W, 3] as PNG. Level 1: a fifth of the time of level 6, for 6 % more bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def encode_draft_png(pixels: np.ndarray) -> bytes:
    """A quarter of the bytes: at most 192 px and 64 colours, by median cut (octrees are quicker, and blotchy)."""
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((DRAFT_PX, DRAFT_PX), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.quantize(DRAFT_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        buffer, "PNG", compress_level=1
    )
    return buffer.getvalue()


def transmit(png: bytes, number: int, columns: int, rows: int, *, in_tmux: bool) -> str:
    """The commands that send a PNG under `number`, to be shown in `columns` x `rows` placeholders.

    q=2: the terminal's replies would arrive as key presses.
    """
    data = base64.standard_b64encode(png).decode("ascii")
    pieces = [data[i : i + MAX_CHUNK_BYTES] for i in range(0, len(data), MAX_CHUNK_BYTES)]
    commands = []
    for index, piece in enumerate(pieces):
        more = int(index + 1 < len(pieces))
        control = f"a=T,U=1,q=2,f=100,i={number},c={columns},r={rows},m={more}" if index == 0 else f"q=2,m={more}"
        commands.append(_wrap_for_tmux(f"\x1b_G{control};{piece}\x1b\\", in_tmux=in_tmux))
    return "".join(commands)


def delete(number: int, *, in_tmux: bool) -> str:
    """The command that takes a picture away and frees its memory (d=I, capital)."""
    return _wrap_for_tmux(f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\", in_tmux=in_tmux)


def placeholder_strips(number: int, columns: int, rows: int) -> list[Strip]:
    """The cells of a picture, as one Strip a row."""
    style = foreground_style((number >> 16 & 255, number >> 8 & 255, number & 255))
    return [Strip([Segment(text, style)], columns) for text in _cell_texts(columns, rows)]


@lru_cache(maxsize=64)
def _cell_texts(columns: int, rows: int) -> tuple[str, ...]:
    return tuple("".join(PLACEHOLDER + DIACRITICS[y] + DIACRITICS[x] for x in range(columns)) for y in range(rows))


def _wrap_for_tmux(command: str, *, in_tmux: bool) -> str:
    """tmux hands on what lies between `ESC P tmux;` and `ESC \\`, with each ESC doubled."""
    return "\x1bPtmux;" + command.replace("\x1b", "\x1b\x1b") + "\x1b\\" if in_tmux else command
