"""What each key of the face screen does, as a user sees it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from textual.widgets import Input

from tests.tui.conftest import Open, Running
from tests.tui.fake_engine import INFO, paint, with_notices
from tuiface.actions import Registry
from tuiface.core.limits import MAX_SEED
from tuiface.core.settings import Settings
from tuiface.screens.dialogs.help import HelpScreen
from tuiface.screens.dialogs.prompts import SeedPrompt, seed_problem
from tuiface.screens.widgets.face_view import FaceView
from tuiface.terminal import pump
from tuiface.terminal.halfblock import to_cells


async def test_keys_move_the_seed(open_app: Open) -> None:
    cases = [
        (["right", "l", "n"], 3),
        (["right", "right", "left"], 1),
        (["l", "l", "h", "p"], 0),
        (["left"], 0),
        (["g", "4", "2", "enter"], 42),
        (["g", "4", "2", "escape"], 0),
        (["g", "4", "q", "x", "enter"], 4),
        (["g", *str(MAX_SEED), "enter", "right"], MAX_SEED),
    ]
    async with open_app() as tui:
        for keys, seed in cases:
            await tui.press(*keys)
            await tui.settled()
            assert tui.seed == seed, keys
            assert tui.command() == f"$ tuiface render {seed} --psi 0.7", keys
            assert f"seed     {seed}" in tui.panel(), keys
            await tui.start_over()


async def test_keys_move_psi(open_app: Open) -> None:
    cases = [
        (["plus"], 0.8),
        (["plus", "equals_sign", "down", "l"], 1.0),
        (["minus", "j", "left", "h"], 0.4),
        (["asterisk", "down", "L", "shift+right"], 0.73),
        (["underscore", "down", "H", "shift+left"], 0.67),
        (["plus", "plus", "j", "backspace"], 0.7),
        (["plus"] * 25, 3.0),
    ]
    async with open_app() as tui:
        for keys, psi in cases:
            await tui.press(*keys)
            assert tui.psi == psi, keys
            assert f"psi      {psi:.2f}" in tui.panel(), keys
            await tui.start_over()


async def test_the_noise_key_goes_round(open_app: Open) -> None:
    async with open_app() as tui:
        seen = []
        for _ in range(4):
            await tui.press("v")
            seen.append(tui.command().removeprefix("$ tuiface render 0 --psi 0.7"))
        assert seen == [" --noise none", " --noise random:0", "", " --noise none"]


async def test_a_random_seed_is_another_one(open_app: Open) -> None:
    async with open_app() as tui:
        seeds = set()
        for _ in range(3):
            await tui.press("r")
            seeds.add(tui.seed)
        assert len(seeds) == 3


async def test_a_new_seed_keeps_psi_and_noise(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("plus", "v", "right")
        assert tui.command() == "$ tuiface render 1 --psi 0.8 --noise none"


async def test_undo_and_redo_walk_the_history(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("right", "plus", "right")
        await tui.press("u", "u")
        assert (tui.seed, tui.psi) == (1, 0.7)
        await tui.press("ctrl+r")
        assert (tui.seed, tui.psi) == (1, 0.8)
        await tui.press("u", "u", "u", "u")
        assert (tui.seed, tui.psi) == (0, 0.7)


async def test_the_picture_is_the_frame_in_a_centred_square(open_app: Open) -> None:
    async with open_app(size=(100, 30)) as tui:
        await tui.press("right")
        await tui.settled()
        view, frame = tui.view(), tui.app.state.preview.result
        assert frame is not None
        np.testing.assert_array_equal(frame.pixels, paint(tui.recipe, frame.pixels.shape[0]))
        columns, rows = view.fit_picture()
        assert columns == 2 * rows
        assert view.picture is not None
        assert view.picture.encoded is not None
        expected = to_cells(frame.pixels, columns, rows, view.writer.capabilities)
        np.testing.assert_array_equal(view.picture.encoded.cells, expected)
        strips = [view.render_line(y) for y in range(view.content_size.height)]
        margins = {len(strip.text) - len(strip.text.lstrip()) for strip in strips if "▀" in strip.text}
        assert margins == {(view.content_size.width - columns) // 2}


async def test_only_rows_that_changed_are_drawn_again(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    # A machine that is busy reads slowly, and a draft has other colours throughout.
    monkeypatch.setattr(pump, "SLOW_S", float("inf"))

    def top_changes(recipe: Any, size: int) -> np.ndarray:
        pixels = paint(recipe.derive(source={"kind": "seed", "seed": 0}), size)
        pixels[: size // 2] = recipe.source.seed
        return pixels

    async with open_app(lambda engine: setattr(engine, "picture", top_changes)) as tui:
        before = list(tui.view().strips)
        await tui.press("right")
        await tui.settled()
        same = [old is new for old, new in zip(before, tui.view().strips, strict=True)]
        assert same == sorted(same)
        assert any(same)
        assert not all(same)


async def test_previews_are_no_larger_than_the_view_needs(open_app: Open) -> None:
    async with open_app(size=(80, 24)) as tui:
        assert tui.engine.jobs[-1].resolution == 64
        assert tui.engine.jobs[-1].quality == "draft"
        await tui.pilot.resize_terminal(160, 50)
        await tui.until(lambda: tui.engine.jobs[-1].resolution == 128)


async def test_holding_a_key_asks_for_each_face_once_in_order(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press(*["right"] * 12)
        await tui.settled()
        sequences = [job.sequence for job in tui.engine.jobs]
        assert sequences == sorted(set(sequences))
        assert tui.seed == 12
        frame = tui.app.state.preview.result
        assert frame is not None
        assert frame.recipe == tui.recipe


async def test_a_key_that_changes_nothing_asks_for_nothing(open_app: Open) -> None:
    async with open_app() as tui:
        asked = len(tui.engine.jobs)
        await tui.press("left", "u", "ctrl+r", "backspace")
        assert len(tui.engine.jobs) == asked


# --- the seed prompt ---------------------------------------------------------------------------------------------


async def test_a_seed_that_is_too_large_is_refused_in_place(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("g", *str(MAX_SEED + 1))
        assert "too large; accepted: 0 to 4294967295" in tui.text()
        await tui.press("enter")
        assert isinstance(tui.app.screen, SeedPrompt)
        await tui.press("backspace", "enter")
        assert tui.seed == (MAX_SEED + 1) // 10


async def test_enter_without_a_number_says_what_is_accepted(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("g", "enter")
        assert "type a number from 0 to 4294967295" in tui.text()
        await tui.press("escape")
        assert tui.seed == 0


async def test_keys_typed_into_the_prompt_do_nothing_else(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("g", "s", "u", "q", "r", "7")
        assert tui.app.screen.query_one(Input).value == "7"
        assert tui.app.state.saves.pending == ()


def test_what_is_a_seed() -> None:
    assert not seed_problem("0")
    assert not seed_problem("007")
    assert not seed_problem(str(MAX_SEED))
    assert seed_problem(str(MAX_SEED + 1))
    assert seed_problem("")


# --- copy, help, palette, theme ----------------------------------------------------------------------------------


async def test_copy_puts_the_command_on_the_clipboard(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("right", "y")
        assert tui.app.clipboard == "tuiface render 1 --psi 0.7"
        assert "Copied: tuiface render 1 --psi 0.7" in tui.toasts()


@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_shows_every_action_and_closes(open_app: Open, key: str) -> None:
    async with open_app(size=(100, 120)) as tui:
        await tui.press(key)
        text = tui.text()
        for action in Registry().on_screen("face"):
            assert action.help[:30] in text
        await tui.press("escape")
        assert not isinstance(tui.app.screen, HelpScreen)


async def test_help_narrows_while_one_types_in_either_language(open_app: Open, tui_settings: Settings) -> None:
    async with open_app(settings=tui_settings.model_copy(update={"language": "es"}), size=(100, 40)) as tui:
        await tui.press("question_mark", *"fotografo")
        assert "ninguna tecla" in tui.text()
        await tui.press("escape", *"ANADIR")
        await tui.press(*["backspace"] * 6, *"clipboard")
        assert re.findall(r" (y|Y) +Copia al portapapeles", tui.text()) == ["y", "Y"]
        assert "Baja la fila elegida" not in tui.text()
        await tui.press("escape")
        assert "Baja la fila elegida" in tui.text()
        await tui.press("escape")
        assert not isinstance(tui.app.screen, HelpScreen)


async def test_the_palette_runs_an_action(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("ctrl+p", *"next seed")
        await tui.pilot.pause(0.3)
        await tui.press("enter", "enter")
        await tui.until(lambda: tui.seed == 1)


async def test_keys_on_the_last_line_can_be_clicked(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.pilot.click("#keys", offset=(3, 0))
        assert tui.seed == 1


@pytest.mark.parametrize("theme", ["textual-light", "textual-dark", "nord"])
async def test_the_theme_of_the_settings_is_taken(open_app: Open, tui_settings: Any, theme: str) -> None:
    async with open_app(settings=tui_settings.model_copy(update={"theme": theme})) as tui:
        assert tui.app.theme == theme


# --- the panel ---------------------------------------------------------------------------------------------------


async def test_the_panel_says_what_a_researcher_must_know(open_app: Open) -> None:
    notice = "untrained stand-in"
    async with open_app(lambda engine: setattr(engine, "engine_info", with_notices(notice)), size=(160, 50)) as tui:
        panel = tui.panel()
        assert str(tui.app.state.settings.library) in "".join(panel.split())
        for text in (
            "fake-256 (embedded)",
            "256 x 256 px",
            "CC0-1.0",
            notice,
            "cpu, 2 threads",
            "128 px in 12 ms",
        ):
            assert text in panel
        studio = tui.app.state.studio
        assert studio is not None
        assert studio.current.id in panel


async def test_text_from_a_model_file_is_not_markup(open_app: Open) -> None:
    info = with_notices("[bold]x[/nonsense]")
    async with open_app(lambda engine: setattr(engine, "engine_info", info), size=(160, 50)) as tui:
        assert "[bold]x[/nonsense]" in tui.panel()
        assert INFO.model.name in tui.text()


async def slow(tui: Running) -> None:
    tui.engine.holds = True
    await tui.press("right")
    await tui.until(lambda: tui.status() == "rendering")


async def test_a_slow_picture_is_announced_and_a_quick_one_is_not(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("right")
        assert tui.status() == ""
        await tui.settled()
        await slow(tui)
        tui.engine.release()
        await tui.settled()
        assert tui.status() == ""
        tui.screen.note_lateness()
        assert tui.status() == "", "a timer that fires after it was stopped says nothing"


async def test_pictures_side_by_side_have_one_size_where_a_column_is_left_over(open_app: Open) -> None:
    async with open_app(size=(83, 24)) as tui:
        await tui.press("right", "c", "c")
        await tui.settled()
        for width in (83, 84, 85, 86, 85, 84, 83):
            await tui.pilot.resize_terminal(width, 24)
            await tui.settled()
            original, face = tui.screen.query_one("#original", FaceView), tui.view()
            assert original.fit_picture() == face.fit_picture()
            assert {original._fit, face._fit} == {face.fit_picture()}, width
