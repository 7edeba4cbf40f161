from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.service.conftest import Start
from tests.service.fake_child import (
    BAD_MODEL,
    BROKEN,
    GATED,
    INFO,
    REFUSAL,
    REFUSED,
    UNENDING,
    direction,
    picture,
    recipe,
)
from tests.service.processes import (
    PATIENCE_S,
    Watcher,
    command,
    eventually,
    is_gone,
    open_gate,
    rendered,
    socket_of,
)
from tuiface.core.errors import EngineError, ModelError, TuifaceError
from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import Engine, RenderRequest, RenderResult
from tuiface.engine_api.requests import (
    ClusterSheetRequest,
    ConditionalMeanRequest,
    CrossRequest,
    RegionsRequest,
    SearchRequest,
    StripRequest,
)
from tuiface.faces.recipe import RegionLock
from tuiface.service.client import PreviewStream, ResidentEngine
from tuiface.service.private_process import MAX_SOCKET_PATH_BYTES, EngineProcess
from tuiface.stimuli.series import Cancelled


def kill(engine: ResidentEngine) -> None:
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)


def run_by_hand(behaviour: str, socket: Path, settings: Settings) -> subprocess.CompletedProcess[str]:
    """A child without pipes to a parent, until it ends by itself."""
    arguments = [*command(behaviour), "--socket", str(socket)]
    return subprocess.run(
        arguments, input=settings.model_dump_json(), capture_output=True, text=True, timeout=PATIENCE_S
    )


def test_a_resident_engine_is_an_engine(shared: ResidentEngine) -> None:
    assert isinstance(shared, Engine)
    assert shared.is_alive
    assert shared.info() == INFO


@pytest.mark.parametrize("resolution", [4, 256, None])
def test_a_rendered_frame_is_the_engines_own_to_the_pixel(shared: ResidentEngine, resolution: int | None) -> None:
    frame = shared.render(RenderRequest(recipe(7), resolution, quality="final", sequence=3))
    assert np.array_equal(frame.pixels, picture(7, resolution or 256))
    assert (frame.recipe, frame.sequence, frame.dtype) == (recipe(7), 3, "float32")
    assert frame.measures == {"frame_variation": 0.25}
    assert frame.notices == ("a notice",)


def test_saves_between_previews_are_all_rendered_in_order(shared: ResidentEngine, shared_settings: Settings) -> None:
    watcher = Watcher()
    released = threading.Event()

    def hold_a_key_down(stream: PreviewStream) -> None:
        sequence = 0
        while not released.wait(0.001):
            stream.submit(RenderRequest(recipe(1), 16, quality="draft", sequence=(sequence := sequence + 1)))

    saves = list(range(10**6, 10**6 + 30))
    with watcher.stream(shared) as stream, ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold_a_key_down, stream)
        try:
            frames = [shared.render(RenderRequest(recipe(n - 10**6), 16, sequence=n)) for n in saves]
        finally:
            released.set()
        held.result(PATIENCE_S)
    assert [frame.sequence for frame in frames] == saves
    assert all(np.array_equal(f.pixels, picture(n, 16)) for n, f in enumerate(frames))
    order = rendered(shared_settings)
    assert [n for n in order if n >= 10**6] == saves
    first, last = order.index(saves[0]), order.index(saves[-1])
    assert any(n < 10**6 for n in order[first:last]), "previews stood still while faces were saved"
    assert watcher.sequences == sorted(watcher.sequences)
    assert watcher.errors == []


def test_of_a_thousand_submits_few_are_rendered_and_the_last_always(
    shared: ResidentEngine, shared_settings: Settings
) -> None:
    watcher = Watcher()
    with watcher.stream(shared) as stream:
        stream.submit(RenderRequest(recipe(GATED), 16, quality="draft", sequence=1))
        eventually(lambda: rendered(shared_settings) == [1])
        for sequence in range(2, 1001):
            stream.submit(RenderRequest(recipe(1), 16, quality="draft", sequence=sequence))
        open_gate(shared_settings)
        eventually(lambda: 1000 in watcher.sequences)
    assert watcher.sequences == [1, 1000]
    assert rendered(shared_settings) == [1, 1000]


