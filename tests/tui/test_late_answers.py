"""Answers of the terminal that come late: no keys, and nothing is left for the shell."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.tui.pty_app import pty_command
from tuiface.benchmarks.terminal import KITTY, PtyTerminal, Screen, TerminalModel
from tuiface.terminal import late_answers
from tuiface.terminal.late_answers import LateAnswers

ANSWERS = {
    "kitty": "\x1b_Gi=31;OK\x1b\\",
    "kitty's refusal": "\x1b_Gi=31;EINVAL:bad\x1b\\",
    "name": "\x1bP>|XTerm(390)\x1b\\",
    "cell size": "\x1b[6;20;10t",
    "size in pixels": "\x1b[4;800;1200t",
    "DA1": "\x1b[?62;4;22c",
    "attributes": "\x1bP1$r0;48:2::1:2:3m\x1b\\",
    "no attributes": "\x1bP0$r\x1b\\",
    "RGB": "\x1bP1+r524742=38\x1b\\",
    "no RGB": "\x1bP0+r524742\x1b\\",
    "DA2": "\x1b[>1;4000;0c",
    "background": "\x1b]11;rgb:0000/0000/0000\x1b\\",
    "background, with BEL": "\x1b]11;rgb:0000/0000/0000\x07",
}
TYPED = {
    "letters": "psi",
    "escape": "\x1b",
    "arrow": "\x1b[C",
    "a function key": "\x1b[1;2R",
    "alt and a letter": "\x1bP",
    "alt and a bracket": "\x1b]",
    "alt and an underscore": "\x1b_",
    "a cursor position": "\x1b[2;2R",
    "a size in band": "\x1b[48;24;80;480;800t",
    "a mode": "\x1b[?2026;2$y",
    "a paste": "\x1b[200~[6;20;10t\x1b[201~",
    "a mouse": "\x1b[<0;10;10M",
}


@pytest.mark.parametrize("is_owed", [True, False])
@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_is_no_key(kind: str, *, is_owed: bool) -> None:
    late = LateAnswers(is_owed=is_owed)
    assert late.take_out(f"a{ANSWERS[kind]}b{ANSWERS[kind]}") == "ab"
    assert late.is_owed == (is_owed and kind != "DA1")


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_in_pieces_is_no_key_while_it_is_owed(kind: str) -> None:
    late = LateAnswers(is_owed=True)
    assert "".join(late.take_out(character) for character in f"a{ANSWERS[kind]}b") == "ab"


@pytest.mark.parametrize("kind", TYPED)
def test_what_was_typed_stays(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LateAnswers().take_out(TYPED[kind]) == TYPED[kind]
    monkeypatch.setattr(late_answers, "HOLD_S", 0.0)
    late = LateAnswers(is_owed=True)
    expected = "" if kind == "a function key" else TYPED[kind]  # where a letter's width was asked for
    assert late.take_out(TYPED[kind]) + late.release() == expected


def test_what_is_held_back_comes_after_a_moment() -> None:
    late = LateAnswers(is_owed=True)
    assert late.take_out("a\x1b") == "a"
    assert late.release() == ""
    assert late.take_out("[C") == "\x1b[C"


def test_everything_between_answers_is_kept() -> None:
    for text in TYPED.values():
        assert LateAnswers().take_out(ANSWERS["kitty"] + text + ANSWERS["DA1"]) == text


@pytest.mark.parametrize("model", [KITTY, TerminalModel("XTerm(390)", "62;4;22")], ids=["kitty", "sixel"])
def test_answers_after_the_deadline_change_nothing(model: TerminalModel, tmp_path: Path) -> None:
    command = [sys.executable, *pty_command(tmp_path, "auto")]
    with PtyTerminal(command, model=model, delay_s=0.7, environment={"COLORTERM": "truecolor"}) as terminal:
        begun = time.monotonic()
        terminal.until(lambda screen: "$ tuiface render 0 --psi 0.7" in screen.text())
        terminal.run_for(max(begun + 4 - time.monotonic(), 1))
        terminal.until(lambda screen: last_lines(screen)[0] == "$ tuiface render 0 --psi 0.7")  # no more "rendering"
        assert last_lines(terminal.screen)[1].endswith("? help  q quit")
        terminal.press("q")
        assert terminal.wait() == 0


def last_lines(screen: Screen) -> list[str]:
    """What the two last lines say: the command, and the keys."""
    return [line.strip() for line in screen.text().rstrip().splitlines()[-2:]]


def test_nothing_is_left_for_the_shell(tmp_path: Path) -> None:
    """Keys in flight ask the terminal whether it has read their pictures; who leaves then waits for its answer."""
    command = [sys.executable, *pty_command(tmp_path, "auto")]
    with PtyTerminal(command, model=KITTY, delay_s=0.15, environment={"COLORTERM": "truecolor"}) as terminal:
        terminal.until(lambda screen: screen.placeholders())
        for key in "nnnnnnq":
            terminal.press(key)
            terminal.run_for(0.1)
        assert terminal.wait() == 0
        assert terminal.num_left_over == 0
