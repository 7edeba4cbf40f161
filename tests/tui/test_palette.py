"""The palette: everything that can be done, from every screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.command import CommandList

from tests.tui.conftest import Open, Running
from tuiface.actions import SCREENS, Registry
from tuiface.core.limits import MAX_SEED
from tuiface.core.settings import Settings
from tuiface.faces.library import write_tags
from tuiface.screens.bindings import GRID_MOVES
from tuiface.screens.palette import find_seed, list_entries


def take(tui: Running, title: str) -> Callable[[], object]:
    return next(entry.run for entry in list_entries(tui.app) if entry.title == title)


async def search(tui: Running, text: str) -> list[str]:
    """Type into the palette; the first line of each offer."""
    await tui.press("ctrl+p")
    await tui.until(lambda: tui.app.screen.query(CommandList))
    before = tui.app.screen.query_one(CommandList).option_count
    await tui.press(*["space" if letter == " " else letter for letter in text])
    await tui.until(lambda: tui.app.screen.query_one(CommandList).option_count not in (0, before))
    await tui.pilot.pause(0.3)
    return [str(option.prompt).split("\n")[0] for option in tui.app.screen.query_one(CommandList).options]


@pytest.mark.parametrize("key", ["1", "2", "5"])
async def test_every_action_of_every_screen_is_offered_with_its_keys(open_app: Open, key: str) -> None:
    async with open_app() as tui:
        await tui.press(key)
        entries = list(list_entries(tui.app))
        offered = {(entry.title.split(": ")[-1], entry.keys) for entry in entries}
        shown = tui.app.current_work_screen.SCREEN_NAME
        for screen in SCREENS:
            for action in Registry().on_screen(screen):
                is_move = screen != shown and action.id.removeprefix(f"{screen}_") in GRID_MOVES
                if action.id != "command_palette" and not is_move:
                    assert (action.label, " ".join(action.key_labels)) in offered


async def test_an_action_of_another_screen_leads_there_first(open_app: Open) -> None:
    async with open_app() as tui:
        take(tui, "Explore: Random faces")()
        await tui.until(lambda: getattr(tui.app.screen, "mode", "") == "random")
        assert tui.app.current_work_screen.SCREEN_NAME == "explore"
        take(tui, "Library: Search")()
        await tui.until(lambda: tui.app.current_work_screen.SCREEN_NAME == "library")
        await tui.until(lambda: type(tui.app.screen).__name__ == "LinePrompt")


async def test_a_row_of_the_face_is_chosen_from_any_screen(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("3")
        take(tui, "Face: Psi")()
        await tui.until(lambda: tui.app.current_work_screen.SCREEN_NAME == "face")
        assert tui.app.state.face.control_key == "psi"


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_a_typed_seed_is_the_first_offer(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(size=size) as tui:
        await tui.press("2")
        assert (await search(tui, "seed 42"))[0] == "Seed 42"
        await tui.press("enter")
        await tui.until(lambda: tui.app.current_work_screen.SCREEN_NAME == "face" and tui.seed == 42)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_keys_stand_at_the_right_and_lines_are_not_broken(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(size=size) as tui:
        lines = await search(tui, "next seed")
        assert lines[0].startswith("Next seed")
        assert lines[0].endswith(Registry().by_id("next_seed").key_labels[-1])
        assert len(lines[0]) == size[0] - 4
        assert any(lines[0] in line for line in tui.text().splitlines())


@pytest.mark.parametrize(
    ("text", "seed"),
    [("42", 42), ("seed 42", 42), ("SEED 0", 0), ("seed", None), ("seed 4 2", None), ("x 42", None), ("²", None)],
)
def test_what_is_read_as_a_seed(text: str, seed: int | None) -> None:
    assert find_seed(text) == seed


async def test_a_seed_that_is_too_large_is_refused_by_its_value(open_app: Open) -> None:
    async with open_app() as tui:
        await search(tui, f"seed {MAX_SEED + 1}")
        await tui.press("enter")
        await tui.until(lambda: str(MAX_SEED) in tui.toasts())
        assert tui.seed == 0


async def test_saved_faces_and_their_tags_are_found(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("right", "s")
        library = tui.app.state.settings.library
        await tui.until(lambda: list(library.glob("*.png")) and not tui.app.state.saves.pending)
        picture = next(library.glob("*.png"))
        write_tags(picture, ("sospechoso",), None)
        await tui.press("right")
        assert f"Face: {picture.stem}" in await search(tui, picture.stem)
        await tui.press("enter")
        await tui.until(lambda: tui.seed == 1)
        assert "Tag: sospechoso" in await search(tui, "sospechoso")
        await tui.press("enter")
        await tui.until(lambda: tui.app.current_work_screen.SCREEN_NAME == "library" and picture.stem in tui.text())


async def test_themes_and_rows_are_offered_in_the_users_language(open_app: Open, tui_settings: Settings) -> None:
    async with open_app() as tui:
        take(tui, "Theme: nord")()
        assert tui.app.theme == "nord"
    async with open_app(settings=tui_settings.model_copy(update={"language": "es"})) as tui:
        titles = [entry.title for entry in list_entries(tui.app)]
        assert "Tema: nord" in titles
        assert {"Cara", "Biblioteca"} <= {title.partition(":")[0] for title in titles}