def test_a_locked_face_at_rest_is_given_up_for_the_next_key(shared: ResidentEngine, shared_settings: Settings) -> None:
    watcher = Watcher()
    at_rest = recipe(UNENDING).derive(locks=(RegionLock(region="frame"),))
    with watcher.stream(shared) as stream:
        for sequence in (1, 3):
            stream.submit(RenderRequest(at_rest, 16, sequence=sequence))
            eventually(lambda: sequence in rendered(shared_settings))  # noqa: B023 - called at once
            stream.submit(RenderRequest(recipe(1), 16, quality="preview", sequence=sequence + 1))
            eventually(lambda: sequence + 1 in watcher.sequences)  # noqa: B023 - called at once
    assert watcher.sequences == [2, 4]
    assert watcher.errors == []


def test_an_unlocked_job_is_waited_for(shared: ResidentEngine, shared_settings: Settings) -> None:
    """An engine that cannot give it up would answer both, one after the other, and fall behind."""
    watcher = Watcher()
    with watcher.stream(shared) as stream:
        stream.submit(RenderRequest(recipe(GATED), 16, sequence=1))
        eventually(lambda: rendered(shared_settings) == [1])
        for sequence in (2, 3):
            stream.submit(RenderRequest(recipe(1), 16, sequence=sequence))
        open_gate(shared_settings)
        eventually(lambda: 3 in watcher.sequences)
    assert rendered(shared_settings) == [1, 3]


def test_a_job_older_than_the_newest_is_never_shown(shared: ResidentEngine) -> None:
    watcher = Watcher()
    with watcher.stream(shared) as stream:
        for sequence in (5, 3, 4):
            stream.submit(RenderRequest(recipe(1), 16, sequence=sequence))
        eventually(lambda: watcher.frames)
        stream.submit(RenderRequest(recipe(1), 16, sequence=6))
        eventually(lambda: 6 in watcher.sequences)
    assert watcher.sequences == [5, 6]


def test_submits_from_many_threads_end_with_the_newest_frame(shared: ResidentEngine) -> None:
    watcher = Watcher()
    with watcher.stream(shared) as stream:
        with ThreadPoolExecutor(8) as pool:
            for sequence in range(1, 501):
                pool.submit(stream.submit, RenderRequest(recipe(1), 4, quality="draft", sequence=sequence))
        eventually(lambda: 500 in watcher.sequences)
    assert watcher.sequences == sorted(watcher.sequences)


def test_two_streams_of_one_engine_both_move(shared: ResidentEngine) -> None:
    watchers = [Watcher(), Watcher()]
    with watchers[0].stream(shared) as one, watchers[1].stream(shared) as other:
        for sequence in range(1, 20):
            one.submit(RenderRequest(recipe(1), 16, quality="draft", sequence=sequence))
            other.submit(RenderRequest(recipe(2), 16, quality="draft", sequence=sequence))
        eventually(lambda: all(19 in w.sequences for w in watchers))
    for seed, watcher in enumerate(watchers, 1):
        assert all(np.array_equal(frame.pixels, picture(seed, 16)) for frame in watcher.frames)


def test_no_callback_comes_after_a_stream_was_closed(shared: ResidentEngine, shared_settings: Settings) -> None:
    watcher = Watcher()
    with watcher.stream(shared) as stream:
        stream.submit(RenderRequest(recipe(GATED), 16, sequence=1))
        eventually(lambda: rendered(shared_settings) == [1])
        stream.close()
        stream.close()
        assert not stream.is_open
    open_gate(shared_settings)
    stream.submit(RenderRequest(recipe(1), 16, sequence=2))
    shared.render(RenderRequest(recipe(1), 16, sequence=3))
    assert rendered(shared_settings) == [1, 3]
    assert (watcher.frames, watcher.errors) == ([], [])


def test_a_stream_may_be_closed_from_its_own_callback(shared: ResidentEngine) -> None:
    watcher = Watcher()

    def show_and_close(frame: RenderResult) -> None:
        watcher.frames.append(frame)
        stream.close()

    with shared.stream(show_and_close, watcher.errors.append) as stream:
        stream.submit(RenderRequest(recipe(1), 16, sequence=1))
        eventually(lambda: not stream.is_open)
    assert watcher.sequences == [1]


