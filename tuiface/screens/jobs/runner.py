"""Long work in the background: one after the other, with progress, and an end on request."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tuiface.core.errors import TuifaceError
from tuiface.core.reading import explain
from tuiface.screens.daemon_threads import start_daemon
from tuiface.screens.jobs.resident import ResidentJobs
from tuiface.screens.messages import JobChanged

if TYPE_CHECKING:
    from textual.message import Message

    from tuiface.engine_api.protocol import JobProgress

ProgressCallback = Callable[[int, int], bool]
"""Told the steps done and in all; answers whether to go on."""
Work = Callable[[ProgressCallback], str]
"""Does it, and returns where the result lies. Raises TuifaceError, or Cancelled of tuiface.stimuli.series."""
PROGRESS_INTERVAL_S = 0.1
"""Progress is told no more often: each telling redraws."""


@dataclass
class _Job:
    progress: JobProgress
    work: Work
    is_cancelled: bool = False


class JobRunner:
    """Methods are called on the app's thread; progress comes as JobChanged through `post`."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        self._post = post
        self._numbers = itertools.count(1)
        self.resident_jobs = ResidentJobs(post, self._numbers)
        """Work in a resident engine, in the same numbers."""
        self._jobs: dict[int, _Job] = {}
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, label: str, work: Work, total: int = 0) -> JobProgress:
        """Line up `work`; `total` is the number of its steps where that is known."""
        from tuiface.engine_api.protocol import JobProgress

        job = _Job(JobProgress(next(self._numbers), label, total=total), work)
        self._jobs[job.progress.id] = job
        self._queue.put(job)
        if self._thread is None:
            self._thread = start_daemon("jobs", self._run, self._post_unless_closed)
        return job.progress

    def cancel(self, number: int) -> None:
        """Ask a job to end before its next step; one that waits never begins."""
        if number in self._jobs:
            self._jobs[number].is_cancelled = True
        else:
            self.resident_jobs.cancel(number)

    def close(self) -> None:
        """Cancel everything but what lasts."""
        self._closed = True
        self.resident_jobs.attach(None)
        for job in self._jobs.values():
            job.is_cancelled = True
        self._queue.put(None)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            self._run_job(job)

    def _post_unless_closed(self, message: Message) -> None:
        if not self._closed:
            self._post(message)

    def _run_job(self, job: _Job) -> None:
        from tuiface.stimuli.series import Cancelled

        start = last = time.monotonic()

        def tell(**changes: object) -> None:
            elapsed = time.monotonic() - start
            job.progress = replace(job.progress, elapsed_s=elapsed, **changes)  # type: ignore[arg-type]
            self._post_unless_closed(JobChanged(job.progress))

        def report(done: int, total: int) -> bool:
            nonlocal last
            if time.monotonic() - last > PROGRESS_INTERVAL_S or done == total:
                last = time.monotonic()
                tell(done=done, total=total)
            return not job.is_cancelled

        if job.is_cancelled:
            tell(state="cancelled")
            return
        tell(state="running")
        try:
            message = job.work(report)
        except Cancelled:
            tell(state="cancelled")
        except TuifaceError as error:
            tell(state="failed", message=str(error))
        except OSError as error:
            if (explained := explain(error)) is None:
                raise
            tell(state="failed", message=str(explained))
        else:
            tell(state="done", message=message, done=job.progress.total)
