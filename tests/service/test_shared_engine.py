"""An engine that several clients share: started detached, found, used, refused and ended."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.fake_child import BAD_MODEL, GATED, INFO, REFUSAL, REFUSED, picture, recipe
from tests.service.processes import (
    PATIENCE_S,
    Watcher,
    command,
    eventually,
    forget_rendered,
    is_gone,
    open_gate,
    rendered,
    settings_in,
)
from tuiface.core.errors import EngineError, ModelError, OutputError, UsageError
from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import RenderRequest
from tuiface.faces.provenance import pixels_digest
from tuiface.service import daemon, messages
from tuiface.service.audit_log import FILE_NAME, check_files, read_entry
from tuiface.service.client import ResidentEngine
from tuiface.service.discovery import find_engine
from tuiface.service.messages import Status
from tuiface.service.runtime_folder import SOCKET_NAME, EngineTakenError

Begin = Callable[..., Status]
Connect = Callable[[Settings], ResidentEngine]
NOBODY = 65534


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture(scope="module")
def settings_of_standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = settings_in(tmp_path_factory.mktemp("standing"))
    pid = daemon.start(settings, idle_minutes=0, command=command("FakeEngine")).pid
    yield settings
    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def standing(settings_of_standing: Settings) -> Settings:
    """Settings of one resident engine for all tests that leave it running and as it was."""
    forget_rendered(settings_of_standing)
    return settings_of_standing


@pytest.fixture
def begin(settings: Settings) -> Iterator[Begin]:
    """Starts a resident engine; whatever runs in the end is killed."""
    pids: list[int] = []

    def begin(behaviour: str = "FakeEngine", *, idle_minutes: float = 0.0, group: str | None = None) -> Status:
        found = daemon.start(settings, idle_minutes=idle_minutes, group=group, command=command(behaviour))
        pids.append(found.pid)
        return found

    yield begin
    for pid in pids:
        if not is_gone(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Clients as the interface makes them; without a resident engine they would start a fake private one."""
    engines: list[ResidentEngine] = []

    def connect(settings: Settings) -> ResidentEngine:
        engine = ResidentEngine(settings, resident="preferred", command=command("FakeEngine"))
        engines.append(engine)
        engine.start()
        return engine

    yield connect
    for engine in engines:
        engine.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_start_status_and_stop(begin: Begin, settings: Settings) -> None:
    assert daemon.query_status(settings) is None
    assert daemon.stop(settings, force=False) is None
    begun = begin(idle_minutes=30)
    assert (begun.model, begun.device, begun.idle_minutes, begun.group) == (INFO.model.name, "cpu", 30, None)
    assert begun.memory_mb > 1
    found = daemon.query_status(settings)
    assert found is not None
    assert found.pid == begun.pid
    answer = daemon.stop(settings, force=False)
    assert answer is not None
    assert answer.stops
    assert not (settings.runtime / SOCKET_NAME).exists()
    assert daemon.query_status(settings) is None
    begin()  # at once, as `tuiface engine stop && tuiface engine start` does
    eventually(lambda: is_gone(begun.pid))


def test_what_a_killed_engine_left_does_not_stop_the_next_and_the_audit_log_goes_on(
    begin: Begin, connect: Connect, settings: Settings
) -> None:
    begin()
    engine = connect(settings)
    pixels = pixels_digest(engine.render(RenderRequest(recipe(3), 16)).pixels)
    with pytest.raises(ModelError):
        engine.render(RenderRequest(recipe(REFUSED), 16))
    found = daemon.query_status(settings)
    assert found is not None
    assert found.audit == str(settings.state / FILE_NAME)
    engine.close()
    os.kill(found.pid, signal.SIGKILL)  # which leaves no time to say that it ends
    eventually(lambda: is_gone(found.pid))
    assert daemon.query_status(settings) is None
    assert (settings.runtime / SOCKET_NAME).exists()
    assert find_engine(settings) is None
    begin()
    assert daemon.query_status(settings) is not None
    answer = daemon.stop(settings, force=False)
    assert answer is not None
    assert answer.stops
    assert check_files([settings.state / FILE_NAME]).problem == ""
    entries = [read_entry(line) for line in (settings.state / FILE_NAME).read_bytes().splitlines(keepends=True)]
    told = [(entry.event, entry.uid, entry.recipe_sha256, entry.pixels_sha256) for entry in entries if entry]
    me = os.getuid()
    assert told == [
        ("start", me, None, None),
        ("render", me, recipe(3).digest, pixels),
        ("refusal", me, None, None),
        ("start", me, None, None),
        ("stop", me, None, None),
    ]
    assert entries[-1] is not None
    assert entries[-1].what.startswith("asked by ")
    assert entries[2] is not None
    assert entries[2].what == f"/render: {REFUSAL.message}"


def test_a_second_engine_is_refused_with_what_runs(standing: Settings) -> None:
    running = daemon.query_status(standing)
    assert running is not None
    with pytest.raises(EngineTakenError, match=f"runs already: fake on cpu, process {running.pid}"):
        daemon.start(standing, idle_minutes=0, command=command("FakeEngine"))


