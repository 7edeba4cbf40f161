"""What terminals answer, and what follows from it."""

from __future__ import annotations

import os
import pty
import threading
import time

import pytest

from tuiface.terminal.capabilities import Capabilities, detect_capabilities, is_opaque, parse_tmux_line
from tuiface.terminal.probe import NO_ANSWERS, Answers, compose_query, parse_answers, query_terminal

UTF8 = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
REAL = {
    "kitty": b"\x1b_Gi=31;OK\x1b\\\x1bP>|kitty(0.41.1)\x1b\\\x1b[6;20;10t\x1b[?62;c",
    "xterm with sixel": b"\x1bP>|XTerm(379)\x1b\\\x1b[6;13;6t\x1b[?64;1;2;4;6;9c",
    "wezterm": b"\x1b_Gi=31;OK\x1b\\\x1bP>|WezTerm 20240203\x1b\\\x1b[6;20;10t\x1b[?65;4;6;18;22c",
    "ghostty": b"\x1b_Gi=31;OK\x1b\\\x1bP>|ghostty 1.1.3\x1b\\\x1b[6;36;17t\x1b[?62;22c",
    "old kitty": b"\x1b_Gi=31;OK\x1b\\\x1bP>|kitty(0.26.5)\x1b\\\x1b[?62;c",
    "linux console": b"\x1b[?6c",
    "keys between": b"ab\x1b[6;20;10tcd\x1b[?62;4cq",
    "nothing": b"",
    "noise": b"\xff\x00\x1b[?;;c\x1b]\x1b",
}


@pytest.mark.parametrize(
    ("terminal", "offered"),
    [
        ("kitty", ("kitty", "block", "none")),
        ("xterm with sixel", ("sixel", "block", "none")),
        ("wezterm", ("sixel", "block", "none")),
        ("ghostty", ("kitty", "block", "none")),
        ("old kitty", ("block", "none")),
        ("linux console", ("block", "none")),
        ("keys between", ("sixel", "block", "none")),
        ("nothing", ("block", "none")),
        ("noise", ("block", "none")),
    ],
)
def test_what_a_terminal_offers(terminal: str, offered: tuple[str, ...]) -> None:
    found = detect_capabilities(UTF8, answers=parse_answers(REAL[terminal]), cell_px=(8, 16))
    assert found.available_protocols == offered
    assert found.graphics == offered[0]


def test_the_answers_are_read_whatever_lies_between() -> None:
    answers = parse_answers(REAL["keys between"], 0.02)
    assert answers == Answers(attributes=frozenset({62, 4}), cell_px=(10, 20), round_trip_ms=20.0)


@pytest.mark.parametrize(("data", "utf8"), [(b"\x1b[5;2R", True), (b"\x1b[5;3R", False), (b"", None)])
def test_a_wide_letter_tells_that_bytes_were_taken_for_letters(data: bytes, utf8: bool | None) -> None:
    assert parse_answers(data).utf8 is utf8


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("256,RGB,title\txterm-kitty\ton", ("kitty", "block", "none")),
        ("256,RGB,title\txterm-kitty\toff", ("block", "none")),
        ("256,sixel\txterm-256color\ton", ("sixel", "block", "none")),
        ("256\txterm-ghostty\tall", ("kitty", "block", "none")),
        ("", ("block", "none")),
    ],
)
def test_tmux_is_asked_about_the_terminal_around_it_and_not_believed_itself(line: str, offered: object) -> None:
    claims = Answers(attributes=frozenset({4}))
    found = detect_capabilities(UTF8, answers=claims, tmux=parse_tmux_line(line), cell_px=(8, 16))
    assert found.available_protocols == offered
    assert found.in_tmux


@pytest.mark.parametrize(
    "extra", [{"NO_COLOR": "1"}, {"STY": "1.pts"}, {"TERM": "screen-256color"}, {"MOSH_IP": "1.2.3.4"}]
)
def test_what_swallows_pictures_leaves_cells(extra: dict[str, str]) -> None:
    found = detect_capabilities({**UTF8, **extra}, answers=parse_answers(REAL["kitty"]), cell_px=(8, 16))
    assert found.available_protocols == ("block", "none")


