"""Long work in a resident engine, as the list of jobs shows it: found again, watched, and ended on request.

Methods are called on the app's thread and return at once; what becomes of the work comes as JobChanged through `post`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tuiface.core.errors import TuifaceError
from tuiface.core.i18n import tr
from tuiface.screens.daemon_threads import start_daemon
from tuiface.screens.kept_faces import keep_face, saved_picture
from tuiface.screens.messages import JobChanged, WorkFailed

if TYPE_CHECKING:
    from textual.message import Message

    from tuiface.core.settings import Settings
    from tuiface.engine_api.protocol import JobProgress
    from tuiface.faces.studio import Face
    from tuiface.service.job_client import JobWatch, SharedJobs


@dataclass(frozen=True, slots=True)
class JobCommand:
    """The same work as a command, which a process of its own can do."""

    arguments: Callable[[], Sequence[str]]
    """The command without `tuiface`, with absolute paths; called in a thread, where it may write files."""
    result: str
    """Where the result will lie, for people."""


def engine_flags(settings: Settings) -> list[str]:
    """Flags with which a command renders in the very engine that the interface uses."""
    words = ["--engine", "resident" if settings.engine in ("auto", "private") else settings.engine]
    return words if settings.model is None else [*words, "--model", str(settings.model.absolute())]


def keep_faces(faces: Sequence[Face]) -> list[str]:
    """Files that name `faces` for a command. Raises OutputError."""
    return [str(saved_picture(face) or keep_face(face)) for face in faces]


class ResidentJobs:
    """The jobs of one resident engine at a time, numbered among those of this interface."""

    def __init__(self, post: Callable[[Message], object], numbers: Iterator[int]) -> None:
        self._post = post
        self._numbers = numbers
        self._lock = threading.Lock()
        self._shared: SharedJobs | None = None
        self._watch: JobWatch | None = None
        self._listed: dict[int, JobProgress] = {}
        """By their numbers in the engine, with those of the list."""
        self._generation = 0
        """Counts the engines that were attached: what an earlier one still says is not heard."""

    def attach(self, shared: SharedJobs | None) -> None:
        """Watch the jobs of an engine that was just found, in place of those of the one before."""
        with self._lock:
            self._generation += 1
            this_round = self._generation
            left = [job for job in self._listed.values() if not job.is_over]
            self._listed = {}
            watch, self._watch, self._shared = self._watch, None, shared
        if watch is not None:
            watch.close()
        for job in left:
            self._post(JobChanged(replace(job, state="failed", message=tr("the engine that listed it ended"))))
        if shared is not None:
            self._watch = shared.watch(lambda jobs: self._take(this_round, jobs))

    def begin(self, label: str, work: JobCommand, total: int) -> bool:
        """Begin `work` where a resident engine is in use; returns whether one is."""
        shared = self._shared
        if shared is None:
            return False
        title = tr("Not begun: {label}", label=label)
        self._start_thread(title, lambda: shared.start(label, work.arguments(), total=total, result=work.result))
        return True

    def cancel(self, number: int) -> None:
        """Ask the work that is listed as `number` to end."""
        shared = self._shared
        wanted = [at for at, job in self._listed.items() if job.id == number]
        if shared is not None and wanted:
            self._start_thread(tr("Not cancelled"), lambda: shared.cancel(wanted[0]))

    def forget(self) -> None:
        """Let the engine drop what is over."""
        shared = self._shared
        if shared is not None:
            self._start_thread(tr("Not cleared"), shared.forget)

    def _take(self, of_round: int, jobs: Sequence[JobProgress]) -> None:
        """What the engine lists now; on the watch's thread."""
        with self._lock:
            if of_round != self._generation:
                return
            changed = []
            for job in jobs:
                known = self._listed.get(job.id)
                ours = replace(job, id=next(self._numbers) if known is None else known.id)
                if ours != known:
                    self._listed[job.id] = ours
                    changed.append(JobChanged(ours, is_first_report=known is None))
        for message in changed:
            self._post(message)

    def _start_thread(self, title: str, work: Callable[[], object]) -> None:
        def guarded() -> None:
            try:
                work()
            except TuifaceError as error:
                self._post(WorkFailed(title, error))

        start_daemon("resident-jobs", guarded, self._post)
