"""What may stand where a shared engine has its folder, its lock and its logs: refused in one line, or put right."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hostile.in_place import NO_OWN_FILES, Put, put_dangling_link
from tests.service.fake_child import GATED, INFO, FakeEngine, recipe
from tests.service.in_process import serve
from tests.service.processes import PATIENCE_S, eventually, open_gate, rendered
from tuiface.core.errors import EngineError, OutputError
from tuiface.core.own_files import open_own_file
from tuiface.core.settings import Settings
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import RenderRequest
from tuiface.service import daemon, discovery, messages
from tuiface.service.engine_log import RotatingLog
from tuiface.service.runtime_folder import (
    LOCK_NAME,
    SOCKET_NAME,
    EngineTakenError,
    claim_folder,
    find_socket,
    is_claimed,
)
from tuiface.service.unix_http import request


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


# --- in place of the folder ------------------------------------------------------------------------------------------


def link_to_a_folder(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("put", [Path.touch, os.mkfifo, put_dangling_link, link_to_a_folder])
def test_what_is_no_folder_is_neither_used_nor_followed(tmp_path: Path, put: Put) -> None:
    put(tmp_path / "run")
    with pytest.raises(OutputError) as refusal, claim_folder(tmp_path / "run", None):
        pytest.fail("claimed")
    assert "cannot use" in one_line(refusal)
    with pytest.raises(EngineError) as untrusted:
        find_socket(tmp_path / "run", os.getuid())
    assert "is no folder" in one_line(untrusted)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(mode)
    with pytest.raises(EngineError) as refusal, claim_folder(tmp_path / "run", None):
        pytest.fail("claimed")
    assert "can be written by others" in one_line(refusal)


# --- in it -----------------------------------------------------------------------------------------------------------


def left_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


@pytest.mark.parametrize("put", [left_socket, Path.touch, os.mkfifo, put_dangling_link])
def test_what_an_engine_left_in_place_of_its_socket_is_removed(tmp_path: Path, put: Put) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    put(tmp_path / "run" / SOCKET_NAME)
    with claim_folder(tmp_path / "run", None):
        assert not os.path.lexists(tmp_path / "run" / SOCKET_NAME)


def test_whoever_may_look_into_the_folder_cannot_keep_an_engine_from_starting(tmp_path: Path) -> None:
    """A member of the group can lock what they can open."""
    with claim_folder(tmp_path / "run", os.getgid()):
        assert stat.S_IMODE((tmp_path / "run" / LOCK_NAME).stat().st_mode) == 0o600
    theirs = os.open(tmp_path / "run", os.O_RDONLY)
    fcntl.flock(theirs, fcntl.LOCK_EX)
    with claim_folder(tmp_path / "run", os.getgid()):
        assert is_claimed(tmp_path / "run")
        with pytest.raises(EngineTakenError), claim_folder(tmp_path / "run", None):
            pytest.fail("claimed twice")
    assert not is_claimed(tmp_path / "run")
    os.close(theirs)


@pytest.mark.parametrize("put", [put_dangling_link, os.mkfifo, Path.mkdir])
def test_what_stands_in_place_of_the_lock_is_refused(tmp_path: Path, put: Put) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    put(tmp_path / "run" / LOCK_NAME)
    with pytest.raises(OutputError) as refusal, claim_folder(tmp_path / "run", None):
        pytest.fail("claimed")
    assert LOCK_NAME in one_line(refusal)


def test_of_many_that_start_an_engine_at_once_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are told of it, and start none when it is there."""
    started: list[int] = []
    is_there = threading.Event()

    def spawn(settings: Settings, command: list[str], locks: tuple[int, ...]) -> None:
        started.append(os.dup(locks[1]))  # as the child would inherit it
        is_there.set()

    status = messages.Status(
        pid=1, user="me", version="0", model=INFO.model.name, path="/x", device="cpu", device_name="fake", resolution=8,
        uptime_s=0, idle_minutes=0, group=None, memory_mb=0, device_memory_mb=None, audit="/x", clients=(), jobs=(),
    )  # fmt: skip
    monkeypatch.setattr(daemon, "_spawn", spawn)
    monkeypatch.setattr(daemon, "is_listening", lambda path: is_there.is_set())
    monkeypatch.setattr(daemon, "query_status", lambda settings: status)
    settings = Settings(runtime=tmp_path / "run", state=tmp_path)

    def start() -> str:
        try:
            return daemon.start(settings, idle_minutes=0).model
        except EngineTakenError as taken:
            return str(taken)

    with ThreadPoolExecutor(8) as pool:
        told = [future.result(PATIENCE_S) for future in [pool.submit(start) for _ in range(8)]]
    for lock in started:
        os.close(lock)
    assert len(started) == 1
    runs = "an engine of yours runs already: fake on cpu, process 1 (tuiface engine stop ends it)"
    assert sorted(told) == [*7 * [runs], INFO.model.name]


