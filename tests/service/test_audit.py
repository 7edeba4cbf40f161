"""The record of what a shared engine made: written, gone on with, and whatever was done to it found."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from tests.hostile.in_place import NO_OWN_FILES, Put
from tests.service.fake_child import REFUSED, FakeEngine, frame, recipe
from tuiface.cli import main
from tuiface.core.errors import (
    EXIT_CHECK_FAILED,
    EXIT_DONE,
    EXIT_INPUT,
    EXIT_USAGE,
    EngineError,
    InputFileError,
    ModelError,
    OutputError,
)
from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import RenderRequest
from tuiface.engine_api.requests import ConditionalMeanRequest, CrossRequest, RegionsRequest, SearchRequest
from tuiface.faces.provenance import pixels_digest
from tuiface.service import audit_log
from tuiface.service.audit_log import (
    BEFORE_THE_FIRST,
    FILE_NAME,
    MAX_CHEAP_A_MINUTE,
    MAX_ENTRY_BYTES,
    AuditEntry,
    AuditLog,
    audit_files,
    check_files,
    full_name,
    read_entry,
)
from tuiface.service.audited_engine import AuditedEngine
from tuiface.service.job_board import MAX_RUNNING, JobBoard
from tuiface.service.messages import JobReport

ALICE, BOB = 1001, 1002


def write(folder: Path, *texts: str) -> Path:
    """One engine's life: an entry for each text."""
    with closing(AuditLog(folder)) as audit:
        for text in texts:
            audit.append("render", ALICE, "alice", text)
    return folder / FILE_NAME


def entries_of(path: Path) -> list[AuditEntry]:
    found = [read_entry(line) for line in path.read_bytes().splitlines(keepends=True)]
    assert None not in found
    return [entry for entry in found if entry is not None]


# --- what is written -------------------------------------------------------------------------------------------------


def test_each_entry_holds_the_digest_of_the_one_before(tmp_path: Path) -> None:
    first, second, third = entries_of(write(tmp_path, "a", "b", "c"))
    assert first.previous == BEFORE_THE_FIRST
    assert (second.previous, third.previous) == (first.sha256, second.sha256)
    assert [entry.sequence for entry in (first, second, third)] == [1, 2, 3]
    assert (first.uid, first.user, first.event, first.what) == (ALICE, "alice", "render", "a")


def test_the_next_engine_goes_on_with_the_chain(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    path = write(tmp_path, "c")
    assert [entry.what for entry in entries_of(path)] == ["a", "b", "c"]
    report = check_files([path])
    assert (report.problem, report.first, report.last, report.num_entries) == ("", 1, 3, 3)
    assert report.last_sha256 == entries_of(path)[-1].sha256


@pytest.mark.parametrize("mask", [0, 0o22, 0o177])
def test_others_cannot_read_it_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        path = write(tmp_path, "a")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with closing(AuditLog(tmp_path, os.getgid())):
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_a_hostile_name_stays_on_its_line(tmp_path: Path) -> None:
    hostile = 'a\n{"sequence":7}\r\x1b]0;owned\x07\u202e\x00\udcff' + "x" * 10**6
    with closing(AuditLog(tmp_path)) as audit:
        audit.append("job", ALICE, hostile, hostile)
    [line] = (tmp_path / FILE_NAME).read_bytes().splitlines(keepends=True)
    assert len(line) < MAX_ENTRY_BYTES
    entry = read_entry(line)
    assert entry is not None
    assert entry.user.isprintable()
    assert entry.what.isprintable()
    assert "\\x1b]0;owned" in entry.what
    assert check_files([tmp_path / FILE_NAME]).problem == ""


def test_a_full_file_makes_way_for_another_that_goes_on_with_its_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "MAX_FILE_BYTES", 1000)
    path = write(tmp_path, *"abcdefghijkl")
    files = audit_files(tmp_path)
    assert len(files) > 2
    assert files[-1] == path
    assert all(file.stat().st_size <= 1000 for file in files)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert [entry.what for file in files for entry in entries_of(file)] == list("abcdefghijkl")
    for file, following in pairwise(files):
        assert file.name == full_name(entries_of(file)[-1].sequence)
        assert entries_of(following)[0].previous == entries_of(file)[-1].sha256
    assert check_files(files).problem == ""
    assert check_files(files[1:]).first == entries_of(files[1])[0].sequence
    assert "missing" in check_files([files[0], files[2]]).problem
    (tmp_path / "audit-of-last-year.jsonl").write_text("somebody's own")
    path.unlink()  # as where the machine stopped between two files
    write(tmp_path, "m")
    assert entries_of(path)[0].previous == entries_of(files[-2])[-1].sha256
    path.unlink()
    files[-2].write_bytes(b"nothing of ours")
    with pytest.raises(OutputError, match="holds no entry to go on from"):
        AuditLog(tmp_path)


