"""Every screen but the first, as a user sees it."""

from __future__ import annotations

import itertools
import json
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from textual.widgets import Static

from tests.tui.conftest import Open, Running
from tuiface.actions import SCREENS, ScreenName
from tuiface.core.errors import EngineError, ModelError
from tuiface.directions.direction import DirectionOrigin
from tuiface.directions.populations import NamedPopulation
from tuiface.engine_api.protocol import JobProgress, RenderRequest, RenderResult
from tuiface.faces.library import Library
from tuiface.screens import models
from tuiface.screens.dialogs.prompts import LastWordSuggester
from tuiface.screens.explore import ExploreScreen
from tuiface.screens.jobs.runner import JobRunner
from tuiface.screens.jobs.screen import clock
from tuiface.screens.library.screen import LibraryScreen, read_thumbnail
from tuiface.screens.messages import JobChanged, PreviewArrived, TileArrived, WorkFinished
from tuiface.screens.mix import MixScreen, row_px
from tuiface.screens.morph import MorphScreen
from tuiface.screens.widgets.face_view import FaceView
from tuiface.screens.widgets.tile_grid import TileGrid
from tuiface.screens.work_screen import WorkScreen


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of the Models screen are answered here."""

    def answer(arguments: list[str], accepted: tuple[int, ...] = (0,)) -> str:
        if arguments[:2] == ["model", "list"]:
            rows = [
                {"path": "/models/fake-256.safetensors", "kind": "embedded"},
                {"path": "/models/b.pkl", "kind": None},
            ]
            return "\n".join(map(json.dumps, rows))
        if arguments[:2] == ["model", "inspect"]:
            return json.dumps({"file": arguments[-1], "format": "pickle", "resolution": 256, "refused": None})
        raise ModelError("b.pkl: no generator in this file")

    monkeypatch.setattr(models, "run_command", answer)


def current(tui: Running) -> WorkScreen:
    screen = tui.app.screen
    assert isinstance(screen, WorkScreen)
    return screen


async def tiles_there(tui: Running) -> None:
    """Every tile of the page has its picture."""
    grid = current(tui).query_one(TileGrid)
    await tui.until(lambda: grid.tiles and all(tile.pixels is not None for tile in grid.tiles))


@pytest.mark.parametrize("size", [(80, 24), (160, 50), (64, 16), (40, 12)])
async def test_every_screen_opens_by_its_number_and_fits(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(size=size) as tui:
        for number, place in enumerate(SCREENS, start=1):
            await tui.press(str(number))
            await tui.until(lambda place=place: place == current(tui).SCREEN_NAME)  # type: ignore[misc]
            await tui.until(lambda: "q quit" in tui.text())
            text = tui.text()
            assert all(len(line) == size[0] for line in text.splitlines())
        await tui.press("1")
        assert tui.screen.SCREEN_NAME == "face"


async def test_tabs_can_be_clicked(open_app: Open) -> None:
    async with open_app() as tui:
        line = tui.text().splitlines()[0]
        await tui.pilot.click(offset=(line.index("Mix"), 0))
        assert isinstance(tui.app.screen, MixScreen)


@pytest.mark.parametrize("place", SCREENS)
async def test_what_threads_tell_may_come_before_and_after_the_widgets(open_app: Open, place: ScreenName) -> None:
    async with open_app() as tui:
        numbers = itertools.count(10_000)

        def tell() -> None:
            frame = tui.engine.frame(RenderRequest(tui.recipe, 64, sequence=next(numbers)))
            tui.app.on_tile_arrived(TileArrived(frame))
            tui.app.on_preview_arrived(PreviewArrived(frame))
            tui.app.on_work_finished(WorkFinished(tui.app.state.changes.mark))

        tui.app.action_go_to(place)
        screen = tui.app.current_work_screen
        assert place == screen.SCREEN_NAME
        assert screen.is_mounted == (place == "face")
        tell()
        await tui.until(lambda: screen.is_mounted and "q quit" in tui.text())
        tell()
    assert not screen.children
    with tui.app._context():
        tell()


# --- Explore -----------------------------------------------------------------------------------------------------


async def test_explore_shows_seeds_in_order_and_opens_one(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("2")
        await tiles_there(tui)
        grid = current(tui).query_one(TileGrid)
        assert [tile.caption for tile in grid.tiles][:4] == ["0", "1", "2", "3"]
        assert "--count" in tui.command_text()
        await tui.press("right", "right", "l", "enter")
        await tui.until(lambda: current(tui).SCREEN_NAME == "face")
        await tui.settled()
        assert tui.seed == 3


async def test_explore_pages_follow_the_choice(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("2")
        screen = current(tui)
        assert isinstance(screen, ExploreScreen)
        capacity = screen.grid.capacity
        await tui.press("pagedown")
        assert (screen.first, screen.chosen) == (capacity, capacity)
        await tui.press("left")
        assert (screen.first, screen.chosen) == (0, capacity - 1)
        before = screen.grid.shape
        await tui.press("plus")
        assert screen.grid.capacity < before[0] * before[1]
        assert screen.first % screen.grid.capacity == 0


async def test_explore_keeps_the_marked_faces(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("2", "space", "right", "space")
        assert "2 marked" in tui.text()
        await tui.press("s")
        await tui.until(lambda: not tui.app.state.saves.pending)
        names = sorted(p.name.split("-")[0] for p in tui.app.state.settings.library.glob("*.png"))
        assert names == ["seed0", "seed2"]


async def test_explore_shows_faces_near_one_and_goes_back_to_seeds(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("2", "right", "m")
        screen = current(tui)
        assert isinstance(screen, ExploreScreen)
        await tui.until(lambda: screen.neighbours)
        assert "near seed 1, distance 0.2" in tui.text()
        near = screen.neighbours
        await tui.press("d")
        await tui.until(lambda: screen.neighbours and screen.neighbours != near)
        assert "distance 0.1" in tui.text()
        await tui.press("c")
        assert "seeds from" in tui.text()


async def test_more_like_this_leads_from_the_face_to_explore(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("right", "m")
        await tui.until(lambda: current(tui).SCREEN_NAME == "explore")
        await tui.until(lambda: "near seed 1" in tui.text())


async def test_explore_random_seeds_are_others_each_time(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("2", "r")
        screen = current(tui)
        assert isinstance(screen, ExploreScreen)
        first = screen.random_seeds
        await tui.press("r")
        assert first
        assert screen.random_seeds != first


async def test_explore_psi_moves_all_faces(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("2", "K")
        screen = current(tui)
        assert isinstance(screen, ExploreScreen)
        face = screen.face_at(5)
        assert face is not None
        assert face.recipe.truncation.psi == 0.8


async def test_explore_population_moves_all_faces_and_is_said(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("2", "o")
        screen = current(tui)
        assert isinstance(screen, ExploreScreen)
        assert screen.center == "w_avg"
        studio = tui.app.state.studio
        assert studio is not None
        centre = np.arange(studio.info.w_dim, dtype=np.float32)
        studio.populations.add(NamedPopulation.of("ours", studio.info.model, centre, DirectionOrigin(method="faces")))
        await tui.press("o")
        face = screen.face_at(5)
        assert face is not None
        assert face.recipe.truncation.center == "ours"
        np.testing.assert_array_equal(face.recipe.truncation.centre(), centre)
        assert "--population ours" in screen.command_line()
        await tui.press("o")
        assert screen.center == "w_avg"


# --- Mix ---------------------------------------------------------------------------------------------------------


async def test_mix_shows_both_children_of_the_rows_that_are_chosen(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("3")
        screen = current(tui)
        assert isinstance(screen, MixScreen)
        num_ws = tui.engine.engine_info.num_ws
        assert screen.rows == (6, num_ws)
        await tui.press("left", "H")
        assert screen.rows == (5, num_ws - 1)
        children = screen.both_children()
        assert children is not None
        assert [child.recipe.mixes[0].rows for child in children] == [screen.rows] * 2
        assert tui.command_text() == f"$ tuiface swap 0 1 --rows 5-{num_ws - 1} --psi 0.7"
        await tui.until(lambda: all(view.pixels is not None for view in screen.query(FaceView)))
        await tui.press("backspace")
        assert screen.rows == (6, num_ws)


async def test_mix_saves_both_and_opens_one(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("3", "b", "9", "enter", "s")
        await tui.until(lambda: not tui.app.state.saves.pending)
        assert len(list(tui.app.state.settings.library.glob("*.png"))) == 2
        await tui.press("x", "enter")
        await tui.until(lambda: current(tui).SCREEN_NAME == "face")
        assert tui.seed == 9
        assert tui.recipe.mixes


async def test_mix_crosses_contour_and_inner_face(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("3", "b", "9", "enter", "c")
        screen = current(tui)
        assert isinstance(screen, MixScreen)
        await tui.until(screen.both_children)
        assert tui.command_text() == "$ tuiface swap 0 9 --cross --psi 0.7"
        await tui.until(lambda: "frame variation 0.75 %" in str(screen.query_one("#scale", Static).content))
        await tui.until(lambda: all(view.pixels is not None for view in screen.query(FaceView)))
        await tui.press("s")
        await tui.until(lambda: not tui.app.state.saves.pending)
        assert len(list(tui.app.state.settings.library.glob("latent-*.png"))) == 2
        await tui.press("left")
        children = screen.both_children()
        assert children is not None
        assert children[0].recipe.mixes, "rows are exchanged again"


async def test_a_cross_that_fails_is_told_and_rows_are_exchanged_again(open_app: Open) -> None:
    async with open_app() as tui:
        tui.engine.work_error = ModelError("no region 'frame' for this model's faces")
        await tui.press("3", "c")
        await tui.until(lambda: "no region 'frame'" in tui.toasts())
        assert "--rows" in tui.command_text()


async def test_between_two_screens_the_one_that_goes_is_shown(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment the stack is empty, and timers go on: the state is written all the time."""
    async with open_app() as tui:
        await tui.press("3")
        mix = current(tui)
        with monkeypatch.context() as patch:
            patch.setattr(type(tui.app), "screen_stack", [])
            assert tui.app.current_work_screen is mix


