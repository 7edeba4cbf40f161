"""What strangers stumbled over, each once: words that wrap, promise what is not there, or go away and stay away."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input, Static

from tests.tui.conftest import Open, Running
from tests.tui.fake_engine import FakeEngine
from tests.tui.test_concepts import ask_about, concepts_shown, question_shown, type_in
from tests.tui.test_engine_life import wait_to_start
from tests.tui.test_screens import no_processes
from tests.tui.test_snapshots import go_to
from tuiface.actions import SCREENS
from tuiface.core.settings import Settings
from tuiface.screens.dialogs.prompts import PathPrompt
from tuiface.screens.models import ModelsScreen
from tuiface.screens.settings import meaning_of

__all__ = ["no_processes"]

SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=["80x24", "160x50"])


def tabs(tui: Running) -> str:
    return next(line for line in tui.text().splitlines() if "Explore" in line or "2" in line)


@SIZES
async def test_tabs_keep_their_names_while_the_engine_comes_back_and_after(
    open_app: Open, size: tuple[int, int]
) -> None:
    async with open_app(size=size) as tui:
        before = tabs(tui)
        assert "8 Concepts" in before
        tui.engine.may_start.clear()
        tui.engine.die()
        await tui.until(lambda: "restarting" in tui.status())
        assert tabs(tui) == before
        assert "restarting" in tui.text().splitlines()[-2]
        tui.engine.may_start.set()
        await tui.settled()
        assert tabs(tui) == before
        assert not tui.status()


@SIZES
async def test_the_plan_of_morph_is_whole_where_it_was_opened_before_the_engine_was_there(
    open_app: Open, size: tuple[int, int]
) -> None:
    async with open_app(wait_to_start, ready=False, size=size) as tui:
        await tui.press("4")
        await tui.until(lambda: "starting the engine" in str(tui.app.screen.query_one("#plan", Static).content))
        tui.engine.may_start.set()
        await tui.until(lambda: "50 of 50 ready" in tui.text())
        plan = tui.app.screen.query_one("#plan", Static)
        assert plan.size.width == plan.parent.content_size.width  # type: ignore[union-attr]
        lines = str(plan.content).splitlines()
        assert all(any(line in shown for shown in tui.text().splitlines()) for line in lines)


@pytest.mark.parametrize("size", [(80, 24), (110, 30), (160, 50)])
async def test_bars_of_narrow_panels_stay_on_one_line(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(size=size) as tui:
        await go_to(tui, "morph")
        await tui.until(lambda: "of 50 ready" in tui.text())
        await tui.until(lambda: has_whole_bars(tui))
        await ask_about(tui, "kind")
        await tui.until(lambda: has_whole_bars(tui))


def has_whole_bars(tui: Running) -> bool:
    """Whether lines of the panel that are a bar fill it exactly."""
    plan = tui.app.screen.query_one("#plan", Static)
    bars = [line for line in str(plan.content).splitlines() if set(line) <= set("─━┼●") and line]
    return bool(bars) and all(len(bar) == plan.content_size.width for bar in bars)


async def test_what_stands_in_a_line_gives_way_to_what_is_typed(open_app: Open) -> None:
    async with open_app() as tui:
        await concepts_shown(tui)
        await tui.press("n")
        for text in ("kind", "", ""):
            await type_in(tui, text)
        assert tui.app.screen.query_one(Input).value == "y"
        await tui.press("7")
        assert tui.app.screen.query_one(Input).value == "7"


@SIZES
async def test_questions_offer_the_answers_of_their_own_scale(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(size=size) as tui:
        await ask_about(tui, "kind")
        keys = tui.text().splitlines()[-1]
        assert "rating" not in keys
        assert "y yes" in keys
        await tui.press("escape")
        await ask_about(tui, "warm", scale="7")
        await question_shown(tui)
        keys = tui.text().splitlines()[-1]
        assert "1234567 rating" in keys
        assert "y yes" not in keys


@SIZES
async def test_an_empty_library_names_keys_that_work_there(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(size=size) as tui:
        await go_to(tui, "library")
        await tui.until(lambda: "Nothing is saved yet" in tui.text())
        assert "1 leads to a face, s saves it into" in tui.text()
        await tui.press("1", "s")
        await tui.until(lambda: tui.app.state.saves.num_saved)


async def test_models_take_files_that_are_there_and_no_others(open_app: Open, tmp_path: Path) -> None:
    async with open_app() as tui:
        await go_to(tui, "models")
        screen = tui.app.screen
        assert isinstance(screen, ModelsScreen)
        await tui.until(lambda: screen.is_settled)
        await tui.press("o")
        assert isinstance(tui.app.screen, PathPrompt)
        for path in (tmp_path / "missing.pkl", tmp_path):
            await type_in(tui, str(path))
            assert isinstance(tui.app.screen, PathPrompt), path
        (tmp_path / "net.bin").touch()
        await type_in(tui, str(tmp_path / "net.bin"))
        await tui.until(lambda: "net.bin" in tui.text())
        (tmp_path / "net.bin").unlink()
        screen._take_list(screen.models[:2])
        await tui.until(lambda: "net.bin" not in "".join(str(m["path"]) for m in screen.models))


async def test_models_say_why_a_file_cannot_be_read_and_no_exit_code(
    open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    from tuiface.screens import models

    def answer(arguments: list[str], accepted: tuple[int, ...] = (0,)) -> str:
        if arguments[:2] == ["model", "list"]:
            return json.dumps({"path": "/models/a.pkl", "kind": None})
        return json.dumps({"error": "a.pkl: cannot be read", "hint": "name another one", "exit_code": 4})

    monkeypatch.setattr(models, "run_command", answer)
    async with open_app() as tui:
        await go_to(tui, "models")
        await tui.until(lambda: "a.pkl: cannot be read" in tui.text())
        assert "exit code" not in tui.text()
        await tui.press("enter")
        assert len(tui.engines) == 1


@SIZES
async def test_on_a_read_only_home_faces_are_shown_and_one_line_says_what_is_missing(
    open_app: Open, size: tuple[int, int], tui_settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings = tui_settings.model_copy(update={"state": tmp_path / "file/state", "cache": tmp_path / "file/cache"})
    async with open_app(size=size, settings=settings, ready=False) as tui:
        await tui.press("enter")  # the welcome, which cannot be remembered
        await tui.settled()
        await tui.until(lambda: "cannot be written" in tui.toasts())
        assert tui.toasts().count("cannot be written") == 1
        await tui.press("right")
        await tui.settled()
        assert tui.seed == 1


async def test_a_folder_that_can_be_written_is_not_mentioned(open_app: Open) -> None:
    def nothing(engine: FakeEngine) -> None:
        pass

    async with open_app(nothing) as tui:
        assert "cannot be written" not in tui.toasts()
        assert SCREENS[0] == "face"


@SIZES
async def test_settings_are_shown_changed_and_taken_back(
    open_app: Open, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("psi = 0.7\n")
    monkeypatch.setenv("TUIFACE_CONFIG", str(file))
    async with open_app(size=size) as tui:
        await tui.press("comma")
        await tui.until(lambda: "from a flag" in tui.text() or "the default" in tui.text())
        assert "tuiface settings" in tui.command_text()
        while "Truncation of new faces" not in tui.text().replace("\n", " "):
            await tui.press("down")
        assert "from the settings file" in tui.text()
        await tui.press("enter", *"7", "enter")
        assert "psi" in tui.text()
        await tui.press(*["backspace"] * 3, *"0.5", "enter")
        await tui.until(lambda: file.read_text() == "psi = 0.5\n")
        await tui.until(lambda: "It holds from the next start" in tui.toasts())
        await tui.press("d")
        await tui.until(lambda: file.read_text() == "")
        await tui.press("1")
        await tui.until(lambda: tui.app.screen is tui.screen)


def test_every_setting_says_what_it_means() -> None:
    assert all(meaning_of(name).endswith(".") for name in Settings.model_fields)