def test_what_costs_nothing_cannot_fill_it(tmp_path: Path) -> None:
    with closing(AuditLog(tmp_path)) as audit:
        for _ in range(10 * MAX_CHEAP_A_MINUTE):
            audit.append("refusal", ALICE, "alice", "again")
        audit.append("refusal", BOB, "bob", "once")
        audit.append("render", ALICE, "alice", "a picture")
    entries = entries_of(tmp_path / FILE_NAME)
    assert len(entries) == MAX_CHEAP_A_MINUTE + 2
    assert [(entry.user, entry.omitted) for entry in entries[-2:]] == [("bob", 9 * MAX_CHEAP_A_MINUTE), ("alice", 0)]


def test_previews_are_counted_alone(tmp_path: Path) -> None:
    with closing(AuditLog(tmp_path)) as audit:
        for _ in range(3):
            audit.count_preview()
        audit.append("render", ALICE, "alice", "a")
        audit.append("render", ALICE, "alice", "b")
    assert [entry.previews for entry in entries_of(tmp_path / FILE_NAME)] == [3, 0]


def test_an_entry_that_cannot_be_written_leaves_no_part_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def write_half(descriptor: int, data: bytes) -> int:
        return real(descriptor, data[: len(data) // 2])

    with closing(AuditLog(tmp_path)) as audit:
        audit.append("render", ALICE, "alice", "a")
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write_half)
            with pytest.raises(OutputError, match="No space left"):
                audit.append("render", ALICE, "alice", "lost")
        audit.append("render", ALICE, "alice", "b")
    assert [entry.what for entry in entries_of(tmp_path / FILE_NAME)] == ["a", "b"]
    with pytest.raises(OutputError):
        audit.append("render", ALICE, "alice", "closed")


# --- what stands in its place ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("put", "reason"), NO_OWN_FILES.values(), ids=NO_OWN_FILES)
def test_what_is_no_file_of_ones_own_is_refused(tmp_path: Path, put: Put, reason: str) -> None:
    put(tmp_path / FILE_NAME)
    with pytest.raises(OutputError, match=reason) as refusal:
        AuditLog(tmp_path)
    assert "\n" not in str(refusal.value)


def test_two_engines_at_once_do_not_write_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "LOCK_TIMEOUT_S", 0.0)
    with closing(AuditLog(tmp_path)), pytest.raises(EngineError, match="another engine of yours writes"):
        AuditLog(tmp_path)
    AuditLog(tmp_path).close()


def test_it_is_written_also_where_the_file_system_knows_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert check_files([write(tmp_path, "a", "b")]).num_entries == 2


# --- what was done to it ---------------------------------------------------------------------------------------------


def edit(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b'"what":"c"', b'"what":"x"')


def edit_the_last(lines: list[bytes]) -> None:
    lines[-1] = lines[-1].replace(b'"what":"e"', b'"what":"x"')


def edit_and_seal_anew(lines: list[bytes]) -> None:
    entry = read_entry(lines[2])
    assert entry is not None
    lines[2] = AuditEntry.seal(**{**entry.model_dump(exclude={"sha256"}), "what": "x"}).line()


def add_white_space(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b",", b", ")


def renumber(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b'"sequence":3', b'"sequence":2')


def remove(lines: list[bytes]) -> None:
    del lines[2]


def remove_two(lines: list[bytes]) -> None:
    del lines[1:3]


def remove_the_first(lines: list[bytes]) -> None:
    entry = read_entry(lines[1])
    assert entry is not None
    lines[:2] = [AuditEntry.seal(**{**entry.model_dump(exclude={"sha256"}), "sequence": 1}).line()]