def test_what_the_engine_raises_comes_out_as_it_is(shared: ResidentEngine) -> None:
    watcher = Watcher()
    with pytest.raises(ModelError) as refusal:
        shared.render(RenderRequest(recipe(REFUSED)))
    with watcher.stream(shared) as stream:
        stream.submit(RenderRequest(recipe(REFUSED), sequence=1))
        eventually(lambda: watcher.errors)
        stream.submit(RenderRequest(recipe(1), sequence=2))
        eventually(lambda: watcher.frames)
    for error in (refusal.value, *watcher.errors):
        assert isinstance(error, ModelError)
        assert (error.message, error.hint) == (REFUSAL.message, REFUSAL.hint)


def test_a_failure_nobody_foresaw_is_an_engine_error_with_its_traceback_in_the_log(
    shared: ResidentEngine, shared_settings: Settings
) -> None:
    with pytest.raises(EngineError, match="RuntimeError: CUDA error: device-side assert triggered"):
        shared.render(RenderRequest(recipe(BROKEN)))
    eventually(lambda: "Traceback" in (shared_settings.state / "engine.log").read_text())
    assert shared.render(RenderRequest(recipe(1), 16)).pixels.shape == (16, 16, 3)


def test_a_killed_engine_is_reported_once_and_can_be_restarted(engine: ResidentEngine) -> None:
    watcher = Watcher()
    stream = watcher.stream(engine)
    stream.submit(RenderRequest(recipe(1), 16, sequence=1))
    eventually(lambda: watcher.frames)
    kill(engine)
    eventually(lambda: not stream.is_open)  # though nothing was asked of it
    stream.submit(RenderRequest(recipe(1), 16, sequence=2))
    with pytest.raises(EngineError, match=r"the engine stopped \(signal 9\)"):
        engine.render(RenderRequest(recipe(1)))
    assert not engine.is_alive
    assert [type(e) for e in watcher.errors] == [EngineError]
    assert "the engine stopped (signal 9)" in str(watcher.errors[0])

    engine.restart()
    assert engine.is_alive
    again = watcher.stream(engine)
    again.submit(RenderRequest(recipe(1), 16, sequence=3))
    eventually(lambda: watcher.sequences == [1, 3])
    assert len(watcher.errors) == 1


def test_an_engine_killed_while_it_saves_fails_the_save(engine: ResidentEngine, settings: Settings) -> None:
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(engine.render, RenderRequest(recipe(GATED), sequence=1))
        eventually(lambda: rendered(settings) == [1])
        kill(engine)
        with pytest.raises(EngineError, match="signal 9"):
            saving.result(PATIENCE_S)


def test_closing_while_an_engine_renders_ends_it_and_the_render(engine: ResidentEngine, settings: Settings) -> None:
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(engine.render, RenderRequest(recipe(GATED), sequence=1))
        eventually(lambda: rendered(settings) == [1])
        engine.close()
        with pytest.raises(EngineError, match="the engine is closed"):
            saving.result(PATIENCE_S)


def test_sigterm_ends_an_engine_and_is_told(engine: ResidentEngine) -> None:
    assert engine.pid is not None
    socket = socket_of(engine.pid)
    os.kill(engine.pid, signal.SIGTERM)
    eventually(lambda: not engine.is_alive)
    assert not socket.parent.exists()  # both ends may be told to stop at once, as at a shutdown
    with pytest.raises(EngineError, match="signal 15"):
        engine.render(RenderRequest(recipe(1)))


def test_close_leaves_nothing_behind_and_may_be_called_again(engine: ResidentEngine, tmp_path: Path) -> None:
    watcher = Watcher()
    stream = watcher.stream(engine)
    pid = engine.pid
    assert pid is not None
    assert len(list(tmp_path.glob("tuiface-*"))) == 1
    engine.close()
    engine.close()
    assert not engine.is_alive
    assert not stream.is_open
    assert watcher.errors == []
    assert is_gone(pid)
    with pytest.raises(ChildProcessError):  # no zombie
        os.waitpid(pid, os.WNOHANG)
    assert list(tmp_path.glob("tuiface-*")) == []
    for use in (lambda: engine.render(RenderRequest(recipe(1))), engine.start, engine.restart):
        with pytest.raises(EngineError, match="closed"):
            use()


def test_an_engine_outlives_the_thread_that_started_it(start: Start) -> None:
    with ThreadPoolExecutor(1) as pool:
        engine = pool.submit(start, "FakeEngine").result(PATIENCE_S)
    assert engine.render(RenderRequest(recipe(1), 16)).pixels.shape == (16, 16, 3)


