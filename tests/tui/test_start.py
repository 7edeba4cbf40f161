"""Starting: nothing heavy before the first paint, and the real program from the shell to the shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MODEL
from tuiface.core.errors import EXIT_MODEL, UsageError
from tuiface.core.settings import Settings
from tuiface.faces.provenance import read_saved_face
from tuiface.faces.recipe import DirectionEdit

HEAVY = (
    "torch",
    "numpy",
    "PIL",
    "httpx",
    "websockets",
    "fastapi",
    "tuiface.engine",
    "tuiface.faces.studio",
    "tuiface.faces.recipe",
)


def test_importing_the_app_imports_nothing_that_the_first_paint_does_not_need() -> None:
    code = f"import sys, tuiface.core.settings, tuiface.app; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_a_theme_that_does_not_exist_is_refused_with_the_nearest(tui_settings: Settings) -> None:
    from tuiface.app import run_app

    with pytest.raises(UsageError, match=r"no theme 'textual-drak'.*did you mean 'textual-dark'"):
        run_app(tui_settings.model_copy(update={"theme": "textual-drak"}))


class Terminal:
    """A tmux session of its own that runs one command."""

    def __init__(self, folder: Path, size: tuple[int, int], command: str, environment: dict[str, str]) -> None:
        self._socket = str(folder / "tmux.sock")
        given = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", **environment}
        for name in ("COLUMNS", "LINES"):  # of a worker of the suite: Textual would take them for the terminal's
            given.pop(name, None)
        options = ["-f", "/dev/null", "new-session", "-d", "-x", str(size[0]), "-y", str(size[1])]
        self._tmux(*options, f"{command}; echo EXIT=$?; sleep 600", env=given)

    def _tmux(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments], capture_output=True, text=True, env=env, check=True
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def until(self, condition: Callable[[str], bool], deadline_s: float = 60) -> str:
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            text = self.text()
            if condition(text):
                return text
            time.sleep(0.1)
        raise AssertionError(f"not within {deadline_s} s:\n{self.text()}")

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def environment(tui_settings: Settings) -> dict[str, str]:
    names = ("library", "cache", "state")
    return {f"TUIFACE_{name.upper()}": str(getattr(tui_settings, name)) for name in names}


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    opened: list[Terminal] = []

    def begin(arguments: str, size: tuple[int, int] = (80, 24), **extra: str) -> Terminal:
        command = f"{sys.executable} -m tuiface.cli --device cpu {arguments}"
        folder = tmp_path / f"terminal{len(opened)}"
        folder.mkdir()
        opened.append(Terminal(folder, size, command, {**environment, **extra}))
        return opened[-1]

    yield begin
    for terminal in opened:
        terminal.close()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
def test_start_look_change_save_and_quit(
    start: Callable[..., Terminal], tui_settings: Settings, size: tuple[int, int]
) -> None:
    terminal = start(f"--model {MODEL}", size)
    terminal.until(lambda text: "? help" in text)
    terminal.press("l", "l")
    terminal.until(lambda text: "$ tuiface render 2 --psi 0.7" in text and any(c in text for c in "▀▄▌▐▘▝▖▗"))
    terminal.press("+", "s", "i")
    terminal.until(lambda text: "1 saved in this session" in text)
    [png] = tui_settings.library.glob("seed2-*.png")
    assert png.with_suffix(".json").exists()
    for key, words in (("2", "seeds from 0"), ("3", "tuiface swap 2 3"), ("5", "1 face"), ("6", "Networks")):
        terminal.press(key)
        terminal.until(lambda text, words=words: words in text)  # type: ignore[misc]
    terminal.press("q")
    terminal.until(lambda text: "EXIT=0" in text)
    assert "Traceback" not in terminal.text()


KEYS = {"→": "Right", "←": "Left", "space": "Space", "Enter": "Enter"}
"""What docs/first-hour.md calls a key that is not typed as it is written."""


def read_steps(text: str) -> list[list[tuple[list[str], list[str]]]]:
    """Of each start of the program: the keys of each step, and what is on the screen then."""
    starts = re.split(r"^.*type `tuiface`.*$", text, flags=re.MULTILINE | re.IGNORECASE)[1:]
    rows = [re.findall(r"^\|([^|]*)\|([^|]*)\|$", start, re.MULTILINE) for start in starts]
    return [
        [(re.findall(r"`([^`]+)`", keys), re.findall(r"`([^`]+)`", seen)) for keys, seen in table if "`" in keys + seen]
        for table in rows
    ]


def walk(terminal: Terminal, steps: list[tuple[list[str], list[str]]]) -> None:
    """Press the keys of each step, and wait for what stands on the screen then."""
    for keys, seen in steps:
        for key in keys:
            terminal.press(KEYS.get(key, key))
        terminal.until(lambda text, seen=seen: all(words in text for words in seen))  # type: ignore[misc]


@pytest.mark.slow
def test_the_first_hour_goes_as_it_is_written(
    start: Callable[..., Terminal], tui_settings: Settings, tmp_path: Path
) -> None:
    first, again = read_steps((Path(__file__).parents[2] / "docs" / "first-hour.md").read_text("utf-8"))
    assert (len(first), len(again)) == (23, 4)
    for steps in (first, again):
        terminal = start("", (160, 50), TUIFACE_STATE=str(tmp_path / "newcomer"))
        walk(terminal, steps[:-1])
        if steps is again:
            terminal.resize(80, 24)  # where tabs stand without the program's name
            words = ("  1 Face", "--edit age=1 --lock frame", "frame variation")
            terminal.until(lambda text: "tuiface  1" not in text and all(word in text for word in words))  # noqa: B023
        walk(terminal, steps[-1:])
        terminal.until(lambda text: "EXIT=0" in text)
        assert "Traceback" not in terminal.text()
    recipes = [read_saved_face(png).provenance.recipe for png in tui_settings.library.glob("seed1-*.png")]
    [recipe] = [recipe for recipe in recipes if recipe.edits]
    assert [(edit.direction, edit.amount) for edit in recipe.edits if isinstance(edit, DirectionEdit)] == [("age", 1)]
    assert [lock.region for lock in recipe.locks] == ["frame"]


@pytest.mark.slow
def test_a_bad_model_ends_with_its_exit_code(start: Callable[..., Terminal], tmp_path: Path) -> None:
    bad = tmp_path / "bad.pkl"
    bad.write_text("<html>not found</html>")
    terminal = start(f"--model {bad}")
    terminal.until(lambda text: "R tries again" in text)
    terminal.press("q")
    terminal.until(lambda text: f"EXIT={EXIT_MODEL}" in text)