def reorder(lines: list[bytes]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def repeat(lines: list[bytes]) -> None:
    lines.insert(3, lines[2])


def cut(lines: list[bytes]) -> None:
    lines[2] = lines[2][:50] + b"\n"


def cut_the_last(lines: list[bytes]) -> None:
    lines[-1] = lines[-1][:50]


def put_in(lines: list[bytes]) -> None:
    lines.insert(2, b"\n")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (edit, "the entry after entry 2 was changed after it was written"),
        (edit_the_last, "the entry after entry 4 was changed after it was written"),
        (edit_and_seal_anew, "entry 3 is not the one that entry 4 was written after"),
        (renumber, "the entry after entry 2 was changed after it was written"),
        (add_white_space, "entry 3 is missing: 4 comes after 2"),
        (remove, "entry 3 is missing: 4 comes after 2"),
        (remove_two, "entries 2 to 3 are missing: 4 comes after 1"),
        (remove_the_first, "entry 1 was not the first one"),
        (reorder, "entry 2 is missing: 3 comes after 1"),
        (repeat, "entry 3 comes after 3: out of order, or a second time"),
        (cut, "entry 3 is missing: 4 comes after 2"),
        (cut_the_last, "50 bytes after entry 4 are no whole entry"),
        (put_in, "what stands between entry 2 and entry 3 is no entry"),
    ],
)
def test_whatever_was_done_is_named_at_its_place(
    tmp_path: Path, change: Callable[[list[bytes]], None], problem: str
) -> None:
    path = write(tmp_path, *"abcde")
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))
    assert check_files([path]).problem == problem


def test_entries_cut_off_at_the_end_show_by_the_last_digest_alone(tmp_path: Path) -> None:
    path = write(tmp_path, *"abcde")
    written_down = check_files([path]).last_sha256
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    report = check_files([path])
    assert (report.problem, report.last) == ("", 3)
    assert report.last_sha256 != written_down


@pytest.mark.parametrize("left", [b'{"cut":"of', b"\0" * 700, b"\n\n", b"\xff\xfe\n{}", b"{}\n[1]\n"])
def test_what_a_power_cut_leaves_is_named_and_kept(tmp_path: Path, left: bytes) -> None:
    path = write(tmp_path, "a", "b")
    with path.open("ab") as file:
        file.write(left)
    assert "no whole entry" in check_files([path]).problem
    write(tmp_path, "c")
    assert left in path.read_bytes()
    report = check_files([path])
    assert (report.problem, report.num_entries, report.damages) == ("", 4, (3,))
    whole, _, rest = path.read_bytes().rpartition(left)
    path.write_bytes(whole + b"x" + left[1:] + rest)
    assert "is no entry" in check_files([path]).problem


def test_a_power_cut_in_the_very_first_entry_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch(mode=0o600)
    (tmp_path / FILE_NAME).write_bytes(b'{"ev')
    path = write(tmp_path, "a")
    report = check_files([path])
    assert (report.problem, report.first, report.last, report.damages) == ("", 1, 2, (1,))


@pytest.mark.parametrize(
    "data",
    [b"\n" * 4_000_000, b"\0" * 4_000_000, b"{}\n" * 1_000_000, b"[" * 4_000_000, (b"{" + b" " * 300 + b"\n") * 10_000],
    ids=["lines", "zeros", "objects", "brackets", "almost"],
)
def test_a_file_of_anything_else_is_refused_at_once(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(data)
    before = time.process_time()
    assert "after the beginning are no whole entry" in check_files([path]).problem
    assert time.process_time() - before < 5


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / FILE_NAME)
    with pytest.raises(InputFileError, match="cannot read"):
        check_files([tmp_path / FILE_NAME])


def test_a_file_that_no_engine_lets_grow_so_far_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / FILE_NAME).open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(InputFileError, match="larger than"):
        check_files([tmp_path / FILE_NAME])
    (tmp_path / FILE_NAME).chmod(0o600)
    with pytest.raises(OutputError, match="more than it ever grows to"):
        AuditLog(tmp_path)


# --- who asked for what ----------------------------------------------------------------------------------------------


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[AuditedEngine]:
    (tmp_path / "state").mkdir()
    with closing(AuditLog(tmp_path)) as audit:
        engine = AuditedEngine(FakeEngine(Settings(state=tmp_path / "state")), audit)
        yield engine
        engine.scheduler.close()


def ask(engine: AuditedEngine, work: Callable[[], object], uid: int = ALICE) -> None:
    with suppress(ModelError):
        engine.scheduler.submit("work", uid, work).result(30)


