"""Jobs: long work with its progress, the time that is left, and an end on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from tuiface.core.i18n import tr
from tuiface.core.visible import to_visible
from tuiface.screens.changes import Drawn
from tuiface.screens.widgets.text import Static, assemble, styled
from tuiface.screens.work_screen import WorkScreen

if TYPE_CHECKING:
    from tuiface.engine_api.protocol import JobProgress

_BAR = 24


class JobsScreen(WorkScreen):
    """Draws the list of jobs, the newest first."""

    SCREEN_NAME = "jobs"

    chosen: Drawn[int] = Drawn(0)
    """Place of the chosen job in the list."""

    def compose_body(self) -> ComposeResult:
        """The list."""
        with Vertical(id="body"):
            yield Static("", id="list")

    @property
    def _jobs(self) -> list[JobProgress]:
        return sorted(self.state.jobs.listed.values(), key=lambda job: -job.id)

    def show_body(self) -> None:
        """Two lines a job."""
        jobs = self._jobs
        self.chosen = max(0, min(self.chosen, len(jobs) - 1))
        if not jobs:
            text = tr("No long work yet. A series that Morph saves, and a conversion in Models, are done here.")
            self.query_one("#list", Static).update(styled(text, "$foreground 70%"))
            return
        lines = [line for number, job in enumerate(jobs) for line in self._lines(job, chosen=number == self.chosen)]
        self.query_one("#list", Static).update(Content("\n").join(lines))

    def _lines(self, job: JobProgress, *, chosen: bool) -> list[Content]:
        states = {"done": "$text-success", "failed": "$text-error", "cancelled": "$foreground 55%"}
        heading = assemble(
            (f" {to_visible(job.label)} ", "reverse" if chosen else "bold $foreground"),
            ("  " + tr(job.state), states.get(job.state, "$text-primary")),
        )
        parts = [Content("   "), self._bar(job)]
        if job.total:
            parts.append(styled(f"  {job.done} / {job.total}", "$foreground 85%"))
        remaining = job.remaining_s
        if remaining is not None:
            parts.append(styled("  " + tr("{time} left", time=clock(remaining)), "$foreground 70%"))
        elif job.is_over:
            parts.append(styled(f"  {clock(job.elapsed_s)}", "$foreground 55%"))
        if job.message:
            parts.append(styled(f"  {job.message}", states.get(job.state, "")))
        return [heading, Content("").join(parts), Content("")]

    def _bar(self, job: JobProgress) -> Content:
        full, empty = ("━", "─") if self.state.capabilities.unicode else ("#", "-")
        done = _BAR if job.state == "done" else round(_BAR * job.done / job.total) if job.total else 0
        return assemble((full * done, "$text-primary"), (empty * (_BAR - done), "$foreground 45%"))

    def command_line(self) -> str:
        """A command has no list of work."""
        return ""

    # --- actions -------------------------------------------------------------------------------------------------

    def action_jobs_up(self) -> None:
        """The work above."""
        self.chosen -= 1

    def action_jobs_down(self) -> None:
        """The work below."""
        self.chosen += 1

    def action_jobs_cancel(self) -> None:
        """Ask it to end."""
        jobs = self._jobs
        if jobs and not jobs[self.chosen].is_over:
            self.state.jobs.cancel(jobs[self.chosen].id)

    def action_jobs_clear(self) -> None:
        """Keep what goes on."""
        self.state.jobs.clear()


def clock(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
