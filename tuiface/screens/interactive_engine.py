"""What the interface needs of its engine beyond the `Engine` of everybody: to start it, watch it and start it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tuiface.engine_api.protocol import Engine

if TYPE_CHECKING:
    from tuiface.core.errors import TuifaceError
    from tuiface.engine_api.protocol import RenderRequest, RenderResult
    from tuiface.service.job_client import SharedJobs


class Previews(Protocol):
    """A stream of previews: the newest request is rendered next."""

    def submit(self, request: RenderRequest) -> None:
        """Render `request` next, in place of any that waits; returns at once."""

    def close(self) -> None:
        """End the stream."""

    @property
    def is_open(self) -> bool:
        """Whether pictures may still come."""


class InteractiveEngine(Engine, Protocol):
    """An engine that may be started, watched, started again: tuiface.service's client. `close` ends a start too."""

    def start(self) -> None:
        """Start it and wait until it answers."""

    def restart(self) -> None:
        """End what runs, if anything does, and start it again; streams must be opened anew."""

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""

    @property
    def remark(self) -> str:
        """One line on why a resident engine that runs is not the one in use; empty otherwise."""

    @property
    def shared_jobs(self) -> SharedJobs | None:
        """Long work that outlives this app; None where the engine ends with it."""

    def stream(self, on_result: Callable[[RenderResult], None], on_error: Callable[[TuifaceError], None]) -> Previews:
        """Open a stream of previews, whose callbacks run on its own thread."""