def test_what_is_made_is_recorded_with_who_asked_for_it(audited: AuditedEngine, tmp_path: Path) -> None:
    final = RenderRequest(recipe(3), 16)
    pixels = pixels_digest(frame(final).pixels)
    ask(audited, lambda: audited.render(RenderRequest(recipe(3), 16, quality="draft")))
    ask(audited, lambda: audited.render_while(lambda: True, RenderRequest(recipe(4), 16)))
    ask(audited, lambda: audited.render(final), BOB)
    ask(audited, lambda: audited.render(RenderRequest(recipe(REFUSED), 16)))  # the server records it with its answer
    ask(audited, lambda: audited.find_face(CrossRequest(contour=recipe(1), inner=recipe(2))))
    ask(audited, lambda: list(audited.make_directions(SearchRequest(method="channels", region="eyes", count=3))))
    ask(audited, lambda: audited.estimate_conditional_mean(ConditionalMeanRequest(bounds={}, draws=9, min_faces=1)))
    ask(audited, lambda: audited.learn_regions(RegionsRequest(names=("hair", "skin"))))
    entries = entries_of(tmp_path / FILE_NAME)
    events = ["render", "face", "direction", "direction", "refusal", "population", "regions"]
    assert [entry.event for entry in entries] == events
    assert [entry.uid for entry in entries] == [BOB] + 6 * [ALICE]
    assert entries[0].previews == 2
    assert (entries[0].recipe_sha256, entries[0].pixels_sha256) == (recipe(3).digest, pixels)
    assert recipe(1).digest in entries[1].what
    assert recipe(2).digest in entries[1].what
    assert re.match("[0-9a-f]{64} ", entries[2].what)
    assert "did you mean" not in entries[4].what


def test_nothing_is_handed_out_that_cannot_be_recorded(
    audited: AuditedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda descriptor, data: 0)
    with pytest.raises(OutputError, match="No space left"):
        ask(audited, lambda: audited.render(RenderRequest(recipe(3), 16)))


def test_jobs_are_recorded_from_their_beginning_to_their_end() -> None:
    told: list[tuple[str, int, str]] = []
    board = JobBoard(lambda *line: told.append(line))
    one, other = board.open(ALICE, "Series", 10), board.open(BOB, "Train", 0)
    board.report(one, JobReport(done=1))
    board.cancel(ALICE, one.progress.id)
    board.cancel(ALICE, one.progress.id)
    board.report(one, JobReport(state="cancelled"))
    board.mark_lost(one)
    board.mark_lost(other)
    for _ in range(MAX_RUNNING):
        board.open(BOB, "more", 0)
    with pytest.raises(EngineError):
        board.open(BOB, "one too many", 0)
    assert told[:5] == [
        ("job", ALICE, "1: Series"),
        ("job", BOB, "2: Train"),
        ("cancel", ALICE, "1: Series"),
        ("job end", ALICE, "1: cancelled"),
        ("job end", BOB, "2: failed its process ended without a word"),
    ]
    assert told[-1] == ("refusal", BOB, f"one too many: {MAX_RUNNING} jobs run already")


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUIFACE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_verify_tells_what_holds_and_the_last_digest(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(state, "a", "b")
    last = entries_of(path)[-1].sha256
    assert main(["verify", "--audit"]) == EXIT_DONE
    told = capsys.readouterr()
    assert told.out == f"{path}: holds, entries 1 to 2; the last one's digest is {last}\n"
    assert "cut off" in told.err
    assert main(["--json", "verify", "--audit", str(path)]) == EXIT_DONE
    values = json.loads(capsys.readouterr().out)
    assert (values["status"], values["last"], values["last_sha256"], values["problem"]) == ("holds", 2, last, "")


def test_verify_fails_where_the_chain_does_not_hold(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(state, "a", "b", "c")
    path.write_bytes(path.read_bytes().replace(b'"what":"b"', b'"what":"x"'))
    assert main(["verify", "--audit"]) == EXIT_CHECK_FAILED
    line = f"{path}: does not hold: the entry after entry 1 was changed after it was written\n"
    assert capsys.readouterr().out == line
    assert main(["--json", "verify", "--audit"]) == EXIT_CHECK_FAILED
    assert json.loads(capsys.readouterr().out)["status"] == "differs"


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--audit"], EXIT_INPUT, "no audit log in"),
        (["--audit", "/nowhere/audit.jsonl"], EXIT_INPUT, "no file '/nowhere/audit.jsonl'"),
        (["--audit", "--exact"], EXIT_USAGE, "--exact is of pictures"),
        ([], EXIT_USAGE, "no FILE given"),
    ],
)
def test_verify_refuses_in_one_line(
    state: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, line: str
) -> None:
    assert main(["verify", *words]) == code
    [told] = capsys.readouterr().err.splitlines()
    assert line in told
