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

from tuiface.terminal.kitty_diacritics import DIACRITICS
from tuiface.terminal.private_api import foreground_style

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