def test_folder_and_socket_are_the_users_alone(shared: ResidentEngine) -> None:
    assert shared.pid is not None
    socket = socket_of(shared.pid)
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(socket.stat().st_mode)


@pytest.mark.parametrize("runtime", ["x" * 100, "does/not/exist"])
def test_a_runtime_folder_that_cannot_be_used_is_passed_over(
    runtime: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / runtime))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / ("x" * 100)).mkdir()
    process = EngineProcess(settings, ("true",))
    process.stop()
    assert process.socket.parent.parent == tmp_path
    assert len(os.fsencode(process.socket)) <= MAX_SOCKET_PATH_BYTES
    assert list((tmp_path / ("x" * 100)).iterdir()) == []


def test_what_the_engine_prints_goes_to_the_log(
    start: Start, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    start("engine_that_prints").close()
    log = (settings.state / "engine.log").read_text()
    assert "to stdout" in log
    assert "to stderr" in log
    EngineProcess(settings, ("true",)).stop()
    assert (settings.state / "engine.previous.log").read_text() == log
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("behaviour", "kind", "message"),
    [
        ("bad_model", ModelError, BAD_MODEL.message),
        ("bug", EngineError, "the engine did not start: ZeroDivisionError: a bug"),
        ("death", EngineError, "the engine stopped while starting (exit code 7)"),
        ("no_such_behaviour", EngineError, "the engine stopped while starting (exit code 1)"),
    ],
)
def test_an_engine_that_cannot_open_says_why_and_leaves_nothing(
    behaviour: str, kind: type[TuifaceError], message: str, start: Start, tmp_path: Path
) -> None:
    with pytest.raises(kind) as refusal:
        start(behaviour)
    assert type(refusal.value) is kind
    assert refusal.value.message == message
    assert list(tmp_path.glob("tuiface-*")) == []


def test_the_exit_code_of_a_child_that_cannot_open_is_that_of_its_error(settings: Settings, tmp_path: Path) -> None:
    child = run_by_hand("bad_model", tmp_path / "socket", settings)
    assert child.returncode == ModelError.exit_code
    assert BAD_MODEL.message in child.stderr


def test_a_socket_path_too_long_for_the_system_is_refused_in_one_line(settings: Settings, tmp_path: Path) -> None:
    child = run_by_hand("FakeEngine", tmp_path / ("x" * 120), settings)
    assert child.returncode == EngineError.exit_code
    assert "cannot listen on" in child.stderr
    assert "too long" in child.stderr


def test_an_engine_that_takes_too_long_is_stopped(settings: Settings, tmp_path: Path) -> None:
    engine = ResidentEngine(settings, command=command("endless_import"))
    with pytest.raises(EngineError, match=r"did not start within 0\.3 s"):
        engine.start(timeout_s=0.3)
    assert engine.pid is None
    assert list(tmp_path.glob("tuiface-*")) == []


def test_close_ends_a_start_that_still_waits(settings: Settings, tmp_path: Path) -> None:
    engine = ResidentEngine(settings, command=command("endless_import"))
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(engine.start)
        eventually((settings.state / "importing").exists)
        engine.close()
        with pytest.raises(EngineError, match="the engine is closed"):
            starting.result(PATIENCE_S)
    assert list(tmp_path.glob("tuiface-*")) == []


