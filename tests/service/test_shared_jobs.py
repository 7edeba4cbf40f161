"""Long work that outlives its client, and whose it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.service.processes import command, eventually, is_gone, settings_in
from tuiface.core.errors import EngineError, UsageError
from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import JobProgress
from tuiface.service import daemon, job_client
from tuiface.service.job_board import MAX_KEPT, MAX_RUNNING, JobBoard
from tuiface.service.job_client import SharedJobs
from tuiface.service.messages import JobReport
from tuiface.service.runtime_folder import SOCKET_NAME

ALICE, BOB = 1001, 1002

#: In place of `tuiface`: reports progress, then waits for the file that its first argument names, or for SIGINT.
FAKE_COMMAND = """
import json, sys, time, pathlib
gate = pathlib.Path(sys.argv[1])
print(json.dumps({"done": 3, "total": 10}), file=sys.stderr, flush=True)
(gate.parent / "pid").write_text(str(__import__("os").getpid()))
try:
    while not gate.exists():
        time.sleep(0.01)
except KeyboardInterrupt:
    time.sleep(0.5)  # longer than a server takes to end
    sys.exit(130)
if gate.read_text() == "fail":
    sys.exit("tuiface: out of memory (close other programs)")
"""


class Seen:
    """What a watch was told."""

    def __init__(self) -> None:
        self.lists: list[tuple[JobProgress, ...]] = []

    def state(self, number: int) -> str:
        latest = self.lists[-1] if self.lists else ()
        return next((job.state for job in latest if job.id == number), "")

    def job(self, number: int) -> JobProgress:
        return next(job for job in self.lists[-1] if job.id == number)


@contextmanager
def run_engine(settings: Settings) -> Iterator[None]:
    pid = daemon.start(settings, idle_minutes=0, command=command("FakeEngine")).pid
    yield
    if not is_gone(pid):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def settings_of_standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = settings_in(tmp_path_factory.mktemp("standing"))
    with run_engine(settings):
        yield settings


@pytest.fixture
def settings(settings_of_standing: Settings) -> Iterator[Settings]:
    """Settings of one engine for all tests that leave it running; none sees the jobs of another."""
    yield settings_of_standing

    def all_ended() -> bool:
        jobs_of(settings_of_standing).forget()
        status = daemon.query_status(settings_of_standing)
        return status is not None and not status.jobs

    eventually(all_ended)


@pytest.fixture
def fake_tuiface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tuiface` is FAKE_COMMAND for jobs."""
    script = tmp_path / "fake_command.py"
    script.write_text(FAKE_COMMAND)
    runner = tmp_path / "fake_job_process.py"
    runner.write_text(
        "import sys\nfrom tuiface.service import job_process\n"
        f"job_process.COMMAND = (sys.executable, {str(script)!r})\njob_process.PATIENCE_S = 1000\n"
        "sys.exit(job_process.main())\n"
    )
    monkeypatch.setattr(job_client, "COMMAND", (sys.executable, str(runner)))


def jobs_of(settings: Settings) -> SharedJobs:
    return SharedJobs(settings.runtime / SOCKET_NAME, settings.state)


@pytest.fixture
def shared(settings: Settings, fake_tuiface: None) -> SharedJobs:
    return jobs_of(settings)


def test_a_job_tells_its_progress_and_its_result(shared: SharedJobs, tmp_path: Path) -> None:
    seen = Seen()
    watch = shared.watch(seen.lists.append)
    number = shared.start("Series", [str(tmp_path / "gate")], total=10, result="~/faces")
    eventually(lambda: seen.state(number) == "running" and seen.job(number).done == 3)
    assert seen.job(number).total == 10
    assert seen.job(number).remaining_s is not None
    (tmp_path / "gate").touch()
    eventually(lambda: seen.state(number) == "done")
    assert (seen.job(number).message, seen.job(number).done) == ("~/faces", 10)
    shared.forget()
    eventually(lambda: seen.lists[-1] == ())
    watch.close()


def test_a_job_outlives_its_client(shared: SharedJobs, settings: Settings, tmp_path: Path) -> None:
    """The client is killed with its whole session, as the end of an SSH connection does with its own."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tuiface.service import job_client\n"
        f"job_client.COMMAND = {job_client.COMMAND!r}\n"
        "jobs = job_client.SharedJobs(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(jobs.start('Series', [sys.argv[3]]), flush=True)\n"
        "time.sleep(1000)\n"
    )
    arguments = [str(settings.runtime / SOCKET_NAME), str(settings.state), str(tmp_path / "gate")]
    client = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert client.stdout is not None
    number = int(client.stdout.readline())
    os.killpg(client.pid, signal.SIGHUP)
    os.killpg(client.pid, signal.SIGKILL)
    client.communicate()
    seen = Seen()
    watch = shared.watch(seen.lists.append)
    eventually(lambda: seen.state(number) == "running")
    (tmp_path / "gate").touch()
    eventually(lambda: seen.state(number) == "done")
    watch.close()


def test_a_job_can_be_cancelled_from_another_client(shared: SharedJobs, tmp_path: Path) -> None:
    number = shared.start("Series", [str(tmp_path / "gate")])
    eventually((tmp_path / "pid").exists)
    seen = Seen()
    watch = shared.watch(seen.lists.append)
    eventually(lambda: seen.state(number) == "running" and seen.job(number).done == 3)
    shared.cancel(number)
    eventually(lambda: seen.state(number) == "cancelled")
    watch.close()
    with pytest.raises(UsageError, match="job 99"):
        shared.cancel(99)


def test_a_job_of_a_process_that_ignores_interrupts_can_be_cancelled(shared: SharedJobs, tmp_path: Path) -> None:
    """As all are that a script starts with `&`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        number = shared.start("Series", [str(tmp_path / "gate")])
    finally:
        signal.signal(signal.SIGINT, before)
    eventually((tmp_path / "pid").exists)
    shared.cancel(number)
    work = int((tmp_path / "pid").read_text())
    eventually(lambda: is_gone(work))


