"""The rows beside the face: what was changed first, folded groups, live search, locks that are always seen, numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textual.widgets import Input, Static

from tests.tui.conftest import Open, Running
from tests.tui.directions import with_directions
from tests.tui.fake_engine import FakeEngine
from tests.tui.test_editing import MEASURES, amounts, chosen, find, panel
from tuiface.core.i18n import use_language
from tuiface.core.settings import Settings
from tuiface.screens.dialogs.prompts import SeedPrompt
from tuiface.screens.face.comparison import difference_map, outline_of
from tuiface.screens.face.controls import list_controls, psi_text
from tuiface.screens.face.measures import sigma_text
from tuiface.screens.face.words import face_title
from tuiface.screens.widgets.face_view import FaceView

SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=["80x24", "160x50"])


@pytest.fixture
def own(tui_settings: Settings, tmp_path: Path) -> Settings:
    return with_directions(tui_settings, tmp_path / "directions")


def keys(tui: Running) -> list[str]:
    return [control.key for control in list_controls(tui.app.state)]


def caption(tui: Running) -> str:
    return str(tui.screen.query_one("#caption", Static).content)


@pytest.mark.parametrize("size", [(80, 24), (160, 50), (110, 40), (200, 60)])
async def test_the_picture_fills_its_place(open_app: Open, own: Settings, size: tuple[int, int]) -> None:
    async with open_app(size=size, settings=own) as tui:
        view = tui.view()
        columns, rows = view.fit_picture()
        assert columns == view.content_size.width
        body = tui.screen.query_one("#body")
        room = body.size.width - 36 - (28 if size[0] >= 150 else 0) - 2
        assert rows == body.size.height or columns >= room - 1


@SIZES
async def test_what_is_changed_comes_first_and_stays_while_it_is_turned(
    open_app: Open, own: Settings, size: tuple[int, int]
) -> None:
    async with open_app(size=size, settings=own) as tui:
        place = keys(tui).index("concept:smile")
        await find(tui, "smile")
        await tui.press("escape", "right")
        assert keys(tui).index("concept:smile") == place
        await tui.press("down", "f")
        assert keys(tui)[3:5] == ["concept:smile", "lock:frame"]
        assert "Changed" in tui.text()
        tui.app.state.face.choose("noise")
        await tui.press("down", "left")
        assert chosen(tui).key == "concept:smile"
        assert amounts(tui) == {}
        await tui.press("down")
        assert keys(tui).index("concept:smile") == place + 1


@SIZES
async def test_a_search_leaves_other_rows_out_until_escape(
    open_app: Open, own: Settings, size: tuple[int, int]
) -> None:
    async with open_app(size=size, settings=own) as tui:
        await tui.press("slash")
        tui.app.screen.query_one(Input).value = "mouth"
        await tui.pilot.pause()
        assert keys(tui) == ["concept:mouth_open", "lock:mouth"] or "concept:smile" in keys(tui)
        found = keys(tui)
        await tui.press("enter")
        assert "Esc shows all" in tui.text()
        seen = {chosen(tui).key}
        for _ in found[1:]:
            await tui.press("down")
            seen.add(chosen(tui).key)
        assert seen == set(found)
        await tui.press("escape")
        assert len(keys(tui)) > len(found)
        await find(tui, "zzz")
        assert "no row" in tui.text()
        await tui.press("escape")
        assert "no row" not in tui.text()


@SIZES
async def test_groups_fold_into_one_row(open_app: Open, own: Settings, size: tuple[int, int]) -> None:
    async with open_app(size=size, settings=own) as tui:
        await find(tui, "hairline")
        await tui.press("escape", "enter")
        assert keys(tui)[-1] == chosen(tui).key == "group:Locks"
        assert chosen(tui).value == "9"
        await tui.press("right")
        assert "lock:hairline" in keys(tui)
        assert chosen(tui).key == "lock:frame"


async def test_a_list_that_is_longer_than_its_place_has_a_scrollbar(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        assert "█" in panel(tui)
        assert "│" in panel(tui)
    async with open_app(settings=own, size=(160, 50)) as tui:
        assert "│" not in panel(tui)


@SIZES
async def test_locks_are_always_seen_and_what_they_leave_of_an_edit(
    open_app: Open, own: Settings, size: tuple[int, int]
) -> None:
    def measured(engine: FakeEngine) -> None:
        engine.measures = {**MEASURES, "delivered_smile": 0.4}

    async with open_app(measured, size=size, settings=own) as tui:
        assert "f lock  G firmer" in tui.text()
        await find(tui, "smile")
        await tui.press("right", "right", "right", "escape", "f")
        await tui.until(lambda: "+1.5→+0.4" in tui.text())
        assert "locked  frame" in tui.text()
        assert "under the locks" in panel(tui)
        await tui.press("down", "down", "down", "down")
        assert "locked  frame" in tui.text()
        await tui.press("i")
        assert "frame" in tui.text()


@SIZES
async def test_a_chosen_number_says_what_it_means(open_app: Open, own: Settings, size: tuple[int, int]) -> None:
    def measured(engine: FakeEngine) -> None:
        engine.measures = {**MEASURES, "population_sigma": -2.0}

    async with open_app(measured, size=size, settings=own) as tui:
        await find(tui, "smile")
        await tui.press("right", "escape")
        await tui.until(lambda: "measure:from population" in keys(tui))
        tui.app.state.face.choose("measure:from population")
        await tui.until(lambda: "-2.0 sigma: more average" in tui.text())


def test_numbers_in_words() -> None:
    assert "thousand" in sigma_text(3.4)
    assert "unusual" in sigma_text(1.5)
    assert "as usual" in sigma_text(0.0)
    assert psi_text(0.7) == "70 % of the way from the mean face to the draw"
    assert "mean face itself" in psi_text(0.0)
    assert "farther" in psi_text(1.2)


@SIZES
async def test_compared_pictures_are_named(open_app: Open, own: Settings, size: tuple[int, int]) -> None:
    async with open_app(size=size, settings=own) as tui:
        await tui.press("right")
        await find(tui, "smile")
        await tui.press("right", "right", "escape", "c")
        await tui.until(lambda: caption(tui).strip().startswith("before  after"))
        shown: set[str] = set()

        def both_were_shown() -> bool:
            shown.add(caption(tui).split("  ")[-1])
            return len(shown) == 2

        await tui.until(both_were_shown)
        assert shown == {" 1", " 1 · smile +1"}
        await tui.press("c")
        await tui.until(lambda: "before: 1" in caption(tui))
        assert "after: 1 · smile +1" in caption(tui)
        await tui.settled()
        views = [tui.screen.query_one(name, FaceView) for name in ("#original", "#face")]
        assert views[0].fit_picture() == views[1].fit_picture()
        await tui.press("c")
        await tui.until(lambda: "lighter" in caption(tui))
        assert "darker" in caption(tui)
        await tui.press("c")
        await tui.until(lambda: not tui.screen.query_one("#caption", Static).display)


def test_the_map_draws_the_outline_of_the_face_where_nothing_changed() -> None:
    before = np.full((64, 64, 3), 40, np.uint8)
    before[16:48, 16:48] = 200
    line = outline_of(before)
    assert line[16, 30] > 0.9
    assert line[30, 30] == line[4, 4] == 0
    shown = difference_map(before, before)
    assert (shown[16, 30] > shown[30, 30]).all()
    after = before.copy()
    after[30, 30] = 255
    assert shown[30, 30].tolist() != difference_map(before, after)[30, 30].tolist()


async def test_a_face_without_a_name_is_called_by_what_was_done_to_it(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        tui.app.state.apply(lambda studio: studio.show(studio.face(106).edit("smile", 1.0).lock("frame")))
        assert face_title(tui.recipe) == "106 · smile +1 · frame locked"
        assert "106 · smile +1 · frame locked" in tui.panel()
        await tui.press("a", "4")
        await tui.until(lambda: "seed 106 · smile +1" in tui.text())


async def test_a_second_enter_that_comes_with_the_first_does_no_harm(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("g")
        prompt = tui.app.screen
        assert isinstance(prompt, SeedPrompt)
        field = prompt.query_one(Input)
        field.value = "42"
        for _ in range(2):
            prompt.on_input_submitted(Input.Submitted(field, "42"))
        await tui.settled()
        assert tui.seed == 42


async def test_the_new_words_in_spanish(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own.model_copy(update={"language": "es"}), size=(160, 50)) as tui:
        await find(tui, "sonrisa")
        await tui.press("right", "escape", "up", "f")
        text = tui.text()
        for words in ("Cambiado", "bloqueado  marco", "f bloquear"):
            assert words in text
    use_language("en")
