"""What a shared engine made, for whom and when: JSON Lines in its state folder, each chained to the one before.

    STATE/audit.jsonl                   the file that is written
    STATE/audit-000000012345.jsonl      a full one, by its last entry's number; never removed by tuiface

An entry holds the digest of the one before it and its own, so that an entry that was changed, removed, put elsewhere or
put in shows (`check_files`). Whoever may write the file could write all of it anew: the last digest, written down
elsewhere, tells that, and entries that were cut off at the end.

Entries reach the disk before whoever asked gets what they tell of; where they cannot, nothing is handed out. Bytes that
are no entry, as a power cut leaves them, stay where they are, and the next entry tells of them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from tuiface.core.bounds import Count, Word
from tuiface.core.errors import EngineError, InputFileError, OutputError, quote
from tuiface.core.files import make_folder, translate_os_errors, try_lock
from tuiface.core.limits import MAX_EXACT_INTEGER
from tuiface.core.own_files import OWNER_ALONE, OWNER_AND_READING_GROUP, open_own_file
from tuiface.core.values import Value, canonical_json, parse_json, read_bytes
from tuiface.core.visible import to_visible
from tuiface.faces.direction_numbers import Sha256

FILE_NAME: Final = "audit.jsonl"
FULL_NAMES: Final = f"audit-{'[0-9]' * 12}.jsonl"
MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""A file is full before it is larger; some eight thousand entries."""
MIN_ENTRY_BYTES: Final = 200
MAX_ENTRY_BYTES: Final = 8192
"""Of a line; the two digests alone take 150."""
MAX_DAMAGED_LINES: Final = 1000
"""In a row, which is far more than a power cut leaves."""
MAX_WHAT: Final = 300
MAX_USER: Final = 64
MAX_CHEAP_A_MINUTE: Final = 60
"""Entries of one user about what costs nothing to bring about, such as refusals: beyond them they are counted."""
LOCK_TIMEOUT_S: Final = 5.0
"""How long an engine that ends may take to let go of the file."""
BEFORE_THE_FIRST: Final = "0" * 64

Event = Literal[
    "start", "stop", "render", "face", "direction", "population", "regions", "job", "job end", "cancel", "refusal",
    "damage",
]  # fmt: skip
_CHEAP: tuple[Event, ...] = ("job", "job end", "cancel", "refusal")
_LEFT_OUT = ("recipe_sha256", "pixels_sha256", "previews", "omitted", "damaged_bytes", "damaged_sha256")
"""Fields that are absent where there is nothing to say."""


class AuditEntry(Value):
    """A line of the file."""

    format: Literal["tuiface.audit/1"] = "tuiface.audit/1"
    sequence: int = Field(ge=1, le=MAX_EXACT_INTEGER)
    """Counts up by one from 1, over all files."""
    time: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$")
    uid: int = Field(ge=0, lt=2**32)
    """Unix user who asked, by the kernel's word; the engine's own for its start and its end."""
    user: Word
    """The user's name at that time."""
    event: Event
    what: Annotated[str, Field(max_length=MAX_WHAT)]
    """For people."""
    recipe_sha256: Sha256 | None = None
    pixels_sha256: Sha256 | None = None
    previews: Count = 0
    """Pictures to look at that were rendered since the entry before."""
    omitted: Count = 0
    """Refusals and jobs since the entry before that were too many to be written one by one."""
    damaged_bytes: Count = 0
    """Of event `damage`: bytes before this entry that are none."""
    damaged_sha256: Sha256 | None = None
    """Their digest."""
    previous: Sha256
    """`sha256` of the entry before; zeros in the very first."""
    sha256: Sha256
    """SHA-256 of this entry's canonical JSON (RFC 8785) without this field."""

    @classmethod
    def seal(cls, **values: Any) -> AuditEntry:
        """An entry with its digest."""
        unsealed = cls(**values, sha256=BEFORE_THE_FIRST)
        return unsealed.model_copy(update={"sha256": unsealed.computed_sha256})

    @property
    def computed_sha256(self) -> str:
        """What `sha256` must be."""
        values = self._values()
        del values["sha256"]
        return hashlib.sha256(canonical_json(values)).hexdigest()

    def line(self) -> bytes:
        """Its canonical JSON with the end of the line."""
        return canonical_json(self._values()) + b"\n"

    def _values(self) -> dict[str, Any]:
        values = self.model_dump(mode="json")
        return {name: value for name, value in values.items() if value or name not in _LEFT_OUT}


def full_name(sequence: int) -> str:
    """Of a file whose last entry has that number."""
    return f"audit-{sequence:012d}.jsonl"


def read_entry(line: bytes) -> AuditEntry | None:
    """The entry in a line with its end, whether or not its digest is right; None where there is none."""
    if not (MIN_ENTRY_BYTES <= len(line) <= MAX_ENTRY_BYTES and line.endswith(b"\n")):
        return None
    try:
        entry = parse_json(AuditEntry, line[:-1], "entry")
    except InputFileError:
        return None
    return entry if entry.line() == line else None