def test_folder_and_socket_are_the_users_alone(standing: Settings) -> None:
    assert mode(standing.runtime) == 0o700
    assert mode(standing.runtime / SOCKET_NAME) == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="only root is sure to have another group")
def test_a_group_may_be_let_in(begin: Begin, settings: Settings) -> None:
    import grp

    group = next(entry for entry in grp.getgrall() if entry.gr_gid not in (0, os.getgid()))
    assert begin(group=group.gr_name).group == group.gr_name
    for path, expected in ((settings.runtime, 0o750), (settings.runtime / SOCKET_NAME, 0o660)):
        assert mode(path) == expected
        assert path.stat().st_gid == group.gr_gid


def test_an_unknown_group_is_refused(begin: Begin) -> None:
    with pytest.raises(UsageError, match="no-such-group"):
        begin(group="no-such-group")


def test_a_bad_model_is_told_and_leaves_nothing_locked(begin: Begin) -> None:
    with pytest.raises(ModelError) as refusal:
        begin("bad_model")
    assert refusal.value.message == BAD_MODEL.message
    begin()


def test_a_hang_up_is_survived(standing: Settings) -> None:
    running = daemon.query_status(standing)
    assert running is not None
    os.kill(running.pid, signal.SIGHUP)
    assert os.getsid(running.pid) == running.pid
    assert daemon.query_status(standing) is not None


def test_it_ends_when_it_is_idle_and_not_before(begin: Begin, connect: Connect, settings: Settings) -> None:
    begun = begin(idle_minutes=0.5 / 60)
    engine = connect(settings)
    watcher = Watcher()
    with watcher.stream(engine) as stream:
        stream.submit(RenderRequest(recipe(GATED), 16, sequence=1))
        eventually(lambda: rendered(settings) == [1])
        open_gate(settings)
        eventually(lambda: watcher.sequences == [1])
    eventually(lambda: is_gone(begun.pid))
    assert not (settings.runtime / SOCKET_NAME).exists()


def test_two_clients_each_have_their_own_previews(connect: Connect, standing: Settings) -> None:
    one, other = connect(standing), connect(standing)
    assert one.remark == other.remark == ""
    assert one.shared_jobs is not None
    assert one.info() == other.info() == INFO
    watchers = [Watcher(), Watcher()]
    with watchers[0].stream(one) as first, watchers[1].stream(other) as second:
        first.submit(RenderRequest(recipe(1), 16, quality="draft", sequence=1))
        second.submit(RenderRequest(recipe(2), 16, quality="draft", sequence=1))
        eventually(lambda: all(w.sequences == [1] for w in watchers))
        found = daemon.query_status(standing)
        assert found is not None
        assert [line.interfaces for line in found.clients] == [2]
    for seed, watcher in enumerate(watchers, 1):
        assert (watcher.frames[0].pixels == picture(seed, 16)).all()
    one.close()
    assert other.render(RenderRequest(recipe(3), 16)).pixels.shape == (16, 16, 3), "one client's end is its own"


def test_without_a_resident_engine_a_private_one_is_started(connect: Connect, settings: Settings) -> None:
    engine = connect(settings)
    assert engine.pid is not None
    assert engine.shared_jobs is None
    assert engine.remark == ""


def test_a_client_killed_in_the_middle_leaves_the_engine_serving(standing: Settings) -> None:
    script = (
        "import json, sys, time\n"
        "from tests.service.fake_child import GATED, recipe\n"
        "from tuiface.engine_api.protocol import RenderRequest\n"
        "from tuiface.service.client import ResidentEngine\n"
        "from tuiface.core.settings import Settings\n"
        "engine = ResidentEngine(Settings.model_validate(json.loads(sys.argv[1])), resident='required')\n"
        "engine.start()\n"
        "engine.stream(print, print).submit(RenderRequest(recipe(GATED), 16, sequence=1))\n"
        "time.sleep(1000)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", script, standing.model_dump_json()], cwd=root) as client:
        eventually(lambda: rendered(standing) == [1])
        client.kill()
    open_gate(standing)
    eventually(lambda: (found := daemon.query_status(standing)) is not None and not found.clients)


def test_a_killed_engine_is_told_and_replaced_by_a_private_one(
    begin: Begin, connect: Connect, settings: Settings
) -> None:
    begun = begin()
    engine = connect(settings)
    watcher = Watcher()
    stream = watcher.stream(engine)
    os.kill(begun.pid, signal.SIGKILL)
    eventually(lambda: not stream.is_open)
    assert not engine.is_alive
    assert "the resident engine" in str(watcher.errors[0])
    engine.restart()
    assert engine.pid is not None
    assert engine.render(RenderRequest(recipe(1), 16)).pixels.shape == (16, 16, 3)