@pytest.mark.parametrize("graphics", ["kitty", "sixel", "block", "none"])
def test_the_setting_comes_first(graphics: str) -> None:
    found = detect_capabilities(UTF8, graphics, cell_px=(8, 16))  # type: ignore[arg-type]
    assert found.graphics == graphics
    assert graphics in found.available_protocols


def test_a_name_brings_24_bit_colours_through_ssh() -> None:
    environment = {**UTF8, "SSH_CONNECTION": "x"}
    assert detect_capabilities(environment, answers=NO_ANSWERS, cell_px=(8, 16)).colours == "256"
    found = detect_capabilities(environment, answers=Answers(name="kitty(0.41.1)"), cell_px=(8, 16))
    assert found.colours == "truecolor"
    assert found.is_remote


@pytest.mark.parametrize(
    ("answer", "term", "colours"),
    [
        (b"\x1bP1$r0;48:2::1:2:3m\x1b\\", "xterm-256color", "truecolor"),
        (b"\x1bP1$r0;48;2;1;2;3m\x1b\\", "xterm", "truecolor"),
        (b"\x1bP1$r48:2:1:2:3m\x1b\\", "xterm", "truecolor"),
        (b"\x1bP1$r0;48:5:16m\x1b\\", "xterm-256color", "256"),
        (b"\x1bP1$r0;48:5:16m\x1b\\\x1bP1+r524742=38\x1b\\", "xterm-256color", "256"),
        (b"\x1bP1$r0;48:2::9:9:9m\x1b\\", "xterm-256color", "256"),
        (b"\x1bP1$r0m\x1b\\", "xterm-256color", "256"),
        (b"\x1bP0$r\x1b\\", "xterm-256color", "256"),
        (b"\x1bP0$r\x1b\\\x1bP1+r524742=38\x1b\\", "xterm-256color", "truecolor"),
        (b"\x1bP1+r524742\x1b\\", "xterm", "truecolor"),
        (b"\x1bP0+r524742\x1b\\", "xterm", "16"),
        (b"\x1bP>|XTerm(379)\x1b\\", "xterm-256color", "truecolor"),
        (b"\x1bP>|XTerm(379)\x1b\\\x1bP1$r0;48:5:16m\x1b\\", "xterm-256color", "256"),
        (b"\x1bP>|XTerm(330)\x1b\\", "xterm", "256"),
        (b"", "xterm-256color", "256"),
        (b"", "xterm", "16"),
    ],
)
def test_colours_are_asked_for(answer: bytes, term: str, colours: str) -> None:
    environment = {"TERM": term, "LANG": "C.UTF-8", "SSH_CONNECTION": "x"}
    found = detect_capabilities(environment, answers=parse_answers(answer + b"\x1b[?64c"), cell_px=(8, 16))
    assert found.colours == colours


@pytest.mark.parametrize("cell_px", [(0, 0), (1, 2), (10, 100), (20, 10)])
def test_a_cell_that_no_font_has_is_not_believed(cell_px: tuple[int, int]) -> None:
    assert (
        detect_capabilities(UTF8, answers=Answers(cell_px=cell_px), cell_px=cell_px).cell_px == Capabilities().cell_px
    )


@pytest.mark.parametrize(("term", "asked"), [("dumb", False), ("", False), ("linux", True), ("xterm-kitty", True)])
def test_who_is_asked(term: str, asked: bool) -> None:
    text = compose_query({"TERM": term, "LANG": "C.UTF-8"})
    assert bool(text) is asked
    assert ("\x1b_G" in text) is (term == "xterm-kitty")
    assert not is_opaque({"TERM": term})


def test_the_wait_ends_with_the_answer_and_leaves_the_terminal_as_it_was() -> None:
    import termios

    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)

    def answer() -> None:
        assert b"\x1b[c" in os.read(ours, 1000)
        os.write(ours, REAL["kitty"])

    thread = threading.Thread(target=answer)
    thread.start()
    start = time.monotonic()
    found = query_terminal(theirs, "\x1b[c", 10)
    thread.join()
    assert time.monotonic() - start < 5
    assert found.kitty
    assert found.round_trip_ms is not None
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def test_a_mute_terminal_costs_the_deadline() -> None:
    ours, theirs = pty.openpty()
    assert query_terminal(theirs, "\x1b[c", 0.05) == NO_ANSWERS
    os.close(ours)
    os.close(theirs)