class AuditLog:
    """The file of one engine, to append to; methods may be called from any thread."""

    def __init__(self, folder: Path, gid: int | None = None) -> None:
        """Open it (0600, or 0640 for the group `gid`), or begin it, and go on with the chain where it ended.

        Raises OutputError for a file that is not this user's alone to write, or a link; EngineError where another
        engine writes it.
        """
        make_folder(folder)
        self.path = folder / FILE_NAME
        self._gid = gid
        self._lock = threading.Lock()
        self._previews = self._omitted = 0
        self._cheap: dict[int, tuple[float, int]] = {}
        """By user: when the present minute began, and how many cheap entries were written in it."""
        self._descriptor = _open_to_append(self.path, gid)
        try:
            self._continue_chain(folder)
        except BaseException:
            os.close(self._descriptor)
            raise

    def count_preview(self) -> None:
        """Note a picture that is only looked at."""
        with self._lock:
            self._previews += 1

    def append(
        self, event: Event, uid: int, user: str, what: str, *, recipe: str | None = None, pixels: str | None = None
    ) -> None:
        """Write an entry, with digests of a recipe and of pixels where there are any; it is on the disk afterwards.

        Raises OutputError where it cannot be written, and leaves no part of it.
        """
        with self._lock:
            if event in _CHEAP and not self._may_write_cheap(uid):
                self._omitted += 1
                return
            self._write(event, uid, user, what, recipe_sha256=recipe, pixels_sha256=pixels)

    def close(self) -> None:
        """Nothing can be appended afterwards."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def _continue_chain(self, folder: Path) -> None:
        data = _read_all(self._descriptor)
        last, damage = _split_after_last_entry(data)
        if last is None and (full := sorted(folder.glob(FULL_NAMES))):
            last, _ = _split_after_last_entry(read_bytes(full[-1], 2 * MAX_FILE_BYTES))
            if last is None:
                raise OutputError(f"{quote(full[-1], 120)} holds no entry to go on from", "move it elsewhere")
        self._last = (0, BEFORE_THE_FIRST) if last is None else (last.sequence, last.sha256)
        if damage:
            text = f"{len(damage)} bytes before this entry are none, as a power cut leaves them"
            digest = hashlib.sha256(damage).hexdigest()
            separator = b"" if damage.endswith(b"\n") else b"\n"
            uid = os.geteuid()
            self._write("damage", uid, str(uid), text, separator, damaged_bytes=len(damage), damaged_sha256=digest)

    def _may_write_cheap(self, uid: int) -> bool:
        now = time.monotonic()
        began, count = self._cheap.get(uid, (now, 0))
        if now - began >= 60:
            began, count = now, 0
        self._cheap[uid] = (began, count + 1)
        return count < MAX_CHEAP_A_MINUTE

    def _write(
        self, event: Event, uid: int, user: str, what: str, separator: bytes = b"", **values: int | str | None
    ) -> None:
        sequence, previous = self._last
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        entry = AuditEntry.seal(
            sequence=sequence + 1,
            time=f"{moment}Z",
            uid=uid,
            user=to_visible(user, MAX_USER),
            event=event,
            what=to_visible(what, MAX_WHAT),
            previews=self._previews,
            omitted=self._omitted,
            previous=previous,
            **values,
        )
        line = separator + entry.line()
        with translate_os_errors(self.path):
            is_full = os.fstat(self._descriptor).st_size + len(line) > MAX_FILE_BYTES
            if is_full and event != "damage":  # that stays with what it tells of
                self._begin_next_file(sequence)
            _append(self._descriptor, line)
        self._last = (entry.sequence, entry.sha256)
        self._previews = self._omitted = 0

    def _begin_next_file(self, sequence: int) -> None:
        full = self.path.with_name(full_name(sequence))
        if os.path.lexists(full):
            raise OutputError(f"{quote(full, 120)} is in the way of the audit log", "move it elsewhere")
        self.path.rename(full)
        following = _open_to_append(self.path, self._gid)
        os.close(self._descriptor)
        self._descriptor = following


def _open_to_append(path: Path, gid: int | None) -> int:
    """A descriptor that only appends, each write through to the disk; locked for as long as it is open."""
    mode = OWNER_ALONE if gid is None else OWNER_AND_READING_GROUP
    descriptor = open_own_file(path, os.O_RDWR | os.O_APPEND | os.O_DSYNC, mode)
    try:
        _lock_file(descriptor, path)
        if gid is not None:
            with translate_os_errors(path):
                os.fchown(descriptor, -1, gid)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock_file(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while not try_lock(descriptor):
        if time.monotonic() > deadline:
            raise EngineError(
                f"another engine of yours writes {quote(path, 120)}", "stop it, or set `state` to another folder"
            )
        time.sleep(0.02)


def _append(descriptor: int, line: bytes) -> None:
    """Write all of `line` or none of it."""
    size = os.fstat(descriptor).st_size
    try:
        written = os.write(descriptor, line)
        if written != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def _read_all(descriptor: int) -> bytes:
    """What a file holds that is no larger than one of ours can be; raises OutputError for another."""
    size = os.fstat(descriptor).st_size
    if size > 2 * MAX_FILE_BYTES:
        raise OutputError(f"the audit log has {size} bytes, more than it ever grows to", "move it elsewhere")
    return os.pread(descriptor, size, 0)


def _split_after_last_entry(data: bytes) -> tuple[AuditEntry | None, bytes]:
    """The last entry that is whole, and the bytes after it."""
    end = len(data)
    while (stop := data.rfind(b"\n", 0, end) + 1) > 0:
        start = data.rfind(b"\n", 0, stop - 1) + 1
        entry = read_entry(data[start:stop])
        if entry is not None and entry.sha256 == entry.computed_sha256:
            return entry, data[stop:]
        end = stop - 1
    return None, data


# --- checking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What the chain of one or more files says."""

    num_entries: int
    first: int
    """Number of the first entry; more than 1 where earlier files are not at hand."""
    last: int
    last_sha256: str
    """To be written down elsewhere: entries that were cut off after it do not show by the chain."""
    damages: tuple[int, ...]
    """Entries that tell of bytes before them that are none."""
    problem: str
    """The first place where the chain does not hold; empty where it does."""


