"""Long work that a resident engine knows of: who does what, how far it is, and who may end it.

The work itself is done by processes of the users who asked for it (job_process.py): files are written with their own
rights, and the engine only keeps the list. All methods are called on the server's event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from tuiface.core.errors import EngineError, UsageError
from tuiface.engine_api.protocol import JobProgress
from tuiface.service.messages import JobReport

MAX_RUNNING = 32
"""Of one user at a time."""
MAX_KEPT = 100
"""Jobs of one user that are over and can still be looked up."""

RecordJob = Callable[[Literal["job", "job end", "cancel", "refusal"], int, str], None]
"""Event, Unix user, words for people."""


def _record_nothing(_event: str, _uid: int, _what: str) -> None:
    """For a board of which nothing is kept."""


@dataclass
class Job:
    """One piece of work."""

    uid: int
    """User who asked for it."""
    progress: JobProgress
    began: float
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its user wants it to end."""


class JobBoard:
    """Jobs by their number, oldest first."""

    def __init__(self, record: RecordJob = _record_nothing) -> None:
        """`record` is told of each job that begins, ends, is cancelled or refused."""
        self._record = record
        self._jobs: dict[int, Job] = {}
        self._last = 0
        self._watchers: set[asyncio.Event] = set()

    def open(self, uid: int, label: str, total: int) -> Job:
        """A new job, which runs. Raises EngineError where the user has too many."""
        if len(self.running_jobs(uid)) >= MAX_RUNNING:
            self._record("refusal", uid, f"{label}: {MAX_RUNNING} jobs run already")
            raise EngineError(f"{MAX_RUNNING} jobs run already, the most that one user may have", "cancel some")
        over = [number for number, job in self._jobs.items() if job.uid == uid and job.progress.is_over]
        for number in over[: max(0, len(over) - MAX_KEPT + 1)]:
            del self._jobs[number]
        self._last += 1
        job = Job(uid, JobProgress(self._last, label, "running", total=total), time.monotonic())
        self._record("job", uid, f"{self._last}: {label}")
        self._jobs[self._last] = job
        self._notify_watchers()
        return job

    def report(self, job: Job, report: JobReport) -> None:
        """Take over how far `job` is; nothing follows its end."""
        if job.progress.is_over:
            return
        job.progress = replace(
            job.progress,
            state=report.state,
            done=report.done,
            total=report.total or job.progress.total,
            message=report.message,
            elapsed_s=time.monotonic() - job.began,
        )
        if job.progress.is_over:
            self._record("job end", job.uid, f"{job.progress.id}: {report.state} {report.message}".rstrip())
        self._notify_watchers()

    def mark_lost(self, job: Job) -> None:
        """The process of `job` went away; a failure, unless it had told how it ended."""
        done, total = job.progress.done, job.progress.total
        self.report(job, JobReport(state="failed", done=done, total=total, message="its process ended without a word"))

    def cancel(self, uid: int, number: int) -> None:
        """Ask a job of `uid` to end. Raises UsageError for a number that is none of theirs."""
        job = self._jobs.get(number)
        if job is None or job.uid != uid:
            raise UsageError(f"job {number}: you have no such job in this engine")
        if not job.cancelled.is_set():
            self._record("cancel", uid, f"{number}: {job.progress.label}")
        job.cancelled.set()

    def cancel_all(self) -> None:
        """Ask everything to end."""
        for job in self._jobs.values():
            job.cancelled.set()

    def forget(self, uid: int) -> None:
        """Drop what is over of `uid`."""
        self._jobs = {n: job for n, job in self._jobs.items() if job.uid != uid or not job.progress.is_over}
        self._notify_watchers()

    def of(self, uid: int | None = None) -> list[Job]:
        """The jobs of a user, or all, oldest first."""
        return [job for job in self._jobs.values() if uid is None or job.uid == uid]

    def running_jobs(self, uid: int | None = None) -> list[Job]:
        """Those that are not over."""
        return [job for job in self.of(uid) if not job.progress.is_over]

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """An event that is set at every change, for whoever watches to clear."""
        event = asyncio.Event()
        self._watchers.add(event)
        try:
            yield event
        finally:
            self._watchers.discard(event)

    def _notify_watchers(self) -> None:
        for event in self._watchers:
            event.set()
