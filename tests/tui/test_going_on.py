"""Nothing is lost: a session on the disk, taken up again."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.tui.conftest import Open
from tuiface.benchmarks.terminal import PtyTerminal
from tuiface.core.settings import Settings
from tuiface.screens.dialogs.confirm import ConfirmDialog
from tuiface.screens.dialogs.welcome import Welcome
from tuiface.screens.session_file import SessionFile, find_last_session, serialize_session
from tuiface.screens.themes import read_last_theme


def leave_behind(state: Path, text: str) -> Path:
    """The file that a session leaves that was killed: of another process, and so of another name than ours."""
    file = SessionFile(state)
    file.write(text)
    file.close()
    (left,) = (state / "sessions").glob("*.json")
    left.with_suffix(".lock").rename(left.with_name("killed.lock"))
    return left.rename(left.with_name("killed.json"))


async def test_a_session_that_broke_off_is_offered_and_taken_up(open_app: Open, tui_settings: Settings) -> None:
    async with open_app() as tui:
        await tui.press("right", "right", "plus", "x", "a", "u")
        text = serialize_session(tui.app.state, screen="face", ended=False)
    left = leave_behind(tui_settings.state, text)
    async with open_app(ready=False) as tui:
        await tui.until(lambda: isinstance(tui.app.screen, ConfirmDialog))
        await tui.press("enter")
        await tui.until(lambda: not isinstance(tui.app.screen, ConfirmDialog))
        await tui.settled()
        assert (tui.seed, tui.psi) == (2, 0.7)
        await tui.until(lambda: not left.exists())
        assert len(list(left.parent.glob("*.json"))) == 1, "it lives on in this one's file"
        await tui.press("ctrl+r")
        assert tui.psi == 0.8
        assert len(tui.app.state.mix.parents) == len(tui.app.state.morph.transition) == 1


async def test_it_is_not_offered_twice_and_can_be_declined(open_app: Open, tui_settings: Settings) -> None:
    async with open_app() as tui:
        await tui.press("right", "right")
        text = serialize_session(tui.app.state, screen="explore", ended=False)
    leave_behind(tui_settings.state, text)
    async with open_app(ready=False) as tui:
        await tui.until(lambda: isinstance(tui.app.screen, ConfirmDialog))
        await tui.press("escape")
        assert tui.seed == 0
        await tui.press("B")
        await tui.until(lambda: tui.app.screen.SCREEN_NAME == "explore")  # type: ignore[attr-defined]
        assert tui.seed == 2
        await tui.press("1", "B")
        assert "no session to go back to" in tui.toasts()


async def test_a_session_that_ended_by_itself_waits_to_be_asked_for(open_app: Open, tui_settings: Settings) -> None:
    async with open_app() as tui:
        await tui.press("right", "plus", "q")
        await tui.until(lambda: not tui.app.is_running)
    async with open_app() as tui:
        assert not isinstance(tui.app.screen, ConfirmDialog)
        await tui.press("B")
        await tui.settled()
        assert (tui.seed, tui.psi) == (1, 0.8)


async def test_a_damaged_session_is_said_once(open_app: Open, tui_settings: Settings) -> None:
    folder = tui_settings.state / "sessions"
    folder.mkdir(parents=True)
    (folder / "x.json").write_text("{")
    async with open_app(ready=False) as tui:
        await tui.until(lambda: isinstance(tui.app.screen, ConfirmDialog))
        await tui.press("enter")
        await tui.until(lambda: "cannot be read" in tui.toasts())
        assert find_last_session(tui_settings.state) is None
    assert (folder / "x.unread").read_text() == "{"


def test_a_lock_that_a_kill_left_goes_and_one_in_use_stays(tmp_path: Path) -> None:
    running = SessionFile(tmp_path)
    running.write("{}")
    (tmp_path / "sessions" / "killed.lock").write_text("")
    assert find_last_session(tmp_path) is None
    assert {path.suffix for path in (tmp_path / "sessions").iterdir()} == {".json", ".lock"}
    assert not (tmp_path / "sessions" / "killed.lock").exists()
    running.close()


def test_a_running_session_is_nobody_elses(tmp_path: Path) -> None:
    running = SessionFile(tmp_path)
    running.write("{}")
    assert find_last_session(tmp_path) is None
    running.close()
    found = find_last_session(tmp_path)
    assert found is not None
    assert found.text == "{}"


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.tui.pty_app", str(tmp_path), "block"]
    with PtyTerminal(command) as terminal:
        terminal.until(lambda screen: "$ tuiface render 0" in screen.text())
        terminal.press("lll+")
        terminal.until(lambda screen: "$ tuiface render 3 --psi 0.8" in screen.text())
        terminal.run_for(2.5)
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.wait()
    with PtyTerminal(command) as terminal:
        terminal.until(lambda screen: "Go on with the last session?" in screen.text())
        terminal.press("\r")
        terminal.until(lambda screen: "$ tuiface render 3 --psi 0.8" in screen.text())
        terminal.press("q")
        assert terminal.wait() == 0


async def test_the_theme_is_kept(open_app: Open, tui_settings: Settings) -> None:
    async with open_app() as tui:
        tui.app.theme = "tuiface-contrast"
        await tui.until(lambda: read_last_theme(tui_settings.state) == "tuiface-contrast")
    async with open_app() as tui:
        assert tui.app.theme == "tuiface-contrast"


async def test_a_first_run_explains_itself_once(open_app: Open, tui_settings: Settings) -> None:
    (tui_settings.state / "welcomed").unlink()
    async with open_app() as tui:
        assert isinstance(tui.app.screen, Welcome)
        assert "made from a number" in tui.text()
        await tui.press("enter")
        assert not isinstance(tui.app.screen, Welcome)
    async with open_app() as tui:
        assert not isinstance(tui.app.screen, Welcome)


async def test_other_keys_are_bound_and_shown(open_app: Open, tui_settings: Settings) -> None:
    settings = tui_settings.model_copy(update={"keys": {"save": ("W",), "quit": ("ctrl+q",)}})
    async with open_app(settings=settings) as tui:
        await tui.press("right", "q")
        assert tui.seed == 1
        assert "W save" in tui.text().splitlines()[-1]