class _ChainError(Exception):
    """Where the chain does not hold, in words."""


def audit_files(folder: Path) -> list[Path]:
    """The files of a state folder in the order of their entries."""
    current = folder / FILE_NAME
    return [*sorted(folder.glob(FULL_NAMES)), *([current] if current.exists() else [])]


def check_files(paths: Sequence[Path]) -> AuditReport:
    """Follow the chain through files that follow each other. Raises InputFileError for one that cannot be read."""
    checker, problem = _Checker(), ""
    try:
        for path in paths:
            checker.check(io.BytesIO(read_bytes(path, 2 * MAX_FILE_BYTES)))
    except _ChainError as error:
        problem = str(error)
    return checker.report(problem)


class _Checker:
    def __init__(self) -> None:
        self._num_entries = self._first = 0
        self._last: AuditEntry | None = None
        self._damages: list[int] = []

    def check(self, lines: Iterable[bytes]) -> None:
        damage, num_damaged = bytearray(), 0
        for line in lines:
            entry = read_entry(line)
            if entry is None:
                damage += line
                num_damaged += 1
                if num_damaged > MAX_DAMAGED_LINES:
                    break
                continue
            num_damaged = 0
            self._check_digest(entry)
            self._check_place(entry)
            self._check_damage(entry, bytes(damage))
            damage.clear()
            self._first = self._first or entry.sequence
            self._last = entry
            self._num_entries += 1
        if damage:
            how_many = f"{len(damage)} bytes" if num_damaged <= MAX_DAMAGED_LINES else f"over {MAX_DAMAGED_LINES} lines"
            raise _ChainError(f"{how_many} after {self._place} are no whole entry")

    def report(self, problem: str) -> AuditReport:
        last, sha256 = (0, BEFORE_THE_FIRST) if self._last is None else (self._last.sequence, self._last.sha256)
        return AuditReport(self._num_entries, self._first, last, sha256, tuple(self._damages), problem)

    @property
    def _place(self) -> str:
        return "the beginning" if self._last is None else f"entry {self._last.sequence}"

    def _check_digest(self, entry: AuditEntry) -> None:
        if entry.sha256 != entry.computed_sha256:
            raise _ChainError(f"the entry after {self._place} was changed after it was written")

    def _check_place(self, entry: AuditEntry) -> None:
        last = self._last
        if last is None:
            if (entry.sequence == 1) != (entry.previous == BEFORE_THE_FIRST):
                raise _ChainError(f"entry {entry.sequence} was not the first one")
            return
        if entry.sequence > last.sequence + 1:
            missing = (
                f"entry {last.sequence + 1} is"
                if entry.sequence == last.sequence + 2
                else (f"entries {last.sequence + 1} to {entry.sequence - 1} are")
            )
            raise _ChainError(f"{missing} missing: {entry.sequence} comes after {last.sequence}")
        if entry.sequence <= last.sequence:
            raise _ChainError(f"entry {entry.sequence} comes after {last.sequence}: out of order, or a second time")
        if entry.previous != last.sha256:
            raise _ChainError(f"entry {last.sequence} is not the one that entry {entry.sequence} was written after")

    def _check_damage(self, entry: AuditEntry, damage: bytes) -> None:
        if not damage and not entry.damaged_bytes:
            return
        told, separator = damage[: entry.damaged_bytes], damage[entry.damaged_bytes :]
        if separator not in (b"", b"\n") or hashlib.sha256(told).hexdigest() != entry.damaged_sha256:
            raise _ChainError(f"what stands between {self._place} and entry {entry.sequence} is no entry")
        self._damages.append(entry.sequence)
