"""The long work of this interface and of the resident engine, as the list of jobs shows it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tuiface.screens.changes import Drawn, StatePart

if TYPE_CHECKING:
    from tuiface.engine_api.protocol import JobProgress
    from tuiface.screens.changes import Changes
    from tuiface.screens.jobs.resident import JobCommand
    from tuiface.screens.jobs.runner import JobRunner, Work
    from tuiface.service.job_client import SharedJobs


class JobList(StatePart):
    """Long work by its number."""

    listed: Drawn[Mapping[int, JobProgress]] = Drawn(MappingProxyType({}))

    def __init__(self, changes: Changes, runner: JobRunner) -> None:
        super().__init__(changes)
        self._runner = runner

    @property
    def num_running(self) -> int:
        """Jobs that are not over."""
        return sum(not job.is_over for job in self.listed.values())

    def submit(self, label: str, work: Work, total: int = 0) -> int:
        """Do long work in the background; returns its number."""
        progress = self._runner.submit(label, work, total)
        self._list(progress)
        return progress.id

    def submit_resident(self, label: str, command: JobCommand, work: Work, total: int = 0) -> None:
        """Do `command` beside a resident engine, so that it outlives this app; without one, do `work` here."""
        if not self._runner.resident_jobs.begin(label, command, total):
            self.submit(label, work, total)

    def attach(self, shared: SharedJobs | None) -> None:
        """Watch the jobs of an engine that was just found."""
        self._runner.resident_jobs.attach(shared)

    def take(self, progress: JobProgress, *, is_first_report: bool) -> None:
        """A job went on, or ended; one that was cleared from the list does not come back."""
        if is_first_report or progress.id in self.listed:
            self._list(progress)

    def cancel(self, number: int) -> None:
        """Ask long work to end."""
        self._runner.cancel(number)

    def clear(self) -> None:
        """Forget long work that is over."""
        self.listed = {number: job for number, job in self.listed.items() if not job.is_over}
        self._runner.resident_jobs.forget()

    def _list(self, progress: JobProgress) -> None:
        self.listed = {**self.listed, progress.id: progress}
