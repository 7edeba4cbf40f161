"""The engine starts late, fails, dies and comes back; the session goes on."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest

from tests.tui.conftest import Open
from tests.tui.fake_engine import FakeEngine
from tuiface.core.errors import EXIT_DONE, EXIT_ENGINE, EXIT_MODEL, EngineError, ModelError
from tuiface.screens.messages import PreviewArrived


def wait_to_start(engine: FakeEngine) -> None:
    engine.may_start.clear()


async def test_the_screen_is_there_before_the_engine(open_app: Open) -> None:
    async with open_app(wait_to_start, ready=False) as tui:
        await tui.until(lambda: "starting the engine" in tui.text())
        assert "? help" in tui.text()
        assert tui.app.state.studio is None


async def test_keys_pressed_before_the_engine_is_there_are_kept(open_app: Open) -> None:
    async with open_app(wait_to_start, ready=False) as tui:
        await tui.press("right", "right", "plus", "g", "4", "2", "enter", "u")
        assert "5 keys kept" in tui.panel()
        tui.engine.may_start.set()
        await tui.settled()
        assert (tui.seed, tui.psi) == (2, 0.8)
        assert [job.recipe for job in tui.engine.jobs] == [tui.recipe]


async def test_a_face_saved_before_the_engine_is_there_is_saved_by_it(open_app: Open) -> None:
    async with open_app(wait_to_start, ready=False) as tui:
        await tui.press("right", "s", "right")
        tui.engine.may_start.set()
        await tui.until(lambda: tui.app.state.saves.num_saved)
        assert len(list(tui.app.state.settings.library.glob("seed1-*.png"))) == 1


async def test_garbage_is_collected_again_once_the_start_is_over(open_app: Open) -> None:
    gc.disable()  # as the command line does before it imports the interface
    try:
        async with open_app() as tui:
            await tui.until(gc.isenabled)
            assert tui.app.state.engine.is_settled
    finally:
        gc.enable()


async def test_garbage_is_collected_again_where_the_engine_cannot_start(open_app: Open) -> None:
    def refuse(engine: FakeEngine) -> None:
        engine.start_error = ModelError("no such model")

    gc.disable()
    try:
        async with open_app(refuse, ready=False) as tui:
            await tui.until(gc.isenabled)
    finally:
        gc.enable()


async def test_leaving_while_the_engine_starts_does_not_wait_for_it(open_app: Open) -> None:
    async with open_app(wait_to_start, ready=False) as tui:
        await tui.press("q")
        await tui.until(lambda: not tui.app.is_running)
    assert tui.engine.is_closed
    assert tui.app.return_code == EXIT_DONE


async def test_a_bad_model_is_one_line_with_the_next_step(open_app: Open) -> None:
    def bad(engine: FakeEngine) -> None:
        engine.start_error = ModelError("net.pkl is not a checkpoint", "give another one with --model")

    async with open_app(bad, ready=False) as tui:
        await tui.until(lambda: "net.pkl is not a checkpoint" in tui.text())
        assert "give another one with --model" in tui.text()
        assert "R tries again, 6 chooses another network" in tui.text()
        await tui.press("right", "s", "y")
        assert tui.app.state.studio is None
        await tui.press("q")
    assert tui.app.return_code == EXIT_MODEL


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (160, 50)])
async def test_every_screen_says_that_the_engine_failed_and_where_to_go(open_app: Open, size: tuple[int, int]) -> None:
    def broken(engine: FakeEngine) -> None:
        engine.start_error = ModelError("net.pkl is not a checkpoint", "give another one with --model")

    async with open_app(broken, ready=False, size=size) as tui:
        await tui.until(lambda: tui.app.state.engine.phase == "stopped")
        for key in "12345678":
            await tui.press(key)
            assert "starting the engine" not in tui.text(), key
            text = " ".join(tui.text().split())
            assert "net.pkl is not a checkpoint" in text, key
            assert "6 chooses another network" in text, key
        tui.engine.start_error = None
        await tui.press("R")
        await tui.until(lambda: tui.app.state.engine.phase == "ready")
        assert "net.pkl" not in tui.text()


async def test_the_restart_key_tries_a_failed_start_again(open_app: Open) -> None:
    def broken(engine: FakeEngine) -> None:
        engine.start_error = EngineError("out of memory", "close other programs")

    async with open_app(broken, ready=False) as tui:
        await tui.until(lambda: tui.app.state.engine.phase == "stopped")
        await tui.press("right")
        tui.engine.start_error = None
        await tui.press("R")
        await tui.settled()
        assert tui.seed == 1
        assert tui.engine.num_starts == 2
        await tui.press("q")
    assert tui.app.return_code == EXIT_DONE


async def test_a_dead_engine_is_started_again_and_nothing_is_lost(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("right", "plus")
        await tui.settled()
        tui.engine.may_start.clear()
        tui.engine.die()
        await tui.until(lambda: tui.status() == "restarting")
        assert "▀▀▀▀" in tui.text(), "the picture stays"
        tui.engine.may_start.set()
        await tui.settled()
        assert tui.engine.num_starts == 2
        assert (tui.seed, tui.psi) == (1, 0.8)
        assert tui.toasts().count("Engine restarted") == 1
        await tui.press("u", "right")
        await tui.settled()
        assert (tui.seed, tui.psi) == (2, 0.7)


async def test_an_engine_that_dies_twice_in_a_row_waits_for_the_user(open_app: Open) -> None:
    async with open_app() as tui:
        tui.engine.holds = True
        tui.engine.die()
        await tui.until(lambda: tui.engine.num_starts == 2 and tui.app.state.engine.phase == "ready")
        tui.engine.die()
        await tui.until(lambda: tui.app.state.engine.phase == "stopped")
        assert "press R to restart it" in tui.panel()
        assert tui.status() == "stopped"
        await tui.press("right")
        tui.engine.holds = False
        await tui.press("R")
        await tui.settled()
        assert tui.engine.num_starts == 3
        assert tui.seed == 1


async def test_a_frame_in_between_makes_the_next_death_a_first_one(open_app: Open) -> None:
    async with open_app() as tui:
        for starts in (2, 3):
            tui.engine.die()
            await tui.until(lambda starts=starts: tui.engine.num_starts == starts)  # type: ignore[misc]
            await tui.settled()
        assert tui.app.state.engine.phase == "ready"


async def test_an_engine_that_no_longer_answers_is_replaced_at_the_next_key(open_app: Open) -> None:
    async with open_app() as tui:
        tui.engine.streams[-1].is_open = False
        await tui.press("right")
        await tui.until(lambda: tui.engine.num_starts == 2)
        await tui.settled()
        assert tui.seed == 1


async def test_the_exit_code_tells_of_a_stopped_engine(open_app: Open) -> None:
    async with open_app() as tui:
        tui.engine.start_error = EngineError("no such device")
        tui.engine.die()
        await tui.until(lambda: tui.app.state.engine.phase == "stopped")
        assert "no such device" in tui.toasts()
        await tui.press("q")
    assert tui.app.return_code == EXIT_ENGINE


async def test_what_a_live_engine_refuses_is_a_toast(open_app: Open) -> None:
    async with open_app() as tui:
        tui.engine.preview_error = EngineError("out of memory", "use a smaller size")
        await tui.press("right")
        await tui.until(lambda: "out of memory (use a smaller size)" in tui.toasts())
        tui.engine.preview_error = None
        await tui.press("right")
        await tui.settled()
        assert tui.engine.num_starts == 1


async def test_a_stale_frame_never_reaches_the_screen(open_app: Open) -> None:
    async with open_app() as tui:
        tui.engine.holds = True
        await tui.press("right", "right")
        tui.engine.release(1)
        await tui.settled()
        shown = tui.app.state.preview.result
        tui.engine.release(0)
        await tui.pilot.pause(0.1)
        assert tui.app.state.preview.result is shown
        assert shown is not None
        assert shown.recipe == tui.recipe


async def test_an_older_frame_that_comes_late_takes_no_newer_ones_place(open_app: Open) -> None:
    async with open_app() as tui:
        tui.engine.holds = True
        await tui.press("right", "right")
        (older, newer) = (tui.engine.frame(job) for _, job in tui.engine.held)
        tui.app.post_message(PreviewArrived(newer))
        tui.app.post_message(PreviewArrived(older))  # both wait to be read
        await tui.settled()
        assert tui.app.state.preview.result is newer


async def test_a_frame_of_a_replaced_request_shows_progress(open_app: Open) -> None:
    async with open_app() as tui:
        tui.engine.holds = True
        await tui.press("right", "right")
        first = tui.engine.jobs[-2]
        tui.engine.release(0)
        preview = tui.app.state.preview
        await tui.until(lambda: preview.result is not None and preview.result.recipe == first.recipe)
        assert preview.is_behind


async def test_leaving_closes_the_engine_and_its_threads(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("s", "ctrl+q")
    assert tui.engine.is_closed
    names = {thread.name for thread in threading.enumerate()}
    assert "engine-start" not in names


async def test_a_bug_in_a_thread_ends_the_app_with_its_error(open_app: Open) -> None:
    def buggy(engine: FakeEngine) -> None:
        engine.start_error = ZeroDivisionError("bug")  # type: ignore[assignment]

    try:
        async with open_app(buggy, ready=False) as tui:
            await tui.until(lambda: not tui.app.is_running)
    except ZeroDivisionError:
        return
    raise AssertionError("the bug was swallowed")


def test_the_log_goes_to_the_state_folder(tmp_path: Path) -> None:
    import logging

    from tuiface.screens.log_file import LOG_NAME, log_to

    handlers = list(logging.getLogger().handlers)
    try:
        log_to(tmp_path / "state")
        logging.getLogger("tuiface").info("hello")
        assert "hello" in (tmp_path / "state" / LOG_NAME).read_text()
    finally:
        logging.captureWarnings(capture=False)
        for handler in set(logging.getLogger().handlers) - set(handlers):
            logging.getLogger().removeHandler(handler)
            handler.close()