def test_a_program_that_does_not_exist_is_an_engine_error(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot start /nowhere/python"):
        ResidentEngine.start_private(settings, command=("/nowhere/python",))
    assert list(tmp_path.glob("tuiface-*")) == []


def test_where_the_state_folder_cannot_be_written_the_log_lies_beside_the_socket(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    read_only = settings.model_copy(update={"state": tmp_path / "file/state"})
    process = EngineProcess(read_only, ("true",))
    assert process.log.parent == process.socket.parent
    assert process.log.exists()
    process.stop()
    engine = ResidentEngine.start_private(read_only, command=command("FakeEngine"))
    assert engine.info().resolution
    engine.close()
    assert list(tmp_path.glob("tuiface-*")) == []


def test_importing_the_client_loads_none_of_the_heavy_libraries() -> None:
    code = "import sys, tuiface.service.client; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "textual", "httpx", "websockets", "fastapi", "uvicorn", "tuiface.engine"}
    assert heavy.isdisjoint(modules)


def test_latents_cross_as_they_are(shared: ResidentEngine) -> None:
    z = np.random.RandomState(0).randn(3, 512).astype(np.float32)
    np.testing.assert_array_equal(shared.map(z), z * 2)
    assert shared.map(z[:0]).shape == (0, 512)
    np.testing.assert_array_equal(shared.ws(recipe(5)), np.full((14, 512), 5, np.float32))
    with pytest.raises(ModelError, match=r"edits\[0\]"):
        shared.map(z, label=3)


def test_found_faces_cross_as_they_are(shared: ResidentEngine) -> None:
    found = shared.find_face(CrossRequest(contour=recipe(7), inner=recipe(5)))
    np.testing.assert_array_equal(found.ws, np.full((14, 512), 2, np.float32))
    assert found.measures == {"frame_variation_percent": 0.5}
    with pytest.raises(ModelError, match=r"edits\[0\]"):
        shared.find_face(CrossRequest(contour=recipe(7), inner=recipe(REFUSED)))


def test_features_and_directions_cross_as_they_are(shared: ResidentEngine) -> None:
    np.testing.assert_array_equal(shared.features(range(2, 5)), [[2, -2], [3, -3], [4, -4]])
    notes: list[str] = []
    made = list(shared.make_directions(SearchRequest(method="sefa", count=2), notes.append))
    assert [one.direction.sha256 for one in made] == [direction(0).sha256, direction(1).sha256]
    assert [one.direction.header for one in made] == [direction(0).header, direction(1).header]
    assert [one.holds for one in made] == [False, True]
    assert [text for text in notes if text] == ["number 0", "number 1"]
    with pytest.raises(ModelError, match=r"edits\[0\]"):
        shared.features([BROKEN])


def test_what_takes_long_crosses_as_it_is(shared: ResidentEngine) -> None:
    strip = shared.draw_strip(StripRequest.of([direction(0), direction(1)], [9]))
    np.testing.assert_array_equal(strip, np.full((2, 2, 3), 9, np.uint8))
    notes: list[str] = []
    request = ConditionalMeanRequest(bounds={"age": (None, 30.5)}, draws=40, min_faces=2)
    mean = shared.estimate_conditional_mean(request, notes.append)
    np.testing.assert_array_equal(mean.centre, np.arange(512, dtype=np.float32))
    assert mean.num_faces == 40
    assert shared.draw_cluster_sheet(ClusterSheetRequest(clusters=3)).shape == (3, 2, 3)
    learned = shared.learn_regions(RegionsRequest(names=("hair", "skin")), notes.append)
    assert (learned.file, learned.figures) == (b"hair, skin", {"accuracy": 0.5})
    assert notes == ["reading", "learning"]


def test_an_error_after_the_first_results_is_raised_behind_them(shared: ResidentEngine) -> None:
    made = shared.make_directions(SearchRequest(method="channels", region="hair", count=5))
    assert [next(made).direction.name, next(made).direction.name] == [direction(0).name, direction(1).name]
    with pytest.raises(ModelError, match=r"edits\[0\]"):
        next(made)


@pytest.mark.parametrize("how", ["closed", "raised"])
def test_work_that_nobody_waits_for_is_given_up(engine: ResidentEngine, settings: Settings, how: str) -> None:
    """The fake engine makes two directions and then never comes to an end by itself."""

    def on_step(text: str) -> None:
        if how == "raised" and (settings.state / "working").exists():
            raise Cancelled

    made = engine.make_directions(SearchRequest(method="ganspace", count=5), on_step)
    if how == "closed":
        assert isinstance(made, Generator)
        assert [next(made).holds, next(made).holds] == [False, True]
        made.close()
    else:
        with pytest.raises(Cancelled):
            list(made)
    eventually(lambda: (settings.state / "given-up").exists())
    assert engine.render(RenderRequest(recipe(1), 4)).pixels.shape == (4, 4, 3)


def test_an_engine_that_dies_in_the_middle_is_named(engine: ResidentEngine) -> None:
    made = engine.make_directions(SearchRequest(method="ganspace", count=5))
    next(made)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="the engine stopped"):
        list(made)
