"""Atomic writes: nothing half-written, nothing overwritten, nothing left behind."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tuiface.core import files
from tuiface.core.errors import OutputError
from tuiface.core.files import lock_folder, make_folder, new_folder, write_file, write_pair


@pytest.fixture(params=["unnamed", "hidden"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to write: with O_TMPFILE, and where the file system has none."""
    if request.param == "hidden":
        monkeypatch.setattr(files, "_open_unnamed", lambda folder: None)
    return str(request.param)


def test_writes_the_bytes(way: str, tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"x" * 3_000_000)
    assert (tmp_path / "a").read_bytes() == b"x" * 3_000_000
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("force", [False, True])
def test_file_without_a_name_is_really_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool) -> None:
    """The hidden file is for other file systems: it would stay behind when a process is killed."""
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
    except (AttributeError, OSError):
        pytest.skip("this file system has no files without a name")
    monkeypatch.setattr(files._StagedFile, "_open_hidden", lambda self: pytest.fail("fell back"))
    if force:
        (tmp_path / "a").write_bytes(b"old")
    write_file(tmp_path / "a", b"new", force=force)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_existing_file_is_kept_unless_forced(way: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"exists already.*--force"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    write_file(path, b"new", force=True)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_dangling_link_is_not_written_through(way: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OutputError, match="exists already"):
        write_file(tmp_path / "link", b"new")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_failing_disk_leaves_nothing(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail(descriptor: int, data: bytes) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(OutputError, match=os.strerror(code)) as caught:
        write_file(path, b"new", force=True)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_full_disk_for_real(tmp_path: Path) -> None:
    """A file-size limit of 100 kB stands for a full disk."""
    code = (
        "import sys, resource, signal; from pathlib import Path; from tuiface.core.files import write_file\n"
        "from tuiface.core.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: write_file(Path(sys.argv[1]), bytes(1_000_000))\n"
        "except OutputError as error: print(error)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "a")]
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "File too large" in out
    assert os.listdir(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


def test_killed_while_writing_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tuiface.core.files import write_file\n"
        "real = os.write\n"
        "def slow(descriptor, data):\n"
        "    real(descriptor, data[:1000]); real(1, b'half'); import time; time.sleep(60)\n"
        "os.write = slow\n"
        "write_file(Path(sys.argv[1]), bytes(1_000_000))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a")], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.read(4) == b"half"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    if not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no files without a name")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", ["missing/a", "file/a"])
def test_folder_that_is_not_there_is_one_line(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write") as caught:
        write_file(tmp_path / path, b"x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_file_in_the_way_of_a_folder_is_said(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a file is in the way"):
        make_folder(tmp_path / path)


@pytest.mark.parametrize("kept", ["", "run/there before", "run/written"])
def test_new_folder_goes_with_a_failure_unless_it_holds_something(kept: str, tmp_path: Path) -> None:
    if kept.endswith("before"):
        (tmp_path / "run").mkdir()

    def fail() -> None:
        with new_folder(tmp_path / "run"):
            if kept.endswith("written"):
                (tmp_path / kept).write_text("x")
            raise OutputError("no")

    with pytest.raises(OutputError, match="no"):
        fail()
    assert (tmp_path / "run").exists() == bool(kept)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_the_umask_says_who_may_use_new_files(way: str, mask: int, mode: int, tmp_path: Path) -> None:
    start = time.time()
    old = os.umask(mask)
    try:
        write_file(tmp_path / "a", b"x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode
    assert (tmp_path / "a").stat().st_mtime >= start - 2


@pytest.mark.parametrize("in_the_way", ["a", "b"])
def test_a_folder_in_the_place_of_either_of_a_pair_is_kept_and_so_is_the_other(
    way: str, tmp_path: Path, in_the_way: str
) -> None:
    other = tmp_path / ({"a", "b"} - {in_the_way}).pop()
    other.write_text("old")
    (tmp_path / in_the_way).mkdir()
    (tmp_path / in_the_way / "inside").write_text("kept")
    with pytest.raises(OutputError, match="Is a directory"):
        write_pair(tmp_path / "a", b"new", tmp_path / "b", b"new", force=True)
    assert other.read_text() == "old"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "inside"]


def test_pair_is_refused_if_either_exists(way: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("old")
        with pytest.raises(OutputError, match="exists already"):
            write_pair(tmp_path / "a", b"new", tmp_path / "b", b"new")
        assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
        (tmp_path / name).unlink()


def test_a_folder_that_another_holds_is_said_and_not_waited_for_without_end(tmp_path: Path) -> None:
    with lock_folder(tmp_path), pytest.raises(OutputError, match="held by another"), lock_folder(tmp_path, wait_s=0):
        pass
    with lock_folder(tmp_path, wait_s=0):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.EBADF, errno.ENOLCK])
def test_where_folders_cannot_be_locked_a_hidden_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    real = fcntl.flock

    def lock_files_alone(descriptor: int, operation: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_files_alone)
    with lock_folder(tmp_path), pytest.raises(OutputError, match="held by another"), lock_folder(tmp_path, wait_s=0):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [files.LOCK_NAME]