def test_a_job_that_fails_says_why(shared: SharedJobs, tmp_path: Path) -> None:
    (tmp_path / "gate").write_text("fail")
    number = shared.start("Series", [str(tmp_path / "gate")])
    seen = Seen()
    watch = shared.watch(seen.lists.append)
    eventually(lambda: seen.state(number) == "failed")
    assert seen.job(number).message == "out of memory (close other programs)"
    watch.close()


def test_stop_names_what_runs_and_force_cancels_it(fake_tuiface: None, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with run_engine(settings):
        jobs_of(settings).start("Series of 50", [str(tmp_path / "gate")])
        eventually((tmp_path / "pid").exists)
        answer = daemon.stop(settings, force=False)
        assert answer is not None
        assert not answer.stops
        assert [line.job.label for line in answer.jobs] == ["Series of 50"]
        assert daemon.query_status(settings) is not None
        answer = daemon.stop(settings, force=True)
        assert answer is not None
        assert answer.stops
        assert daemon.query_status(settings) is None
        assert is_gone(int((tmp_path / "pid").read_text())), "the engine ends once its jobs have"


def test_a_job_without_an_engine_does_not_begin(tmp_path: Path) -> None:
    nowhere = jobs_of(settings_in(tmp_path))
    with pytest.raises(EngineError, match="does not answer"):
        nowhere.start("Series", ["morph"])
    with pytest.raises(EngineError, match="does not answer"):
        nowhere.cancel(1)


@pytest.mark.parametrize("text", ["garbage", "{}", '{"label": 3}', '{"label": "x", "run": "/bin/sh"}'])
def test_a_wrong_message_about_a_job_is_refused(shared: SharedJobs, settings: Settings, text: str) -> None:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import unix_connect

    with unix_connect(str(settings.runtime / SOCKET_NAME), "ws://engine/job", compression=None) as stranger:
        stranger.send(text)
        assert json.loads(stranger.recv())["error"] == "InputFileError"
        with pytest.raises(ConnectionClosed):
            stranger.recv()
    found = daemon.query_status(settings)
    assert found is not None
    assert found.jobs == ()


# --- the list itself ---------------------------------------------------------------------------------------------


def test_nobody_cancels_the_job_of_another() -> None:
    board = JobBoard()
    job = board.open(ALICE, "Train", 0)
    with pytest.raises(UsageError, match="no such job"):
        board.cancel(BOB, job.progress.id)
    board.forget(BOB)
    assert not job.cancelled.is_set()
    board.cancel(ALICE, job.progress.id)
    assert job.cancelled.is_set()


def test_a_list_holds_ones_own_jobs_and_nothing_follows_an_end() -> None:
    board = JobBoard()
    mine, theirs = board.open(ALICE, "a", 0), board.open(BOB, "b", 0)
    assert board.of(ALICE) == [mine]
    assert board.running_jobs() == [mine, theirs]
    board.report(mine, JobReport(state="done", message="here"))
    board.report(mine, JobReport(state="running"))
    board.mark_lost(mine)
    board.mark_lost(theirs)
    assert (mine.progress.state, theirs.progress.state) == ("done", "failed")
    board.forget(ALICE)
    assert board.of() == [theirs]


def test_a_user_has_a_limited_number_of_jobs() -> None:
    board = JobBoard()
    for _ in range(MAX_RUNNING):
        board.open(ALICE, "a", 0)
    with pytest.raises(EngineError, match="run already"):
        board.open(ALICE, "a", 0)
    board.open(BOB, "b", 0)
    for _ in range(2 * MAX_KEPT):
        board.report(board.open(BOB, "b", 0), JobReport(state="done"))
    assert len(board.of(BOB)) <= MAX_KEPT + 1
    assert len(board.running_jobs(BOB)) == 1


def test_a_watcher_is_told_of_changes() -> None:
    board = JobBoard()
    with board.watch() as changed:
        assert not changed.is_set()
        job = board.open(ALICE, "a", 0)
        assert changed.is_set()
        changed.clear()
        board.report(job, JobReport(done=1, total=2))
        assert changed.is_set()