async def test_rows_never_leave_the_network_or_cross(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("3", *["right"] * 30)
        screen = current(tui)
        assert isinstance(screen, MixScreen)
        num_ws = tui.engine.engine_info.num_ws
        assert screen.rows == (num_ws - 1, num_ws)
        await tui.press(*["left"] * 30, *["H"] * 30)
        assert screen.rows == (0, 1)


@pytest.mark.parametrize(("row", "px"), [(0, 4), (1, 8), (2, 8), (3, 16), (4, 16), (13, 512), (17, 2048)])
def test_rows_drive_blocks(row: int, px: int) -> None:
    assert row_px(row) == px


# --- Morph -------------------------------------------------------------------------------------------------------


async def test_morph_goes_from_the_face_to_the_next_and_is_saved_as_a_series(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("4")
        screen = current(tui)
        assert isinstance(screen, MorphScreen)
        await tui.press(*["down"] * 10)
        await tui.until(lambda: len(screen.frames) == 2)
        await tui.press("up")
        await tui.until(lambda: len(screen.frames) == 12)
        assert tui.command_text() == "$ tuiface morph 0 1 --space w+ --frames 12 --psi 0.7"
        await tui.press("f", "s")
        await tui.until(lambda: [job.state for job in tui.app.state.jobs.listed.values()] == ["done"])
        library = Library(tui.app.state.settings.library, tui.app.state.settings.cache)
        assert len(library.faces(tag="morph")) == 12
        assert len(list(library.folder.glob("*.gif"))) == 1
        await tui.press("7")
        assert "13 / 13" in tui.text()


async def test_morph_plays_and_stops_when_it_is_left(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("4")
        screen = current(tui)
        assert isinstance(screen, MorphScreen)
        await tui.until(lambda: screen.frames)
        await tui.press("space")
        await tui.until(lambda: screen.frame_index > 2)
        await tui.press("1")
        await tui.until(lambda: not screen.is_playing)


async def test_morph_shows_no_picture_but_that_of_the_frame_it_names(open_app: Open) -> None:
    """Its pictures come one at a time, and another screen takes the queue meanwhile."""
    async with open_app() as tui:
        gate = threading.Semaphore(3)
        frame_of = tui.engine.render

        def render(job: RenderRequest) -> RenderResult:
            assert gate.acquire(timeout=60)
            return frame_of(job)

        tui.engine.render = render  # type: ignore[method-assign]
        await tui.press("4")
        screen = current(tui)
        assert isinstance(screen, MorphScreen)
        await tui.until(lambda: "3 of 50 ready" in tui.text())
        view = screen.query_one(FaceView)
        assert view.pixels is screen._picture_of(0)
        await tui.press(*["right"] * 20)
        assert screen.frame_index == 20
        assert view.pixels is None, "no picture of another frame under this number"
        await tui.press("2")
        gate.release(2)  # frame 20 is not asked for any more, one picture of it may be under way
        await tui.press("4")
        gate.release(3)
        await tui.until(lambda: view.pixels is not None)
        assert view.pixels is screen._picture_of(20), "the current frame first"
        await tui.press("space")
        gate.release(1000)
        await tui.until(lambda: "50 of 50 ready" in tui.text())
        await tui.press("space", "up")
        assert view.pixels is None or view.pixels is screen._picture_of(screen.frame_index), "of another number"
        await tui.until(lambda: "60 of 60 ready" in tui.text())
        assert view.pixels is screen._picture_of(screen.frame_index)


async def test_what_cannot_be_interpolated_is_said_in_place(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("a", "v", "a", "4")
        screen = current(tui)
        assert isinstance(screen, MorphScreen)
        await tui.until(lambda: len(screen.frames) == 50)
        await tui.press("z")  # w+ is followed by z, which faces of other noise do not share
        await tui.until(lambda: "no transition in z" in screen.problem)
        assert "no transition" in " ".join(tui.text().split())


# --- Library -----------------------------------------------------------------------------------------------------


async def saved_faces(tui: Running, count: int) -> LibraryScreen:
    for _ in range(count):
        await tui.press("s", "right")
    await tui.until(lambda: not tui.app.state.saves.pending)
    await tui.press("5")
    screen = current(tui)
    assert isinstance(screen, LibraryScreen)
    await tui.until(lambda: len(screen.faces) == count)
    return screen


async def test_an_empty_library_says_how_to_fill_it(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("5")
        await tui.until(lambda: "Nothing is saved yet" in tui.text())


async def test_the_library_shows_thumbnails_newest_first_and_opens_one(open_app: Open) -> None:
    async with open_app(size=(160, 50)) as tui:
        screen = await saved_faces(tui, 3)
        await tiles_there(tui)
        assert {face.seed for face in screen.faces} == {0, 1, 2}
        seed = screen.faces[1].seed
        await tui.press("right", "enter")
        await tui.until(lambda: current(tui).SCREEN_NAME == "face")
        assert tui.seed == seed
        assert tui.app.state.studio is not None
        assert tui.app.state.studio.current.saved


async def test_removing_asks_and_can_be_undone(open_app: Open) -> None:
    async with open_app() as tui:
        screen = await saved_faces(tui, 2)
        await tui.press("d", "n")
        assert len(screen.faces) == 2
        await tui.press("space", "space", "d")
        assert "Remove 2 faces?" in tui.text()
        await tui.press("y")
        await tui.until(lambda: not screen.faces)
        await tui.press("u")
        await tui.until(lambda: len(screen.faces) == 2)


async def test_search_narrows_while_it_is_typed(open_app: Open) -> None:
    async with open_app() as tui:
        screen = await saved_faces(tui, 3)
        await tui.press("slash", *"seed2")
        await tui.until(lambda: [face.seed for face in screen.faces] == [2])
        await tui.press("enter")
        assert tui.command_text() == "$ tuiface library list seed2"
        await tui.press("slash", *["backspace"] * 5, "enter")
        await tui.until(lambda: len(screen.faces) == 3)


async def test_tags_are_completed_to_those_that_faces_carry() -> None:
    suggester = LastWordSuggester(["round-2", "suspect"])
    texts = {"sus": "suspect", "a,-ro": "a,-round-2", "suspect x": None, "": None, "a ": None}
    assert {text: await suggester.get_suggestion(text) for text in texts} == texts


async def test_ranges_are_marked_and_marks_inverted(open_app: Open) -> None:
    async with open_app(size=(120, 40)) as tui:
        await tui.press("2")
        await tiles_there(tui)
        screen = current(tui)
        assert isinstance(screen, ExploreScreen)
        number = len(screen.page)
        await tui.press("right", "space", "right", "right", "w")
        assert marked_seeds(screen) == [1, 2, 3, 4]
        assert "4 marked: s save" in tui.text()
        assert "a add to morph" in tui.text()
        await tui.press("*")
        assert marked_seeds(screen) == [0, *range(5, number)]
        await tui.press("*", "s")
        assert marked_seeds(screen) == []
        await tui.until(lambda: tui.app.state.saves.num_saved == 4)
        await tui.press("right", "w")  # what was marked before begins no range
        assert marked_seeds(screen) == [5]


def marked_seeds(screen: ExploreScreen) -> list[int]:
    sources = [face.recipe.source for face in screen.chosen_faces()] if screen.marked else []
    return sorted(source.seed for source in sources if source.kind == "seed")


async def test_tags_are_added_and_removed(open_app: Open) -> None:
    async with open_app(size=(160, 50)) as tui:
        screen = await saved_faces(tui, 1)
        await tui.press("e", *"round-2 suspect", "enter")
        await tui.until(lambda: screen.faces[0].tags == ("round-2", "suspect"))
        assert "round-2 suspect" in tui.text()
        await tui.press("e", *"-suspect", "enter")
        await tui.until(lambda: screen.faces[0].tags == ("round-2",))


async def test_a_saved_face_is_named_and_rated(open_app: Open) -> None:
    async with open_app(size=(160, 50)) as tui:
        screen = await saved_faces(tui, 1)
        assert [tile.caption for tile in screen.grid.tiles] == ["0"]
        await tui.press("n", *"Juan", "enter")
        await tui.until(lambda: [tile.caption for tile in screen.grid.tiles] == ["Juan"])
        await tui.press("v", *"7", "enter")
        assert "'7'; accepted: 1 to 5" in tui.text()
        await tui.press("backspace", "3", "enter")
        await tui.until(lambda: [tile.caption for tile in screen.grid.tiles] == ["Juan ★★★"])
        assert re.search(r"rating +★★★", tui.text())
        await tui.press("n", "delete", "enter")
        await tui.until(lambda: [tile.caption for tile in screen.grid.tiles] == ["0 ★★★"])


async def test_two_marked_faces_are_compared(open_app: Open) -> None:
    async with open_app() as tui:
        await saved_faces(tui, 2)
        await tui.press("c")
        assert "Mark two faces" in tui.toasts()
        await tui.press("space", "space", "c")
        await tui.until(lambda: "% different" in tui.text())
        await tui.press("escape")
        assert current(tui).SCREEN_NAME == "library"


async def test_lineage_is_shown(open_app: Open) -> None:
    async with open_app(size=(160, 50)) as tui:
        await tui.press("s")
        await tui.until(lambda: not tui.app.state.saves.pending)
        await tui.press("+", "s")
        await tui.until(lambda: not tui.app.state.saves.pending)
        await tui.press("5")
        await tui.until(lambda: "Lineage" in tui.text())


async def test_a_library_that_vanished_is_empty_again(open_app: Open) -> None:
    import shutil

    async with open_app() as tui:
        screen = await saved_faces(tui, 1)
        shutil.rmtree(tui.app.state.settings.library)
        await tui.press("r")
        await tui.until(lambda: not screen.faces)
        assert "Nothing is saved yet" in tui.text()


async def test_a_damaged_picture_is_named_and_the_rest_shown(open_app: Open) -> None:
    async with open_app() as tui:
        screen = await saved_faces(tui, 1)
        folder = tui.app.state.settings.library
        (folder / "broken.png").write_bytes(b"no picture")
        os.mkfifo(folder / "pipe.png")
        (folder / "folder.png").mkdir()
        (folder / "loop.png").symlink_to("loop.png")
        (folder / "nothing.png").symlink_to("nothing")
        (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
        await tui.press("r")
        await tui.until(lambda: "broken.png" in tui.text())
        assert len(screen.faces) == 1
        screen.faces[0].path.unlink()
        for key in ("enter", "+", "m", "M"):  # what it was listed for
            await tui.press(key)
        await tui.until(lambda: "no file" in tui.toasts())


def test_a_thumbnail_is_no_larger_than_asked(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "x.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(path)
    small = read_thumbnail(path, 20)
    assert small is not None
    assert small.shape == (20, 20, 3)
    assert read_thumbnail(tmp_path / "absent.png", 20) is None


# --- Models and Jobs ---------------------------------------------------------------------------------------------


async def test_models_lists_inspects_and_opens(open_app: Open) -> None:
    async with open_app(size=(120, 36)) as tui:
        await tui.press("right", "plus", "6")
        await tui.until(lambda: "b.pkl" in tui.text() and "embedded" in tui.text())
        await tui.press("down")
        await tui.until(lambda: "pickle" in tui.text())
        assert tui.command_text() == "$ tuiface model inspect /models/b.pkl"
        await tui.press("enter")
        await tui.until(lambda: len(tui.engines) == 2)
        await tui.settled()
        assert tui.engines[0].is_closed
        assert tui.engines[1].settings.model == Path("/models/b.pkl")
        assert (tui.seed, tui.psi) == (1, 0.8)


async def test_a_conversion_that_fails_is_told(open_app: Open) -> None:
    async with open_app(size=(120, 36)) as tui:
        await tui.press("6")
        await tui.until(lambda: "b.pkl" in tui.text())
        await tui.press("down", "c", "enter")
        await tui.until(lambda: "no generator in this file" in tui.toasts())
        await tui.press("7")
        assert "failed" in tui.text()


def test_jobs_run_in_order_and_can_be_cancelled() -> None:
    import threading

    from tuiface.stimuli.series import Cancelled

    told: list[JobProgress] = []
    over = threading.Event()

    def post(message: object) -> None:
        assert isinstance(message, JobChanged)
        told.append(message.progress)
        if message.progress.id == 3 and message.progress.is_over:
            over.set()

    runner = JobRunner(post)
    gate = threading.Event()

    def waits(report: object) -> str:
        gate.wait(10)
        if not report(1, 2):  # type: ignore[operator]
            raise Cancelled
        return "here"

    def fails(report: object) -> str:
        raise EngineError("out of memory")

    runner.submit("first", waits, 2)
    runner.submit("second", waits, 2)
    runner.submit("third", fails)
    runner.cancel(2)
    gate.set()
    assert over.wait(10)
    ends = {progress.id: (progress.state, progress.message) for progress in told if progress.is_over}
    assert ends == {1: ("done", "here"), 2: ("cancelled", ""), 3: ("failed", "out of memory")}
    runner.close()


def test_the_time_that_is_left_follows_the_pace() -> None:
    job = JobProgress(1, "x", "running", done=2, total=10, elapsed_s=4.0)
    assert job.remaining_s == 16.0
    assert JobProgress(1, "x", "running", total=10).remaining_s is None
    assert [clock(s) for s in (7, 750, 3723)] == ["0:07", "12:30", "1:02:03"]


# --- comparing, screenshot ---------------------------------------------------------------------------------------


async def test_comparing_goes_round_and_says_how_much_differs(open_app: Open) -> None:
    async with open_app(size=(160, 50)) as tui:
        await tui.press("right", "plus", "c")
        await tui.until(lambda: "flicker" in tui.text())
        await tui.press("c")
        await tui.until(lambda: tui.screen.query_one("#original").display and "side by side" in tui.text())
        await tui.press("c")
        await tui.until(lambda: "% changed" in tui.text() and "0.0 %" not in tui.text())
        await tui.press("c")
        assert "% changed" not in tui.text()


async def test_the_history_is_visible_with_what_was_undone(open_app: Open) -> None:
    async with open_app(size=(160, 50)) as tui:
        await tui.press("right", "plus", "v", "u")
        panel = tui.panel()
        lines = panel[panel.index("History") :].splitlines()
        assert [line.strip() for line in lines[1:5]] == ["noise none", "psi 0.80", "seed 1", "seed 0"]


async def test_a_screenshot_is_saved_with_its_picture(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("P")
        [path] = tui.app.state.settings.library.glob("*.svg")
        text = path.read_text("utf-8")
        assert "<svg" in text
        assert "tuiface" in text
