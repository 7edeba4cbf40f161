"""Long work in a resident engine, as the Jobs screen shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.tui.conftest import Open
from tests.tui.fake_engine import FakeEngine
from tuiface.core.errors import EngineError
from tuiface.engine_api.protocol import JobProgress
from tuiface.faces.provenance import read_face

OLD = JobProgress(4, "Train a network", "running", done=30, total=100, elapsed_s=60.0)
"""Begun by an interface that is gone."""


@dataclass
class FakeShared:
    """The jobs of a resident engine; `jobs` is told at once and whenever `tell` is called."""

    jobs: tuple[JobProgress, ...] = ()
    error: EngineError | None = None
    started: list[list[str]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    is_closed: bool = False

    def watch(self, on_jobs: Callable[[tuple[JobProgress, ...]], None]) -> FakeShared:
        self.tell = on_jobs
        on_jobs(self.jobs)
        return self

    def close(self) -> None:
        self.is_closed = True

    def start(self, label: str, arguments: Sequence[str], *, total: int = 0, result: str = "") -> int:
        if self.error is not None:
            raise self.error
        self.started.append(list(arguments))
        self.jobs = (*self.jobs, JobProgress(9, label, "running", total=total))
        self.tell(self.jobs)
        return 9

    def cancel(self, number: int) -> None:
        self.cancelled.append(number)

    def forget(self) -> None:
        self.jobs = tuple(job for job in self.jobs if not job.is_over)


def use(shared: FakeShared) -> Callable[[FakeEngine], None]:
    return lambda engine: setattr(engine, "shared_jobs", shared)


async def test_work_of_an_interface_that_is_gone_is_found_again(open_app: Open) -> None:
    shared = FakeShared((OLD, JobProgress(3, "Convert a.pkl", "done", message="~/a.safetensors")))
    async with open_app(use(shared), size=(120, 36)) as tui:
        await tui.press("7")
        await tui.until(lambda: "Train a network" in tui.text())
        assert "30 / 100" in tui.text()
        assert "2:20 left" in tui.text()
        assert "~/a.safetensors" in tui.text()
        assert "Convert" not in tui.toasts(), "what ended before is no news"
        shared.tell((replace(OLD, state="done", message="~/net"),))
        await tui.until(lambda: "~/net" in tui.toasts())
    assert shared.is_closed


async def test_it_is_cancelled_by_its_number_in_the_engine(open_app: Open) -> None:
    shared = FakeShared((OLD,))
    async with open_app(use(shared), size=(120, 36)) as tui:
        await tui.press("7")
        await tui.until(lambda: "Train a network" in tui.text())
        await tui.press(
            *[
                key
                for action in tui.app.state.actions.in_scope("jobs")
                if action.id == "jobs_cancel"
                for key in action.keys[:1]
            ]
        )
        await tui.until(lambda: shared.cancelled == [4])


async def test_a_series_is_begun_there_with_the_faces_as_they_are(open_app: Open) -> None:
    shared = FakeShared()
    async with open_app(use(shared), size=(120, 36)) as tui:
        await tui.press("up", "4")
        await tui.until(lambda: tui.app.screen.frames)  # type: ignore[attr-defined]
        frames = tui.app.screen.frames  # type: ignore[attr-defined]
        await tui.press("s")
        await tui.until(lambda: shared.started)
        words = shared.started[0]
        assert words[0] == "morph"
        assert words[-2:] == ["--engine", "resident"]
        recipes = [read_face(Path(word))[0] for word in words[1:3]]
        assert recipes == [frames[0].recipe, frames[-1].recipe]
        assert words[words.index("--frames") + 1] == str(len(frames))
        await tui.press("7")
        await tui.until(lambda: "Series of" in tui.text())


async def test_work_that_could_not_begin_is_told(open_app: Open) -> None:
    shared = FakeShared(error=EngineError("32 jobs run already"))
    async with open_app(use(shared), size=(120, 36)) as tui:
        await tui.press("4")
        await tui.until(lambda: tui.app.screen.frames)  # type: ignore[attr-defined]
        await tui.press("s")
        await tui.until(lambda: "32 jobs run already" in tui.toasts())


async def test_when_the_engine_dies_its_work_is_not_shown_as_running(open_app: Open) -> None:
    async with open_app(use(FakeShared((OLD,))), size=(120, 36)) as tui:
        await tui.press("7")
        await tui.until(lambda: "30 / 100" in tui.text())
        tui.engine.shared_jobs = None
        tui.engine.die()
        await tui.until(lambda: "the engine that listed it ended" in tui.text())


async def test_why_the_resident_engine_is_not_used_is_said_once(open_app: Open) -> None:
    reason = "the resident engine of ana is not used: it holds a.pkl, wanted is b.pkl"
    async with open_app(lambda engine: setattr(engine, "remark", reason)) as tui:
        assert tui.toasts().count(reason) == 1
