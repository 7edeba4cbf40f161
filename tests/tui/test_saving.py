"""Saves run behind the keys, in order, and none is lost."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from PIL import Image

from tests.tui.conftest import Open, Running
from tests.tui.fake_engine import FakeEngine
from tuiface.core.errors import EngineError
from tuiface.faces.provenance import read_saved_face


def saved(tui: Running) -> list[str]:
    folder = tui.app.state.settings.library
    return sorted(path.name.split("-")[0] for path in folder.glob("*.png"))


async def saves_done(tui: Running) -> None:
    await tui.until(lambda: not tui.app.state.saves.pending)


async def test_save_writes_the_full_picture_and_its_json(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("right", "s")
        await saves_done(tui)
        [png] = tui.app.state.settings.library.glob("*.png")
        with Image.open(png) as image:
            assert image.size == (256, 256)
        assert json.loads(png.with_suffix(".json").read_text())["recipe"]["source"] == {"kind": "seed", "seed": 1}
        assert read_saved_face(png).provenance.recipe == tui.recipe
        assert f"Seed 1 saved: {png}" in tui.toasts()
        assert "1 saved in this session" in tui.panel()
        assert ", saved" in tui.panel()


async def test_saving_twice_says_that_it_lies_there(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("s")
        await saves_done(tui)
        await tui.press("s")
        await saves_done(tui)
        assert "Seed 0 is saved already" in tui.toasts()
        assert saved(tui) == ["seed0"]


async def test_saves_queue_while_keys_go_on(open_app: Open) -> None:
    async with open_app(lambda engine: engine.may_save.clear()) as tui:
        await tui.press("s", "right", "s", "right", "s", "right")
        await tui.settled()
        assert tui.seed == 3
        assert tui.status() == "saving 3"
        tui.engine.may_save.set()
        await saves_done(tui)
        assert saved(tui) == ["seed0", "seed1", "seed2"]
        assert tui.status() == ""


async def test_a_folder_that_cannot_be_written_is_one_line(open_app: Open) -> None:
    async with open_app() as tui:
        tui.app.state.settings.library.write_text("a file in the way")
        await tui.press("s")
        await saves_done(tui)
        assert "Seed 0 is not saved: " in tui.toasts()
        tui.app.state.settings.library.unlink()
        await tui.press("s")
        await saves_done(tui)
        assert saved(tui) == ["seed0"]


async def test_a_save_that_the_engine_refuses_is_one_line(open_app: Open) -> None:
    async with open_app(lambda engine: setattr(engine, "save_error", EngineError("out of memory"))) as tui:
        await tui.press("s")
        await saves_done(tui)
        assert "Seed 0 is not saved: out of memory" in tui.toasts()
        assert tui.engine.num_starts == 1


async def test_a_save_survives_the_engines_death(open_app: Open) -> None:
    async with open_app(lambda engine: engine.may_save.clear()) as tui:
        await tui.press("right", "s")
        tui.engine.is_alive = False
        tui.engine.streams[-1].is_open = False
        tui.engine.may_save.set()
        await tui.until(lambda: tui.engine.num_starts == 2)
        await saves_done(tui)
        assert saved(tui) == ["seed1"]
        assert tui.toasts().count("Engine restarted") == 1


async def test_a_seed_after_a_saved_one_is_not_its_child_but_another_psi_is(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("s")
        await saves_done(tui)
        studio = tui.app.state.studio
        assert studio is not None
        digest = studio.current.recipe.digest
        await tui.press("right")
        assert list(studio.current.parents) == []
        await tui.press("u", "plus")
        assert list(studio.current.parents) == [digest]


async def test_leaving_waits_for_saves(open_app: Open) -> None:
    async with open_app(lambda engine: engine.may_save.clear()) as tui:
        await tui.press("s", "q")
        assert tui.app.is_running
        assert "1 face to be saved first" in tui.toasts()
        tui.engine.may_save.set()
        await tui.until(lambda: not tui.app.is_running)
    assert saved(tui) == ["seed0"]


async def test_leaving_twice_leaves_at_once_and_nothing_half_written(open_app: Open) -> None:
    async with open_app(lambda engine: engine.may_save.clear()) as tui:
        await tui.press("s", "q", "q")
        await tui.until(lambda: not tui.app.is_running)
    for thread in threading.enumerate():
        if thread.name == "saves":
            thread.join(30)  # it takes an empty library away, which must not happen between the next lines
    folder: Path = tui.app.state.settings.library
    assert not [path for path in folder.glob("*") if path.name.startswith(".")]


@pytest.mark.parametrize("num", [1, 3])
async def test_a_failed_save_keeps_the_app_open(open_app: Open, num: int) -> None:
    def refuse(engine: FakeEngine) -> None:
        engine.may_save.clear()
        engine.save_error = EngineError("out of memory")

    async with open_app(refuse) as tui:
        for _ in range(num):
            await tui.press("s", "right")
        await tui.press("q")
        tui.engine.may_save.set()
        await saves_done(tui)
        assert tui.app.is_running
        assert tui.toasts().count("is not saved") == num
