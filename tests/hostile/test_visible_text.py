"""What of others' text a terminal is given: all of it, and nothing that it obeys."""

from __future__ import annotations

import io
import json
import re
import sys
import warnings
from collections.abc import Callable

import pytest

from tests.hostile.terminal_text import ALL, ATTACKS, BYTES, FORGED, HONEST, MARKUP, find_obeyed
from tuiface.core import console
from tuiface.core.console import print_json, print_line
from tuiface.core.errors import MAX_MESSAGE, TuifaceError, describe_value, quote
from tuiface.core.visible import NAME_LIMIT, escape_bytes, is_visible, to_visible


@pytest.mark.parametrize("kind", ATTACKS)
def test_what_a_terminal_obeys_is_shown_as_an_escape(kind: str) -> None:
    text = ATTACKS[kind]
    shown = to_visible(text, None)
    assert not find_obeyed(shown, layout="")
    escapes = re.compile(r"\\(x\w{2}|u\w{4}|U\w{8}|[nrt])")
    assert escapes.sub(lambda match: match[0].encode().decode("unicode_escape"), shown) == text, "nothing is dropped"
    assert to_visible(shown, None) == shown


@pytest.mark.parametrize("number", [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x202E, 0x2066, 0xE0041, 0xFEFF])
def test_each_control_character_has_its_escape(number: int) -> None:
    shown = to_visible(f"a{chr(number)}b")
    assert shown[0] == "a"
    assert shown[1] == "\\"
    assert shown.encode().decode("unicode_escape") == f"a{chr(number)}b"


@pytest.mark.parametrize("text", [*HONEST, MARKUP, "C:\\x1b", ""])
def test_honest_text_stays(text: str) -> None:
    assert to_visible(text) == text


def test_bytes_that_are_no_utf8_are_shown_as_such() -> None:
    assert to_visible(f"b{BYTES}.png") == "b\\xff\\x80.png"
    assert to_visible("\ud800") == "\\ud800"
    assert escape_bytes(f"b{BYTES}.png") == "b\\xff\\x80.png"
    assert escape_bytes("\x1bñ") == "\x1bñ", "the rest is kept for machines"


@pytest.mark.parametrize("mark", ["\u0301", "\u20dd", "\u0489"])
def test_a_tower_of_accents_does_not_cover_the_lines_above(mark: str) -> None:
    assert to_visible("e" + 3 * mark) == "e" + 3 * mark
    assert to_visible("e" + 90 * mark, None).count(mark) == 4


def test_an_endless_name_is_shortened_and_costs_nothing() -> None:
    for letter in ("x", "\x1b", "日"):
        shown = to_visible(letter * 10_000_000)
        assert len(shown) == NAME_LIMIT
        assert shown.endswith("…")
        assert len(quote(letter * 10_000_000)) <= 60
    assert not is_visible("\x1b")


@pytest.mark.parametrize("show", [quote, describe_value, lambda text: str(TuifaceError(text, text))])
@pytest.mark.parametrize("text", [ALL, MARKUP, BYTES, "x" * 100_000])
def test_errors_quote_a_file_safely(show: Callable[[str], str], text: str) -> None:
    shown = show(text)
    assert not find_obeyed(shown, layout="")
    assert len(shown) <= 2 * MAX_MESSAGE + 3


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a", "'a'"), ("it's", '"it\'s"'), ("a\\b", r"'a\\b'"), ("'\"", "'\\'\"'"), (f"{BYTES}", r"'\xff\x80'")],
)
def test_quotes_are_those_of_python(value: str, shown: str) -> None:
    assert quote(value) == shown


def test_a_hint_with_parentheses_does_not_stand_in_others() -> None:
    assert str(TuifaceError("no face", "give one")) == "no face (give one)"
    assert str(TuifaceError("no face", "give one (a PNG)")) == "no face; give one (a PNG)"


@pytest.mark.parametrize("to_stderr", [False, True])
def test_printed_lines_are_one_line_each(capsys: pytest.CaptureFixture[str], *, to_stderr: bool) -> None:
    print_line(FORGED, "second", "x" * 100_000, to_stderr=to_stderr)
    printed = "".join(capsys.readouterr())
    assert not find_obeyed(printed)
    lines = printed.splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("\\nforged")
    assert len(lines[2]) == console.MAX_LINE


def test_json_is_whole_and_plain(capsys: pytest.CaptureFixture[str]) -> None:
    values = {"name": FORGED + BYTES + MARKUP, ALL: "x" * 10_000}
    print_json(values)
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert not find_obeyed(printed)
    assert json.loads(printed) == values


@pytest.mark.parametrize("size", ["²", "9" * 20, "-5", "0", "1000", "\x1b[2J", "٣"])
def test_a_size_that_no_terminal_has_is_forgotten(size: str) -> None:
    environment = {"COLUMNS": size, "LINES": size, "TERM": size}
    console.forget_odd_sizes(environment)
    assert environment == {"TERM": size}
    sound = {"COLUMNS": "132", "LINES": "43"}
    console.forget_odd_sizes(sound)
    assert len(sound) == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_the_output_can_be_written(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
    print_line(f"± {BYTES} 日 ñ")
    assert "\\xff\\x80" in raw.getvalue().decode(encoding)


def test_tracebacks_and_warnings_are_printed_the_same_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    console.show_bugs_and_warnings()
    try:
        raise ValueError(ALL)
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    warnings.showwarning(UserWarning(ALL), UserWarning, "file.py", 1, line=ALL)
    printed = capsys.readouterr().err
    assert "ValueError: \\x1b]0;pwned" in printed
    assert "UserWarning: \\x1b]0;pwned" in printed
    assert not find_obeyed(printed)