def test_two_models_of_one_file_name_are_told_apart() -> None:
    held = messages.Offer(model="/a/x.pkl", size=1, mtime_ns=1, directions="/d")
    wanted = held.model_copy(update={"model": "/b/x.pkl"})
    assert held.misfit(wanted, same_user=True) == "it holds /a/x.pkl, wanted is /b/x.pkl"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": None}, "it holds model.bin, wanted is embedded.safetensors"),
        ({"device": "cuda"}, "it runs on cpu, wanted is cuda"),
        ({"threads": 7}, "it computes with 1 threads, wanted are 7"),
        ({"directions": Path("/elsewhere")}, "wanted is /elsewhere"),
    ],
)
def test_an_engine_that_does_not_fit_is_not_used(standing: Settings, changes: dict[str, object], reason: str) -> None:
    wanted = standing.model_copy(update=changes)
    with pytest.raises(EngineError, match=reason):
        find_engine(wanted)
    engine = ResidentEngine(wanted, resident="preferred", command=command("FakeEngine"))
    with engine:
        engine.start()
        assert reason in engine.remark
        assert engine.pid is not None


def test_a_model_that_was_replaced_is_another_model(standing: Settings, tmp_path: Path) -> None:
    assert standing.model is not None
    standing.model.rename(tmp_path / "before")
    try:
        standing.model.write_bytes(b"another network")
        with pytest.raises(EngineError, match=r"model\.bin as it was before the file changed"):
            find_engine(standing)
    finally:
        (tmp_path / "before").rename(standing.model)
    assert find_engine(standing) is not None


def test_another_version_is_told_and_not_used(
    begin: Begin, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin()
    theirs = messages.PROTOCOL_VERSION
    monkeypatch.setattr(messages, "PROTOCOL_VERSION", 99)
    with pytest.raises(EngineError, match=rf"protocol {theirs}\), this is .* \(protocol 99\)"):
        find_engine(settings)
    with pytest.raises(EngineError, match="protocol 99"):
        daemon.query_status(settings)
    assert daemon.stop(settings, force=False) is not None


@pytest.mark.parametrize("answer", [b"", b"garbage", b"[]", b'{"protocol": 1}', b"[" * 100_000])
def test_what_answers_instead_of_an_engine_is_refused(answer: bytes) -> None:
    with pytest.raises(EngineError, match="no engine of tuiface"):
        messages.decode_offer(answer)


@pytest.mark.parametrize(
    "data",
    [b"\0" * 70_000, b"GET /" + b"a" * 200_000, b"POST /jobs/cancel HTTP/1.1\r\n\r\n{"],
    ids=["zeros", "long path", "no JSON"],  # pytest puts them into the environment, which every engine gets
)
def test_garbage_does_not_stop_it(standing: Settings, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(PATIENCE_S)
        stranger.connect(str(standing.runtime / SOCKET_NAME))
        try:
            stranger.sendall(data)
            stranger.shutdown(socket.SHUT_WR)
            while stranger.recv(65536):
                pass
        except OSError:
            pass  # the server may hang up while we still send
    assert daemon.query_status(standing) is not None


def test_a_folder_that_others_may_write_is_not_trusted(begin: Begin, settings: Settings) -> None:
    settings.runtime.mkdir()
    settings.runtime.chmod(0o777)
    for use in (lambda: find_engine(settings), begin):
        with pytest.raises(EngineError, match="can be written by others"):
            use()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make folders of other users")
def test_a_folder_of_another_user_is_not_trusted(begin: Begin, settings: Settings) -> None:
    settings.runtime.mkdir(mode=0o700)
    os.chown(settings.runtime, NOBODY, -1)
    for use in (lambda: find_engine(settings), begin):
        with pytest.raises(EngineError, match="belongs to"):
            use()


def test_a_link_in_place_of_the_folder_is_not_followed(begin: Begin, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    settings.runtime.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match="is no folder"):
        find_engine(settings)
    with pytest.raises(OutputError, match="cannot use"):
        begin()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_user_who_does_not_exist_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no-such-user"):
        find_engine(settings.model_copy(update={"engine": "no-such-user"}))


def test_the_log_is_limited(tmp_path: Path) -> None:
    from tuiface.service.engine_log import MAX_LOG_BYTES, NUM_BACKUPS

    script = (
        "import logging, os, sys\n"
        "from pathlib import Path\n"
        "from tuiface.service.engine_log import RotatingLog\n"
        "os.umask(0)\n"
        "logging.basicConfig(handlers=[RotatingLog(Path(sys.argv[1]))])\n"
        "for number in range(6000): logging.warning('x' * 1000)\n"
        "print('last word', flush=True)\n"
    )
    log = tmp_path / "resident.log"
    subprocess.run([sys.executable, "-c", script, str(log)], check=True)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + NUM_BACKUPS
    assert all(path.stat().st_size <= MAX_LOG_BYTES + 1100 for path in files)
    assert {mode(path) for path in files} == {0o600}, "also after it was begun anew"
    assert "last word" in log.read_text()
