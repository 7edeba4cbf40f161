"""Pictures in the shell: which style, and what really arrives on a terminal."""

from __future__ import annotations

import base64
import os
import pty
import re
import sys
import termios
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuiface.terminal.shell import choose_style

CODE = """
import sys; import numpy as np; from PIL import Image; from tuiface.terminal.shell import show_pixels
show_pixels(np.asarray(Image.open(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("environment", "style"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color"}, "block"),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, "block"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, "block"),
        ({}, "block"),
    ],
)
def test_style_follows_the_environment(environment: dict[str, str], style: str) -> None:
    assert choose_style(environment) == style


def drawn(png: Path, size: tuple[int, int] = (40, 100), **environment: str) -> bytes:
    """What `show_pixels` writes to a terminal."""
    try:
        child, terminal = pty.fork()
    except OSError as error:
        pytest.skip(f"this system has no pseudo-terminals: {error}")
    if child == 0:
        kept = {k: v for k, v in os.environ.items() if k not in ("TMUX", "KITTY_WINDOW_ID", "TERM_PROGRAM", "NO_COLOR")}
        os.execve(sys.executable, [sys.executable, "-c", CODE, str(png)], {**kept, **environment})
    termios.tcsetwinsize(terminal, size)
    out = b""
    try:
        while chunk := os.read(terminal, 65536):
            out += chunk
    except OSError:  # Linux says EIO when the other end is closed
        pass
    os.close(terminal)
    assert os.waitpid(child, 0)[1] == 0, out
    return out


@pytest.fixture
def png(tmp_path: Path) -> Path:
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_block_style_draws_coloured_cells_and_asks_nothing(png: Path) -> None:
    out = drawn(png, TERM="xterm-256color", COLORTERM="truecolor")
    assert "▀".encode() in out
    assert b"\x1b[c" not in out
    assert b"\x1b_G" not in out


def test_kitty_style_sends_the_picture(png: Path) -> None:
    out = drawn(png, TERM="xterm-kitty")
    first = re.search(rb"\x1b_G([^;]*);([^\x1b]*)\x1b\\", out)
    assert first is not None
    assert b"a=q" not in out
    keys = dict(pair.split(b"=") for pair in first[1].split(b",") if b"=" in pair)
    data = base64.b64decode(first[2])
    data = zlib.decompress(data) if keys.get(b"o") == b"z" else data
    assert keys[b"f"] in (b"24", b"32", b"100")
    assert len(data) >= 48


def test_iterm2_style_sends_the_picture(png: Path) -> None:
    assert b"\x1b]1337;File=" in drawn(png, TERM="xterm-256color", LC_TERMINAL="iTerm2")


def test_terminal_without_a_size_gets_a_note(png: Path) -> None:
    assert b"does not say how large it is" in drawn(png, size=(0, 0), TERM="xterm-256color")


def test_dumb_terminal_gets_a_note(png: Path) -> None:
    assert b"note: the picture is not shown" in drawn(png, TERM="dumb")