def test_an_engine_that_is_about_to_leave_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tuiface engine stop && tuiface engine start`, or a start right after a crash: nothing listens any more."""
    settings = Settings(runtime=tmp_path / "run", state=tmp_path)
    with claim_folder(settings.runtime, None) as (_, lock):
        leaving = os.dup(lock)
    assert is_claimed(settings.runtime)
    waits: list[float] = []

    def leave(duration_s: float) -> None:
        waits.append(duration_s)
        os.close(leaving)

    monkeypatch.setattr("tuiface.service.daemon.time.sleep", leave)
    with daemon._claim_when_free(settings, settings.runtime / SOCKET_NAME, None):
        assert len(waits) == 1


def test_clients_of_an_engine_that_crashed_wait_for_one_that_is_being_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(runtime=tmp_path / "run", state=tmp_path)
    sleeps: list[float] = []
    monkeypatch.setattr("tuiface.service.discovery.time.sleep", sleeps.append)
    discovery.wait_for_successor(settings)
    assert not sleeps, "nobody starts one"
    with claim_folder(settings.runtime, None), socket.socket(socket.AF_UNIX) as listener:

        def listen(duration_s: float) -> None:
            sleeps.append(duration_s)
            listener.bind(str(settings.runtime / SOCKET_NAME))
            listener.listen()

        monkeypatch.setattr("tuiface.service.discovery.time.sleep", listen)
        discovery.wait_for_successor(settings)
    assert len(sleeps) == 1


# --- logs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("put", "reason"), NO_OWN_FILES.values(), ids=NO_OWN_FILES)
@pytest.mark.parametrize("flags", [os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_TRUNC])
def test_a_log_is_a_file_of_ones_own(tmp_path: Path, put: Put, reason: str, flags: int) -> None:
    put(tmp_path / "resident.log")
    with pytest.raises(OutputError) as refusal:
        open_own_file(tmp_path / "resident.log", flags)
    assert reason in one_line(refusal)
    with pytest.raises(OutputError):
        RotatingLog(tmp_path / "resident.log")


def test_a_log_that_is_refused_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("of another")
    (tmp_path / "jobs.log").hardlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError):
        open_own_file(tmp_path / "jobs.log", os.O_WRONLY | os.O_TRUNC)
    assert (tmp_path / "elsewhere").read_text() == "of another"


@pytest.mark.parametrize("mask", [0, 0o22, 0o377])
def test_a_log_has_its_mode_whatever_the_umask_and_whatever_it_had(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "resident.log"
    before = os.umask(mask)
    try:
        for had in (None, 0o644):
            if had is not None:
                path.chmod(had)
            os.close(open_own_file(path, os.O_WRONLY | os.O_APPEND))
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


# --- the end ---------------------------------------------------------------------------------------------------------


def test_an_engine_that_is_told_to_stop_takes_nothing_more(tmp_path: Path) -> None:
    """Somebody who went on saving kept it for as long as they liked."""
    settings = Settings(state=tmp_path)
    with serve(FakeEngine(settings), tmp_path, shared=True) as path, ThreadPoolExecutor(1) as pool:

        def save(seed: int, sequence: int) -> tuple[int, bytes]:
            body = codec.encode(codec.RenderMessage(job=RenderRequest(recipe(seed), 16, sequence=sequence)))
            return request(path, "POST", codec.RENDER_PATH, body, timeout_s=PATIENCE_S)

        waiting = pool.submit(save, GATED, 1)
        eventually(lambda: rendered(settings) == [1])
        status, _ = request(
            path, "POST", messages.STOP_PATH, codec.encode(messages.StopMessage()), timeout_s=PATIENCE_S
        )
        assert status == 200
        for sequence in (2, 3):
            status, body = save(1, sequence)
            assert status == 500
            assert "stopping" in str(codec.decode_error(body))
        open_gate(settings)
        assert waiting.result(PATIENCE_S)[0] == 200
    assert rendered(settings) == [1]
